//! R5: who handled the customer last is asked first.
//!
//! They have to be on queue and responding; if full, the conversation is kept for them for the
//! queue's `last_agent.wait_s`. Skills do not count: they did it before.

use schemas::config::LastAgentPolicy;
use schemas::ids::AgentId;
use schemas::records::Millis;

use super::eligibility::{self, Standing};
use crate::core::state::{State, WorkRow};

/// What the rule says about a conversation that came to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Offer it to them.
    Offer(AgentId),
    /// Keep it for them until then.
    Keep(Millis),
    /// Nothing: the queue's method decides.
    Pass,
}

/// Asks the rule, once a visit.
pub fn ask(state: &State, row: &WorkRow, now: Millis) -> Answer {
    let tenant = &row.facts.tenant;
    let (Some(agent), Some(queue)) = (&row.last_agent, state.queue(tenant, &row.queue)) else { return Answer::Pass };
    if row.visit.is_last_agent_asked {
        return Answer::Pass;
    }
    let may = match queue.last_agent.policy {
        LastAgentPolicy::AnyAgent => true,
        LastAgentPolicy::QueueMembersOnly => eligibility::is_member(state, tenant, agent, &row.queue),
        LastAgentPolicy::Disabled => false,
    };
    let key = (tenant.clone(), agent.clone());
    let Some(known) = state.agents.get(&key).filter(|_| may) else { return Answer::Pass };
    match eligibility::available(state.agent(&key), known) {
        Standing::Ready => Answer::Offer(agent.clone()),
        Standing::Excluded("no_capacity") if queue.last_agent.wait_s > 0 => {
            Answer::Keep(now.saturating_add(queue.last_agent.wait_s.saturating_mul(1000)))
        }
        Standing::Excluded(_) => Answer::Pass,
    }
}

#[cfg(test)]
mod tests {
    use schemas::records::Presence;

    use crate::core::testing::{Bench, secs};

    fn bench(policy: &str, wait_s: i64) -> Bench {
        let rules = format!(r#"{{"last_agent": {{"policy": "{policy}", "wait_s": {wait_s}}}}}"#);
        Bench::empty()
            .agent("ada", r#"{"capacity": {"message": 1}}"#)
            .agent("ben", "{}")
            .agent("eve", "{}")
            .members("sales", &["ada", "ben"], &rules)
            .account("main", "sales")
    }

    #[test]
    fn the_last_agent_is_offered_first_by_the_queues_policy() {
        for (policy, last, expected) in [
            ("any_agent", "ben", "ben"),
            ("any_agent", "eve", "eve"),
            ("queue_members_only", "ben", "ben"),
            ("queue_members_only", "eve", "ada"),
            ("disabled", "ben", "ada"),
        ] {
            let mut bench = bench(policy, 0);
            bench.on_queue("ada").advance(secs(1)).on_queue("ben").on_queue("eve");
            bench.returns("c1", last, secs(2));
            assert_eq!(bench.offered_to("c1").as_deref(), Some(expected), "{policy} {last}");
        }
    }

    #[test]
    fn a_last_agent_off_queue_is_not_waited_for() {
        let mut bench = bench("any_agent", 60);
        bench.on_queue("ada").on_queue("ben").presence("ada", Presence::Break, secs(1));
        bench.returns("c1", "ada", secs(2));
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ben"));
    }

    #[test]
    fn a_full_last_agent_is_waited_for_that_long_and_no_longer() {
        let mut bench = bench("any_agent", 60);
        bench.on_queue("ada").arrive("c0").accept("c0", "ada");
        bench.on_queue("ben").returns("c1", "ada", secs(10));
        assert_eq!(bench.offered_to("c1"), None);
        bench.advance(secs(29)).held("g1", &["ada", "ben"], secs(29)).advance(secs(55));
        assert_eq!(bench.offered_to("c1"), None);
        bench.held("g1", &["ada", "ben"], secs(55)).advance(secs(70));
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ben"));
    }

    #[test]
    fn a_conversation_kept_for_an_agent_is_their_next_one() {
        let mut bench = bench("any_agent", 60);
        bench.on_queue("ada").arrive("c0").accept("c0", "ada");
        bench.returns("c1", "ada", secs(10)).arrive_at("c2", secs(1));
        bench.disconnect("c0", "ada").wrap_up("c0", "ada", Some("done"));
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
    }
}
