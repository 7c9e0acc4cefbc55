//! A stint begins or is re-opened: its account's bot greets, or it enters a queue.
//!
//! Should an earlier stint of the conversation still be here (threading ended it because the
//! customer wrote in the gap), that one is closed first; a part of it in after-call work is
//! written up beside the new stint.
//!
//! `work_arrived` is itself the first message of its stint, unless it brings no content: then the
//! customer wrote during after-call work that nobody took up, and was heard already.

use schemas::ids::AgentId;
use schemas::records::{Cause, Ended, OwnerKind, RoutingEventKind, VisitOutcome, WorkArrived};

use super::{abandoned, bot, disconnect, part, queue_choice, requeue};
use crate::core::Asked;
use crate::core::state::{Facts, PartStage, Stage, Visit, WorkRow};
use crate::core::turn::{Dims, Turn};

/// Takes a stint in.
pub fn take_in(turn: &mut Turn<'_>, asked: &Asked<'_>, arrived: &WorkArrived) {
    let (Some(conversation), Some(stint), Some(customer_key)) = (asked.conversation, asked.stint, asked.customer_key)
    else {
        return turn.refuse(asked, "unknown_conversation");
    };
    let former = turn.state.work.get(&conversation).cloned();
    if former.as_ref().is_some_and(|row| row.facts.stint == stint || row.facts.stint_no > arrived.stint_no) {
        return;
    }
    let epoch = former.as_ref().map_or(0, |row| row.epoch).max(arrived.owner_epoch);
    let by_agent = agent_who_began(turn, asked, arrived);
    let heard = former.as_ref().filter(|_| arrived.content.is_none());
    let unanswered_at = heard.and_then(|row| row.unanswered_at).unwrap_or(asked.recorded_at);
    let unanswered_at = by_agent.is_none().then_some(unanswered_at);
    let messages_waiting = unanswered_at.map_or(0, |_| heard.map_or(1, |row| row.messages_waiting.max(1)));
    if let Some(former) = former {
        close(turn, former);
    }
    let facts = Facts {
        tenant: asked.tenant.clone(),
        conversation,
        stint,
        stint_no: arrived.stint_no,
        customer_key,
        channel: arrived.channel,
        account: arrived.account_id.clone(),
        customer_name: arrived.customer_name.clone(),
        language: arrived.language.clone(),
        is_new_customer: arrived.is_new_customer,
        is_reopen: arrived.returning,
        entry_point: arrived.entry_point.clone(),
    };
    let row = WorkRow {
        epoch,
        last_seq: arrived.seq,
        queue: queue_choice::choose(turn.state, &facts, arrived),
        last_agent: queue_choice::first_asked(arrived),
        arrived_at: turn.now,
        visit: Visit::default(),
        stage: Stage::Waiting,
        since: turn.now,
        parts: 0,
        offers: 0,
        unanswered_at,
        customer_at: turn.now,
        messages_waiting,
        is_responded: false,
        facts,
    };
    if let Some(agent) = by_agent {
        return part::begin_outbound(turn, row, agent);
    }
    match bot::greeter(turn.state, &row.facts, arrived) {
        Some(greeter) => bot::begin(turn, row, greeter, arrived.content.clone()),
        None => requeue::enter(turn, row, Cause::CustomerMessage),
    }
}

/// The agent who wrote first, as long as the configuration knows them (T7): the stint is for them, and the
/// customer has said nothing.
fn agent_who_began(turn: &Turn<'_>, asked: &Asked<'_>, arrived: &WorkArrived) -> Option<AgentId> {
    let target = arrived.target.as_ref().filter(|target| target.kind == OwnerKind::Agent);
    let agent = AgentId::new(&target.filter(|_| arrived.content.is_none())?.id);
    turn.state.agent(&(asked.tenant.clone(), agent.clone())).map(|_| agent)
}

