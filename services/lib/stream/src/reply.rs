//! The way back from a performer to its task.

use crossbeam_channel::Sender;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use crate::clock;

/// Takes the outcome of one request back to its task.
///
/// The outcome dies with the process and with the task's stay here; dropping the handle unsent
/// gives its place back and tells nothing.
#[derive(Debug)]
pub struct Reply<O> {
    pub(crate) partition: i32,
    pub(crate) lease: Arc<Lease>,
    pub(crate) place: Place,
    pub(crate) outcomes: Sender<Returned<O>>,
    pub(crate) wake: Sender<()>,
}

impl<O> Reply<O> {
    /// Whether this process may still act for the partition: assigned without a break since the
    /// request, and the group's heartbeat fresh. To be asked before each write to the outside.
    pub fn owned(&self) -> bool {
        self.lease.held()
    }

    /// The task's partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Reports the outcome.
    pub fn send(self, outcome: O) {
        let returned = Returned { partition: self.partition, lease: self.lease, outcome, _place: self.place };
        if self.outcomes.send(returned).is_ok() {
            let _ = self.wake.try_send(());
        }
    }
}

/// An outcome on its way into a task.
#[derive(Debug)]
pub(crate) struct Returned<O> {
    pub(crate) partition: i32,
    pub(crate) lease: Arc<Lease>,
    pub(crate) outcome: O,
    _place: Place,
}

/// One of `requests_max` places for open requests, given back on drop.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    pub(crate) fn take(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to act for a partition. Kafka fences only Kafka; this keeps a process that was
/// suspended from sending what another one has taken over.
#[derive(Debug)]
pub(crate) struct Lease {
    ended: AtomicBool,
    renewed_ms: Arc<AtomicI64>,
    valid_ms: i64,
}

impl Lease {
    /// A lease that holds for `valid_ms` after each renewal of the shared stamp.
    pub(crate) fn new(renewed_ms: Arc<AtomicI64>, valid_ms: i64) -> Arc<Self> {
        Arc::new(Self { ended: AtomicBool::new(false), renewed_ms, valid_ms })
    }

    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(crate) fn held(&self) -> bool {
        let age = clock::now().as_ms() - self.renewed_ms.load(Ordering::Acquire);
        !self.ended.load(Ordering::Acquire) && age < self.valid_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_with_the_assignment_and_while_the_loop_stands_still() {
        let renewed = Arc::new(AtomicI64::new(clock::now().as_ms()));
        let lease = Lease::new(Arc::clone(&renewed), 3_600_000);
        assert!(lease.held());
        renewed.fetch_sub(3_600_000, Ordering::Release);
        assert!(!lease.held(), "suspended for too long");
        renewed.store(clock::now().as_ms(), Ordering::Release);
        assert!(lease.held());
        lease.end();
        assert!(!lease.held(), "the partition is somebody else's");
    }
}
