//! What is told about the account or the customer's choices rather than said by the customer.

use schemas::records::{InboundKind, InboundOptChange};
use serde_json::{Value, json};

use super::status::Fault;
use super::{Change, party};
use crate::intake::json;
use crate::intake::reading::{At, Class, Reading, made_id, notice};

/// Fields that are known and hold no message of a customer.
const ACCOUNT_FIELDS: &[&str] = &[
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "automatic_events",
    "business_capability_update",
    "business_status_update",
    "business_username_updates",
    "calls",
    "flows",
    "group_lifecycle_update",
    "group_participants_update",
    "group_settings_update",
    "group_status_update",
    "history",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "messaging_handovers",
    "partner_solutions",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "smb_app_state_sync",
    "template_category_update",
    "template_correct_category_detection",
    "tracking_events",
];

/// A change of any field whose items are not read.
pub(super) fn other_field(change: &Change<'_>, field: &str) -> Reading {
    let mut reading = Reading::of(Class::NotAMessage, change.account());
    reading.kind = Some(field.to_owned());
    reading.at = change.entry_time.map_or(At::Timeless, At::Envelope);
    if ACCOUNT_FIELDS.contains(&field) {
        let id = account_event_id(change, field, &change.value.to_string());
        let kind = InboundKind::AccountEvent(notice(field, change.value));
        reading.heard.push(change.heard(None, reading.at, id, kind));
    }
    reading
}

/// `errors[]` beside the messages: belongs to none of them.
pub(super) fn errors(change: &Change<'_>) -> Option<Reading> {
    let errors = json::items(change.value, "errors");
    if errors.is_empty() {
        return None;
    }
    let mut reading = Reading::of(Class::AccountError, change.account());
    let report: Vec<Value> = errors.iter().map(|error| Fault::of(error).report()).collect();
    reading.notes.insert("errors".into(), json!(report));
    // Only what stands beside it tells an error from its repetition: the whole value is its id.
    let id = account_event_id(change, "errors", &change.value.to_string());
    let at = change.entry_time.map_or(At::Timeless, At::Envelope);
    reading.heard.push(change.heard(None, at, id, InboundKind::AccountEvent(notice("errors", &json!(errors)))));
    Some(reading)
}

fn account_event_id(change: &Change<'_>, name: &str, value: &str) -> String {
    let time = change.entry_time.map_or(0, |time| time.ms).to_string();
    made_id(&[name, change.group.as_deref().unwrap_or(""), &time, value])
}

/// `user_preferences[]`: the customer stops or resumes a category of messages.
pub(super) fn preference(change: &Change<'_>, item: &Value) -> Reading {
    let category = json::text(item, "category").unwrap_or_default();
    let choice = json::text(item, "value").unwrap_or_default();
    let (phone, user_id) = (json::text(item, "wa_id"), json::text(item, "user_id"));
    let mut reading = Reading::of(Class::Preference, change.account());
    reading.sender = phone.clone().or_else(|| user_id.clone());
    reading.kind = Some(format!("{category}={choice}"));
    reading.at = change.at(item);
    let opt = InboundOptChange {
        purpose: if category == "marketing_messages" { "marketing".into() } else { category },
        source: Some("user_preferences".into()),
    };
    let kind = match choice.as_str() {
        "stop" => InboundKind::OptOut(opt),
        "resume" => InboundKind::OptIn(opt),
        _ => InboundKind::Unsupported(notice("user_preferences", item)),
    };
    let who = party::named(change, [phone.as_ref(), user_id.as_ref()]);
    let id = made_id(&["user_preferences", &item.to_string()]);
    reading.heard.push(change.heard(who, reading.at, id, kind));
    reading
}

/// `user_id_update[]`: the customer has another business-scoped id.
pub(super) fn user_id_update(change: &Change<'_>, item: &Value) -> Reading {
    let ids = item.get("user_id").unwrap_or(&Value::Null);
    let (previous, current) = (json::text(ids, "previous"), json::text(ids, "current"));
    let phone = json::text(item, "wa_id");
    let mut reading = Reading::of(Class::IdentityChange, change.account());
    reading.sender.clone_from(&phone);
    reading.at = change.at(item);
    let who = party::named(change, [phone.as_ref(), previous.as_ref(), current.as_ref()]);
    let id = made_id(&["user_id_update", &item.to_string()]);
    let kind = InboundKind::AccountEvent(notice("user_id_update", item));
    reading.heard.push(change.heard(who, reading.at, id, kind));
    for (key, value) in [("previous", previous), ("current", current)] {
        reading.notes.extend(value.map(|value| (key.to_owned(), Value::String(value))));
    }
    reading
}
