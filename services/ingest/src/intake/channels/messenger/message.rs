//! `message`, `message_edit` and `postback`: what was said, changed, taken back or pressed.

use schemas::records::{InboundDelete, InboundEcho, InboundEdit, InboundKind, InboundMessage, InboundPostback};
use serde_json::Value;

use super::content::{self, Said};
use super::{Item, Lane};
use crate::intake::json;
use crate::intake::reading::{Class, Reading, notice};

pub(super) fn read(item: &Item<'_>, message: &Value) -> Reading {
    let is_echo = json::is_true(message, "is_echo");
    if json::is_true(message, "is_deleted") {
        return deleted(item, message, is_echo);
    }
    let mut reading = item.begin(if is_echo { Class::Echo } else { Class::Message });
    let mid = json::text(message, "mid");
    let app_id = json::text(message, "app_id");
    let metadata = json::text(message, "metadata");
    let mut said = Said::of(message);
    reading.id.clone_from(&mid);
    reading.kind = Some(said.kind);
    reading.text.clone_from(&said.content.text);
    reading.payload.clone_from(&said.content.payload);
    reading.reply_to.clone_from(&said.content.reply_to);
    reading.attachments = said.attachments;
    reading.notes.extend(said.notes);
    reading.note("prior_message", item.value.get("prior_message").cloned());
    reading.note("is_self", json::is_true(message, "is_self").then_some(true));
    reading.note("app_id", app_id.clone().filter(|_| is_echo));
    reading.note("metadata", metadata.clone().filter(|_| is_echo));
    if item.lane == Lane::Standby {
        said.content.provider_fields.insert("standby".into(), "true".into());
    }
    let id = mid.unwrap_or_else(|| item.made_id("message", &[&message.to_string()]));
    let content = said.content;
    let kind = if is_echo {
        InboundKind::Echo(Box::new(InboundEcho { content, app_id, callback_data: metadata }))
    } else {
        InboundKind::Message(Box::new(InboundMessage { content }))
    };
    reading.heard.push(item.heard(item.customer(), reading.at, id, kind));
    reading
}

/// What our own side takes back changes nothing of the customer's.
fn deleted(item: &Item<'_>, message: &Value, is_echo: bool) -> Reading {
    let mut reading = item.begin(Class::Delete);
    reading.id = json::text(message, "mid");
    let id = reading.id.clone().unwrap_or_else(|| item.made_id("delete", &[]));
    let kind = match &reading.id {
        Some(mid) if !is_echo => InboundKind::Delete(InboundDelete { provider_message_id: mid.clone() }),
        Some(_) | None => InboundKind::Unsupported(notice("deleted", item.value)),
    };
    reading.heard.push(item.heard(item.customer(), reading.at, id, kind));
    reading
}

/// `message_edit`. Some Instagram accounts get one with `num_edit` 0 and no text for each *new*
/// message: that is kept as told and changes nothing.
pub(super) fn read_edit(item: &Item<'_>, edit: &Value) -> Reading {
    let is_echo = json::is_true(edit, "is_echo") || item.is_ours();
    let mut reading = item.begin(if is_echo { Class::EchoEdit } else { Class::Edit });
    reading.id = json::text(edit, "mid");
    reading.text = json::text(edit, "text");
    let number = edit.get("num_edit").filter(|number| !number.is_null());
    reading.note("num_edit", number.cloned());
    let number = number.and_then(json::as_text);
    let id = match (&reading.id, &number) {
        (Some(mid), Some(number)) => format!("{mid}:{number}"),
        (Some(_) | None, _) => item.made_id("edit", &[&edit.to_string()]),
    };
    let kind = match (&reading.id, &reading.text) {
        (Some(mid), Some(_)) if !is_echo => {
            let content = Said::of(edit).content;
            InboundKind::Edit(Box::new(InboundEdit { provider_message_id: mid.clone(), content }))
        }
        _ => InboundKind::Unsupported(notice("message_edit", item.value)),
    };
    reading.heard.push(item.heard(item.customer(), reading.at, id, kind));
    reading
}

/// A button of a template, a menu or an ice breaker. Before v11 it had no `mid`.
pub(super) fn read_postback(item: &Item<'_>, postback: &Value) -> Reading {
    let mut reading = item.begin(Class::Postback);
    reading.id = json::text(postback, "mid");
    reading.kind = Some("postback".into());
    reading.text = json::text(postback, "title");
    reading.payload = json::text(postback, "payload");
    let referral = json::inner(postback, "referral");
    reading.note("referral", referral.cloned());
    let payload = reading.payload.clone().unwrap_or_default();
    let id = reading.id.clone().unwrap_or_else(|| item.made_id("postback", &[&payload]));
    let kind = InboundKind::Postback(InboundPostback {
        title: reading.text.clone(),
        payload: reading.payload.clone(),
        referral: referral.map(content::referral),
    });
    reading.heard.push(item.heard(item.customer(), reading.at, id, kind));
    reading
}
