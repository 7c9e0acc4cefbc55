//! Open messaging: Genesys-compatible bodies, the newer form of one route each and the older
//! all-in-one form (shapes as in the public SDK, models `OpenInboundNormalizedMessage`,
//! `…Receipt`, `…Event`, `OpenInboundStructuredResponseMessage`).

use schemas::ids::EventId;
use schemas::records::{
    Attachment, Channel, Content, ContentKind, InboundEcho, InboundKind, InboundMessage, InboundNotice,
    InboundPresence, InboundReceipt, InboundTyping, PresenceKind, ReceiptStatus,
};
use serde_json::{Map, Value, json};

use crate::core::{Heard, HeardAccount, Party, PartyId};
use crate::intake::json::{self, Unreadable};
use crate::intake::reading::{At, Class, Reading};

/// Which of the bodies it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text and attachments.
    Message,
    /// An answer to buttons, quick replies or a list.
    StructuredResponse,
    /// How far a message of ours came.
    Receipt,
    /// Typing and presence.
    Event,
}

impl Form {
    fn of(body: &Value) -> Self {
        match json::text(body, "type").as_deref() {
            Some("Receipt") => Self::Receipt,
            Some("Event") => Self::Event,
            _ if body.get("events").is_some_and(Value::is_array) => Self::Event,
            _ if body.get("status").is_some() => Self::Receipt,
            _ if body.get("buttonResponse").is_some() => Self::StructuredResponse,
            _ => Self::Message,
        }
    }
}

/// Every event of a body of whatever form.
///
/// # Errors
/// [`Unreadable`] if the body is no JSON object.
pub fn read(body: &[u8]) -> Result<Vec<Reading>, Unreadable> {
    let body = json::object(body)?;
    Ok(read_as(Form::of(&body), &body))
}

/// What is missing in a body of that form, in words for the caller; `None` if nothing is.
pub fn fault(form: Form, body: &Value) -> Option<String> {
    let channel = body.get("channel").unwrap_or(&Value::Null);
    let from_id = channel.get("from").and_then(|from| json::text(from, "id"));
    let needs_from = form != Form::Receipt;
    if needs_from && from_id.is_none() {
        return Some("expected the sender's id in channel.from.id".into());
    }
    if json::text(body, "direction").is_some_and(|direction| direction != "Inbound") {
        return Some("expected direction Inbound".into());
    }
    if channel.get("time").is_some_and(|time| !time.is_null()) && json::moment(channel, "time").is_none() {
        return Some("expected an ISO 8601 time in channel.time".into());
    }
    match form {
        Form::Message if json::text(body, "text").is_none() && json::items(body, "content").is_empty() => {
            Some("expected text or content".into())
        }
        Form::StructuredResponse if json::inner(body, "buttonResponse").is_none() => {
            Some("expected buttonResponse".into())
        }
        Form::Receipt if json::text(body, "id").is_none() => {
            Some("expected the id of the message the receipt is about".into())
        }
        Form::Receipt if status_of(body).is_none() => {
            Some("expected status Sent, Delivered, Read, Failed, Published or Removed".into())
        }
        Form::Event if json::items(body, "events").is_empty() => Some("expected events".into()),
        Form::Event if json::items(body, "events").iter().any(|event| known_event(event).is_none()) => {
            Some("expected events of eventType Typing or Presence".into())
        }
        Form::Message | Form::StructuredResponse | Form::Receipt | Form::Event => None,
    }
}

/// Every event of a body of that form.
pub fn read_as(form: Form, body: &Value) -> Vec<Reading> {
    match form {
        Form::Message | Form::StructuredResponse => vec![message(body)],
        Form::Receipt => vec![receipt(body)],
        Form::Event => {
            let events = json::items(body, "events");
            events.into_iter().enumerate().map(|(n, item)| event(body, n, item)).collect()
        }
    }
}

/// The parts that all forms share.
fn begin(class: Class, body: &Value) -> (Reading, Option<Party>) {
    let channel = body.get("channel").unwrap_or(&Value::Null);
    let to = channel.get("to").and_then(|to| json::text(to, "id"));
    // A receipt's `to` is the person who got our message; elsewhere it is our integration.
    let account = if class == Class::Status { None } else { to.clone() };
    let mut reading = Reading::of(class, account);
    reading.recipient = to;
    reading.at = json::moment(channel, "time").map_or(At::Absent, At::Event);
    let person = if class == Class::Status { "to" } else { "from" };
    let party = channel.get(person).and_then(party);
    if class == Class::Status {
        return (reading, party);
    }
    if let Some(party) = &party {
        reading.sender = party.ids.first().map(|id| id.id.clone());
        reading.sender_name.clone_from(&party.display_name);
    }
    (reading, party)
}

