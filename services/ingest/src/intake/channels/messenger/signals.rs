//! What is no message: receipts, reactions, referrals, opt-ins, and who holds the thread.

use schemas::records::{
    InboundKind, InboundOptChange, InboundReaction, InboundReceipt, InboundReferral, ReceiptStatus, Referral,
};
use serde_json::Value;

use super::{Item, content};
use crate::intake::json;
use crate::intake::reading::{Class, Reading, notice};

/// Keys of the handover protocol.
const HANDOVER: &[&str] = &["pass_thread_control", "take_thread_control", "request_thread_control", "app_roles"];

/// Keys that are known, rare, and told about the thread or the account.
const RECORDED: &[&str] = &[
    "account_linking",
    "policy-enforcement",
    "policy_enforcement",
    "game_play",
    "payment",
    "pre_checkout",
    "checkout_update",
    "messaging_feedback",
    "response_feedback",
    "send_cart",
    "order",
    "appointment_booking",
    "messaging_customer_information",
];

/// `reaction`; taking one back may come without the emoji.
pub(super) fn reaction(item: &Item<'_>, body: &Value) -> Reading {
    let mut reading = item.begin(Class::Reaction);
    let target = json::text(body, "mid");
    let (emoji, name) = (json::text(body, "emoji"), json::text(body, "reaction"));
    let has_mark = emoji.is_some() || name.is_some();
    let action = json::text(body, "action").unwrap_or_else(|| if has_mark { "react" } else { "unreact" }.into());
    let removed = action == "unreact";
    reading.note("target", target.clone());
    reading.note("action", Some(action.clone()));
    reading.note("emoji", emoji.clone());
    reading.note("reaction", name.clone());
    let emoji = emoji.or(name);
    let parts = [target.as_deref(), Some(action.as_str()), emoji.as_deref()];
    let id = item.made_id("reaction", &parts.map(Option::unwrap_or_default));
    let kind = match target {
        Some(target) if !item.is_ours() => {
            InboundKind::Reaction(InboundReaction { provider_message_id: target, emoji, removed })
        }
        Some(_) | None => InboundKind::Unsupported(notice("reaction", item.value)),
    };
    reading.heard.push(item.heard(item.customer(), reading.at, id, kind));
    reading
}

/// `delivery` and `read`: of named messages, or of everything up to a watermark.
pub(super) fn receipt(item: &Item<'_>, body: &Value, name: &'static str) -> Reading {
    let mut reading = item.begin(Class::Status);
    reading.kind = Some(name.into());
    let listed = body.get("mids").and_then(Value::as_array).into_iter().flatten().filter_map(json::as_text);
    reading.mids = json::text(body, "mid").into_iter().chain(listed).collect();
    let watermark = json::text(body, "watermark");
    reading.note("watermark", watermark.clone());
    let status = if name == "read" { ReceiptStatus::Read } else { ReceiptStatus::Delivered };
    let receipt = InboundReceipt {
        status,
        watermark_ms: json::moment(body, "watermark").map(|moment| moment.ms),
        ..InboundReceipt::default()
    };
    if reading.mids.is_empty() {
        let id = item.made_id(name, &[&watermark.unwrap_or_default()]);
        reading.heard.push(item.heard(item.customer(), reading.at, id, InboundKind::Receipt(receipt)));
        return reading;
    }
    for mid in reading.mids.clone() {
        let receipt = InboundReceipt { provider_message_id: Some(mid.clone()), watermark_ms: None, ..receipt.clone() };
        let kind = InboundKind::Receipt(receipt);
        reading.heard.push(item.heard(item.customer(), reading.at, format!("{mid}:{name}"), kind));
    }
    reading
}

/// `referral`: an existing thread was opened by a link, an advertisement or a code.
pub(super) fn referral(item: &Item<'_>, body: &Value) -> Reading {
    let mut reading = item.begin(Class::Referral);
    reading.note("referral", Some(body.clone()));
    let referral = content::referral(body);
    let parts = [&referral.reference, &referral.source_type, &referral.source_id];
    let id = item.made_id("referral", &parts.map(|part| part.as_deref().unwrap_or_default()));
    let kind = InboundKind::Referral(InboundReferral { referral });
    reading.heard.push(item.heard(item.customer(), reading.at, id, kind));
    reading
}

/// `optin`: a plugin, or the wish for recurring notifications, which can also be stopped. The
/// reference of a plugin says where the customer came from.
pub(super) fn opt_in(item: &Item<'_>, body: &Value) -> Reading {
    let mut reading = item.begin(Class::Control);
    reading.kind = Some("optin".into());
    reading.payload = json::text(body, "payload");
    let optin_type = json::text(body, "type");
    let is_notification = optin_type.is_some();
    let is_stop = json::text(body, "notification_messages_status").is_some_and(|status| status.starts_with("STOP"));
    let change = InboundOptChange {
        purpose: if is_notification { "marketing" } else { "messages" }.into(),
        source: Some(optin_type.unwrap_or_else(|| "optin".into())),
    };
    let reference = json::text(body, "ref");
    let token = json::first_text(body, &["notification_messages_token", "one_time_notif_token", "user_ref"]);
    let parts = [&reference, &reading.payload, &token].map(|part| part.clone().unwrap_or_default());
    let id = |what: &str| item.made_id(what, &parts.each_ref().map(String::as_str));
    let kind = if is_stop { InboundKind::OptOut(change) } else { InboundKind::OptIn(change) };
    reading.heard.push(item.heard(item.customer(), reading.at, id("optin"), kind));
    if reference.is_some() {
        let referral = Referral { source_type: Some("optin".into()), reference, ..Referral::default() };
        let kind = InboundKind::Referral(InboundReferral { referral });
        reading.heard.push(item.heard(item.customer(), reading.at, id("optin referral"), kind));
    }
    reading
}

/// Everything else: the handover protocol, what is known and rare, and what nobody knows.
pub(super) fn control(item: &Item<'_>) -> Reading {
    let has = |key: &&&str| item.value.get(**key).is_some_and(|body| !body.is_null());
    let Some(key) = HANDOVER.iter().chain(RECORDED).find(has) else {
        return item.begin(Class::Unknown);
    };
    let mut reading = item.begin(Class::Control);
    reading.kind = Some((*key).into());
    let body = item.value.get(*key).unwrap_or(&Value::Null);
    let id = item.made_id(key, &[&body.to_string()]);
    let told = notice(key, item.value);
    let kind = if HANDOVER.contains(key) { InboundKind::Handover(told) } else { InboundKind::AccountEvent(told) };
    reading.heard.push(item.heard(item.customer(), reading.at, id, kind));
    reading
}
