//! T5, T7: who may write to the customer. Agents and flows need exactly the live owner's epoch,
//! so that a late reply of a former owner never reaches the customer; programs and people who
//! answered elsewhere join a live stint, and outside of one begin none. An agent who writes first
//! begins a stint of their own, where there is none.

use super::{beginning, joining, sequence, turns, window};
use crate::core::desk::Desk;
use crate::core::event::Send;
use crate::core::state::{Phase, Stint, Thread};
use schemas::ids::{AgentId, MessageId};
use schemas::records::{
    ConversationEventKind, Direction, Initiator, MessageAdded, MessageRefused, OwnerKind, SenderKind, Target,
};
use stream::Timestamp;

/// Somebody on our side wants to write.
pub(crate) fn send(desk: &mut Desk<'_>, send: Send) {
    match judge(desk, &send) {
        Ok(Way::Stint) => in_stint(desk, send),
        Ok(Way::Outside(initiator)) => outside(desk, send, initiator),
        Ok(Way::First) => first(desk, send),
        Err(reason) => {
            let stint_id = desk.stint().map(|stint| stint.stint_id);
            let refused =
                MessageRefused { command_id: send.command_id, reason: reason.to_owned(), sender: send.sender };
            desk.say(stint_id, ConversationEventKind::MessageRefused(refused));
        }
    }
}

/// How a message goes out.
enum Way {
    Stint,
    Outside(Initiator),
    /// An agent writes first.
    First,
}

