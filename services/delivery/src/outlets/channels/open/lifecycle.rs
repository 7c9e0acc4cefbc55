//! A change of a conversation as an event of the normalized message: type `Event`, with an
//! `eventType` of our own, since Genesys Cloud's webhooks tell nothing of the kind. Whoever does not
//! know it passes it over.

use schemas::records::Signal;
use serde_json::{Map, Value, json};

use crate::core::notice::{Change, Notice};

pub(super) fn body(notice: &Notice, channel: Value, outward_id: &str) -> Value {
    let mut lifecycle = Map::new();
    lifecycle.insert("type".into(), notice.change.word().into());
    lifecycle.insert("conversationId".into(), notice.conversation_id.to_string().into());
    if let Some(stint) = notice.stint_id {
        lifecycle.insert("stintId".into(), stint.to_string().into());
    }
    let facts = facts(&notice.change).into_iter().filter(|(_, value)| !value.is_null());
    lifecycle.extend(facts.map(|(name, value)| (name.to_owned(), value)));
    event(&json!({ "eventType": "Lifecycle", "lifecycle": lifecycle }), &channel, outward_id)
}

/// Typing is Genesys Cloud's own event; the others are ours.
pub(super) fn signal(told: &Signal, channel: Value, outward_id: &str) -> Value {
    let about = &told.provider_message_id;
    let told = match (told.signal.as_str(), &told.emoji) {
        ("typing", _) => json!({ "eventType": "Typing", "typing": { "type": "On", "duration": 5000 } }),
        ("read", _) => json!({ "eventType": "Read", "read": { "messageId": about } }),
        (_, Some(emoji)) => json!({ "eventType": "Reaction", "reaction": { "messageId": about, "emoji": emoji } }),
        (_, None) => json!({ "eventType": "Reaction", "reaction": { "messageId": about } }),
    };
    event(&told, &channel, outward_id)
}

fn event(told: &Value, channel: &Value, outward_id: &str) -> Value {
    json!({ "id": outward_id, "channel": channel, "type": "Event", "events": [told], "direction": "Outbound" })
}

fn facts(change: &Change) -> Vec<(&'static str, Value)> {
    match change {
        Change::Opened(opened) => vec![
            ("initiator", opened.initiator.as_str().into()),
            ("isNewCustomer", opened.is_new_customer.into()),
            ("entryPoint", opened.entry_point.clone().into()),
            ("predecessorId", opened.predecessor.map(|id| id.to_string()).into()),
        ],
        Change::Reopened(reopened) => vec![
            ("initiator", reopened.initiator.as_str().into()),
            ("cause", reopened.cause.as_str().into()),
            ("stintNo", reopened.stint_no.into()),
        ],
        Change::OwnerChanged(changed) => vec![
            ("cause", changed.cause.as_str().into()),
            ("ownerKind", changed.owner_kind.as_str().into()),
            ("ownerId", changed.owner_id.clone().into()),
            ("queueId", changed.queue_id.as_ref().map(ToString::to_string).into()),
        ],
        Change::StintEnded(ended) => {
            vec![("cause", ended.cause.as_str().into()), ("stintNo", ended.stint_no.into())]
        }
        Change::Closed(closed) => vec![("cause", closed.cause.as_str().into())],
    }
}
