//! Remembering ids for a while: packed per customer and period, forgotten period by period
//! without an index, because the key order is the order in which rows expire.

use schemas::ids::CustomerKey;
use serde::{Deserialize, Serialize};
use stream::{Stored, Table, Timestamp};

/// Ids in one row; more open another page, so that a flood makes many small rows.
const IDS_PER_PAGE_MAX: usize = 64;

/// One customer's page of one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PageKey {
    /// Periods since the epoch.
    pub period: i32,
    /// Whose.
    pub customer: CustomerKey,
    /// Counted from 0.
    pub page: u32,
}

/// What is on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    /// Bit n: the customer has pages n + 1 periods before, too. So only who was not heard of lately
    /// is looked for in every period.
    earlier: u16,
    /// A boxed slice, not a vector: a page that rests is as large as what is on it.
    ids: Box<[u64]>,
}

/// Ids, each remembered for at least `kept` whole periods, at most 14.
#[derive(Debug)]
pub struct Remembered {
    pages: Table<PageKey, Page>,
    period_ms: i64,
    kept: i32,
}

impl Remembered {
    /// Remembers nothing yet.
    pub const fn new(table: &'static str, period_ms: i64, kept: i32) -> Self {
        Self { pages: Table::new(table), period_ms, kept }
    }

    /// Whether the customer's id came before; remembers it if not.
    pub fn came_before(&mut self, customer: CustomerKey, id: u64, now: Timestamp) -> bool {
        let period = i32::try_from(now.as_ms().div_euclid(self.period_ms)).expect("periods are hours or longer");
        let oldest = period - self.kept - 1;
        let newest = (oldest..=period).rev().find_map(|p| self.pages_of(p, customer).next_back());
        let Some((newest, page)) = newest.map(|(key, page)| (*key, page)) else {
            self.open(PageKey { period, customer, page: 0 }, 0, id);
            return false;
        };
        let fuller = (newest.page > 0).then_some(newest.period);
        let earlier = (1..=self.kept + 1).filter(|n| page.earlier & bit(*n) != 0).map(|n| newest.period - n);
        let mut others = fuller.into_iter().chain(earlier);
        if page.ids.contains(&id) || others.any(|p| self.pages_of(p, customer).any(|(_, page)| page.ids.contains(&id)))
        {
            return true;
        }
        let (named, len) = (page.earlier, page.ids.len());
        match period - newest.period {
            0 if len < IDS_PER_PAGE_MAX => {
                let page = self.pages.get_mut(&newest).expect("the page was just found");
                page.ids = page.ids.iter().copied().chain([id]).collect();
            }
            0 => self.open(PageKey { page: newest.page + 1, ..newest }, named, id),
            later => self.open(PageKey { period, customer, page: 0 }, named << later | bit(later), id),
        }
        false
    }

    fn open(&mut self, key: PageKey, earlier: u16, id: u64) {
        self.pages.put(key, Page { earlier, ids: Box::new([id]) });
    }

    /// When the next page is to be forgotten.
    pub fn next_forgetting(&self) -> Option<Timestamp> {
        self.pages.iter().next().map(|(key, _)| self.forgotten_at(key))
    }

    /// Forgets what is due.
    pub fn forget(&mut self, now: Timestamp) {
        while let Some((key, _)) = self.pages.iter().next().filter(|(key, _)| self.forgotten_at(key) <= now) {
            let key = *key;
            self.pages.remove(&key);
        }
    }

    /// The rows, for the changelog.
    pub fn stored(&mut self) -> &mut dyn Stored {
        &mut self.pages
    }

    fn pages_of(&self, period: i32, customer: CustomerKey) -> impl DoubleEndedIterator<Item = (&PageKey, &Page)> {
        let key = |page| PageKey { period, customer, page };
        self.pages.range(key(0)..=key(u32::MAX))
    }

    /// Keys are spread evenly, so the customer's place among all keys spreads the forgetting over
    /// a period, in key order.
    fn forgotten_at(&self, key: &PageKey) -> Timestamp {
        let place = i64::try_from(key.customer.as_u128() >> 96).expect("32 bits fit");
        let spread = (place * (self.period_ms / 1000)) >> 32;
        Timestamp::from_ms(i64::from(key.period + self.kept + 1) * self.period_ms + spread * 1000)
    }
}

/// The bit of [`Page::earlier`] for so many periods before.
fn bit(periods: i32) -> u16 {
    1 << (periods - 1)
}
