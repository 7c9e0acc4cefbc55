//! What a customer's next stint begins with: whom an agentless message named for the answer (T7),
//! and by which entry point the customer comes (C12). Kept until then, or until it is too late.

use schemas::ids::CustomerKey;
use schemas::records::Target;
use serde::{Deserialize, Serialize};
use stream::{Derived, Index, Stored, Table, Timestamp};

/// One customer's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beginning {
    /// Who the answer is for.
    pub target: Option<Target>,
    /// The entry point.
    pub entry_point: Option<String>,
    /// When it is forgotten.
    pub until: Timestamp,
}

/// Those of all customers.
#[derive(Debug)]
pub struct Pending {
    rows: Table<CustomerKey, Beginning>,
    ends: Index<(Timestamp, CustomerKey)>,
}

impl Default for Pending {
    fn default() -> Self {
        Self { rows: Table::new("pending"), ends: Index::new() }
    }
}

impl Pending {
    /// Notes something, at least until then.
    pub fn note(&mut self, customer: CustomerKey, until: Timestamp, change: impl FnOnce(&mut Beginning)) {
        let mut beginning = self.take(customer).unwrap_or_default();
        beginning.until = beginning.until.max(until);
        change(&mut beginning);
        self.ends.insert((beginning.until, customer));
        self.rows.put(customer, beginning);
    }

    /// Takes what there is.
    pub fn take(&mut self, customer: CustomerKey) -> Option<Beginning> {
        let beginning = self.rows.remove(&customer)?;
        self.ends.remove(&(beginning.until, customer));
        Some(beginning)
    }

    /// When the next is to be forgotten.
    pub fn next_forgetting(&self) -> Option<Timestamp> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// Forgets what is due.
    pub fn forget(&mut self, now: Timestamp) {
        while let Some((_, customer)) = self.ends.first().copied().filter(|(at, _)| *at <= now) {
            self.take(customer);
        }
    }

    /// The rows, for the changelog.
    pub fn stored(&mut self) -> &mut dyn Stored {
        &mut self.rows
    }

    /// The index, for the rollback.
    pub fn derived(&mut self) -> &mut dyn Derived {
        &mut self.ends
    }

    /// Makes the index from the rows.
    pub fn rebuild(&mut self) {
        self.ends.fill(self.rows.iter().map(|(customer, row)| (row.until, *customer)));
    }

    /// Rows and index in step.
    pub fn check(&self) -> Result<(), String> {
        let is_there = |(customer, row): (&CustomerKey, &Beginning)| self.ends.contains(&(row.until, *customer));
        if self.rows.len() == self.ends.len() && self.rows.iter().all(is_there) {
            return Ok(());
        }
        Err(format!("{} beginnings, {} ends of them", self.rows.len(), self.ends.len()))
    }
}
