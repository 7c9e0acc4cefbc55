//! What a service is: a pure function over one partition's state.

use crate::Timestamp;
use crate::table::{Derived, Stored};

/// A deadline came due: the machine is woken because [`Machine::next_deadline`] asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick;

/// Decides. No I/O, no clock, no randomness, no logging; same inputs, same outputs.
///
/// `&self` is the policy; everything that changes lives in the state.
pub trait Machine: Send + Sync + 'static {
    /// What one partition remembers.
    type State: State;
    /// What can happen to it. Most come from records; [`Tick`] from the runtime.
    type Event: From<Tick> + Send;
    /// What it wants done, all inside one transaction with the changed rows.
    type Effect;

    /// Applies one event at task time `now`, which never goes back.
    ///
    /// On a [`Tick`] everything due at `now` is done and its deadline removed: firing a deadline
    /// twice is a no-op.
    fn apply(&self, state: &mut Self::State, event: Self::Event, now: Timestamp) -> Vec<Self::Effect>;

    /// When a [`Tick`] is next wanted, if at all.
    fn next_deadline(&self, state: &Self::State) -> Option<Timestamp>;
}

/// One partition's memory: tables that the changelog carries and indexes derived from them.
pub trait State: Default + Send + 'static {
    /// Every table, in a fixed order: what the changelog carries.
    fn tables(&mut self) -> Vec<&mut dyn Stored>;

    /// Derived indexes: rolled back with the tables, never written.
    fn indexes(&mut self) -> Vec<&mut dyn Derived> {
        Vec::new()
    }

    /// Builds the indexes from the tables after a restore.
    fn rebuild(&mut self) {}

    /// Names a broken invariant. Asked for the touched rows after each `apply`, and for all of
    /// them after a restore and in tests; an error stops the process.
    fn check(&self, scope: Scope) -> Result<(), String> {
        let _ = scope;
        Ok(())
    }
}

/// How much of the state [`State::check`] looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The rows changed by the last `apply`: [`crate::Table::touched`].
    Touched,
    /// Every row.
    All,
}

/// A machine without memory: for services that only translate.
impl State for () {
    fn tables(&mut self) -> Vec<&mut dyn Stored> {
        Vec::new()
    }
}
