//! What one partition remembers of its customers.

use super::event::{Owner, Setting, SettingKey};
use super::memory::Remembered;
use super::pending::Pending;
use schemas::ids::{AccountId, ConversationId, CustomerKey, StintId, TenantId};
use schemas::records::{Channel, Customer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stream::{Derived, Index, Scope, Stored, Table, Timestamp};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

/// A text kept once, with a number in the rows that use it; 0: none.
pub type NameNo = u32;

/// Names that many rows share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Name {
    /// A channel account.
    Account(TenantId, Channel, AccountId),
    /// An agent's or a queue's id.
    Id(String),
}

/// The lasting thread of one customer, small: ten million of them rest in memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// Tenant, channel and account.
    pub account: NameNo,
    /// Conversations so far; the last one is the one that counts.
    pub conversations: u32,
    /// Stints of the last conversation so far.
    pub stints: u32,
    /// Last sequence number of the last conversation.
    pub seq: u32,
    /// Owner of the last agent part.
    pub last_agent: NameNo,
    /// Last queue.
    pub last_queue: NameNo,
    /// Highest owner epoch of the last conversation.
    pub owner_epoch: i64,
    /// Whether it is connected, resting in its window, or closed.
    pub standing: Standing,
    /// When the last conversation began.
    pub opened_at: Timestamp,
    /// The customer's last message; on `web` the last message of either side (T6).
    pub heard_at: Timestamp,
    /// End of the last stint, or of the last send outside one.
    pub ended_at: Timestamp,
    /// Until when the channel lets us answer freely; zero: no such limit.
    pub reply_until: Timestamp,
}

/// Where a thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// A stint is live or in after-call work; its row has the rest.
    Connected,
    /// The window runs.
    Resting {
        /// Seconds after `ended_at` in which messages are appended without being routed (T8).
        grace_s: u32,
        /// When to look whether the window has ended.
        closes_at: Timestamp,
    },
    /// The window has ended; the next message begins a new conversation.
    Closed,
}

impl Thread {
    /// A customer never heard of.
    pub const fn new(account: NameNo) -> Self {
        Self {
            account,
            conversations: 0,
            stints: 0,
            seq: 0,
            last_agent: 0,
            last_queue: 0,
            owner_epoch: 0,
            standing: Standing::Closed,
            opened_at: Timestamp::ZERO,
            heard_at: Timestamp::ZERO,
            ended_at: Timestamp::ZERO,
            reply_until: Timestamp::ZERO,
        }
    }

    /// The conversation that counts.
    pub fn conversation_id(&self, customer: CustomerKey) -> ConversationId {
        conversation_id(customer, self.conversations)
    }

    /// The last stint of that conversation, if it had one.
    pub fn stint_id(&self, customer: CustomerKey) -> Option<StintId> {
        (self.stints > 0).then(|| {
            let conversation = self.conversation_id(customer).to_string();
            StintId::derive(&[&conversation, &self.stints.to_string()])
        })
    }

    /// Until when messages are appended without being routed.
    pub fn grace_until(&self) -> Timestamp {
        match self.standing {
            Standing::Resting { grace_s, .. } => self.ended_at.plus_ms(i64::from(grace_s) * 1000),
            Standing::Connected | Standing::Closed => Timestamp::ZERO,
        }
    }
}

/// A customer's conversation by its number, counted from 1.
pub fn conversation_id(customer: CustomerKey, number: u32) -> ConversationId {
    ConversationId::of(customer, number)
}

/// One connected period, while routing has to do with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stint {
    /// Its id.
    pub stint_id: StintId,
    /// Live, or waiting for the end of after-call work.
    pub phase: Phase,
    /// When it began.
    pub started_at: Timestamp,
    /// Whom to send to.
    pub customer: Customer,
    /// Who holds it.
    pub owner: Owner,
    /// Whose turn it is.
    pub turn: Turn,
    /// Whether an agent has replied in it.
    pub is_answered: bool,
    /// The customer's last message.
    pub customer_seq: u32,
    /// When to look whether the guest's session has ended; `web` alone (T6).
    #[serde(default)]
    pub session_ends_at: Option<Timestamp>,
}

