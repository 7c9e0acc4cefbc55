//! `conversation.events`: messages of ours, and what they must be asked against.

use schemas::records::{ConversationEvent, ConversationEventKind, Direction, MessageAdded};
use stream::{InputRecord, Reject};

use crate::core::event::{Asked, Consented, Event};

pub(super) fn read(record: &InputRecord<'_>, event: ConversationEvent) -> Result<Option<Event>, Reject> {
    let customer = event.customer_key;
    let read = match &event.kind {
        ConversationEventKind::MessageAdded(added) if added.direction == Direction::Inbound => Event::Wrote(customer),
        ConversationEventKind::MessageAdded(added) if added.already_sent => return Ok(None),
        ConversationEventKind::MessageAdded(added) => Event::Asked(Box::new(asked(record, &event, added))),
        ConversationEventKind::ConsentChanged(consent) => {
            let (purpose, granted) = (consent.purpose.clone(), consent.granted);
            Event::Consented(customer, Consented { purpose, granted, at: event.occurred_at })
        }
        ConversationEventKind::Opened(_)
        | ConversationEventKind::Reopened(_)
        | ConversationEventKind::OwnerChanged(_)
        | ConversationEventKind::MessageRefused(_)
        | ConversationEventKind::MessageEdited(_)
        | ConversationEventKind::MessageDeleted(_)
        | ConversationEventKind::Reacted(_)
        | ConversationEventKind::TurnEnded(_)
        | ConversationEventKind::StintEnded(_)
        | ConversationEventKind::Closed(_)
        | ConversationEventKind::AttributesChanged(_)
        | ConversationEventKind::NoteAdded(_)
        | ConversationEventKind::Linked(_)
        | ConversationEventKind::Signalled(_)
        | ConversationEventKind::Erased(_)
        | ConversationEventKind::Unknown(_) => return Ok(None),
    };
    super::expect_key(record, customer)?;
    Ok(Some(read))
}

fn asked(record: &InputRecord<'_>, event: &ConversationEvent, added: &MessageAdded) -> Asked {
    Asked {
        topic: record.topic.to_owned(),
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        event_id: event.event_id,
        tenant: event.tenant.clone(),
        occurred_at: event.occurred_at,
        recorded_at: event.recorded_at,
        conversation_id: event.conversation_id,
        stint_id: event.stint_id,
        seq: event.seq,
        channel: event.channel,
        account_id: event.account_id.clone(),
        customer_key: event.customer_key,
        added: added.clone(),
    }
}
