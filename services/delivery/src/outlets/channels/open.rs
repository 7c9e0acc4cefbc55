//! Open messaging (D6): the normalized message of Genesys Cloud's open messaging, posted to the
//! account's webhook and signed as Standard Webhooks 1.0.0 says.

mod lifecycle;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use schemas::records::{Attachment, Choice, Content, ContentKind, SenderKind};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use stream::Timestamp;

use super::{Call, Desk, HttpAnswer};
use crate::core::effect::Send;
use crate::core::event::{Answer, Outcome};
use crate::core::rendering::{self, Card, Part};
use crate::core::rows::part_id;
use crate::outlets::signing;

/// What of a refusal's body is kept.
const DETAIL_CHARS_MAX: usize = 300;

/// The request of a send; the same message has the same `webhook-id` at each attempt.
///
/// # Errors
/// What the account's configuration lacks.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    let url = send.route.webhook_url.clone().ok_or("no_webhook_url")?;
    let body = match &send.part {
        Part::Whole(content) => body(send, content, desk.outward_id),
        Part::Notice(notice) => lifecycle::body(notice, channel(send, desk.outward_id), desk.outward_id),
        Part::Signal(told) => lifecycle::signal(told, channel(send, desk.outward_id), desk.outward_id),
        Part::Text(_)
        | Part::Media(_)
        | Part::QuickReplies { .. }
        | Part::Buttons { .. }
        | Part::List { .. }
        | Part::Cards(_)
        | Part::Location(_)
        | Part::Template(_) => return Err("not_rendered"),
    };
    let body = body.to_string().into_bytes();
    let id = format!("msg_{:032x}", part_id(send.known_as, send.part_no).as_u128());
    let signed = signing::headers(&send.route.webhook_secrets, desk.secret, (&id, desk.now_s), &body)?;
    let mut headers = signed.to_vec();
    if let Some(place) = &send.route.legacy_secret {
        let secret = (desk.secret)(place).ok_or("legacy_secret_unreadable")?;
        headers.push(("x-hub-signature-256", legacy(secret.expose_secret().as_bytes(), &body)));
    }
    Ok(Call { url, headers, body })
}

