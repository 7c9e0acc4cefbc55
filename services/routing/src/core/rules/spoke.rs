//! Somebody said something in a stint: routing counts and clocks with it.
//!
//! A response runs from the first customer message nobody has answered to the agent's reply, both
//! by threading's task time, never below zero. Only agents' replies answer.

use schemas::ids::PartId;
use schemas::records::{SenderKind, Spoke};

use super::{bot, owner_away, part, reentry, requeue, service_level};
use crate::core::Asked;
use crate::core::state::{PartStage, Stage, WorkRow};
use crate::core::turn::{Dims, Turn};

/// Hears of a message; one already heard of is ignored.
pub fn heard(turn: &mut Turn<'_>, asked: &Asked<'_>, spoke: &Spoke) {
    let Some(mut row) = asked.work(turn).filter(|row| spoke.seq > row.last_seq) else { return };
    row.last_seq = spoke.seq;
    match spoke.sender.kind {
        SenderKind::Customer => by_customer(turn, row, spoke),
        SenderKind::Agent => by_agent(turn, row, spoke),
        SenderKind::Bot | SenderKind::System | SenderKind::Api | SenderKind::External | SenderKind::Unknown => {
            turn.put_work(row.facts.conversation, Some(row));
        }
    }
}

fn by_customer(turn: &mut Turn<'_>, mut row: WorkRow, spoke: &Spoke) {
    let id = row.facts.conversation;
    row.unanswered_at.get_or_insert(spoke.at);
    row.customer_at = turn.now;
    match row.stage.clone() {
        Stage::Bot(stage) => bot::heard(turn, row, *stage, spoke),
        Stage::Waiting | Stage::Alerting(_) => {
            row.messages_waiting += 1;
            requeue::ask(turn.state, &mut row);
            turn.put_work(id, Some(row));
        }
        Stage::With { part, released } => {
            let stage = turn.state.parts.get(&part).map(|part| (part.stage, part.requeue_on_message));
            match stage {
                Some((PartStage::Talking, false)) => {
                    turn.put_work(id, Some(row));
                    add_to_part(turn, part);
                }
                Some((PartStage::Talking, true) | (PartStage::Parked, _)) => {
                    row.messages_waiting += 1;
                    turn.put_work(id, Some(row));
                    owner_away::requeue(turn, part);
                }
                Some((PartStage::WrapUp { .. }, _)) if !released => {
                    row.messages_waiting += 1;
                    turn.put_work(id, Some(row));
                    reentry::heard(turn, part);
                }
                Some((PartStage::WrapUp { .. }, _)) | None => turn.put_work(id, Some(row)),
            }
        }
    }
}

fn add_to_part(turn: &mut Turn<'_>, id: PartId) {
    let Some(mut held) = turn.state.parts.get(&id).cloned() else { return };
    held.totals.messages_in += 1;
    part::take_turn(&mut held, turn.now, true);
    turn.put_part(id, Some(held));
}

fn by_agent(turn: &mut Turn<'_>, mut row: WorkRow, spoke: &Spoke) {
    let conversation = row.facts.conversation;
    let live = match row.stage {
        Stage::With { part, .. } => turn.state.parts.get(&part).cloned().map(|held| (part, held)),
        Stage::Waiting | Stage::Alerting(_) | Stage::Bot(_) => None,
    };
    let by_owner = live.filter(|(_, held)| {
        held.stage == PartStage::Talking && spoke.sender.id.as_deref() == Some(held.agent.as_str())
    });
    if let Some((id, mut held)) = by_owner {
        held.totals.messages_out += 1;
        part::take_turn(&mut held, turn.now, false);
        if let Some(asked_at) = row.unanswered_at.take() {
            let response_ms = (spoke.at - asked_at).max(0);
            held.totals.first_response_ms.get_or_insert(response_ms);
            held.totals.response_ms += response_ms;
            held.totals.response_count += 1;
            let queue = turn.state.queue(&held.facts.tenant, &held.queue);
            let met = queue.and_then(|queue| service_level::of_response(queue, response_ms, !row.is_responded));
            held.service_level_met = held.service_level_met.or(met);
            service_level::count(turn, &held.facts, Dims::part(id, &held), met);
            row.is_responded = true;
        }
        turn.put_part(id, Some(held));
    }
    turn.put_work(conversation, Some(row));
}

#[cfg(test)]
mod tests {
    use crate::core::testing::{Bench, secs};

    #[test]
    fn a_message_heard_twice_counts_once() {
        let mut bench = Bench::with_queue(r#"{"wrap_up": {"policy": "optional"}}"#);
        bench.on_queue("ada").arrive("c1").accept("c1", "ada");
        bench.spoke("c1", 2, secs(1)).spoke("c1", 2, secs(2)).replied("c1", "ada", 3, secs(3));
        bench.replied("c1", "ada", 3, secs(4)).disconnect("c1", "ada");
        let part = bench.part_ended().unwrap();
        assert_eq!((part.messages_in, part.messages_out, part.response_count), (2, 1, 1));
    }

    #[test]
    fn the_response_clocks_count_each_reply_they_promise() {
        for (clock, expected) in
            [("accept", vec![]), ("first_response", vec![true]), ("every_response", vec![true, false])]
        {
            let rules = format!(r#"{{"service_level": {{"target_s": 10, "ratio": 0.8, "clock": "{clock}"}}}}"#);
            let mut bench = Bench::with_queue(&rules);
            bench.on_queue("ada").arrive_at("c1", secs(0)).accept("c1", "ada");
            bench.replied("c1", "ada", 2, secs(9)).spoke("c1", 3, secs(10)).replied("c1", "ada", 4, secs(25));
            assert_eq!(bench.service_levels(), expected, "{clock}");
        }
    }
}