/// How far a stint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Owned, or about to be.
    Live,
    /// Ended for the customer; messages join it until routing releases it.
    AfterCall {
        /// The last message that routing had seen when it ended.
        seen_seq: i64,
    },
}

/// Whose turn it is, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Turn {
    /// Nobody has said anything that wants an answer.
    Nobody,
    /// The customer waits since their first unanswered message.
    Ours(Timestamp),
    /// We wait since the agent's first unanswered message.
    Customers(Timestamp),
}

/// Everything one partition remembers.
#[derive(Debug)]
pub struct Threads {
    /// Every customer ever heard of.
    pub customers: Table<CustomerKey, Thread>,
    /// The one stint of a customer that routing has to do with: keyed by customer, so that there
    /// cannot be two.
    pub stints: Table<CustomerKey, Stint>,
    /// Attributes of open conversations that have any.
    pub attributes: Table<CustomerKey, BTreeMap<String, String>>,
    /// Shared names by number.
    pub names: Table<NameNo, Name>,
    /// What configuration says about windows.
    pub settings: Table<SettingKey, Setting>,
    /// Inbound events of the last 8 days and more (C4).
    pub seen: Remembered,
    /// Commands of the last 24 hours and more.
    pub commands: Remembered,
    /// What next stints begin with.
    pub pending: Pending,
    closing: Index<(Timestamp, CustomerKey)>,
    sessions: Index<(Timestamp, CustomerKey)>,
    numbers: Index<(Name, NameNo)>,
    open: Tally,
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            customers: Table::new("customers"),
            stints: Table::new("stints"),
            attributes: Table::new("attributes"),
            names: Table::new("names"),
            settings: Table::new("settings"),
            seen: Remembered::new("seen", DAY_MS, 8),
            commands: Remembered::new("commands", 6 * HOUR_MS, 4),
            pending: Pending::default(),
            closing: Index::new(),
            sessions: Index::new(),
            numbers: Index::new(),
            open: Tally::default(),
        }
    }
}

impl Threads {
    /// Writes a customer's thread; the only way, so that the indexes follow.
    pub fn put_thread(&mut self, customer: CustomerKey, thread: Thread) {
        let old = self.customers.put(customer, thread);
        if let Some(old) = old {
            if let Some(entry) = closing_entry(customer, &old) {
                self.closing.remove(&entry);
            }
            self.open.add(old.account, -i64::from(is_open(&old)));
        }
        if let Some(entry) = closing_entry(customer, &thread) {
            self.closing.insert(entry);
        }
        self.open.add(thread.account, i64::from(is_open(&thread)));
    }

    /// Writes a customer's stint; the only way for one whose session may end, so that the index follows.
    pub fn put_stint(&mut self, customer: CustomerKey, stint: Stint) {
        let ends_at = stint.session_ends_at;
        let old = self.stints.put(customer, stint);
        if let Some(old) = old.and_then(|old| old.session_ends_at) {
            self.sessions.remove(&(old, customer));
        }
        if let Some(ends_at) = ends_at {
            self.sessions.insert((ends_at, customer));
        }
    }

    /// Takes a customer's stint away.
    pub fn take_stint(&mut self, customer: CustomerKey) -> Option<Stint> {
        let stint = self.stints.remove(&customer)?;
        if let Some(ends_at) = stint.session_ends_at {
            self.sessions.remove(&(ends_at, customer));
        }
        Some(stint)
    }

    /// When the next connected guest's session is to be looked at, and whose it is.
    pub fn next_session_end(&self) -> Option<(Timestamp, CustomerKey)> {
        self.sessions.first().copied()
    }

    /// The number of a name, a new one if it has none.
    pub fn number(&mut self, name: Name) -> NameNo {
        let known = self.numbers.range((name.clone(), 0)..=(name.clone(), NameNo::MAX)).next();
        if let Some((_, number)) = known {
            return *number;
        }
        let number = NameNo::try_from(self.names.len() + 1).expect("fewer than 2^32 agents, queues and accounts");
        self.numbers.insert((name.clone(), number));
        self.names.put(number, name);
        number
    }