fn close(turn: &mut Turn<'_>, former: WorkRow) {
    let conversation = former.facts.conversation;
    match former.stage {
        Stage::Waiting | Stage::Alerting(_) => {
            abandoned::leave(turn, former, VisitOutcome::FlowedOut, Cause::CustomerMessage);
        }
        Stage::Bot(ref stage) => bot::leave(turn, former.clone(), stage, Cause::CustomerMessage),
        Stage::With { part, released } => {
            let live =
                turn.state.parts.get(&part).cloned().filter(|part| !matches!(part.stage, PartStage::WrapUp { .. }));
            if live.is_some() {
                disconnect::leave(turn, former.clone(), part, Cause::CustomerMessage);
            }
            if let Some(held) = turn.state.parts.get(&part).cloned() {
                if !released {
                    let ended = Ended { cause: held.end_cause };
                    turn.say(&former.facts, Dims::part(part, &held), RoutingEventKind::Ended(ended));
                }
                let mut held = held;
                held.reentry_at = None;
                turn.put_part(part, Some(held));
            }
            turn.put_work(conversation, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::records::{Cause, OwnerKind, VisitOutcome};

    use crate::core::testing::{Bench, secs};

    #[test]
    fn a_stint_enters_its_accounts_queue_and_the_queue_owns_it() {
        let mut bench = Bench::simple();
        bench.arrive("c1");
        let told = bench.connect_told().unwrap();
        assert_eq!((told.owner_kind, told.owner_id.as_str(), told.owner_epoch), (OwnerKind::Queue, "sales", 1));
        assert_eq!(bench.waiting("sales"), 1);
    }

    #[test]
    fn the_same_stint_arriving_twice_is_one() {
        let mut bench = Bench::simple();
        bench.arrive("c1").clear().arrive_at("c1", secs(1));
        assert!(bench.connect_told().is_none());
    }

    #[test]
    fn a_new_stint_goes_on_from_the_last_epoch_and_leaves_after_call_work_alone() {
        let mut bench = Bench::with_queue(r#"{"wrap_up": {"policy": "mandatory"}}"#);
        bench.on_queue("ada").arrive("c1").accept("c1", "ada").disconnect("c1", "ada").clear();
        bench.returns("c1", "ada", secs(5));
        assert_eq!(bench.connect_told().unwrap().owner_epoch, 3);
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
        bench.accept("c1", "ada").wrap_up("c1", "ada", Some("done"));
        assert_eq!(bench.part_ended().unwrap().stint_no, 1);
        assert!(bench.released_told().is_none(), "the new stint is not to be released");
        assert_eq!(bench.load("ada"), 1);
    }

    #[test]
    fn an_agent_who_wrote_first_is_connected_without_an_offer_or_a_visit() {
        let mut bench = Bench::with_queue(r#"{"wrap_up": {"policy": "optional"}}"#);
        bench.on_queue("ada").begins("c1", "ada", "sales");
        let told = bench.connect_told().unwrap();
        assert_eq!((told.owner_kind, told.owner_id.as_str(), told.cause), (OwnerKind::Agent, "ada", Cause::Outbound));
        assert_eq!((bench.load("ada"), bench.waiting("sales")), (1, 0));
        assert!(bench.visit_ended().is_none(), "nothing was offered, nothing answered");
        bench.spoke("c1", 2, secs(5)).advance(secs(9)).disconnect("c1", "ada");
        let part = bench.part_ended().unwrap();
        assert_eq!((part.wait_ms, part.alert_ms, part.messages_in, part.messages_out), (0, 0, 1, 1));
        assert!(!part.is_answered, "handled, not answered (A3)");
    }

    #[test]
    fn work_that_nobody_known_began_waits_in_the_queue() {
        let mut bench = Bench::simple();
        bench.begins("c1", "nobody", "sales");
        assert_eq!(bench.waiting("sales"), 1);
    }

    #[test]
    fn a_stint_that_threading_ended_unheard_is_closed_by_the_next() {
        let mut bench = Bench::simple();
        bench.arrive("c1").clear().returns("c1", "ada", secs(3));
        assert_eq!(bench.visit_ended().unwrap().outcome, VisitOutcome::FlowedOut);
        assert_eq!(bench.waiting("sales"), 1);
    }
}
