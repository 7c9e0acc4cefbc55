//! `statuses[]`: how far a message of ours came.

use schemas::records::{InboundKind, InboundReceipt, ReceiptStatus};
use serde_json::{Map, Value, json};

use super::{Change, party};
use crate::intake::json;
use crate::intake::reading::{Class, Reading, made_id, notice};

pub(super) fn read(change: &Change<'_>, status: &Value) -> Reading {
    let recipient = json::first_text(status, &["recipient_id", "recipient_user_id"]);
    let participant = json::first_text(status, &["recipient_participant_id", "recipient_participant_user_id"]);
    let user_id = json::text(status, "recipient_user_id");
    let is_group = json::text(status, "recipient_type").as_deref() == Some("group");
    let direct = if is_group { None } else { recipient.as_ref() };
    let who = party::named(change, [participant.as_ref(), direct, user_id.as_ref()]);
    let errors: Vec<Fault> = json::items(status, "errors").into_iter().map(Fault::of).collect();

    let mut reading = Reading::of(Class::Status, change.account());
    reading.at = change.at(status);
    reading.mids.extend(json::text(status, "id"));
    reading.kind = json::text(status, "status");
    let kind = receipt(status, &reading, &errors);
    let id = event_id(status, &reading, participant.as_deref());
    reading.heard.push(change.heard(who, reading.at, id, kind));
    reading.recipient = recipient;
    let mut note = |key: &str, value: Option<Value>| reading.notes.extend(value.map(|value| (key.to_owned(), value)));
    note("participant", participant.map(Value::String));
    note("tracker", json::text(status, "biz_opaque_callback_data").map(Value::String));
    note("errors", (!errors.is_empty()).then(|| errors.iter().map(Fault::report).collect()));
    reading
}

/// Statuses that no message of ours can have (such as those of payments) are no receipts.
fn receipt(status: &Value, reading: &Reading, errors: &[Fault]) -> InboundKind {
    let known = reading.kind.as_deref().and_then(|name| name.parse().ok());
    let Some(known) = known.filter(|known| *known != ReceiptStatus::Unknown) else {
        return InboundKind::Unsupported(notice("status", status));
    };
    InboundKind::Receipt(InboundReceipt {
        status: known,
        provider_message_id: reading.mids.first().cloned(),
        callback_data: json::text(status, "biz_opaque_callback_data"),
        watermark_ms: None,
        provider_code: errors.first().and_then(|error| error.code.as_ref()).and_then(json::as_text),
        detail: errors.first().and_then(|error| error.details.clone()),
    })
}

/// A status is the same as another one of the same message, name and, in a group, participant.
fn event_id(status: &Value, reading: &Reading, participant: Option<&str>) -> String {
    match (reading.mids.first(), &reading.kind, participant) {
        (Some(id), Some(name), None) => format!("{id}:{name}"),
        (Some(id), Some(name), Some(participant)) => format!("{id}:{name}:{}", made_id(&[participant])),
        (None, _, _) | (_, None, _) => made_id(&["status", &status.to_string()]),
    }
}

/// One item of an `errors` array.
pub(super) struct Fault {
    /// The platform's code, a number as a rule.
    pub(super) code: Option<Value>,
    /// The most precise of the texts given.
    pub(super) details: Option<String>,
}

impl Fault {
    pub(super) fn of(error: &Value) -> Self {
        let precise = json::inner(error, "error_data").and_then(|data| json::text(data, "details"));
        let code = error.get("code").filter(|code| !code.is_null());
        Self {
            code: code.map(|code| match code.as_str().and_then(|text| text.parse::<i64>().ok()) {
                Some(number) => json!(number),
                None => code.clone(),
            }),
            details: precise.or_else(|| json::first_text(error, &["details", "message", "title"])),
        }
    }

    pub(super) fn report(&self) -> Value {
        let mut report = Map::new();
        report.extend(self.code.clone().map(|code| ("code".to_owned(), code)));
        report.extend(self.details.clone().map(|details| ("details".to_owned(), Value::String(details))));
        Value::Object(report)
    }
}