    /// An agent's or queue's id by its number.
    pub fn id_of(&self, number: NameNo) -> Option<&str> {
        match self.names.get(&number)? {
            Name::Id(id) => Some(id),
            Name::Account(..) => None,
        }
    }

    /// Tenant, channel and account of a thread.
    pub fn account_of(&self, thread: &Thread) -> (&TenantId, Channel, &AccountId) {
        match self.names.get(&thread.account) {
            Some(Name::Account(tenant, channel, account)) => (tenant, *channel, account),
            Some(Name::Id(_)) | None => unreachable!("a thread's account is named before the thread is written"),
        }
    }

    /// When the next thread is to be looked at for closing, and whose it is.
    pub fn next_closing(&self) -> Option<(Timestamp, CustomerKey)> {
        self.closing.first().copied()
    }

    /// Open conversations by tenant and channel.
    pub fn open_conversations(&self) -> BTreeMap<(TenantId, Channel), i64> {
        let mut open = BTreeMap::new();
        for (number, count) in &self.open.counts {
            if let Some(Name::Account(tenant, channel, _)) = self.names.get(number) {
                *open.entry((tenant.clone(), *channel)).or_insert(0) += count;
            }
        }
        open
    }

    fn check_closing(&self, customer: &CustomerKey) -> Result<(), String> {
        let entry = self.customers.get(customer).and_then(|thread| closing_entry(*customer, thread));
        match entry.filter(|entry| !self.closing.contains(entry)) {
            Some(_) => Err(format!("customer {customer}: its closing is not in the index")),
            None => Ok(()),
        }
    }

    fn check_customer(&self, customer: &CustomerKey) -> Result<(), String> {
        let broken = |what: &str| Err(format!("customer {customer}: {what}"));
        let (thread, stint) = (self.customers.get(customer), self.stints.get(customer));
        let Some(thread) = thread else {
            return if stint.is_some() { broken("a stint without a thread") } else { Ok(()) };
        };
        if !matches!(self.names.get(&thread.account), Some(Name::Account(..))) {
            return broken("its account has no name");
        }
        if (thread.standing == Standing::Connected) != stint.is_some() {
            return broken("connected without a stint, or a stint while not connected");
        }
        let Some(stint) = stint else { return Ok(()) };
        if stint.customer_seq > thread.seq {
            return broken("the customer's last message is beyond the last one");
        }
        if stint.session_ends_at.is_some_and(|at| !self.sessions.contains(&(at, *customer))) {
            return broken("the end of its session is not in the index");
        }
        Ok(())
    }

    fn check_all(&self) -> Result<(), String> {
        let resting = self.customers.iter().filter_map(|(key, thread)| closing_entry(*key, thread));
        let (resting, closing) = (told(resting), told(self.closing.iter().copied()));
        if resting != closing {
            return Err(format!("{} conversations rest, {} are to be closed, or others", resting.0, closing.0));
        }
        let sessions = self.stints.iter().filter(|(_, stint)| stint.session_ends_at.is_some()).count();
        if sessions != self.sessions.len() {
            return Err(format!("{sessions} connected guests, {} sessions to end", self.sessions.len()));
        }
        if self.names.len() != self.numbers.len() {
            return Err(format!("{} names, {} numbers", self.names.len(), self.numbers.len()));
        }
        let open = self.customers.iter().filter(|(_, thread)| is_open(thread)).count();
        let counted: i64 = self.open.counts.values().sum();
        if i64::try_from(open) != Ok(counted) {
            return Err(format!("{open} conversations are open, {counted} are counted"));
        }
        // Two hashes each: dear enough to be asked of all rows alone.
        let is_last = |(key, stint): (&CustomerKey, &Stint)| {
            self.customers.get(key).and_then(|thread| thread.stint_id(*key)) == Some(stint.stint_id)
        };
        if let Some((customer, _)) = self.stints.iter().find(|row| !is_last(*row)) {
            return Err(format!("customer {customer}: the stint is not the last of the conversation"));
        }
        self.pending.check()?;
        self.customers
            .iter()
            .map(|(key, _)| key)
            .chain(self.stints.iter().map(|(key, _)| key))
            .try_for_each(|customer| self.check_customer(customer))
    }
}