fn party(from: &Value) -> Option<Party> {
    let id = json::text(from, "id")?;
    let id_type = match json::text(from, "idType").as_deref() {
        Some("Phone") => "phone",
        Some("Email") => "email",
        Some(_) | None => "opaque",
    };
    let (first_name, last_name) = (json::text(from, "firstName"), json::text(from, "lastName"));
    let full = [first_name.clone(), last_name.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(Party {
        ids: vec![PartyId { id, id_type }],
        display_name: json::text(from, "nickname").or_else(|| (!full.is_empty()).then_some(full)),
        first_name,
        last_name,
        image_url: json::text(from, "image"),
    })
}

fn heard(reading: &Reading, party: Option<Party>, id: String, kind: InboundKind) -> Vec<Heard> {
    let account = reading.account.clone().map_or(HeardAccount::Unnamed, HeardAccount::Provider);
    let occurred_at = reading.at.ms();
    vec![Heard { channel: Channel::Open, account, party, occurred_at, provider_event_id: id, kind }]
}

fn made_id(body: &Value, what: &str) -> String {
    format!("made:{}", EventId::derive(&["open", what, &body.to_string()]))
}

fn message(body: &Value) -> Reading {
    let is_echo = json::text(body, "direction").as_deref() == Some("Outbound");
    let (mut reading, party) = begin(if is_echo { Class::Echo } else { Class::Message }, body);
    let channel = body.get("channel").unwrap_or(&Value::Null);
    reading.id = json::text(channel, "messageId").or_else(|| json::text(body, "id"));
    let mut content = Content { text: json::text(body, "text"), ..Content::default() };
    let mut word = "Text".to_owned();
    for item in json::items(body, "content") {
        let named = add_part(item, &mut content, &mut reading.attachments);
        if content.text.is_none() && word == "Text" {
            word = named;
        }
    }
    if let Some(response) = json::inner(body, "buttonResponse") {
        word = add_response(response, &mut content);
    }
    content.reply_to = json::text(body, "originatingMessageId").or(content.reply_to);
    content.content_kind = kind_of(&word, &content);
    if let Some(metadata) = body.get("metadata").and_then(Value::as_object) {
        let texts = metadata.iter().filter_map(|(key, value)| Some((key, json::as_text(value)?)));
        content.provider_fields.extend(texts.map(|(key, value)| (format!("metadata.{key}"), value)));
        reading.notes.insert("metadata".into(), json!(metadata));
    }
    reading.kind = Some(word);
    reading.text.clone_from(&content.text);
    reading.payload.clone_from(&content.payload);
    reading.reply_to.clone_from(&content.reply_to);
    let id = reading.id.clone().unwrap_or_else(|| made_id(body, "message"));
    let kind = if is_echo {
        InboundKind::Echo(Box::new(InboundEcho { content, app_id: None, callback_data: None }))
    } else {
        InboundKind::Message(Box::new(InboundMessage { content }))
    };
    reading.heard = heard(&reading, party, id, kind);
    reading
}

/// Adds one item of `content`; gives the platform's word for it.
fn add_part(item: &Value, content: &mut Content, report: &mut Vec<Map<String, Value>>) -> String {
    if let Some(response) = json::inner(item, "buttonResponse") {
        return add_response(response, content);
    }
    if let Some(place) = json::inner(item, "location") {
        let attachment = Attachment {
            attachment_type: "location".into(),
            latitude: json::number(place, "latitude"),
            longitude: json::number(place, "longitude"),
            url: json::text(place, "url"),
            title: json::first_text(place, &["text", "address"]),
            ..Attachment::default()
        };
        report.push(reported(&attachment));
        content.attachments.push(attachment);
        return "Location".into();
    }
    let Some(file) = json::inner(item, "attachment") else {
        let word = json::text(item, "contentType").unwrap_or_else(|| "Unknown".into());
        content.provider_fields.insert(format!("content.{word}"), item.to_string());
        return word;
    };
    let word = json::text(file, "mediaType").unwrap_or_else(|| "File".into());
    let attachment = Attachment {
        attachment_type: word.to_lowercase(),
        url: json::text(file, "url"),
        media_id: json::text(file, "id"),
        mime: json::text(file, "mime"),
        sha256: json::text(file, "sha256"),
        file_name: json::text(file, "filename"),
        size_bytes: file.get("contentSizeBytes").and_then(Value::as_i64),
        caption: json::text(file, "text"),
        ..Attachment::default()
    };
    report.push(reported(&attachment));
    content.attachments.push(attachment);
    word
}

fn add_response(response: &Value, content: &mut Content) -> String {
    content.text = json::text(response, "text").or(content.text.take());
    content.payload = json::text(response, "payload");
    content.reply_to = json::text(response, "originatingMessageId");
    json::text(response, "type").unwrap_or_else(|| "Button".into())
}

fn kind_of(word: &str, content: &Content) -> ContentKind {
    match word {
        "Text" => ContentKind::Text,
        "Image" => ContentKind::Image,
        "Video" => ContentKind::Video,
        "Audio" => ContentKind::Audio,
        "File" => ContentKind::File,
        "Link" => ContentKind::Link,
        "Location" => ContentKind::Location,
        "Button" | "QuickReply" | "DatePicker" => ContentKind::QuickReply,
        "ListPicker" => ContentKind::ListReply,
        _ if content.text.is_some() => ContentKind::Text,
        _ => ContentKind::Unsupported,
    }
}

fn reported(attachment: &Attachment) -> Map<String, Value> {
    let text = |value: &Option<String>| value.clone().map(Value::String);
    let fields = [
        ("type", Some(json!(attachment.attachment_type))),
        ("media_id", text(&attachment.media_id)),
        ("mime", text(&attachment.mime)),
        ("url", text(&attachment.url)),
        ("filename", text(&attachment.file_name)),
        ("caption", text(&attachment.caption)),
        ("title", text(&attachment.title)),
        ("latitude", attachment.latitude.map(|degrees| json!(degrees))),
        ("longitude", attachment.longitude.map(|degrees| json!(degrees))),
    ];
    fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

fn receipt(body: &Value) -> Reading {
    let (mut reading, party) = begin(Class::Status, body);
    let id = json::text(body, "id");
    reading.mids.extend(id.clone());
    reading.kind = json::text(body, "status");
    let reason = json::items(body, "reasons").into_iter().next();
    let provider_code = reason.and_then(|reason| json::text(reason, "code"));
    let detail = reason.and_then(|reason| json::text(reason, "message"));
    if let Some(reasons) = body.get("reasons").filter(|reasons| reasons.is_array()) {
        reading.notes.insert("errors".into(), reasons.clone());
    }
    let status = status_of(body).unwrap_or(ReceiptStatus::Unknown);
    let event_id = match (&id, &reading.kind) {
        (Some(id), Some(word)) => format!("{id}:{word}"),
        (None, _) | (_, None) => made_id(body, "receipt"),
    };
    let kind = InboundKind::Receipt(InboundReceipt {
        status,
        provider_message_id: None,
        callback_data: id,
        watermark_ms: None,
        provider_code,
        detail,
    });
    reading.heard = heard(&reading, party, event_id, kind);
    reading
}

fn status_of(body: &Value) -> Option<ReceiptStatus> {
    match json::text(body, "status")?.as_str() {
        "Sent" | "Published" => Some(ReceiptStatus::Sent),
        "Delivered" => Some(ReceiptStatus::Delivered),
        "Read" => Some(ReceiptStatus::Read),
        "Failed" => Some(ReceiptStatus::Failed),
        "Removed" => Some(ReceiptStatus::Deleted),
        _ => None,
    }
}

fn event(body: &Value, n: usize, item: &Value) -> Reading {
    let known = known_event(item);
    let class = match &known {
        Some(InboundKind::Typing(_)) => Class::Typing,
        Some(_) => Class::Control,
        None => Class::Unknown,
    };
    let (mut reading, party) = begin(class, body);
    let channel = body.get("channel").unwrap_or(&Value::Null);
    reading.id = json::text(channel, "messageId");
    reading.kind = json::text(item, "eventType").map(|word| match subtype(item) {
        Some(subtype) => format!("{word}/{subtype}"),
        None => word,
    });
    let id = match &reading.id {
        Some(id) => format!("{id}:{n}"),
        None => made_id(body, &format!("event {n}")),
    };
    let kind = known.unwrap_or_else(|| {
        InboundKind::Unsupported(InboundNotice { name: "event".into(), body: Some(item.to_string()) })
    });
    reading.heard = heard(&reading, party, id, kind);
    reading
}

fn subtype(item: &Value) -> Option<String> {
    ["typing", "presence"].iter().find_map(|key| json::text(item.get(*key)?, "type"))
}

fn known_event(item: &Value) -> Option<InboundKind> {
    match json::text(item, "eventType")?.as_str() {
        "Typing" => {
            let typing = item.get("typing").unwrap_or(&Value::Null);
            let on = json::text(typing, "type").is_none_or(|word| word == "On");
            let duration_ms = typing.get("duration").and_then(Value::as_i64);
            Some(InboundKind::Typing(InboundTyping { on, duration_ms }))
        }
        "Presence" => {
            let presence = match subtype(item)?.as_str() {
                "Join" => PresenceKind::Join,
                "Disconnect" => PresenceKind::Disconnect,
                "Clear" => PresenceKind::Clear,
                "SignIn" => PresenceKind::SignIn,
                "SessionExpired" => PresenceKind::SessionExpired,
                _ => return None,
            };
            Some(InboundKind::Presence(InboundPresence { presence }))
        }
        _ => None,
    }
}
