//! R15: the owner is gone: offline, or without a connection, for longer than the queue's
//! `agent_grace_s`.
//!
//! | policy | then |
//! |---|---|
//! | `requeue_on_message` | back to the queue when a customer message is or becomes unanswered |
//! | `requeue` | back to the queue |
//! | `park` | parked: takes no capacity; talks on when the owner is back and has room, goes to the queue when the customer writes before |
//! | `keep` | nothing |
//!
//! Back in the queue the old part has ended with cause `owner_away`, unfinished after-call work as
//! `TIMEOUT`, and the old owner is the last agent. After-call work of an absent agent ends as
//! `TIMEOUT` under every policy.

use schemas::config::OwnerAway;
use schemas::ids::{PartId, WrapUpCodeId};
use schemas::records::{Cause, Mark, Millis, Presence, RoutingEventKind};

use super::eligibility::{self, Standing};
use super::{facts, part, requeue as queueing, wrap_up};
use crate::core::state::{AgentKey, PartRow, PartStage, State};
use crate::core::turn::{Dims, Turn};

const DEFAULT_GRACE_S: i64 = 60;

/// Notes whether an agent is gone or back, and starts or stops the clocks of their parts.
pub fn refresh(turn: &mut Turn<'_>, key: &AgentKey) {
    let Some(agent) = turn.state.agents.get(key) else { return };
    let is_away = !agent.is_connected() || agent.presence == Presence::Offline;
    if is_away == agent.away_since.is_some() {
        return;
    }
    let away_since = is_away.then_some(turn.now);
    turn.change_agent(key, |agent| agent.away_since = away_since);
    for id in parts_of(turn.state, key) {
        let Some(mut held) = turn.state.parts.get(&id).cloned() else { continue };
        held.away_at = deadline(turn.state, &held);
        held.requeue_on_message &= is_away;
        turn.put_part(id, Some(held));
    }
}

/// When a part's owner has been gone for too long, if they are gone.
pub fn deadline(state: &State, held: &PartRow) -> Option<Millis> {
    let since = state.agents.get(&(held.facts.tenant.clone(), held.agent.clone()))?.away_since?;
    let grace_s = state.queue(&held.facts.tenant, &held.queue).map_or(DEFAULT_GRACE_S, |queue| queue.agent_grace_s);
    Some(since.saturating_add(grace_s.saturating_mul(1000)))
}

/// The grace is over.
pub fn act(turn: &mut Turn<'_>, id: PartId) {
    let Some(mut held) = turn.state.parts.get(&id).cloned() else { return };
    held.away_at = None;
    turn.put_part(id, Some(held.clone()));
    match held.stage {
        PartStage::WrapUp { .. } => wrap_up::run_out(turn, id),
        PartStage::Parked => {}
        PartStage::Talking => by_policy(turn, id, held),
    }
}

fn by_policy(turn: &mut Turn<'_>, id: PartId, mut held: PartRow) {
    let queue = turn.state.queue(&held.facts.tenant, &held.queue);
    let is_unanswered = turn.state.work.get(&held.facts.conversation).is_some_and(|row| row.unanswered_at.is_some());
    match queue.map_or(OwnerAway::RequeueOnMessage, |queue| queue.owner_away) {
        OwnerAway::Requeue => requeue(turn, id),
        OwnerAway::RequeueOnMessage if is_unanswered => requeue(turn, id),
        OwnerAway::RequeueOnMessage => {
            held.requeue_on_message = true;
            turn.put_part(id, Some(held));
        }
        OwnerAway::Park => park(turn, id, held),
        OwnerAway::Keep => {}
    }
}

/// Ends the part and brings its stint back to the queue.
pub fn requeue(turn: &mut Turn<'_>, id: PartId) {
    let Some(mut held) = turn.state.parts.get(&id).cloned() else { return };
    let Some(mut row) = turn.state.work.get(&held.facts.conversation).cloned() else { return };
    let was_talking = held.stage == PartStage::Talking;
    part::stop(turn, id, &mut held);
    held.disconnected_at = Some(turn.now);
    held.end_cause = Cause::OwnerAway;
    if wrap_up::after_call(turn.state, &held, turn.now).is_some() {
        held.code.get_or_insert_with(|| WrapUpCodeId::new(wrap_up::TIMEOUT));
        wrap_up::say(turn, id, &held);
    }
    facts::part(turn, id, &held);
    turn.put_part(id, None);
    let key = (held.facts.tenant.clone(), held.agent.clone());
    row.last_agent = Some(held.agent);
    queueing::enter(turn, row, Cause::OwnerAway);
    turn.change_agent(&key, |agent| agent.load.talking -= i64::from(was_talking));
}

fn park(turn: &mut Turn<'_>, id: PartId, mut held: PartRow) {
    part::stop(turn, id, &mut held);
    held.stage = PartStage::Parked;
    let key = (held.facts.tenant.clone(), held.agent.clone());
    turn.say(&held.facts, Dims::part(id, &held), RoutingEventKind::Parked(Mark { until: None }));
    touch(turn, &held);
    turn.put_part(id, Some(held));
    turn.change_agent(&key, |agent| agent.load.talking -= 1);
}

