//! Drives a machine as the runtime does, without Kafka: for the tests of the services.

use crate::machine::{Machine, State};
use crate::task::{Dump, Task};
use crate::{Scope, Timestamp};
use std::collections::BTreeMap;

/// For what is worked beside a transaction that is not committed yet.
const HOUR_MS: i64 = 3_600_000;

/// One task and its recorded changelog. Every call is a transaction of its own; invariants are
/// checked over the whole state after each.
pub struct TaskDriver<M: Machine> {
    machine: M,
    task: Task<M>,
    changelog: BTreeMap<(&'static str, Vec<u8>), Vec<u8>>,
}

impl<M: Machine> TaskDriver<M> {
    /// A task with empty state.
    pub fn new(machine: M) -> Self {
        Self { machine, task: Task::new(), changelog: BTreeMap::new() }
    }

    /// Fires the deadlines due at `now`, in order, then applies the event; all effects in order.
    pub fn apply(&mut self, event: M::Event, now: Timestamp) -> Vec<M::Effect> {
        let effects = self.task.apply(&self.machine, event, now);
        self.commit();
        effects.unwrap_or_else(|broken| fail(&broken.to_string()))
    }

    /// Lets time pass: fires the deadlines due at `now`, in order, each at its own time.
    pub fn advance_to(&mut self, now: Timestamp) -> Vec<M::Effect> {
        let effects = self.task.fire(&self.machine, now);
        self.commit();
        effects.unwrap_or_else(|broken| fail(&broken.to_string()))
    }

    /// As [`TaskDriver::apply`], but the transaction is aborted, after an hour's deadlines were worked
    /// beside it; the state must be as before.
    pub fn apply_aborted(&mut self, event: M::Event, now: Timestamp) -> Vec<M::Effect> {
        let before = self.task.dump();
        let effects = self.task.apply(&self.machine, event, now);
        self.task.seal();
        let later = self.task.fire(&self.machine, now.plus_ms(HOUR_MS));
        self.task.rollback();
        assert_same("after an abort", &before, &self.task.dump());
        later.and(effects).unwrap_or_else(|broken| fail(&broken.to_string()))
    }

    /// As [`TaskDriver::apply`], but before its transaction is committed `next` is worked, an hour
    /// later, and then taken back; the state must be as after the event alone.
    pub fn apply_beside(&mut self, event: M::Event, next: M::Event, now: Timestamp) -> Vec<M::Effect> {
        let effects = self.task.apply(&self.machine, event, now);
        self.write();
        self.task.seal();
        let before = self.task.dump();
        let later = self.task.apply(&self.machine, next, now.plus_ms(HOUR_MS));
        self.task.commit();
        self.task.rollback();
        assert_same("after an abort beside a commit", &before, &self.task.dump());
        later.and(effects).unwrap_or_else(|broken| fail(&broken.to_string()))
    }

    /// Throws the state away and builds it again from the changelog alone; it must be the same.
    pub fn crash_and_restore(&mut self) {
        let before = self.task.dump();
        self.task = Task::new();
        for ((table, key), value) in &self.changelog {
            let restored = self.task.restore(table, key, Some(value));
            restored.unwrap_or_else(|error| fail(&error.to_string()));
        }
        self.task.restored().unwrap_or_else(|broken| fail(&broken.to_string()));
        assert_same("after a restore", &before, &self.task.dump());
    }

    /// The state.
    pub fn state(&self) -> &M::State {
        self.task.state()
    }

    /// The machine.
    pub fn machine(&self) -> &M {
        &self.machine
    }

    /// Task time: the latest time at which anything was applied.
    pub fn now(&self) -> Timestamp {
        self.task.now()
    }

    /// When the machine next wants a tick.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.task.next_deadline(&self.machine)
    }

    /// Name, rows and fingerprint of each table, as the runtime shows them; equal tables have equal
    /// fingerprints.
    pub fn digest(&mut self) -> Vec<(&'static str, usize, u64)> {
        self.task.digests()
    }

    fn commit(&mut self) {
        self.write();
        self.task.seal();
        self.task.commit();
        if let Err(detail) = self.task.state().check(Scope::All) {
            fail(&format!("broken invariant at {}: {detail}", self.task.now()))
        }
    }

    fn write(&mut self) {
        for (table, rows) in self.task.changes(true) {
            for (key, value) in rows {
                match value {
                    Some(value) => self.changelog.insert((table, key), value),
                    None => self.changelog.remove(&(table, key)),
                };
            }
        }
    }
}

fn assert_same(when: &str, before: &Dump, after: &Dump) {
    for ((name, old), (_, new)) in before.0.iter().zip(&after.0) {
        assert!(old == new, "table {name} differs {when}: {} rows, {} now", old.len(), new.len());
    }
    assert!(before.1 == after.1, "index sizes differ {when}: {:?}, {:?} now", before.1, after.1);
}

#[expect(clippy::panic, reason = "a test driver reports by panicking")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}
