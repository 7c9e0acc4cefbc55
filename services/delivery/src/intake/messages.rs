//! `conversation.events`: messages of ours and what they must be asked against, attachments of everybody
//! else's.

use schemas::ids::MessageId;
use schemas::records::{
    Channel, ConversationEvent, ConversationEventKind, Direction, MessageAdded, Sender, SenderKind, Signal,
};
use stream::{InputRecord, Reject};

use crate::core::event::{AccountKey, Asked, Consented, Event, Signalled};
use crate::core::media::Received;
use crate::core::notice::{Change, Notice};
use crate::core::rendering::STORED;

pub(super) fn read(record: &InputRecord<'_>, event: ConversationEvent) -> Result<Option<Event>, Reject> {
    let customer = event.customer_key;
    let change = if event.channel == Channel::Open { Change::of(&event.kind) } else { None };
    let read = match (&event.kind, change) {
        (_, Some(change)) => Event::Noticed(Box::new(noticed(record, &event, change))),
        (ConversationEventKind::MessageAdded(added), _) if added.direction == Direction::Inbound => {
            received(&event, added).unwrap_or(Event::Wrote(customer))
        }
        (ConversationEventKind::MessageAdded(added), _) if added.already_sent => match received(&event, added) {
            Some(received) => received,
            None => return Ok(None),
        },
        (ConversationEventKind::MessageAdded(added), _) => Event::Asked(Box::new(asked(record, &event, added))),
        (ConversationEventKind::ConsentChanged(consent), _) => {
            let (purpose, granted) = (consent.purpose.clone(), consent.granted);
            Event::Consented(customer, Consented { purpose, granted, at: event.occurred_at })
        }
        (ConversationEventKind::Signalled(signal), _) if signal.sender.kind != SenderKind::Customer => {
            Event::Signalled(Box::new(signalled(&event, signal)))
        }
        _ => return Ok(None),
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
        notice: None,
        replay_of: None,
    }
}

fn signalled(event: &ConversationEvent, signal: &Signal) -> Signalled {
    Signalled {
        event_id: event.event_id,
        account: AccountKey { tenant: event.tenant.clone(), account: event.account_id.clone() },
        channel: event.channel,
        customer_key: event.customer_key,
        signal: signal.clone(),
        at: event.occurred_at,
    }
}

/// A change of a conversation, for its webhook.
fn noticed(record: &InputRecord<'_>, event: &ConversationEvent, change: Change) -> Asked {
    let added = MessageAdded {
        message_id: MessageId::derive(&["notice", &event.event_id.to_string()]),
        direction: Direction::Outbound,
        sender: Sender { kind: SenderKind::System, id: None },
        ..MessageAdded::default()
    };
    let notice = Notice { conversation_id: event.conversation_id, stint_id: event.stint_id, change };
    Asked { notice: Some(notice), ..asked(record, event, &added) }
}
