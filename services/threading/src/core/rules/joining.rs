//! T2, T3: where a customer's message belongs: the live stint, the ended stint whose after-call
//! work is open, the grace after it, a new stint of the same conversation, or a new conversation.

use super::beginning::{new_conversation, open, reopen, tell_arrived};
use super::{consents, contact, entry_points, sequence, turns, window};
use crate::core::desk::Desk;
use crate::core::event::Heard;
use crate::core::pending::Beginning;
use crate::core::state::{Standing, Stint};
use schemas::ids::MessageId;
use schemas::records::{
    Cause, Content, ConversationEventKind, Direction, Initiator, MessageAdded, OwnerKind, RoutingCommandKind, Sender,
    SenderKind, SetConsent, Spoke,
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
    let consent = consents::heard(desk, &heard);
    if consent.is_some() && matches!(place, Place::Reopened | Place::New) {
        return word_alone(desk, place, heard, consent);
    }
    let beginning = entry_points::beginning(desk, place, &heard.content);
    match place {
        Place::Stint => contact::refresh(desk, &heard.customer),
        Place::Grace => {}
        Place::Reopened => reopen(desk, heard.customer.clone(), (Initiator::Customer, Cause::CustomerMessage)),
        Place::New => {
            let entry_point = beginning.entry_point.clone();
            open(desk, heard.customer.clone(), Initiator::Customer, entry_point);
        }
    }
    let wanted = match place {
        Place::Stint => flow_listens(desk),
        Place::Grace => false,
        Place::Reopened | Place::New => true,
    };
    let content = wanted.then(|| heard.content.clone());
    entry_points::note(desk, beginning.entry_point.clone());
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

/// A word that gives or takes consent asks for nothing: outside of a stint it begins none (C7).
fn word_alone(desk: &mut Desk<'_>, place: Place, heard: Heard, consent: Option<SetConsent>) {
    if place == Place::New {
        let opened = new_conversation(desk, heard.customer.clone(), Initiator::Customer, None);
        window::rest(desk);
        desk.say(None, ConversationEventKind::Opened(Box::new(opened)));
    }
    add(desk, heard);
    consent.into_iter().for_each(|consent| consents::changed(desk, consent));
}

/// Whether what is said now is for a flow, which alone is told the words.
pub(crate) fn flow_listens(desk: &Desk<'_>) -> bool {
    desk.stint().is_some_and(|stint| stint.owner.kind == OwnerKind::Flow)
}

/// Begins a new stint for messages that the ended one left without an owner (T5, T8).
pub(crate) fn return_at_once(desk: &mut Desk<'_>, ended: Stint) {
    reopen(desk, ended.customer, (Initiator::Customer, Cause::CustomerMessage));
    if let Some(stint) = desk.stint_mut() {
        stint.turn = ended.turn;
        stint.customer_seq = ended.customer_seq;
    }
    tell_arrived(desk, None, Beginning::default());
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