/// Takes one parked part up again if its owner is back and has room.
pub fn resume_one(turn: &mut Turn<'_>, key: &AgentKey) -> bool {
    let agent = turn.state.agents.get(key);
    let can = agent.is_some_and(|row| eligibility::available(turn.state.agent(key), row) == Standing::Ready);
    let is_parked = |id: &PartId| turn.state.parts.get(id).is_some_and(|held| held.stage == PartStage::Parked);
    let parked = if can { parts_of(turn.state, key).into_iter().find(is_parked) } else { None };
    let Some((id, mut held)) = parked.and_then(|id| Some((id, turn.state.parts.get(&id).cloned()?))) else {
        return false;
    };
    part::stop(turn, id, &mut held);
    held.stage = PartStage::Talking;
    held.turn_since = turn.now;
    turn.say(&held.facts, Dims::part(id, &held), RoutingEventKind::Unparked(Mark { until: None }));
    touch(turn, &held);
    turn.put_part(id, Some(held));
    turn.change_agent(key, |agent| agent.load.talking += 1);
    true
}

/// The stint's view follows its part.
fn touch(turn: &mut Turn<'_>, held: &PartRow) {
    let conversation = held.facts.conversation;
    if let Some(mut row) = turn.state.work.get(&conversation).cloned() {
        row.since = turn.now;
        turn.put_work(conversation, Some(row));
    }
}

fn parts_of(state: &State, key: &AgentKey) -> Vec<PartId> {
    let from = (key.clone(), PartId::default());
    state.index.agent_parts.range(from..).take_while(|(of, _)| of == key).map(|(_, id)| *id).collect()
}

#[cfg(test)]
mod tests {
    use schemas::records::{Cause, Presence};

    use crate::core::testing::{Bench, secs};

    /// Ada is connected to c1 and has answered; her connection is lost at second 10.
    fn lost(policy: &str) -> Bench {
        let rules = format!(r#"{{"owner_away": "{policy}", "agent_grace_s": 60}}"#);
        let mut bench = Bench::with_queue(&rules);
        bench.on_queue("ada").arrive("c1").accept("c1", "ada").replied("c1", "ada", 2, secs(5));
        bench.lost("ada", "g1", secs(10)).clear();
        bench
    }

    #[test]
    fn requeue_on_message_waits_for_the_customer() {
        let mut bench = lost("requeue_on_message");
        bench.advance(secs(100));
        assert_eq!(bench.waiting("sales"), 0);
        bench.spoke("c1", 3, secs(101));
        assert_eq!(bench.waiting("sales"), 1);
        let part = bench.part_ended().unwrap();
        assert_eq!(part.end_cause, Cause::OwnerAway);
        assert_eq!(part.wrap_up_code.unwrap().as_str(), "TIMEOUT");
        assert_eq!(bench.epoch("c1"), 3);
        assert_eq!(bench.load("ada"), 0);
    }

    #[test]
    fn requeue_on_message_acts_at_once_when_one_is_unanswered() {
        let mut bench = lost("requeue_on_message");
        bench.spoke("c1", 3, secs(20)).advance(secs(69));
        assert_eq!(bench.waiting("sales"), 0);
        bench.advance(secs(70));
        assert_eq!(bench.waiting("sales"), 1);
    }

    #[test]
    fn an_owner_who_comes_back_within_the_grace_keeps_the_conversation() {
        for policy in ["requeue_on_message", "requeue", "park", "keep"] {
            let mut bench = lost(policy);
            bench.held("g1", &["ada"], secs(60)).advance(secs(80)).spoke("c1", 3, secs(81));
            assert_eq!((bench.waiting("sales"), bench.load("ada")), (0, 1), "{policy}");
        }
    }

    #[test]
    fn requeue_does_not_wait_for_the_customer_and_keep_does_nothing() {
        let mut bench = lost("requeue");
        bench.advance(secs(70));
        assert_eq!(bench.waiting("sales"), 1);
        let mut bench = lost("keep");
        bench.advance(secs(70)).spoke("c1", 3, secs(300));
        assert_eq!((bench.waiting("sales"), bench.load("ada")), (0, 1));
    }

    #[test]
    fn a_parked_conversation_talks_on_when_the_owner_is_back() {
        let mut bench = lost("park");
        bench.advance(secs(70));
        assert_eq!(bench.load("ada"), 0);
        bench.held("g1", &["ada"], secs(100));
        assert_eq!(bench.load("ada"), 1);
        bench.disconnect("c1", "ada").wrap_up("c1", "ada", Some("done"));
        let part = bench.part_ended().unwrap();
        assert_eq!((part.talk_ms, part.parked_ms), (70_000, 30_000));
    }

    #[test]
    fn a_parked_conversation_goes_to_the_queue_when_the_customer_writes() {
        let mut bench = lost("park");
        bench.advance(secs(70)).spoke("c1", 3, secs(75));
        assert_eq!(bench.waiting("sales"), 1);
        assert_eq!(bench.part_ended().unwrap().parked_ms, 5_000);
    }

    #[test]
    fn after_call_work_of_an_absent_agent_ends_as_timeout() {
        let mut bench = Bench::with_queue(r#"{"wrap_up": {"policy": "mandatory"}}"#);
        bench.on_queue("ada").arrive("c1").accept("c1", "ada").disconnect("c1", "ada");
        bench.presence("ada", Presence::Offline, secs(10)).advance(secs(70));
        assert_eq!(bench.part_ended().unwrap().wrap_up_code.unwrap().as_str(), "TIMEOUT");
    }
}
