//! A connected stint ends: by its agent, or because the customer left.
//!
//! Threading is told which message routing has seen, so that it re-opens at once if the customer
//! has written since, and whether after-call work is open, so that messages join the ended stint.

use schemas::ids::PartId;
use schemas::records::{AgentAsk, Cause, ConversationCommandKind, Disconnect, Ended, RoutingEventKind, WrapUpStarted};

use super::{owner_away, part, service_level, wrap_up};
use crate::core::Asked;
use crate::core::state::{PartStage, Stage, WorkRow};
use crate::core::turn::{Dims, Turn};

/// An agent ends the stint they own.
pub fn ask(turn: &mut Turn<'_>, asked: &Asked<'_>, ask: &AgentAsk) {
    let Some(row) = asked.work(turn) else { return turn.refuse(asked, "unknown_conversation") };
    let Stage::With { part, .. } = row.stage else { return turn.refuse(asked, "not_owner") };
    let Some(held) = turn.state.parts.get(&part) else { return turn.refuse(asked, "not_owner") };
    if held.agent != ask.agent_id || ask.owner_epoch.is_some_and(|epoch| epoch != row.epoch) {
        return turn.refuse(asked, "not_owner");
    }
    match held.stage {
        PartStage::Talking | PartStage::Parked => leave(turn, row, part, Cause::AgentDisconnect),
        PartStage::WrapUp { .. } => turn.refuse(asked, "wrong_state"),
    }
}

/// Ends a stint that an agent owns; after-call work follows by the queue's policy.
pub fn leave(turn: &mut Turn<'_>, mut row: WorkRow, id: PartId, cause: Cause) {
    let Some(mut part) = turn.state.parts.get(&id).cloned() else { return };
    let was_talking = part.stage == PartStage::Talking;
    part::stop(turn, id, &mut part);
    part.disconnected_at = Some(turn.now);
    part.end_cause = cause;
    part.requeue_on_message = false;
    if row.unanswered_at.is_some() && !row.is_responded {
        let queue = turn.state.queue(&part.facts.tenant, &part.queue);
        let silence = queue.and_then(service_level::of_silence);
        part.service_level_met = part.service_level_met.or(silence);
        service_level::count(turn, &part.facts, Dims::part(id, &part), silence);
    }
    let after_call = wrap_up::after_call(turn.state, &part, turn.now);
    tell(turn, &row, cause, after_call.is_some());
    let key = (part.facts.tenant.clone(), part.agent.clone());
    match after_call {
        Some(after_call) => {
            part.stage = PartStage::WrapUp { deadline_at: after_call.deadline_at };
            part.away_at = owner_away::deadline(turn.state, &part).map(|at| at.max(turn.now));
            let started = WrapUpStarted { deadline_at: after_call.deadline_at, policy: after_call.policy.into() };
            turn.say(&part.facts, Dims::part(id, &part), RoutingEventKind::WrapUpStarted(started));
            turn.put_part(id, Some(part));
            row.since = turn.now;
            turn.put_work(row.facts.conversation, Some(row));
        }
        None => {
            if part.code.is_some() {
                wrap_up::say(turn, id, &part);
            }
            super::facts::part(turn, id, &part);
            turn.put_part(id, None);
            turn.say(&row.facts, Dims::part(id, &part), RoutingEventKind::Ended(Ended { cause }));
            turn.put_work(row.facts.conversation, None);
        }
    }
    let now = turn.now;
    turn.change_agent(&key, |agent| {
        agent.load.talking -= i64::from(was_talking);
        agent.load.wrap_up += i64::from(after_call.is_some());
        agent.idle_since = now;
    });
}

/// Ends a stint that no agent owns.
pub fn unowned(turn: &mut Turn<'_>, row: &WorkRow, dims: Dims, cause: Cause) {
    tell(turn, row, cause, false);
    turn.say(&row.facts, dims, RoutingEventKind::Ended(Ended { cause }));
    turn.put_work(row.facts.conversation, None);
}

/// Tells threading that the stint is over, as far as routing has seen it.
fn tell(turn: &mut Turn<'_>, row: &WorkRow, cause: Cause, acw_open: bool) {
    let disconnect =
        Disconnect { stint_id: row.facts.stint, owner_epoch: row.epoch, seen_seq: row.last_seq, cause, acw_open };
    turn.tell(&row.facts, ConversationCommandKind::Disconnect(disconnect));
}

#[cfg(test)]
mod tests {
    use schemas::records::Cause;

    use crate::core::testing::{Bench, secs};

    #[test]
    fn only_the_live_owner_may_disconnect() {
        let mut bench = Bench::simple();
        bench.on_queue("ada").arrive("c1");
        bench.disconnect("c1", "ada");
        assert_eq!(bench.refused().as_deref(), Some("not_owner"));
        bench.accept("c1", "ada").disconnect("c1", "ben");
        assert_eq!(bench.refused().as_deref(), Some("not_owner"));
        bench.disconnect("c1", "ada");
        assert_eq!(bench.disconnect_told().unwrap().cause, Cause::AgentDisconnect);
        bench.disconnect("c1", "ada");
        assert_eq!(bench.refused().as_deref(), Some("wrong_state"));
    }

    #[test]
    fn a_disconnect_names_the_last_message_seen() {
        let mut bench = Bench::simple();
        bench.on_queue("ada").arrive("c1").accept("c1", "ada").spoke("c1", 5, secs(3)).disconnect("c1", "ada");
        let told = bench.disconnect_told().unwrap();
        assert_eq!((told.seen_seq, told.acw_open), (5, true));
    }

    #[test]
    fn a_part_splits_its_talk_into_whose_turn_it_was() {
        let mut bench = Bench::with_queue(r#"{"wrap_up": {"policy": "optional"}}"#);
        bench.on_queue("ada").arrive_at("c1", secs(0)).advance(secs(10)).accept("c1", "ada");
        bench.replied("c1", "ada", 2, secs(15)).spoke("c1", 3, secs(40)).spoke("c1", 4, secs(45));
        bench
            .held("g1", &["ada"], secs(45))
            .replied("c1", "ada", 5, secs(60))
            .advance(secs(70))
            .disconnect("c1", "ada");
        let part = bench.part_ended().unwrap();
        assert_eq!((part.wait_ms, part.alert_ms, part.talk_ms, part.acw_ms), (10_000, 10_000, 60_000, 0));
        assert_eq!(part.waiting_for_agent_ms, 5_000 + 20_000);
        assert_eq!(part.waiting_for_customer_ms, 25_000 + 10_000);
        assert_eq!((part.messages_in, part.messages_out), (3, 2));
        assert_eq!(part.first_response_ms, Some(15_000));
        assert_eq!((part.response_ms, part.response_count), (15_000 + 20_000, 2));
        assert_eq!(part.end_cause, Cause::AgentDisconnect);
    }
}
