//! What a message holds.

use schemas::records::{Attachment, Content, ContentKind, Referral};
use serde_json::{Map, Value, json};

use crate::intake::json;
use crate::intake::reading::shortened;

/// What a message holds.
pub(super) struct Said {
    /// In the platform's word: the type of its first attachment that is no link preview, `sticker`,
    /// `quick_reply`, `text`, or `unsupported`.
    pub(super) kind: String,
    pub(super) content: Content,
    /// The attachments as reported.
    pub(super) attachments: Vec<Map<String, Value>>,
    /// Further fields of the report.
    pub(super) notes: Map<String, Value>,
}

impl Said {
    pub(super) fn of(message: &Value) -> Self {
        let sticker_id = json::text(message, "sticker_id");
        let mut parts: Vec<Part> = json::items(message, "attachments").into_iter().map(Part::of).collect();
        drop_second_of_sticker_pair(&mut parts);
        let quick_reply = json::inner(message, "quick_reply");
        let text = json::text(message, "text");
        let is_sticker = sticker_id.is_some() || parts.iter().any(Part::is_sticker);
        let first = parts.iter().find(|part| part.kind != "fallback");
        let kind = if json::is_true(message, "is_unsupported") {
            "unsupported"
        } else if is_sticker {
            "sticker"
        } else if quick_reply.is_some() {
            "quick_reply"
        } else if let Some(first) = first {
            if first.kind == "unsupported_type" { "unsupported" } else { &first.kind }
        } else if text.is_some() {
            "text"
        } else if parts.is_empty() {
            "unsupported"
        } else {
            "fallback"
        };
        let kind = kind.to_owned();
        let mut content = Content { text, ..Content::default() };
        let mut notes = Map::new();
        content.payload = quick_reply.and_then(|reply| json::text(reply, "payload"));
        let story = quoted(message, &mut content, &mut notes);
        if let Some(body) = json::inner(message, "referral") {
            content.referral = Some(referral(body));
            notes.insert("referral".into(), body.clone());
        }
        content.content_kind = content_kind(&kind, content.text.is_some(), story);
        if content.content_kind == ContentKind::Unsupported {
            content.provider_fields.insert("type".into(), kind.clone());
        }
        content.provider_fields.extend(sticker_id.map(|id| ("sticker_id".to_owned(), id)));
        let mut attachments = Vec::new();
        for (n, part) in parts.into_iter().enumerate() {
            let raw = part.kept.map(|raw| (format!("attachment_{}", n + 1), raw));
            content.provider_fields.extend(raw);
            content.attachments.push(part.attachment);
            attachments.push(part.report);
        }
        Self { kind, content, attachments, notes }
    }
}

/// The message or story that is answered; whether it is a story.
fn quoted(message: &Value, content: &mut Content, notes: &mut Map<String, Value>) -> bool {
    let Some(quoted) = json::inner(message, "reply_to") else {
        return false;
    };
    content.reply_to = json::text(quoted, "mid");
    let Some(story) = json::inner(quoted, "story") else {
        return false;
    };
    notes.insert("reply_to_story".into(), story.clone());
    for key in ["id", "url"] {
        content.provider_fields.extend(json::text(story, key).map(|value| (format!("story_{key}"), value)));
    }
    true
}

fn content_kind(kind: &str, has_text: bool, is_story_reply: bool) -> ContentKind {
    match kind {
        "text" if is_story_reply => ContentKind::StoryReply,
        "text" => ContentKind::Text,
        "quick_reply" => ContentKind::QuickReply,
        "image" | "animated_image_share" => ContentKind::Image,
        "video" => ContentKind::Video,
        "audio" => ContentKind::Audio,
        "file" => ContentKind::File,
        "sticker" | "like_heart" => ContentKind::Sticker,
        "location" => ContentKind::Location,
        "story_mention" => ContentKind::StoryMention,
        "template" => ContentKind::Template,
        "fallback" | "share" | "post" | "ig_post" | "reel" | "ig_reel" | "ig_story" => ContentKind::Link,
        "unsupported" => ContentKind::Unsupported,
        _ if has_text => ContentKind::Text,
        _ => ContentKind::Unsupported,
    }
}