fn closing_entry(customer: CustomerKey, thread: &Thread) -> Option<(Timestamp, CustomerKey)> {
    match thread.standing {
        Standing::Resting { closes_at, .. } => Some((closes_at, customer)),
        Standing::Connected | Standing::Closed => None,
    }
}

/// How many, and a sum that tells two sets apart without looking anything up: ten million of them
/// are compared after a restore.
fn told(entries: impl Iterator<Item = (Timestamp, CustomerKey)>) -> (usize, u128) {
    let weight = |(at, customer): (Timestamp, CustomerKey)| {
        customer.as_u128().wrapping_mul(u128::from(at.as_ms().unsigned_abs()) * 2 + 1)
    };
    entries.fold((0, 0), |(count, sum), entry| (count + 1, sum.wrapping_add(weight(entry))))
}

fn is_open(thread: &Thread) -> bool {
    thread.standing != Standing::Closed
}

impl stream::State for Threads {
    fn tables(&mut self) -> Vec<&mut dyn Stored> {
        vec![
            &mut self.customers,
            &mut self.stints,
            &mut self.attributes,
            &mut self.names,
            &mut self.settings,
            self.seen.stored(),
            self.commands.stored(),
            self.pending.stored(),
        ]
    }

    fn indexes(&mut self) -> Vec<&mut dyn Derived> {
        vec![&mut self.closing, &mut self.sessions, &mut self.numbers, &mut self.open, self.pending.derived()]
    }

    fn rebuild(&mut self) {
        self.numbers.fill(self.names.iter().map(|(number, name)| (name.clone(), *number)));
        let resting = self.customers.iter().filter_map(|(customer, thread)| closing_entry(*customer, thread));
        self.closing.fill(resting);
        self.pending.rebuild();
        let connected = self.stints.iter().filter_map(|(customer, stint)| Some((stint.session_ends_at?, *customer)));
        self.sessions.fill(connected);
        for (_, thread) in &self.customers {
            self.open.add(thread.account, i64::from(is_open(thread)));
        }
    }

    fn check(&self, scope: Scope) -> Result<(), String> {
        match scope {
            Scope::Touched => {
                let mut last = None;
                let touched = self.customers.touched().chain(self.stints.touched());
                let mut touched = touched.filter(|key| last.replace(**key) != Some(**key));
                touched.try_for_each(|key| self.check_closing(key).and_then(|()| self.check_customer(key)))
            }
            Scope::All => self.check_all(),
        }
    }
}

/// Open conversations by account: rolled back with the tables.
#[derive(Debug, Default)]
struct Tally {
    counts: BTreeMap<NameNo, i64>,
    undo: BTreeMap<NameNo, i64>,
    sealed: BTreeMap<NameNo, i64>,
}

impl Tally {
    fn add(&mut self, account: NameNo, change: i64) {
        if change != 0 {
            let count = self.counts.entry(account).or_insert(0);
            self.undo.entry(account).or_insert(*count);
            *count += change;
        }
    }
}

impl Derived for Tally {
    fn seal(&mut self) {
        self.sealed = std::mem::take(&mut self.undo);
    }

    fn commit(&mut self) {
        self.sealed.clear();
    }

    fn rollback(&mut self) {
        self.counts.append(&mut self.undo);
        self.counts.append(&mut self.sealed);
    }

    fn rows(&self) -> usize {
        self.counts.values().filter(|count| **count != 0).count()
    }

    fn clear(&mut self) {
        self.counts.clear();
        self.undo.clear();
        self.sealed.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_conversation_fits_in_80_bytes_beside_its_key() {
        assert!(size_of::<Thread>() <= 80, "{}", size_of::<Thread>());
    }

    #[test]
    fn the_tables_are_those_that_have_changelogs() {
        let mut state = Threads::default();
        let mut ours: Vec<_> = stream::State::tables(&mut state).iter().map(|table| table.name()).collect();
        ours.push("task");
        ours.sort_unstable();
        let (_, _, planned) = schemas::topics::TABLES.iter().find(|(service, ..)| *service == "threading").unwrap();
        let mut planned = planned.to_vec();
        planned.sort_unstable();
        assert_eq!(ours, planned);
    }
}
