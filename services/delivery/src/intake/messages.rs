//! `conversation.events`: messages of ours and what they must be asked against, attachments of everybody
//! else's.

use schemas::records::{ConversationEvent, ConversationEventKind, Direction, MessageAdded};
use stream::{InputRecord, Reject};

use crate::core::event::{AccountKey, Asked, Consented, Event};
use crate::core::media::Received;
use crate::core::rendering::STORED;

pub(super) fn read(record: &InputRecord<'_>, event: ConversationEvent) -> Result<Option<Event>, Reject> {
    let customer = event.customer_key;
    let read = match &event.kind {
        ConversationEventKind::MessageAdded(added) if added.direction == Direction::Inbound => {
            received(&event, added).unwrap_or(Event::Wrote(customer))
        }
        ConversationEventKind::MessageAdded(added) if added.already_sent => match received(&event, added) {
            Some(received) => received,
            None => return Ok(None),
        },
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

/// A message of somebody else with attachments.
fn received(event: &ConversationEvent, added: &MessageAdded) -> Option<Event> {
    let attachments = added.content.attachments.clone();
    (!attachments.is_empty()).then(|| {
        Event::Received(Box::new(Received {
            account: AccountKey { tenant: event.tenant.clone(), account: event.account_id.clone() },
            channel: event.channel,
            customer_key: event.customer_key,
            conversation_id: event.conversation_id,
            message_id: added.message_id,
            wrote: added.direction == Direction::Inbound,
            attachments,
        }))
    })
}

fn asked(record: &InputRecord<'_>, event: &ConversationEvent, added: &MessageAdded) -> Asked {
    let mut added = added.clone();
    for attachment in &mut added.content.attachments {
        if let Some(stored) = &attachment.stored_ref {
            attachment.url = Some(format!("{STORED}{stored}"));
        }
    }
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
        added,
    }
}