fn judge(desk: &mut Desk<'_>, send: &Send) -> Result<Way, &'static str> {
    if send.expires_at.is_some_and(|expires_at| expires_at <= desk.now.as_ms()) {
        return Err("expired");
    }
    let current = desk.conversation_id();
    if send.conversation_id.is_some() && send.conversation_id != current {
        return Err("no_conversation");
    }
    let initiator = match send.sender.kind {
        SenderKind::Agent if writes_first(send) && desk.stint().is_none() => return Ok(Way::First),
        SenderKind::Agent | SenderKind::Bot | SenderKind::System => {
            return if owns(desk, send) { Ok(Way::Stint) } else { Err("not_owner") };
        }
        SenderKind::Api => Initiator::Api,
        SenderKind::External => Initiator::External,
        SenderKind::Customer | SenderKind::Unknown => return Err("wrong_sender"),
    };
    match (desk.stint(), &send.customer) {
        (Some(_), _) => Ok(Way::Stint),
        (None, Some(_)) => Ok(Way::Outside(initiator)),
        (None, None) => Err("no_customer"),
    }
}

/// An agent of whom nobody has work yet names the customer, and themselves for the answer.
fn writes_first(send: &Send) -> bool {
    let is_own = |target: &Target| target.kind == OwnerKind::Agent && Some(&target.id) == send.sender.id.as_ref();
    send.owner_epoch.is_none() && send.customer.is_some() && send.target.as_ref().is_some_and(is_own)
}

fn owns(desk: &Desk<'_>, send: &Send) -> bool {
    let (Some(thread), Some(stint)) = (desk.thread(), desk.stint()) else { return false };
    let agent_is_owner = stint.owner.kind == OwnerKind::Agent && send.sender.id.as_deref() == Some(&stint.owner.id);
    stint.phase == Phase::Live
        && send.owner_epoch == Some(thread.owner_epoch)
        && (send.sender.kind != SenderKind::Agent || agent_is_owner)
}

fn in_stint(desk: &mut Desk<'_>, send: Send) {
    let (Some(thread), Some(stint)) = (desk.thread(), desk.stint()) else { return };
    let stint_id = stint.stint_id;
    // What is said until the customer says something is still of our own accord (C7).
    let is_first = stint.customer_seq == 0 && send.sender.kind == SenderKind::Agent;
    let mut message = outbound(desk, &thread, &send, Some(stint));
    message.initiator = is_first.then_some(Initiator::Agent);
    let (sender, content) = (send.sender, joining::flow_listens(desk).then_some(send.content));
    let seq = sequence::add(desk, Some(stint_id), message);
    turns::we_spoke(desk, sender.kind);
    joining::tell_spoke(desk, seq, sender, content);
}

/// An agent writes first: a stint of a new conversation, or of the one whose window is open, is theirs (T7).
fn first(desk: &mut Desk<'_>, send: Send) {
    beginning::by_agent(desk, send.customer.clone().unwrap_or_default());
    let (Some(thread), Some(stint)) = (desk.thread(), desk.stint()) else { return };
    let stint_id = stint.stint_id;
    let mut message = outbound(desk, &thread, &send, Some(stint));
    message.initiator = Some(Initiator::Agent);
    message.queue_id = send.target.as_ref().and_then(|target| target.queue_id.clone());
    message.agent_id = send.sender.id.as_deref().map(AgentId::new);
    sequence::add(desk, Some(stint_id), message);
    turns::we_wrote_first(desk);
    beginning::tell_begun(desk, send.target);
}

/// Outside a stint: the window counts from the send.
fn outside(desk: &mut Desk<'_>, send: Send, initiator: Initiator) {
    if joining::place(desk) == joining::Place::New {
        let customer = send.customer.clone().unwrap_or_default();
        let opened = beginning::new_conversation(desk, customer, initiator, None);
        desk.say(None, ConversationEventKind::Opened(Box::new(opened)));
    }
    let closes_at = window::rest(desk);
    let Some(thread) = desk.thread() else { return };
    if let Some(target) = send.target.clone() {
        let customer = desk.context.customer_key;
        desk.state.pending.note(customer, closes_at, |beginning| beginning.target = Some(target));
    }
    let mut message = outbound(desk, &thread, &send, None);
    message.initiator = Some(initiator);
    sequence::add(desk, None, message);
}

fn outbound(desk: &Desk<'_>, thread: &Thread, send: &Send, stint: Option<&Stint>) -> MessageAdded {
    let held = desk.held_by();
    MessageAdded {
        message_id: MessageId::derive(&[&send.command_id.to_string()]),
        direction: Direction::Outbound,
        sender: send.sender.clone(),
        content: send.content.clone(),
        provider_event_id: None,
        customer: stint.map(|stint| stint.customer.clone()).or_else(|| send.customer.clone()),
        queue_id: held.queue_id,
        agent_id: held.agent_id,
        part_id: held.part_id,
        window_ends_at: (thread.reply_until > Timestamp::ZERO).then(|| thread.reply_until.as_ms()),
        command_id: Some(send.command_id),
        purpose: send.purpose.clone(),
        initiator: None,
        expires_at: send.expires_at,
        already_sent: send.already_sent,
    }
}

#[cfg(test)]
mod tests {
    use crate::core::testing::*;
    use schemas::records::{ConversationEventKind, Initiator, OwnerKind, RoutingCommandKind, SenderKind, Target};

    fn refusal(effects: &[crate::core::effect::Effect]) -> Option<String> {
        kinds(effects).into_iter().find_map(|kind| {
            if let ConversationEventKind::MessageRefused(refused) = kind { Some(refused.reason) } else { None }
        })
    }

    #[test]
    fn only_the_live_owner_with_its_exact_epoch_may_write() {
        let mut driver = driver();
        assert_eq!(refusal(&driver.apply(send(ADA, "c0", "alan", 1), at(0))).as_deref(), Some("not_owner"));
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 2, agent("alan")), at(1));
        for (name, epoch) in [("alan", 1), ("alan", 3), ("eve", 2)] {
            let effects = driver.apply(send(ADA, &format!("{name}{epoch}"), name, epoch), at(2));
            assert_eq!(refusal(&effects).as_deref(), Some("not_owner"), "{name} with {epoch}");
        }
        let effects = driver.apply(send(ADA, "c1", "alan", 2), at(3));
        assert_eq!(said(&effects), ["message_added 2", "turn_ended 2"]);
        assert!(matches!(told(&effects).as_slice(), [RoutingCommandKind::Spoke(spoke)] if spoke.seq == 2));
        driver.apply(disconnect_acw(ADA, 1, 2, 2), at(4));
        let effects = driver.apply(send(ADA, "c2", "alan", 2), at(5));
        assert_eq!(refusal(&effects).as_deref(), Some("not_owner"), "in after-call work");
    }

    #[test]
    fn an_outbound_message_carries_what_delivery_and_reports_need() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        let effects = driver.apply(send(ADA, "c1", "alan", 1), at(2));
        let [ConversationEventKind::MessageAdded(message), _] = &kinds(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!(message.customer.as_ref().map(|customer| customer.id.as_str()), Some("ada"));
        assert_eq!((message.queue_id.clone(), message.agent_id.clone()), (Some("help".into()), Some("alan".into())));
        assert_eq!(message.window_ends_at, Some(START + DAY));
        assert!(message.part_id.is_some() && message.command_id.is_some());
    }

    #[test]
    fn what_is_too_late_or_meant_for_another_conversation_is_refused() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        let late = change_send(send(ADA, "c1", "alan", 1), |send| send.expires_at = Some(START + 2));
        assert_eq!(refusal(&driver.apply(late, at(2))).as_deref(), Some("expired"));
        let other = crate::core::state::conversation_id(key(ADA), 2);
        let elsewhere = change_send(send(ADA, "c2", "alan", 1), |send| send.conversation_id = Some(other));
        assert_eq!(refusal(&driver.apply(elsewhere, at(3))).as_deref(), Some("no_conversation"));
    }

    #[test]
    fn a_programs_message_outside_a_stint_begins_none_and_the_window_counts_from_it() {
        let mut driver = driver();
        let effects = driver.apply(program_send(ADA, "p1", SenderKind::Api), at(0));
        assert_eq!(said(&effects), ["opened 0", "message_added 1"]);
        assert_eq!(stints_of(&effects), [None, None]);
        assert!(told(&effects).is_empty() && shown(&effects).is_none());
        let effects = driver.apply(message(ADA, "m1"), at(71 * HOUR));
        assert_eq!(said(&effects), ["reopened 1", "message_added 2"]);
    }

    #[test]
    fn the_answer_to_a_programs_message_goes_to_whom_it_named_once_and_inside_the_window() {
        let target = Target { kind: OwnerKind::Queue, id: "vip".into(), queue_id: None };
        let named = |id: &str| {
            let send = program_send(ADA, id, SenderKind::Api);
            change_send(send, |send| send.target = Some(target.clone()))
        };
        for (later, expected) in [(HOUR, Some(&target)), (73 * HOUR, None)] {
            let mut driver = driver();
            driver.apply(named("p1"), at(0));
            driver.advance_to(at(later));
            let told = told(&driver.apply(message(ADA, "m1"), at(later)));
            let [RoutingCommandKind::WorkArrived(work)] = told.as_slice() else { panic!("{told:?}") };
            assert_eq!(work.target.as_ref(), expected, "after {later} ms");
        }
        let mut driver = driver();
        driver.apply(named("p1"), at(0));
        driver.apply(message(ADA, "m1"), at(1));
        driver.apply(disconnect(ADA, 1, 0, 2), at(2));
        let told = told(&driver.apply(message(ADA, "m2"), at(3)));
        assert!(matches!(told.as_slice(), [RoutingCommandKind::WorkArrived(work)] if work.target.is_none()));
    }

    fn first(id: &str) -> crate::core::event::Event {
        let target = Target { kind: OwnerKind::Agent, id: "alan".into(), queue_id: Some("help".into()) };
        change_send(program_send(ADA, id, SenderKind::Agent), |send| {
            send.sender.id = Some("alan".into());
            send.target = Some(target.clone());
        })
    }

    fn initiators(effects: &[crate::core::effect::Effect]) -> Vec<Option<Initiator>> {
        let added = kinds(effects).into_iter().filter_map(|kind| {
            if let ConversationEventKind::MessageAdded(added) = kind { Some(added.initiator) } else { None }
        });
        added.collect()
    }

    #[test]
    fn an_agent_who_writes_first_begins_a_stint_that_routing_is_told_is_theirs() {
        let mut driver = driver();
        let effects = driver.apply(first("f1"), at(0));
        assert_eq!(said(&effects), ["opened 0", "message_added 1"]);
        let told = told(&effects);
        let [RoutingCommandKind::WorkArrived(work)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((work.seq, work.content.is_none()), (1, true));
        assert_eq!(work.target.as_ref().map(|target| target.id.as_str()), Some("alan"));
        assert!(stints_of(&effects).iter().all(Option::is_some));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        let more = driver.apply(send(ADA, "c1", "alan", 1), at(2));
        assert_eq!(initiators(&more), [Some(Initiator::Agent)], "nobody has answered yet");
        assert_eq!(said(&driver.apply(message(ADA, "m1"), at(3))), ["message_added 3", "turn_ended 3"]);
        let answer = driver.apply(send(ADA, "c2", "alan", 1), at(4));
        assert_eq!(initiators(&answer), [None]);
    }

    #[test]
    fn an_agent_who_writes_first_reopens_inside_the_window_and_never_enters_a_live_stint() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        assert_eq!(refusal(&driver.apply(first("f1"), at(1))).as_deref(), Some("not_owner"));
        driver.apply(disconnect(ADA, 1, 0, 1), at(2));
        let effects = driver.apply(first("f2"), at(HOUR));
        assert_eq!(said(&effects), ["reopened 1", "message_added 2"]);
        assert_eq!(initiators(&effects), [Some(Initiator::Agent)]);
        let for_another = change_send(first("f3"), |send| send.sender.id = Some("eve".into()));
        driver.apply(disconnect(ADA, 2, 0, 2), at(HOUR + 1));
        assert_eq!(refusal(&driver.apply(for_another, at(HOUR + 2))).as_deref(), Some("not_owner"));
    }

    #[test]
    fn a_programs_message_joins_a_live_stint() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        let effects = driver.apply(program_send(ADA, "p1", SenderKind::External), at(1));
        assert_eq!(said(&effects), ["message_added 2"]);
        assert_eq!(told(&effects).len(), 1);
    }
}
