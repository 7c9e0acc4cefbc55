//! Direct messages, in the form of v1.1 (`message_create`), flat as v2 has them, and encrypted.

use schemas::records::{Attachment, Content, ContentKind, InboundEcho, InboundKind, InboundMessage};
use serde_json::{Map, Value, json};

use super::{Envelope, name_sender};
use crate::intake::json;
use crate::intake::reading::{Class, Reading, made_id, notice, shortened};

/// One item of `direct_message_events`.
pub(super) fn read(envelope: &Envelope<'_>, event: &Value) -> Reading {
    let Some(create) = json::inner(event, "message_create") else {
        return read_flat(envelope, event);
    };
    let data = json::inner(create, "message_data").unwrap_or(&Value::Null);
    let target = json::inner(create, "target").unwrap_or(&Value::Null);
    let who = Who { sender: json::text(create, "sender_id"), recipient: json::text(target, "recipient_id") };
    let mut said = Said::of(data);
    if let Some(app) = json::text(create, "source_app_id") {
        said.notes.insert("source_app".into(), json!(app));
    }
    let initiated = json::inner(event, "initiated_via").or_else(|| json::inner(create, "initiated_via"));
    if let Some(via) = initiated {
        said.notes.insert("initiated_via".into(), via.clone());
        let pairs = via.as_object().into_iter().flatten();
        let texts = pairs.filter_map(|(key, value)| Some((format!("initiated_via.{key}"), json::as_text(value)?)));
        said.content.provider_fields.extend(texts);
    }
    finish(envelope, event, who, said)
}

/// A message whose fields stand side by side, as in the objects of v2.
pub(super) fn read_flat(envelope: &Envelope<'_>, event: &Value) -> Reading {
    let is_message = ["text", "sender_id", "attachment", "attachments"].iter().any(|key| event.get(*key).is_some());
    let event_type = json::text(event, "event_type");
    let is_create = event_type.as_deref().is_none_or(|name| name == "MessageCreate");
    if !is_message || !is_create {
        let mut reading = envelope.begin(Class::Unknown, event);
        reading.kind = event_type.or_else(|| json::text(event, "type")).or_else(|| envelope.event_type.clone());
        return reading;
    }
    let sender = json::text(event, "sender_id");
    let recipient = json::text(event, "recipient_id").or_else(|| other_side(event, sender.as_deref()));
    let recipient = recipient.or_else(|| envelope.account.clone().filter(|_| !envelope.is_ours(sender.as_ref())));
    finish(envelope, event, Who { sender, recipient }, Said::of(event))
}

/// The participant who is not the sender: by the list, or by the conversation's id
/// (`smaller-larger`, in chats `smaller:larger`).
fn other_side(event: &Value, sender: Option<&str>) -> Option<String> {
    let listed = event.get("participant_ids").and_then(Value::as_array).into_iter().flatten().filter_map(json::as_text);
    let conversation = json::first_text(event, &["dm_conversation_id", "conversation_id"]).unwrap_or_default();
    let named = conversation.split(['-', ':']).map(str::to_owned);
    let all: Vec<String> = listed.chain(named).collect();
    all.into_iter()
        .find(|id| Some(id.as_str()) != sender && id.bytes().all(|byte| byte.is_ascii_digit()) && !id.is_empty())
}

/// A message of an encrypted chat: that there is one, and from whom; what it says is for the
/// phones alone.
pub(super) fn read_encrypted(envelope: &Envelope<'_>, event: &Value) -> Reading {
    let sender = json::text(event, "sender_id");
    let recipient = other_side(event, sender.as_deref());
    let mut said = Said::of(&Value::Null);
    said.kind = "encrypted".into();
    said.content.provider_fields.insert("type".into(), "encrypted".into());
    finish(envelope, event, Who { sender, recipient }, said)
}

struct Who {
    sender: Option<String>,
    recipient: Option<String>,
}

fn finish(envelope: &Envelope<'_>, event: &Value, who: Who, said: Said) -> Reading {
    let is_sent = envelope.event_type.as_deref().is_some_and(|name| name.ends_with(".sent"));
    let is_echo = envelope.is_ours(who.sender.as_ref()) || (is_sent && envelope.account.is_none());
    let mut reading = envelope.begin(if is_echo { Class::Echo } else { Class::Message }, event);
    reading.sender = who.sender;
    reading.recipient = who.recipient;
    reading.id = json::text(event, "id");
    reading.kind = Some(said.kind);
    reading.text.clone_from(&said.content.text);
    reading.payload.clone_from(&said.content.payload);
    reading.attachments = said.attachments;
    reading.notes.extend(said.notes);
    name_sender(&mut reading, envelope);
    let party = envelope.party(if is_echo { reading.recipient.as_ref() } else { reading.sender.as_ref() });
    let id = reading.id.clone().unwrap_or_else(|| made_id(&["message", &event.to_string()]));
    let kind = if is_echo {
        let app_id = reading.notes.get("source_app").and_then(json::as_text);
        InboundKind::Echo(Box::new(InboundEcho { content: said.content, app_id, callback_data: None }))
    } else if reading.sender.is_some() {
        InboundKind::Message(Box::new(InboundMessage { content: said.content }))
    } else {
        InboundKind::Unsupported(notice("message", event))
    };
    reading.heard.push(envelope.heard(party, reading.at, id, kind));
    reading
}

/// What a message holds.
struct Said {
    kind: String,
    content: Content,
    attachments: Vec<Map<String, Value>>,
    notes: Map<String, Value>,
}

