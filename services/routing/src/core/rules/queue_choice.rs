//! Which queue a stint goes to: the last one if it returns and that queue still exists, else its
//! channel account's.

use schemas::ids::QueueId;
use schemas::records::WorkArrived;

use crate::core::state::{Facts, State};

/// The queue; an empty id while the account is not configured: the stint then waits, visibly,
/// until it is.
pub fn choose(state: &State, facts: &Facts, arrived: &WorkArrived) -> QueueId {
    let last = arrived.last_queue.as_ref().filter(|_| arrived.returning);
    let still_there = last.filter(|queue| state.queue(&facts.tenant, queue).is_some());
    still_there.or_else(|| state.account_queue(&facts.tenant, &facts.account)).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::testing::{Bench, facts};

    #[test]
    fn a_returning_stint_goes_to_its_last_queue_while_that_exists() {
        let bench = Bench::empty().queue("sales", "{}").queue("vip", "{}").account("main", "sales");
        for (returning, last, expected) in [
            (false, None, "sales"),
            (false, Some("vip"), "sales"),
            (true, Some("vip"), "vip"),
            (true, Some("gone"), "sales"),
            (true, None, "sales"),
        ] {
            let arrived = WorkArrived { returning, last_queue: last.map(QueueId::new), ..WorkArrived::default() };
            let queue = choose(bench.state(), &facts("c1"), &arrived);
            assert_eq!(queue.as_str(), expected, "{returning} {last:?}");
        }
    }

    #[test]
    fn an_account_nobody_configured_leads_to_no_queue() {
        let bench = Bench::empty().queue("sales", "{}");
        assert!(choose(bench.state(), &facts("c1"), &WorkArrived::default()).is_empty());
    }
}
