//! `conversation.events`: messages of ours.

use schemas::records::{ConversationEvent, ConversationEventKind, Direction};
use stream::{InputRecord, Reject};

use crate::core::event::{Asked, Event};

pub(super) fn read(record: &InputRecord<'_>, event: ConversationEvent) -> Result<Option<Event>, Reject> {
    let ConversationEventKind::MessageAdded(added) = event.kind else { return Ok(None) };
    if added.direction != Direction::Outbound || added.already_sent {
        return Ok(None);
    }
    super::expect_key(record, event.customer_key)?;
    Ok(Some(Event::Asked(Box::new(Asked {
        topic: record.topic.to_owned(),
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        event_id: event.event_id,
        tenant: event.tenant,
        occurred_at: event.occurred_at,
        recorded_at: event.recorded_at,
        conversation_id: event.conversation_id,
        stint_id: event.stint_id,
        seq: event.seq,
        channel: event.channel,
        account_id: event.account_id,
        customer_key: event.customer_key,
        added: *added,
    }))))
}
