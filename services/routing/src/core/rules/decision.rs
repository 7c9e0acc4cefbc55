//! R13: why this agent, or why nobody.
//!
//! Written with every offer, and for a conversation passed over when the reason is another than
//! the one last written: on coming to wait, and at the head of a queue whenever that queue's
//! numbers change. Those further back wait for the same reason as the head or a worse one.

use std::collections::BTreeMap;

use schemas::ids::{AgentId, ConversationId};
use schemas::records::{Candidate, Decision, RoutingEventKind};

use super::order::Rank;
use super::{estimate, selection};
use crate::core::index::{Count, Lane, lane_of};
use crate::core::state::{QueueKey, Stage, State, WorkRow};
use crate::core::turn::{Dims, Turn};

/// Version of the rules that decisions are made by: rises when one of them changes.
pub const RULE_VERSION: i64 = 1;
/// How many candidates are written with their scores.
pub const CANDIDATES_MAX: usize = 10;

/// An agent was chosen.
pub fn chosen(turn: &mut Turn<'_>, row: &WorkRow, agent: &AgentId, rule: &str) {
    let lane = lane_of(row);
    let (candidates, excluded, reason) = if rule == "last_agent" {
        let reason = "handled this customer last, is on queue and has room";
        (vec![candidate(turn.state, &lane, agent, turn.now)], BTreeMap::new(), reason)
    } else {
        let (candidates, excluded) = considered(turn.state, row, turn.now);
        (candidates, excluded, "idle longest of those who fit and have room")
    };
    let decision = Decision {
        rule: if rule == "last_agent" { "last_agent" } else { "longest_idle" }.into(),
        rule_version: RULE_VERSION,
        chosen: Some(agent.clone()),
        candidates,
        excluded,
        reason: reason.into(),
        position: estimate::position(turn.state, row).unwrap_or(0),
        waited_ms: turn.now - row.visit.started_at,
    };
    let dims = Dims::offer(&row.queue, agent);
    turn.say(&row.facts, dims, RoutingEventKind::Decision(Box::new(decision)));
}

/// Nobody was chosen: written if the reason changed.
pub fn pass_over(turn: &mut Turn<'_>, id: ConversationId) {
    let Some(mut row) = turn.state.work.get(&id).filter(|row| row.stage == Stage::Waiting).cloned() else { return };
    let reason = why_not(turn.state, &row);
    if row.visit.passed_over.as_deref() == Some(reason) {
        return;
    }
    let (candidates, excluded) = considered(turn.state, &row, turn.now);
    let decision = Decision {
        rule: if row.visit.held_until.is_some() { "last_agent" } else { "longest_idle" }.into(),
        rule_version: RULE_VERSION,
        chosen: None,
        candidates,
        excluded,
        reason: reason.into(),
        position: estimate::position(turn.state, &row).unwrap_or(0),
        waited_ms: turn.now - row.visit.started_at,
    };
    turn.say(&row.facts, Dims::queue(&row.queue), RoutingEventKind::Decision(Box::new(decision)));
    row.visit.passed_over = Some(reason.into());
    turn.put_work(id, Some(row));
}

/// Looks at the head of a queue again.
pub fn review_head(turn: &mut Turn<'_>, queue: &QueueKey) {
    let from = (queue.clone(), Rank::MIN, ConversationId::default());
    let head = turn.state.index.line.range(from..).next().filter(|(of, _, _)| of == queue);
    if let Some(id) = head.map(|(_, _, id)| *id) {
        pass_over(turn, id);
    }
}

fn considered(state: &State, row: &WorkRow, now: i64) -> (Vec<Candidate>, BTreeMap<String, i64>) {
    let lane = lane_of(row);
    let fresh = selection::ready(state, &lane).filter(|(_, agent)| !row.visit.declined.contains_key(*agent));
    let best = fresh.take(CANDIDATES_MAX).map(|(_, agent)| agent.clone()).collect::<Vec<_>>();
    let candidates: Vec<Candidate> = best.iter().map(|agent| candidate(state, &lane, agent, now)).collect();
    let mut excluded = state.index.counts.excluded(&lane);
    let declined = row.visit.declined.keys().filter(|agent| is_ready(state, &lane, agent)).count();
    let ready = state.index.counts.get(&Count::Standing(lane, "ready"));
    let further = ready - count(candidates.len()) - count(declined);
    for (reason, n) in [("declined", count(declined)), ("idle_shorter", further)] {
        if n > 0 {
            excluded.insert(reason.into(), n);
        }
    }
    (candidates, excluded)
}

fn candidate(state: &State, lane: &Lane, agent: &AgentId, now: i64) -> Candidate {
    let row = state.agents.get(&(lane.tenant.clone(), agent.clone()));
    let terms = row.map(|row| [("idle_ms", now - row.idle_since), ("load", row.load.total())]);
    let named = terms.into_iter().flatten().map(|(name, value)| (name.to_owned(), value as f64));
    Candidate { agent_id: agent.clone(), terms: named.collect() }
}

fn is_ready(state: &State, lane: &Lane, agent: &AgentId) -> bool {
    let row = state.agents.get(&(lane.tenant.clone(), agent.clone()));
    row.is_some_and(|row| state.index.ready.contains(&(lane.clone(), row.idle_since, agent.clone())))
}

fn why_not(state: &State, row: &WorkRow) -> &'static str {
    let lane = lane_of(row);
    let of = |reason| state.index.counts.get(&Count::Standing(lane.clone(), reason));
    if row.visit.held_until.is_some() {
        "kept for the last agent, who is busy"
    } else if state.queue(&row.facts.tenant, &row.queue).is_none() {
        "the queue is not configured"
    } else if of("ready") > 0 {
        "everybody who fits has declined"
    } else if of("no_capacity") > 0 {
        "everybody on queue is busy"
    } else if of("skill") + of("language") > 0 {
        "nobody on queue has the skills and language asked for"
    } else if of("not_responding") > 0 {
        "nobody on queue responds"
    } else {
        "nobody is on queue"
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use schemas::records::Presence;

    use crate::core::testing::{Bench, secs};

    #[test]
    fn the_ten_longest_idle_are_named_and_the_others_counted_by_reason() {
        let names: Vec<String> = (0..14).map(|n| format!("a{n:02}")).collect();
        let members: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut bench = Bench::empty().members("sales", &members, "{}").account("main", "sales");
        for name in &names {
            bench = bench.agent(name, "{}");
        }
        for (n, name) in names.iter().enumerate() {
            bench.advance(secs(n as i64)).on_queue(name);
        }
        bench.presence("a13", Presence::Break, secs(14)).arrive_at("c1", secs(20));
        let decision = bench.decision().unwrap();
        assert_eq!(decision.chosen.unwrap().as_str(), "a00");
        assert_eq!(decision.candidates.len(), 10);
        assert_eq!(decision.candidates[0].terms["idle_ms"], 20_000.0);
        assert_eq!(decision.excluded, [("idle_shorter".to_owned(), 3), ("off_queue".to_owned(), 1)].into());
    }

    #[test]
    fn a_conversation_passed_over_says_so_once_for_each_reason() {
        let mut bench = Bench::simple();
        bench.arrive("c1");
        assert_eq!(bench.decision().unwrap().reason, "nobody is on queue");
        bench.clear().spoke("c1", 2, secs(5));
        assert!(bench.decision().is_none());
        bench.on_queue("ada").decline("c1", "ada");
        assert_eq!(bench.decision().unwrap().reason, "everybody who fits has declined");
    }
}
