//! What the outside did, and what it was told: the one thing that the checker believes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A message of a customer, or a send that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The platform's id, or the command's.
    pub id: String,
    /// Whether the house said that it has it.
    pub acknowledged: bool,
    /// When it was acknowledged, else when it was first tried, milliseconds since 1970.
    pub at_ms: i64,
}

/// Everything that was said to the house. What one customer says is strictly one after the other:
/// nothing before the one before was acknowledged.
#[derive(Debug, Default)]
pub struct History {
    customers: Mutex<BTreeMap<u128, Vec<Said>>>,
    commands: Mutex<Vec<Said>>,
    acknowledged: AtomicUsize,
}

impl History {
    /// Somebody is about to write; gives the number of the message.
    pub fn writes(&self, customer: u128, id: &str, at_ms: i64) -> usize {
        let mut customers = lock(&self.customers);
        let said = customers.entry(customer).or_default();
        said.push(Said { id: id.to_owned(), acknowledged: false, at_ms });
        said.len() - 1
    }

    /// It was acknowledged.
    pub fn wrote(&self, customer: u128, no: usize, at_ms: i64) {
        if let Some(said) = lock(&self.customers).get_mut(&customer).and_then(|said| said.get_mut(no)) {
            (said.acknowledged, said.at_ms) = (true, at_ms);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Somebody is about to ask for a send; gives its number.
    pub fn asks(&self, id: &str, at_ms: i64) -> usize {
        let mut commands = lock(&self.commands);
        commands.push(Said { id: id.to_owned(), acknowledged: false, at_ms });
        commands.len() - 1
    }

    /// It was acknowledged.
    pub fn asked(&self, no: usize, at_ms: i64) {
        if let Some(said) = lock(&self.commands).get_mut(no) {
            (said.acknowledged, said.at_ms) = (true, at_ms);
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Messages and sends that were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// What each customer said, in order.
    pub fn customers(&self) -> BTreeMap<u128, Vec<Said>> {
        lock(&self.customers).clone()
    }

    /// Which sends were asked for.
    pub fn commands(&self) -> Vec<Said> {
        lock(&self.commands).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
