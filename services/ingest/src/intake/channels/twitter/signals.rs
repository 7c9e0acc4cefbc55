//! Typing, reading, and the end of an authorization.

use schemas::records::{InboundKind, InboundReceipt, InboundTyping, ReceiptStatus};
use serde_json::Value;

use super::Envelope;
use crate::core::Party;
use crate::intake::json;
use crate::intake::reading::{At, Class, Reading, made_id, notice};

fn begin(envelope: &Envelope<'_>, class: Class, item: &Value) -> Reading {
    let mut reading = envelope.begin(class, item);
    let target = json::inner(item, "target").unwrap_or(item);
    reading.sender = json::text(item, "sender_id");
    reading.recipient = json::text(target, "recipient_id");
    reading
}

fn customer(envelope: &Envelope<'_>, reading: &Reading) -> Option<Party> {
    let is_ours = envelope.is_ours(reading.sender.as_ref());
    envelope.party(if is_ours { reading.recipient.as_ref() } else { reading.sender.as_ref() })
}

/// One typing mark. Our own is not the customer's.
pub(super) fn typing(envelope: &Envelope<'_>, item: &Value) -> Reading {
    let mut reading = begin(envelope, Class::Typing, item);
    let kind = if envelope.is_ours(reading.sender.as_ref()) {
        InboundKind::Unsupported(notice("typing", item))
    } else {
        InboundKind::Typing(InboundTyping { on: true, duration_ms: None })
    };
    let id = made_id(&["typing", &item.to_string()]);
    let event = envelope.heard(customer(envelope, &reading), reading.at, id, kind);
    reading.heard.push(event);
    reading
}

/// Everything up to one message was read. What our own side reads says nothing of the customer.
pub(super) fn read_mark(envelope: &Envelope<'_>, item: &Value) -> Reading {
    let mut reading = begin(envelope, Class::Status, item);
    reading.kind = Some("read".into());
    reading.mids.extend(json::text(item, "last_read_event_id"));
    let receipt = InboundReceipt {
        status: ReceiptStatus::Read,
        provider_message_id: reading.mids.first().cloned(),
        watermark_ms: reading.at.ms(),
        ..InboundReceipt::default()
    };
    let kind = if envelope.is_ours(reading.sender.as_ref()) {
        InboundKind::Unsupported(notice("read", item))
    } else {
        InboundKind::Receipt(receipt)
    };
    let id = match reading.mids.first() {
        Some(mid) => format!("{mid}:read"),
        None => made_id(&["read", &item.to_string()]),
    };
    let event = envelope.heard(customer(envelope, &reading), reading.at, id, kind);
    reading.heard.push(event);
    reading
}

/// The account took the authorization of our app back: it receives nothing any more.
pub(super) fn revoked(envelope: &Envelope<'_>, event: &Value, name: &str) -> Reading {
    let revoke = json::inner(event, "revoke");
    let body = revoke.unwrap_or(event);
    let source = json::inner(body, "source").and_then(|source| json::text(source, "user_id"));
    let account = envelope.account.clone().or_else(|| source.clone());
    let envelope =
        Envelope { account, event_type: None, event_uuid: envelope.event_uuid.clone(), users: envelope.users };
    let mut reading = envelope.begin(Class::Control, body);
    reading.sender = source;
    reading.kind = Some(if revoke.is_some() { format!("{name}.revoke") } else { name.to_owned() });
    if reading.at == At::Absent {
        reading.at = At::Timeless;
    }
    let id = envelope.event_uuid.clone().unwrap_or_else(|| made_id(&[name, &event.to_string()]));
    let kind = InboundKind::AccountEvent(notice(reading.kind.as_deref().unwrap_or(name), event));
    reading.heard.push(envelope.heard(None, reading.at, id, kind));
    reading
}
