//! Leaving a queue without an agent.
//!
//! Abandoned: the customer disconnected or cleared, the session expired, or the queue's
//! `patience_s` of customer silence ran out while nobody was being alerted. Flowed out:
//! everything else.

use schemas::ids::ConversationId;
use schemas::records::{Cause, CustomerLeft, LeftQueue, RoutingEventKind, VisitOutcome};

use super::{bot, disconnect, facts, offer, service_level};
use crate::core::Asked;
use crate::core::state::{PartStage, Stage, WorkRow};
use crate::core::turn::{Dims, Turn};

/// The customer ended the stint.
pub fn customer_left(turn: &mut Turn<'_>, asked: &Asked<'_>, left: &CustomerLeft) {
    let Some(mut row) = asked.work(turn) else { return };
    row.last_seq = row.last_seq.max(left.seq);
    match row.stage {
        Stage::Waiting | Stage::Alerting(_) => leave(turn, row, VisitOutcome::Abandoned, left.cause),
        Stage::Bot(ref stage) => bot::leave(turn, row.clone(), stage, left.cause),
        Stage::With { part, .. } => {
            let is_live = |stage| matches!(stage, PartStage::Talking | PartStage::Parked);
            if turn.state.parts.get(&part).is_some_and(|part| is_live(part.stage)) {
                disconnect::leave(turn, row, part, left.cause);
            }
        }
    }
}

/// The customer was silent for too long.
pub fn patience_ran_out(turn: &mut Turn<'_>, id: ConversationId) {
    if let Some(row) = turn.state.work.get(&id).filter(|row| row.stage == Stage::Waiting).cloned() {
        leave(turn, row, VisitOutcome::Abandoned, Cause::Patience);
    }
}

/// Ends the visit and the stint.
pub fn leave(turn: &mut Turn<'_>, row: WorkRow, outcome: VisitOutcome, cause: Cause) {
    let row = end_visit(turn, row, outcome, cause);
    disconnect::unowned(turn, &row, Dims::queue(&row.queue), cause);
}

fn end_visit(turn: &mut Turn<'_>, row: WorkRow, outcome: VisitOutcome, cause: Cause) -> WorkRow {
    let row = offer::withdraw(turn, row, cause.as_str());
    let wait_ms = turn.now - row.visit.started_at;
    let left = LeftQueue { wait_ms, cause };
    let is_abandoned = outcome == VisitOutcome::Abandoned;
    let kind = if is_abandoned { RoutingEventKind::Abandoned(left) } else { RoutingEventKind::FlowedOut(left) };
    let dims = Dims::queue(&row.queue);
    turn.say(&row.facts, dims.clone(), kind);
    let queue = turn.state.queue(&row.facts.tenant, &row.queue);
    let met = queue.and_then(|queue| service_level::of_visit(queue, outcome, wait_ms));
    let is_short = is_abandoned && queue.is_some_and(|queue| service_level::is_short_abandon(queue, wait_ms));
    let is_owed = row.unanswered_at.is_some() && !row.is_responded && is_abandoned && !is_short;
    let silence = queue.filter(|_| is_owed).and_then(service_level::of_silence);
    let end =
        facts::VisitEnd { outcome, cause, method: "standard", service_level_met: met, is_short_abandon: is_short };
    facts::visit(turn, &row, dims.clone(), end);
    service_level::count(turn, &row.facts, dims, silence);
    row
}

#[cfg(test)]
mod tests {
    use schemas::records::{Cause, VisitOutcome};

    use crate::core::testing::{Bench, secs};

    #[test]
    fn a_customer_who_leaves_while_waiting_has_abandoned() {
        let mut bench = Bench::simple();
        bench.arrive_at("c1", secs(0)).leave("c1", secs(7));
        let visit = bench.visit_ended().unwrap();
        assert_eq!((visit.outcome, visit.wait_ms), (VisitOutcome::Abandoned, 7_000));
        assert_eq!(visit.cause, Cause::CustomerLeft);
        assert!(!bench.disconnect_told().unwrap().acw_open);
        assert_eq!(bench.waiting("sales"), 0);
        assert!(bench.is_gone("c1"));
    }

    #[test]
    fn an_offer_is_taken_back_when_the_customer_leaves() {
        let mut bench = Bench::simple();
        bench.on_queue("ada").arrive("c1").leave("c1", secs(3));
        assert_eq!(bench.segment("alert").unwrap().outcome.as_deref(), Some("withdrawn"));
        assert_eq!(bench.load("ada"), 0);
    }

    #[test]
    fn silence_longer_than_the_queues_patience_is_an_abandon_and_a_message_starts_it_anew() {
        let mut bench = Bench::with_queue(r#"{"patience_s": 60}"#);
        bench.arrive_at("c1", secs(0)).spoke("c1", 2, secs(50)).advance(secs(109));
        assert_eq!(bench.waiting("sales"), 1);
        bench.advance(secs(110));
        assert_eq!(bench.visit_ended().unwrap().cause, Cause::Patience);
        assert_eq!(bench.waiting("sales"), 0);
    }

    #[test]
    fn an_abandon_sooner_than_the_threshold_is_a_short_one() {
        for (leaves_at, is_short, met) in [(secs(4), true, None), (secs(5), false, Some(false))] {
            let mut bench = Bench::with_queue(r#"{"short_abandon_s": 5}"#);
            bench.arrive_at("c1", secs(0)).leave("c1", leaves_at);
            let visit = bench.visit_ended().unwrap();
            assert_eq!((visit.is_short_abandon, visit.service_level_met), (is_short, met));
        }
    }
}
