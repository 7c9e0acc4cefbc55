//! `messages[]` and `message_echoes[]`: what the customer said or did, and what was said for us.

use schemas::records::{
    InboundDelete, InboundEcho, InboundEdit, InboundKind, InboundMessage, InboundPresence, InboundReaction,
    PresenceKind,
};
use serde_json::{Map, Value, json};

use super::Change;
use super::content::{self, Said, type_of};
use super::party::{self, Sender};
use super::status::Fault;
use crate::core::Party;
use crate::intake::json;
use crate::intake::reading::{Class, Reading, made_id, notice};

pub(super) fn read(change: &Change<'_>, message: &Value) -> Reading {
    let sender = Sender::of(change, message);
    let mut reading = Reading::of(Class::Message, change.account());
    reading.recipient.clone_from(&change.number);
    reading.sender_name = sender.name;
    reading.sender = sender.id;
    note(&mut reading.notes, "sender_user_id", sender.user_id.as_ref());
    finish(Item { change, message, party: sender.party, is_echo: false }, reading)
}

pub(super) fn read_echo(change: &Change<'_>, message: &Value) -> Reading {
    let (to, to_user_id) = (json::text(message, "to"), json::text(message, "to_user_id"));
    let who = party::named(change, [to.as_ref(), to_user_id.as_ref()]);
    let mut reading = Reading::of(Class::Echo, change.account());
    reading.sender = json::text(message, "from").or_else(|| change.number.clone());
    reading.recipient = to.or(to_user_id);
    finish(Item { change, message, party: who, is_echo: true }, reading)
}

struct Item<'a> {
    change: &'a Change<'a>,
    message: &'a Value,
    party: Option<Party>,
    is_echo: bool,
}

fn finish(item: Item<'_>, mut reading: Reading) -> Reading {
    reading.id = json::text(item.message, "id");
    reading.at = item.change.at(item.message);
    let kind = type_of(item.message);
    let body = json::inner(item.message, &kind).unwrap_or(&Value::Null);
    let event = match kind.as_str() {
        "reaction" => reaction(&item, body, &mut reading),
        "system" => system(&item, body, &mut reading),
        "edit" => edit(&item, body, &mut reading),
        "revoke" => revoke(&item, body, &mut reading),
        "request_welcome" => {
            reading.class = Class::System;
            reading.kind = Some(kind);
            InboundKind::Presence(InboundPresence { presence: PresenceKind::Join })
        }
        _ => said(&item, Said::of(item.message), &mut reading),
    };
    let id = reading.id.clone().unwrap_or_else(|| made_id(&["message", &item.message.to_string()]));
    let party = if reading.class == Class::System { with_new_ids(item.party, body) } else { item.party };
    reading.heard.push(item.change.heard(party, reading.at, id, event));
    reading
}

fn said(item: &Item<'_>, said: Said, reading: &mut Reading) -> InboundKind {
    let Said { kind, mut content, attachments, notes } = said;
    reading.kind = Some(kind);
    reading.text.clone_from(&content.text);
    reading.payload.clone_from(&content.payload);
    reading.attachments = attachments;
    reading.notes.extend(notes);
    let fields = around(item.message, reading);
    content.reply_to.clone_from(&reading.reply_to);
    content.provider_fields.extend(fields);
    content.referral = json::inner(item.message, "referral").map(content::referral);
    if item.is_echo {
        let callback_data = json::text(item.message, "biz_opaque_callback_data");
        return InboundKind::Echo(Box::new(InboundEcho { content, app_id: None, callback_data }));
    }
    InboundKind::Message(Box::new(InboundMessage { content }))
}

/// What stands around the content: quotation, forward marks, group, advertisement, errors.
/// Gives the platform's further fields of the record.
fn around(message: &Value, reading: &mut Reading) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    if let Some(context) = json::inner(message, "context") {
        reading.reply_to = json::text(context, "id");
        for mark in ["forwarded", "frequently_forwarded"] {
            if json::is_true(context, mark) {
                reading.notes.insert(mark.into(), json!(true));
                fields.push((mark.to_owned(), "true".to_owned()));
            }
        }
        if let Some(product) = json::inner(context, "referred_product") {
            reading.notes.insert("referred_product".into(), product.clone());
            fields.push(("referred_product".to_owned(), product.to_string()));
        }
    }
    if let Some(group) = json::text(message, "group_id") {
        reading.notes.insert("group".into(), json!(group));
        fields.push(("group_id".to_owned(), group));
    }
    if let Some(referral) = json::inner(message, "referral") {
        reading.notes.insert("referral".into(), referral.clone());
        fields.extend(json::text(referral, "ctwa_clid").map(|id| ("ctwa_clid".to_owned(), id)));
    }
    let errors = json::items(message, "errors");
    if !errors.is_empty() {
        let codes: Vec<Value> = errors.iter().filter_map(|error| Fault::of(error).code).collect();
        fields.push(("errors".to_owned(), json!(codes).to_string()));
        reading.notes.insert("errors".into(), json!(codes));
    }
    fields
}

