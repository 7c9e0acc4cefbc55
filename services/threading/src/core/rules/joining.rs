//! T2, T3: where a customer's message belongs: the live stint, the ended stint whose after-call
//! work is open, the grace after it, a new stint of the same conversation, or a new conversation.

use super::{closing, consents, contact, entry_points, sequence, session, turns, window};
use crate::core::desk::Desk;
use crate::core::event::{Heard, Owner};
use crate::core::pending::Beginning;
use crate::core::state::{Phase, Standing, Stint, Turn, conversation_id};
use schemas::ids::{AgentId, MessageId, QueueId};
use schemas::records::{
    Cause, Content, ConversationEventKind, Customer, Direction, Initiator, MessageAdded, Opened, OwnerKind, Reopened,
    RoutingCommandKind, Sender, SenderKind, Spoke, WorkArrived,
};
use stream::Timestamp;

/// Where a message belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The live stint, or the ended one whose after-call work is open.
    Stint,
    /// The ended stint, without being routed (T8).
    Grace,
    /// A new stint of the same conversation.
    Reopened,
    /// A new conversation.
    New,
}

pub(crate) fn place(desk: &Desk<'_>) -> Place {
    let Some(thread) = desk.thread() else { return Place::New };
    match thread.standing {
        Standing::Connected => Place::Stint,
        Standing::Resting { .. } if desk.now < thread.grace_until() => Place::Grace,
        Standing::Resting { .. } if desk.now < window::ends_at(desk.state, &thread) => Place::Reopened,
        Standing::Resting { .. } | Standing::Closed => Place::New,
    }
}

/// The customer wrote.
pub(crate) fn message(desk: &mut Desk<'_>, heard: Heard) {
    let place = place(desk);
    let beginning = entry_points::beginning(desk, place, &heard.content);
    match place {
        Place::Stint => contact::refresh(desk, &heard.customer),
        Place::Grace => {}
        Place::Reopened => reopen(desk, heard.customer.clone(), Cause::CustomerMessage),
        Place::New => {
            let entry_point = beginning.entry_point.clone();
            let opened = new_conversation(desk, heard.customer.clone(), Initiator::Customer, entry_point);
            begin_stint(desk, heard.customer.clone());
            let stint_id = desk.stint().map(|stint| stint.stint_id);
            desk.say(stint_id, ConversationEventKind::Opened(Box::new(opened)));
        }
    }
    let wanted = match place {
        Place::Stint => flow_listens(desk),
        Place::Grace => false,
        Place::Reopened | Place::New => true,
    };
    let content = wanted.then(|| heard.content.clone());
    entry_points::note(desk, beginning.entry_point.clone());
    let consent = consents::heard(desk, &heard);
    let seq = add(desk, heard);
    consent.into_iter().for_each(|consent| consents::changed(desk, consent));
    match place {
        Place::Stint => {
            turns::customer_spoke(desk, seq);
            tell_spoke(desk, seq, Sender { kind: SenderKind::Customer, id: None }, content);
        }
        Place::Grace => {}
        Place::Reopened | Place::New => {
            turns::customer_spoke(desk, seq);
            tell_arrived(desk, content, beginning);
        }
    }
}

/// Whether what is said now is for a flow, which alone is told the words.
pub(crate) fn flow_listens(desk: &Desk<'_>) -> bool {
    desk.stint().is_some_and(|stint| stint.owner.kind == OwnerKind::Flow)
}

/// Begins a new stint for messages that the ended one left without an owner (T5, T8).
pub(crate) fn return_at_once(desk: &mut Desk<'_>, ended: Stint) {
    reopen(desk, ended.customer, Cause::CustomerMessage);
    if let Some(stint) = desk.stint_mut() {
        stint.turn = ended.turn;
        stint.customer_seq = ended.customer_seq;
    }
    tell_arrived(desk, None, Beginning::default());
}

/// A new conversation in place of the former one, still without a stint.
pub(crate) fn new_conversation(
    desk: &mut Desk<'_>,
    customer: Customer,
    initiator: Initiator,
    entry_point: Option<String>,
) -> Opened {
    closing::close_if_resting(desk);
    let mut thread = desk.thread_or_new();
    let predecessor =
        (thread.conversations > 0).then(|| conversation_id(desk.context.customer_key, thread.conversations));
    thread.conversations += 1;
    (thread.stints, thread.seq, thread.owner_epoch) = (0, 0, 0);
    (thread.last_agent, thread.last_queue) = (0, 0);
    thread.opened_at = desk.now;
    desk.put_thread(thread);
    Opened { customer, predecessor, initiator, entry_point, is_new_customer: predecessor.is_none() }
}

