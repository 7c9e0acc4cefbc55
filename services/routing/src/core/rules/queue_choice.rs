//! Which queue a stint goes to: the one that the message it answers named (T7), else the last one if
//! it returns, as far as they still exist; else its channel account's.

use schemas::ids::{AgentId, QueueId};
use schemas::records::{OwnerKind, Target, WorkArrived};

use crate::core::state::{Facts, State};

/// The queue; an empty id while the account is not configured: the stint then waits, visibly,
/// until it is.
pub fn choose(state: &State, facts: &Facts, arrived: &WorkArrived) -> QueueId {
    let is_there = |queue: &QueueId| state.queue(&facts.tenant, queue).is_some();
    let named = arrived.target.as_ref().and_then(queue_of).filter(is_there);
    let last = arrived.last_queue.clone().filter(|queue| arrived.returning && is_there(queue));
    let of_account = || state.account_queue(&facts.tenant, &facts.account).cloned();
    named.or(last).or_else(of_account).unwrap_or_default()
}

/// Who is asked first: the agent that the message it answers named, else the last one.
pub fn first_asked(arrived: &WorkArrived) -> Option<AgentId> {
    let named = arrived.target.as_ref().filter(|target| target.kind == OwnerKind::Agent);
    let last = arrived.last_agent.clone().filter(|_| arrived.returning);
    named.map(|target| AgentId::new(&target.id)).or(last)
}

fn queue_of(target: &Target) -> Option<QueueId> {
    match target.kind {
        OwnerKind::Queue => Some(QueueId::new(&target.id)),
        OwnerKind::Agent => target.queue_id.clone(),
        OwnerKind::Flow | OwnerKind::None | OwnerKind::Unknown => None,
    }
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
    fn the_answer_to_a_message_goes_to_whom_it_named_while_that_exists() {
        let bench = Bench::empty().queue("sales", "{}").queue("vip", "{}").account("main", "sales");
        let target =
            |kind, id: &str, queue: Option<&str>| Target { kind, id: id.into(), queue_id: queue.map(QueueId::new) };
        for (target, expected, agent) in [
            (target(OwnerKind::Queue, "vip", None), "vip", "ada"),
            (target(OwnerKind::Queue, "gone", None), "sales", "ada"),
            (target(OwnerKind::Agent, "bea", Some("vip")), "vip", "bea"),
            (target(OwnerKind::Agent, "bea", None), "sales", "bea"),
        ] {
            let (last_queue, last_agent) = (Some(QueueId::new("sales")), Some(AgentId::new("ada")));
            let arrived =
                WorkArrived { returning: true, last_queue, last_agent, target: Some(target), ..WorkArrived::default() };
            assert_eq!(choose(bench.state(), &facts("c1"), &arrived).as_str(), expected, "{:?}", arrived.target);
            assert_eq!(first_asked(&arrived), Some(AgentId::new(agent)), "{:?}", arrived.target);
        }
    }

    #[test]
    fn an_account_nobody_configured_leads_to_no_queue() {
        let bench = Bench::empty().queue("sales", "{}");
        assert!(choose(bench.state(), &facts("c1"), &WorkArrived::default()).is_empty());
    }
}
