//! The content of one message, by its type.

use schemas::records::{Attachment, Content, ContentKind, Referral};
use serde_json::{Map, Value, json};

use crate::intake::json;
use crate::intake::reading::shortened;

/// Types whose content stands under a key of the same name; asked where `type` is missing.
const TYPES: &[&str] = &[
    "text",
    "image",
    "video",
    "audio",
    "voice",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "button",
    "reaction",
    "order",
    "system",
    "edit",
    "revoke",
    "request_welcome",
];

/// The message's type: what it says, else what it holds, else `unsupported`.
pub(super) fn type_of(message: &Value) -> String {
    let held = || TYPES.iter().find(|key| message.get(**key).is_some_and(|body| !body.is_null()));
    json::text(message, "type").or_else(|| held().map(|key| (*key).to_owned())).unwrap_or_else(|| "unsupported".into())
}

/// What a message holds.
pub(super) struct Said {
    /// In the platform's word, finer where a type has kinds of its own (`interactive/list_reply`).
    pub(super) kind: String,
    pub(super) content: Content,
    /// The attachments as reported.
    pub(super) attachments: Vec<Map<String, Value>>,
    /// Further fields of the report.
    pub(super) notes: Map<String, Value>,
}

impl Said {
    pub(super) fn of(message: &Value) -> Self {
        let kind = type_of(message);
        let body = message.get(&kind).unwrap_or(&Value::Null);
        let mut said = match kind.as_str() {
            "text" => Self::text(body),
            "image" => Self::media(&kind, ContentKind::Image, body),
            "video" => Self::media(&kind, ContentKind::Video, body),
            "audio" | "voice" => Self::media(&kind, ContentKind::Audio, body),
            "document" => Self::media(&kind, ContentKind::File, body),
            "sticker" => Self::media(&kind, ContentKind::Sticker, body),
            "location" => Self::location(body),
            "contacts" => Self::contacts(json::items(message, "contacts")),
            "interactive" => Self::interactive(body),
            "button" => Self::button(body),
            "order" => Self::order(body),
            "unsupported" | "unknown" => Self::unsupported(body),
            _ => Self::new(&kind, ContentKind::Unsupported),
        };
        if said.content.content_kind == ContentKind::Unsupported {
            // What is not understood stays in the record in the platform's own JSON.
            said.field("type", Some(kind));
            said.field("body", (!body.is_null()).then(|| shortened(body.to_string())));
        }
        said
    }

    fn new(kind: &str, content_kind: ContentKind) -> Self {
        let content = Content { content_kind, ..Content::default() };
        Self { kind: kind.into(), content, attachments: Vec::new(), notes: Map::new() }
    }

    fn field(&mut self, key: &str, value: Option<String>) {
        self.content.provider_fields.extend(value.map(|value| (key.to_owned(), value)));
    }

    fn attach(&mut self, attachment: Attachment, report: Report) {
        self.content.attachments.push(attachment);
        self.attachments.push(report.0);
    }

    fn text(body: &Value) -> Self {
        let mut said = Self::new("text", ContentKind::Text);
        said.content.text = json::text(body, "body").or_else(|| json::as_text(body));
        said
    }

    fn media(kind: &str, content_kind: ContentKind, body: &Value) -> Self {
        let mut said = Self::new(kind, content_kind);
        if !body.is_object() {
            return said;
        }
        said.content.text = json::text(body, "caption");
        let attachment = Attachment {
            attachment_type: kind.into(),
            url: json::first_text(body, &["url", "link"]),
            media_id: json::text(body, "id"),
            mime: json::text(body, "mime_type"),
            sha256: json::text(body, "sha256"),
            file_name: json::text(body, "filename"),
            size_bytes: body.get("file_size").and_then(Value::as_i64),
            ..Attachment::default()
        };
        let mut report = Report::of(kind);
        report.text("media_id", attachment.media_id.as_ref());
        report.text("mime", attachment.mime.as_ref());
        report.text("url", attachment.url.as_ref());
        report.text("filename", attachment.file_name.as_ref());
        for mark in ["voice", "animated"] {
            if let Some(value) = body.get(mark).filter(|value| value.is_boolean()) {
                report.0.insert(mark.into(), value.clone());
                said.field(mark, Some(value.to_string()));
            }
        }
        said.attach(attachment, report);
        said
    }

