//! T8: a customer writes during after-call work.
//!
//! The message joined the ended stint. The agent may take it up: the same part talks on, under
//! the next epoch. If they decline, or let `acw_reentry_s` pass from the message, threading is
//! told that the stint is released and begins a new one; the part is written up beside it.

use schemas::ids::PartId;
use schemas::records::{AgentAsk, Cause, ConversationCommandKind, Ended, ReentryReleased, RoutingEventKind};

use super::part;
use crate::core::Asked;
use crate::core::state::{PartRow, PartStage, Stage, WorkRow};
use crate::core::turn::{Dims, Turn};

const DEFAULT_REENTRY_S: i64 = 30;

/// A message came; the first one starts the clock.
pub fn heard(turn: &mut Turn<'_>, id: PartId) {
    let Some(mut row) = turn.state.parts.get(&id).filter(|row| row.reentry_at.is_none()).cloned() else { return };
    let queue = turn.state.queue(&row.facts.tenant, &row.queue);
    let reentry_s = queue.map_or(DEFAULT_REENTRY_S, |queue| queue.acw_reentry_s);
    row.reentry_at = Some(turn.now.saturating_add(reentry_s.saturating_mul(1000)));
    turn.put_part(id, Some(row));
}

/// The agent takes it up.
pub fn accept(turn: &mut Turn<'_>, asked: &Asked<'_>, ask: &AgentAsk, mut row: WorkRow) {
    let Some((id, mut held)) = pending(turn, &row, ask) else { return turn.refuse(asked, "not_offered") };
    if ask.owner_epoch.is_some_and(|epoch| epoch != row.epoch) {
        return turn.refuse(asked, "epoch_passed");
    }
    part::stop(turn, id, &mut held);
    held.stage = PartStage::Talking;
    held.disconnected_at = None;
    held.reentry_at = None;
    held.turn_since = turn.now;
    held.waits_for_agent = row.unanswered_at.is_some();
    held.totals.messages_in += std::mem::take(&mut row.messages_waiting);
    row.epoch += 1;
    row.since = turn.now;
    part::own(turn, &row, id, &held, Cause::Accepted);
    let key = (held.facts.tenant.clone(), held.agent.clone());
    turn.put_work(row.facts.conversation, Some(row));
    turn.put_part(id, Some(held));
    turn.change_agent(&key, |agent| {
        agent.load.wrap_up -= 1;
        agent.load.talking += 1;
    });
}

/// The agent does not want it.
pub fn decline(turn: &mut Turn<'_>, asked: &Asked<'_>, ask: &AgentAsk, row: &WorkRow) {
    match pending(turn, row, ask) {
        Some((id, _)) => release(turn, id),
        None => turn.refuse(asked, "not_offered"),
    }
}

/// Nobody takes it up: the conversation is free for a new stint.
pub fn release(turn: &mut Turn<'_>, id: PartId) {
    let Some(mut held) = turn.state.parts.get(&id).cloned() else { return };
    held.reentry_at = None;
    let conversation = held.facts.conversation;
    turn.put_part(id, Some(held.clone()));
    let Some(mut row) = turn.state.work.get(&conversation).cloned() else { return };
    if row.stage != (Stage::With { part: id, released: false }) {
        return;
    }
    let release = ReentryReleased { stint_id: row.facts.stint, seen_seq: row.last_seq };
    turn.tell(&row.facts, ConversationCommandKind::ReentryReleased(release));
    turn.say(&row.facts, Dims::part(id, &held), RoutingEventKind::Ended(Ended { cause: held.end_cause }));
    row.stage = Stage::With { part: id, released: true };
    turn.put_work(conversation, Some(row));
}

/// The part in after-call work that a message waits for, if this agent's.
fn pending(turn: &Turn<'_>, row: &WorkRow, ask: &AgentAsk) -> Option<(PartId, PartRow)> {
    let Stage::With { part, released: false } = row.stage else { return None };
    let held = turn.state.parts.get(&part)?;
    let is_pending = held.agent == ask.agent_id && held.reentry_at.is_some();
    is_pending.then(|| (part, held.clone()))
}

#[cfg(test)]
mod tests {
    use crate::core::testing::{Bench, secs};

    fn after_call() -> Bench {
        let mut bench = Bench::with_queue(r#"{"acw_reentry_s": 10, "wrap_up": {"policy": "mandatory"}}"#);
        bench.on_queue("ada").arrive("c1").accept("c1", "ada").disconnect("c1", "ada");
        bench.clear().spoke("c1", 2, secs(5));
        bench
    }

    #[test]
    fn the_agent_takes_a_message_up_under_the_next_epoch_in_the_same_part() {
        let mut bench = after_call();
        let epoch = bench.epoch("c1");
        bench.advance(secs(8)).accept("c1", "ada");
        assert_eq!(bench.epoch("c1"), epoch + 1);
        bench.advance(secs(12)).disconnect("c1", "ada").advance(secs(15)).wrap_up("c1", "ada", Some("done"));
        let part = bench.part_ended().unwrap();
        assert_eq!((part.talk_ms, part.acw_ms, part.messages_in), (4_000, 8_000 + 3_000, 2));
    }

    #[test]
    fn a_message_not_taken_up_is_released_while_the_part_is_written_up() {
        let mut bench = after_call();
        bench.advance(secs(14));
        assert!(bench.released_told().is_none());
        bench.advance(secs(15));
        assert_eq!(bench.released_told().unwrap().seen_seq, 2);
        assert_eq!(bench.load("ada"), 1);
        bench.clear().accept("c1", "ada");
        assert_eq!(bench.refused().as_deref(), Some("not_offered"));
        bench.wrap_up("c1", "ada", Some("done"));
        assert!(bench.released_told().is_none(), "released once");
        assert!(bench.part_ended().is_some());
    }

    #[test]
    fn declining_a_message_releases_it_at_once() {
        let mut bench = after_call();
        bench.decline("c1", "ada");
        assert!(bench.released_told().is_some());
    }
}