fn reopen(desk: &mut Desk<'_>, customer: Customer, cause: Cause) {
    begin_stint(desk, customer);
    let stint_no = desk.thread().map_or(0, |thread| i64::from(thread.stints));
    let stint_id = desk.stint().map(|stint| stint.stint_id);
    let reopened = Reopened { stint_no, initiator: Initiator::Customer, cause };
    desk.say(stint_id, ConversationEventKind::Reopened(reopened));
}

fn begin_stint(desk: &mut Desk<'_>, customer: Customer) {
    let mut thread = desk.thread_or_new();
    thread.stints += 1;
    thread.standing = Standing::Connected;
    let stint_id = thread.stint_id(desk.context.customer_key).expect("it has a stint now");
    desk.put_thread(thread);
    let session_ends_at = session::ends_at(desk.state, &thread);
    desk.put_stint(Stint {
        stint_id,
        phase: Phase::Live,
        started_at: desk.now,
        customer,
        owner: Owner::nobody(),
        turn: Turn::Nobody,
        is_answered: false,
        customer_seq: 0,
        session_ends_at,
    });
}

fn add(desk: &mut Desk<'_>, heard: Heard) -> u32 {
    let at = &desk.context;
    let cause = [at.tenant.as_str(), at.channel.as_str(), at.account_id.as_str(), &heard.provider_event_id];
    let message_id = MessageId::derive(&cause);
    let mut thread = desk.thread_or_new();
    thread.heard_at = desk.now;
    thread.reply_until = heard.window_ends_at.map_or(Timestamp::ZERO, Timestamp::from_ms);
    if let Standing::Resting { grace_s, .. } = thread.standing {
        let closes_at = window::ends_at(desk.state, &thread);
        thread.standing = Standing::Resting { grace_s, closes_at };
    }
    desk.put_thread(thread);
    let held = desk.held_by();
    let message = MessageAdded {
        message_id,
        direction: Direction::Inbound,
        sender: Sender { kind: SenderKind::Customer, id: Some(heard.customer.id) },
        content: heard.content,
        provider_event_id: Some(heard.provider_event_id),
        queue_id: held.queue_id,
        agent_id: held.agent_id,
        part_id: held.part_id,
        window_ends_at: heard.window_ends_at,
        ..MessageAdded::default()
    };
    let stint_id = desk.stint().map(|stint| stint.stint_id).or_else(|| thread.stint_id(desk.context.customer_key));
    sequence::add(desk, stint_id, message)
}

/// Tells routing of a message in a stint it has to do with; what was said, only where
/// [`flow_listens`].
pub(crate) fn tell_spoke(desk: &mut Desk<'_>, seq: u32, sender: Sender, content: Option<Content>) {
    let Some(stint) = desk.stint() else { return };
    let stint_id = stint.stint_id;
    let spoke = Spoke { seq: i64::from(seq), sender, at: desk.now.as_ms(), content };
    desk.tell(stint_id, RoutingCommandKind::Spoke(Box::new(spoke)));
}

fn tell_arrived(desk: &mut Desk<'_>, content: Option<Content>, beginning: Beginning) {
    let (Some(thread), Some(stint)) = (desk.thread(), desk.stint()) else { return };
    let (stint_id, customer) = (stint.stint_id, stint.customer.clone());
    let returning = thread.stints > 1;
    let arrived = WorkArrived {
        seq: i64::from(thread.seq),
        owner_epoch: thread.owner_epoch,
        channel: desk.context.channel,
        account_id: desk.context.account_id.clone(),
        customer_name: contact::name_of(&customer),
        language: customer.locale,
        returning,
        is_new_customer: thread.conversations == 1 && !returning,
        stint_no: i64::from(thread.stints),
        last_agent: desk.state.id_of(thread.last_agent).map(AgentId::new),
        last_queue: desk.state.id_of(thread.last_queue).map(QueueId::new),
        target: beginning.target,
        attributes: desk.state.attributes.get(&desk.context.customer_key).cloned().unwrap_or_default(),
        entry_point: beginning.entry_point,
        content,
    };
    desk.tell(stint_id, RoutingCommandKind::WorkArrived(Box::new(arrived)));
}