    fn location(body: &Value) -> Self {
        let mut said = Self::new("location", ContentKind::Location);
        if !body.is_object() {
            return said;
        }
        let attachment = Attachment {
            attachment_type: "location".into(),
            latitude: json::number(body, "latitude"),
            longitude: json::number(body, "longitude"),
            url: json::text(body, "url"),
            title: json::text(body, "name"),
            caption: json::text(body, "address"),
            ..Attachment::default()
        };
        let mut report = Report::of("location");
        for (key, value) in [("latitude", attachment.latitude), ("longitude", attachment.longitude)] {
            report.0.extend(value.map(|value| (key.to_owned(), json!(value))));
        }
        report.text("name", attachment.title.as_ref());
        report.text("address", attachment.caption.as_ref());
        report.text("url", attachment.url.as_ref());
        said.attach(attachment, report);
        said
    }

    fn contacts(cards: Vec<&Value>) -> Self {
        let mut said = Self::new("contacts", ContentKind::Contacts);
        for (n, card) in cards.into_iter().enumerate() {
            let name = json::inner(card, "name").and_then(name_on);
            let phones: Vec<String> = json::items(card, "phones")
                .into_iter()
                .filter_map(|phone| json::first_text(phone, &["phone", "wa_id"]).or_else(|| json::as_text(phone)))
                .collect();
            said.field(&format!("contact_{}", n + 1), Some(shortened(card.to_string())));
            let mut report = Report::of("contact");
            report.0.insert("name".into(), json!(name));
            report.0.insert("phones".into(), json!(phones));
            let attachment = Attachment {
                attachment_type: "contact".into(),
                caption: (!phones.is_empty()).then(|| phones.join(", ")),
                title: name,
                ..Attachment::default()
            };
            said.attach(attachment, report);
        }
        said
    }

    /// An answer to buttons, a list or a form. Forms answer with JSON *text* in `response_json`.
    fn interactive(body: &Value) -> Self {
        let held = || body.as_object()?.iter().find(|(_, value)| value.is_object()).map(|(key, _)| key.clone());
        let Some(answer_kind) = json::text(body, "type").or_else(held) else {
            return Self::new("interactive (no content)", ContentKind::Unsupported);
        };
        let answer = body.get(&answer_kind).unwrap_or(&Value::Null);
        let content_kind = match answer_kind.as_str() {
            "button_reply" | "nfm_reply" => ContentKind::QuickReply,
            "list_reply" => ContentKind::ListReply,
            _ => ContentKind::Unsupported,
        };
        let mut said = Self::new(&format!("interactive/{answer_kind}"), content_kind);
        said.content.text = json::first_text(answer, &["title", "body"]);
        said.content.payload = json::text(answer, "id").or_else(|| match answer.get("response_json")? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Some(other.to_string()),
        });
        said.field("description", json::text(answer, "description"));
        said.field("name", json::text(answer, "name"));
        said
    }

    /// A quick-reply button of a template.
    fn button(body: &Value) -> Self {
        let mut said = Self::new("button", ContentKind::QuickReply);
        said.content.text = json::text(body, "text");
        said.content.payload = json::text(body, "payload");
        said
    }

    fn order(body: &Value) -> Self {
        let mut said = Self::new("order", ContentKind::Order);
        said.content.text = json::text(body, "text");
        said.field("catalog_id", json::text(body, "catalog_id"));
        said.field("product_items", body.get("product_items").map(|items| shortened(items.to_string())));
        let keys = ["catalog_id", "product_items"];
        let order: Map<_, _> =
            keys.iter().filter_map(|key| Some(((*key).to_owned(), body.get(*key)?.clone()))).collect();
        if !order.is_empty() {
            said.notes.insert("order".into(), Value::Object(order));
        }
        said
    }

    fn unsupported(body: &Value) -> Self {
        let mut said = Self::new("unsupported", ContentKind::Unsupported);
        said.notes.extend(json::text(body, "type").map(|kind| ("unsupported_type".to_owned(), Value::String(kind))));
        said
    }
}

/// The full name, else its parts.
fn name_on(card: &Value) -> Option<String> {
    json::text(card, "formatted_name").or_else(|| {
        let parts: Vec<String> = ["first_name", "last_name"].iter().filter_map(|key| json::text(card, key)).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    })
}

/// The advertisement or post that the customer came from.
pub(super) fn referral(referral: &Value) -> Referral {
    Referral {
        source_type: json::text(referral, "source_type"),
        source_id: json::text(referral, "source_id"),
        source_url: json::text(referral, "source_url"),
        headline: json::text(referral, "headline"),
        body: json::text(referral, "body"),
        reference: None,
    }
}

/// One attachment as reported.
struct Report(Map<String, Value>);

impl Report {
    fn of(kind: &str) -> Self {
        Self(Map::from_iter([("type".to_owned(), json!(kind))]))
    }

    fn text(&mut self, key: &str, value: Option<&String>) {
        self.0.extend(value.map(|value| (key.to_owned(), Value::String(value.clone()))));
    }
}