/// Genesys Cloud's own signature: base64, where Meta's header of the same name has hex (Genesys
/// Developer Center, "Validate webhook notifications").
fn legacy(key: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(body);
    format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn body(send: &Send, said: &Content, outward_id: &str) -> Value {
    let is_bot = matches!(send.sender, SenderKind::Bot | SenderKind::System);
    let mut body = Map::new();
    body.insert("id".into(), outward_id.into());
    body.insert("channel".into(), channel(send, outward_id));
    let content = content(said);
    body.insert("type".into(), if content.is_empty() { "Text" } else { "Structured" }.into());
    if let Some(text) = said.text.as_ref().filter(|text| !text.is_empty()) {
        body.insert("text".into(), text.clone().into());
    }
    if !content.is_empty() {
        body.insert("content".into(), content.into());
    }
    body.insert("originatingEntity".into(), if is_bot { "Bot" } else { "Human" }.into());
    body.insert("direction".into(), "Outbound".into());
    Value::Object(body)
}

fn channel(send: &Send, outward_id: &str) -> Value {
    let integration = &send.route.provider_account_id;
    json!({
        "id": integration,
        "platform": "Open",
        "type": "Private",
        "messageId": outward_id,
        "to": { "id": send.customer.id },
        "from": { "nickname": send.route.name, "id": integration, "idType": "Opaque" },
        "time": Timestamp::from_ms(send.occurred_at).to_string(),
    })
}

/// Everything but the text, item by item.
fn content(said: &Content) -> Vec<Value> {
    if matches!(said.content_kind, ContentKind::Card | ContentKind::Carousel) {
        let cards: Vec<Value> = rendering::cards(said).iter().map(card).collect();
        let shown = match cards.as_slice() {
            [only] => json!({ "contentType": "Card", "card": only }),
            _ => json!({ "contentType": "Carousel", "carousel": { "cards": cards } }),
        };
        let of_message = said.choices.iter().filter(|choice| !rendering::is_of_card(said, choice)).collect();
        return std::iter::once(shown).chain(choices(said.content_kind, of_message)).collect();
    }
    let template = (said.content_kind == ContentKind::Template).then(|| notification(said));
    let attachments = said.attachments.iter().map(|one| if is_place(one) { place(one) } else { attachment(one) });
    let choices = choices(said.content_kind, said.choices.iter().collect());
    template.into_iter().chain(attachments).chain(choices).collect()
}

/// Answers are quick replies; with second lines or headings, a list to pick from.
fn choices(kind: ContentKind, choices: Vec<&Choice>) -> Vec<Value> {
    let is_list = |choice: &&Choice| choice.description.is_some() || choice.section.is_some();
    let (links, answers): (Vec<&Choice>, Vec<&Choice>) = choices.iter().partition(|choice| choice.url.is_some());
    if answers.is_empty() || !(kind == ContentKind::List || answers.iter().any(is_list)) {
        return choices.into_iter().map(choice).collect();
    }
    let section = |rows: &[&Choice]| {
        let items: Vec<Value> = rows.iter().map(|row| item(row)).collect();
        json!({ "title": rows.first().and_then(|row| row.section.clone()).unwrap_or_default(), "items": items })
    };
    let sections: Vec<Value> = answers.chunk_by(|one, next| one.section == next.section).map(section).collect();
    let picker = json!({ "contentType": "ListPicker", "listPicker": { "sections": sections } });
    std::iter::once(picker).chain(links.into_iter().map(choice)).collect()
}

fn item(choice: &Choice) -> Value {
    let mut item = Map::new();
    item.insert("id".into(), choice.payload.as_ref().unwrap_or(&choice.title).clone().into());
    item.insert("title".into(), choice.title.clone().into());
    if let Some(description) = &choice.description {
        item.insert("subtitle".into(), description.clone().into());
    }
    Value::Object(item)
}

/// An answer is a quick reply; a link is a card of one action.
fn choice(choice: &Choice) -> Value {
    if choice.url.is_some() {
        let mut card =
            json!({ "title": choice.title, "actions": [action(&Choice { description: None, ..choice.clone() })] });
        if let Some(description) = &choice.description {
            card["description"] = description.clone().into();
        }
        return json!({ "contentType": "Card", "card": card });
    }
    let payload = choice.payload.as_ref().unwrap_or(&choice.title);
    json!({ "contentType": "QuickReply",
        "quickReply": { "text": choice.title, "payload": payload, "action": "Message" } })
}

/// A button of a card, which has one line alone.
fn action(choice: &Choice) -> Value {
    let text = match &choice.description {
        Some(description) => format!("{} – {description}", choice.title),
        None => choice.title.clone(),
    };
    match &choice.url {
        Some(url) => json!({ "type": "Link", "text": text, "url": url }),
        None => {
            let payload = choice.payload.as_ref().unwrap_or(&choice.title);
            json!({ "type": "Postback", "text": text, "payload": payload })
        }
    }
}

fn card(card: &Card) -> Value {
    let mut shown = Map::new();
    shown.insert("title".into(), card.title.clone().into());
    if let Some(description) = &card.description {
        shown.insert("description".into(), description.clone().into());
    }
    if let Some(image) = &card.image {
        shown.insert("image".into(), image.clone().into());
    }
    shown.insert("actions".into(), card.buttons.iter().map(action).collect());
    Value::Object(shown)
}

fn notification(said: &Content) -> Value {
    json!({ "contentType": "Notification", "notification": said.provider_fields })
}

fn is_place(attachment: &Attachment) -> bool {
    attachment.latitude.is_some() && attachment.longitude.is_some()
}

fn place(attachment: &Attachment) -> Value {
    let mut place = Map::new();
    place.insert("latitude".into(), attachment.latitude.into());
    place.insert("longitude".into(), attachment.longitude.into());
    for (name, value) in [("text", &attachment.title), ("address", &attachment.caption), ("url", &attachment.url)] {
        if let Some(value) = value {
            place.insert(name.into(), value.clone().into());
        }
    }
    json!({ "contentType": "Location", "location": place })
}

fn attachment(attachment: &Attachment) -> Value {
    let media_type = match attachment.attachment_type.as_str() {
        "image" | "sticker" => "Image",
        "audio" => "Audio",
        "video" => "Video",
        _ => "File",
    };
    let words = [&attachment.title, &attachment.caption].into_iter().flatten().cloned().collect::<Vec<_>>().join("\n");
    let words = Some(words).filter(|words| !words.is_empty());
    let mut part = Map::new();
    part.insert("mediaType".into(), media_type.into());
    let fields = [
        ("url", &attachment.url),
        ("mime", &attachment.mime),
        ("filename", &attachment.file_name),
        ("text", &words),
        ("sha256", &attachment.sha256),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            part.insert(name.into(), value.clone().into());
        }
    }
    json!({ "contentType": "Attachment", "attachment": part })
}

/// What an answer says: any success is an acceptance, and there is no provider's id.
pub fn answer(answer: &HttpAnswer) -> Outcome {
    if (200..300).contains(&answer.status) {
        return Outcome::Accepted { provider_message_id: None, rest_ms: 0 };
    }
    let text = String::from_utf8_lossy(&answer.body);
    let detail: String = text.chars().take(DETAIL_CHARS_MAX).collect();
    Outcome::Answered(Answer {
        status: answer.status,
        detail: (!detail.is_empty()).then_some(detail),
        retry_after_ms: answer.retry_after_ms,
        ..Answer::default()
    })
}

#[cfg(test)]
mod tests;