fn reaction(item: &Item<'_>, body: &Value, reading: &mut Reading) -> InboundKind {
    let target = json::text(body, "message_id");
    let emoji = json::text(body, "emoji");
    let action = if emoji.is_some() { "react" } else { "unreact" };
    if item.is_echo {
        reading.kind = Some("reaction".into());
    } else {
        reading.class = Class::Reaction;
    }
    note(&mut reading.notes, "target", target.as_ref());
    reading.notes.insert("action".into(), json!(action));
    note(&mut reading.notes, "emoji", emoji.as_ref());
    note(&mut reading.notes, "group", json::text(item.message, "group_id").as_ref());
    match target {
        Some(target) if !item.is_echo => {
            let removed = emoji.is_none();
            InboundKind::Reaction(InboundReaction { provider_message_id: target, emoji, removed })
        }
        Some(_) | None => InboundKind::Unsupported(notice("reaction", item.message)),
    }
}

/// A remark of the platform: the customer has another number or id, or another device key.
fn system(item: &Item<'_>, body: &Value, reading: &mut Reading) -> InboundKind {
    reading.class = Class::System;
    reading.kind = json::text(body, "type");
    reading.text = json::text(body, "body");
    reading.sender = reading.sender.take().or_else(|| json::text(body, "customer"));
    note(&mut reading.notes, "new_id", json::first_text(body, &["wa_id", "new_wa_id", "user_id"]).as_ref());
    let name = reading.kind.clone().unwrap_or_else(|| "system".to_owned());
    InboundKind::AccountEvent(notice(&name, item.message))
}

/// The person, with the ids that a system remark names.
fn with_new_ids(party: Option<Party>, body: &Value) -> Option<Party> {
    let keys = ["customer", "wa_id", "new_wa_id", "user_id"];
    let told: Vec<String> = keys.iter().filter_map(|key| json::text(body, key)).collect();
    let Some(mut party) = party else {
        return party::of_ids(told.iter().map(Some));
    };
    let more = party::of_ids(told.iter().map(Some)).unwrap_or_default();
    for id in more.ids {
        if !party.ids.contains(&id) {
            party.ids.push(id);
        }
    }
    Some(party)
}

fn edit(item: &Item<'_>, body: &Value, reading: &mut Reading) -> InboundKind {
    reading.class = if item.is_echo { Class::EchoEdit } else { Class::Edit };
    let target = json::text(body, "original_message_id");
    note(&mut reading.notes, "target", target.as_ref());
    let new = json::inner(body, "message").map(Said::of);
    if let Some(new) = &new {
        reading.kind = Some(new.kind.clone());
        reading.text.clone_from(&new.content.text);
        reading.attachments.clone_from(&new.attachments);
    }
    match (target, new) {
        (Some(target), Some(new)) if !item.is_echo => {
            InboundKind::Edit(Box::new(InboundEdit { provider_message_id: target, content: new.content }))
        }
        _ => InboundKind::Unsupported(notice(reading.class.as_str(), item.message)),
    }
}

fn revoke(item: &Item<'_>, body: &Value, reading: &mut Reading) -> InboundKind {
    reading.class = Class::Delete;
    let target = json::text(body, "original_message_id");
    note(&mut reading.notes, "target", target.as_ref());
    match target {
        Some(target) if !item.is_echo => InboundKind::Delete(InboundDelete { provider_message_id: target }),
        Some(_) | None => InboundKind::Unsupported(notice("revoke", item.message)),
    }
}

fn note(notes: &mut Map<String, Value>, key: &str, value: Option<&String>) {
    notes.extend(value.map(|value| (key.to_owned(), Value::String(value.clone()))));
}