/// Where the customer came from: a link, an advertisement, a code or a product.
pub(super) fn referral(body: &Value) -> Referral {
    let advertisement = json::inner(body, "ads_context_data").unwrap_or(&Value::Null);
    let product = json::inner(body, "product").and_then(|product| json::text(product, "id"));
    let is_product = product.is_some();
    Referral {
        source_type: json::text(body, "source").or_else(|| is_product.then(|| "PRODUCT".to_owned())),
        source_id: json::text(body, "ad_id").or(product),
        source_url: json::text(body, "referer_uri"),
        headline: json::text(advertisement, "ad_title"),
        body: json::first_text(advertisement, &["photo_url", "video_url"]),
        reference: json::text(body, "ref"),
    }
}

/// One attachment.
struct Part {
    kind: String,
    attachment: Attachment,
    report: Map<String, Value>,
    /// The platform's own JSON, where the record has no place for all of it.
    kept: Option<String>,
}

impl Part {
    fn of(item: &Value) -> Self {
        let kind = json::text(item, "type").unwrap_or_else(|| "unknown".into());
        let payload = item.get("payload").unwrap_or(&Value::Null);
        let link = || json::as_text(payload).filter(|text| text.starts_with("http"));
        let place = json::inner(payload, "coordinates").unwrap_or(&Value::Null);
        let ids = ["sticker_id", "reel_video_id", "ig_post_media_id"];
        let mut attachment = Attachment {
            attachment_type: kind.clone(),
            url: json::text(payload, "url").or_else(|| json::first_text(item, &["url", "URL"])).or_else(link),
            media_id: json::first_text(payload, &ids),
            latitude: json::number(place, "lat"),
            longitude: json::number(place, "long").or_else(|| json::number(place, "lng")),
            title: json::text(item, "title").or_else(|| json::text(payload, "title")),
            ..Attachment::default()
        };
        let mut report = Map::from_iter([("type".to_owned(), json!(kind))]);
        let mut put = |key: &str, value: Option<Value>| report.extend(value.map(|value| (key.to_owned(), value)));
        let text = |value: &Option<String>| value.clone().map(Value::String);
        for key in ids {
            put(key, json::text(payload, key).map(Value::String));
        }
        put("url", text(&attachment.url));
        put("title", text(&attachment.title));
        put("lat", attachment.latitude.map(|degrees| json!(degrees)));
        put("long", attachment.longitude.map(|degrees| json!(degrees)));
        let product = json::inner(payload, "product");
        let template_type = json::text(payload, "template_type").or_else(|| product.map(|_| "product".to_owned()));
        put("template_type", template_type.map(Value::String));
        if let Some(product) = product {
            let titles: Vec<String> =
                json::items(product, "elements").iter().filter_map(|element| json::text(element, "title")).collect();
            attachment.title = attachment.title.or_else(|| (!titles.is_empty()).then(|| titles.join(", ")));
            put("product", Some(json!(titles)));
        }
        let is_whole = content_kind(&kind, false, false) != ContentKind::Unsupported && kind != "template";
        let kept = (!is_whole).then(|| shortened(item.to_string()));
        Self { kind, attachment, report, kept }
    }

    fn is_sticker(&self) -> bool {
        self.kind == "sticker" || self.report.contains_key("sticker_id")
    }
}

/// From June to August 2026 a sticker comes twice in its message: as `sticker` and, as before, as
/// `image`. The image goes; what it alone tells stays.
fn drop_second_of_sticker_pair(parts: &mut Vec<Part>) {
    let Some(sticker) = parts.iter().position(|part| part.kind == "sticker") else {
        return;
    };
    let same = |part: &Part, sticker: &Part| {
        let ids = [part, sticker].map(|part| part.report.get("sticker_id"));
        let urls = [part, sticker].map(|part| part.attachment.url.as_deref());
        (ids[0].is_some() && (ids[0] == ids[1] || ids[1].is_none())) || (urls[0].is_some() && urls[0] == urls[1])
    };
    let twin = parts.iter().position(|part| part.kind == "image" && same(part, &parts[sticker]));
    let Some(twin) = twin else {
        return;
    };
    let image = parts[twin].attachment.clone();
    let image_report = parts[twin].report.clone();
    let kept = &mut parts[sticker];
    kept.attachment.url = kept.attachment.url.take().or(image.url);
    kept.attachment.media_id = kept.attachment.media_id.take().or(image.media_id);
    for (key, value) in image_report {
        kept.report.entry(key).or_insert(value);
    }
    parts.remove(twin);
}