impl Said {
    fn of(data: &Value) -> Self {
        let mut content = Content { text: json::text(data, "text").map(unescaped), ..Content::default() };
        let mut attachments = Vec::new();
        let mut kind = None;
        let lone = json::items(data, "attachment");
        for part in lone.into_iter().chain(json::items(data, "attachments")) {
            let (named, attachment, report) = attachment(part);
            if let Some(link) = json::inner(part, "media").and_then(|media| json::text(media, "url")) {
                content.text = content.text.and_then(|text| without_link(&text, &link));
            }
            kind.get_or_insert(named);
            content.attachments.push(attachment);
            attachments.push(report);
        }
        let reply = json::inner(data, "quick_reply_response");
        content.payload = reply.and_then(|reply| json::text(reply, "metadata"));
        let kind = match (kind, reply) {
            (_, Some(_)) => "quick_reply".to_owned(),
            (Some(kind), None) => kind,
            (None, None) => if content.text.is_some() { "text" } else { "unsupported" }.to_owned(),
        };
        content.content_kind = match kind.as_str() {
            "text" => ContentKind::Text,
            "quick_reply" => ContentKind::QuickReply,
            "photo" => ContentKind::Image,
            "video" | "animated_gif" => ContentKind::Video,
            "audio" => ContentKind::Audio,
            "location" => ContentKind::Location,
            _ if content.text.is_some() => ContentKind::Text,
            _ => ContentKind::Unsupported,
        };
        if content.content_kind == ContentKind::Unsupported && !data.is_null() {
            content.provider_fields.insert("body".into(), shortened(data.to_string()));
        }
        Self { kind, content, attachments, notes: Map::new() }
    }
}

/// The address of the media stands at the end of the text as well: that is no words of the sender.
fn without_link(text: &str, link: &str) -> Option<String> {
    let kept = text.trim_end().strip_suffix(link).map_or(text, str::trim_end);
    (!kept.is_empty()).then(|| kept.to_owned())
}

/// The kind, the record and the report of one attachment.
fn attachment(part: &Value) -> (String, Attachment, Map<String, Value>) {
    let media = json::inner(part, "media").unwrap_or(part);
    let place = json::inner(part, "location").and_then(|location| json::inner(location, "shared_coordinate"));
    let degrees = place.and_then(|place| json::inner(place, "coordinates")?.get("coordinates")?.as_array());
    let kind = json::text(media, "type").or_else(|| json::text(part, "type")).unwrap_or_else(|| "media".into());
    let degree = |n: usize| degrees.and_then(|pair| pair.get(n)).and_then(Value::as_f64);
    let (mime, file) = best_variant(media).unzip();
    let attachment = Attachment {
        attachment_type: kind.clone(),
        url: file.or_else(|| json::first_text(media, &["media_url_https", "media_url", "url"])),
        media_id: json::first_text(media, &["id_str", "media_key", "media_id", "id"]),
        mime: mime.flatten(),
        // GeoJSON puts the longitude first.
        longitude: degree(0),
        latitude: degree(1),
        ..Attachment::default()
    };
    let mut report = Map::from_iter([("type".to_owned(), json!(kind))]);
    let text = |value: &Option<String>| value.clone().map(Value::String);
    for (key, value) in [
        ("url", text(&attachment.url)),
        ("media_id", text(&attachment.media_id)),
        ("lat", attachment.latitude.map(|degrees| json!(degrees))),
        ("long", attachment.longitude.map(|degrees| json!(degrees))),
    ] {
        report.extend(value.map(|value| (key.to_owned(), value)));
    }
    (kind, attachment, report)
}

/// The file of a video or a moving picture: the MP4 of the highest bit rate.
fn best_variant(media: &Value) -> Option<(Option<String>, String)> {
    let variants = json::items(json::inner(media, "video_info")?, "variants");
    let is_mp4 = |variant: &&&Value| json::text(variant, "content_type").as_deref() == Some("video/mp4");
    let rate = |variant: &&&Value| variant.get("bitrate").and_then(Value::as_i64).unwrap_or(0);
    let best = variants.iter().filter(is_mp4).max_by_key(rate).or_else(|| variants.first())?;
    Some((json::text(best, "content_type"), json::text(best, "url")?))
}

/// X escapes text for HTML; this undoes it once, so that `&amp;lt;` becomes `&lt;`.
pub(super) fn unescaped(text: String) -> String {
    const NAMES: [(&str, char); 5] = [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#39;", '\'')];
    if !text.contains('&') {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let named = NAMES.iter().find(|(name, _)| rest.starts_with(name));
        let (length, one) = named.map_or((1, '&'), |(name, one)| (name.len(), *one));
        plain.push(one);
        rest = &rest[length..];
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_unescaped_once_and_only_once() {
        for (given, expected) in [
            ("plain", "plain"),
            ("Tom &amp; Jerry &lt;3", "Tom & Jerry <3"),
            ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
            ("a & b &unknown; &", "a & b &unknown; &"),
            ("&amp;amp;&quot;&#39;", "&amp;\"'"),
            ("ü&lt;ü", "ü<ü"),
        ] {
            assert_eq!(unescaped(given.to_owned()), expected, "{given}");
        }
    }

    #[test]
    fn the_link_of_the_media_is_cut_from_the_end_of_the_text_alone() {
        let link = "https://t.co/a";
        for (given, expected) in [
            ("look https://t.co/a", Some("look")),
            ("https://t.co/a", None),
            ("https://t.co/a is nice", Some("https://t.co/a is nice")),
            ("look", Some("look")),
        ] {
            assert_eq!(without_link(given, link).as_deref(), expected, "{given}");
        }
    }
}
