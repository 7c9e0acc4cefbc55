//! What Messenger and Instagram have in common: the message of the Send API, and its answers.

use schemas::records::{Choice, Signal};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{Desk, HttpAnswer};
use crate::core::effect::Send;
use crate::core::event::{Answer, Outcome};
use crate::core::rendering::{Card, Part};
use crate::core::rules::window::Right;

/// Hosts of what people send (Messenger and Instagram platforms, attachments: addresses of Meta's CDNs).
pub(super) const MEDIA_HOSTS: &[&str] = &["*.fbcdn.net", "*.fbsbx.com", "*.cdninstagram.com"];

/// The body of a send.
///
/// # Errors
/// If the channel cannot show the part, which its rendering never makes.
pub(super) fn body(send: &Send, desk: &Desk<'_>) -> Result<Value, &'static str> {
    let mut body = Map::new();
    body.insert("recipient".into(), json!({ "id": send.customer.id }));
    if let Part::Signal(told) = &send.part {
        body.extend(action(told));
        return Ok(Value::Object(body));
    }
    match desk.right {
        Right::Free => body.insert("messaging_type".into(), "RESPONSE".into()),
        Right::Person => {
            body.insert("messaging_type".into(), "MESSAGE_TAG".into());
            body.insert("tag".into(), "HUMAN_AGENT".into())
        }
    };
    body.insert("message".into(), Value::Object(message(&send.part)?));
    Ok(Value::Object(body))
}

/// A sender action, which stands alone (Messenger Platform, "Sender Actions").
fn action(told: &Signal) -> Map<String, Value> {
    let (word, payload) = match (told.signal.as_str(), &told.emoji) {
        ("typing", _) => ("typing_on", Value::Null),
        ("read", _) => ("mark_seen", Value::Null),
        (_, Some(emoji)) => ("react", json!({ "message_id": told.provider_message_id, "reaction": emoji })),
        (_, None) => ("unreact", json!({ "message_id": told.provider_message_id })),
    };
    let fields = [("sender_action", Value::from(word)), ("payload", payload)];
    fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

fn message(part: &Part) -> Result<Map<String, Value>, &'static str> {
    let message = match part {
        Part::Text(text) => json!({ "text": text }),
        Part::QuickReplies { text, choices } => {
            json!({ "text": text, "quick_replies": choices.iter().map(quick_reply).collect::<Vec<_>>() })
        }
        Part::Buttons { text, choices } => {
            let buttons: Vec<Value> = choices.iter().map(button).collect();
            template(json!({ "template_type": "button", "text": text, "buttons": buttons }))
        }
        Part::Cards(cards) => {
            let elements: Vec<Value> = cards.iter().map(element).collect();
            template(json!({ "template_type": "generic", "elements": elements }))
        }
        Part::Media(media) => json!({ "attachment": { "type": media.kind, "payload": { "url": media.link } } }),
        Part::List { .. }
        | Part::Location(_)
        | Part::Template(_)
        | Part::Whole(_)
        | Part::Notice(_)
        | Part::Signal(_) => return Err("not_rendered"),
    };
    let Value::Object(message) = message else { return Err("not_rendered") };
    Ok(message)
}

fn template(payload: Value) -> Value {
    json!({ "attachment": { "type": "template", "payload": payload } })
}

fn quick_reply(choice: &Choice) -> Value {
    json!({ "content_type": "text", "title": choice.title, "payload": payload(choice) })
}

fn payload(choice: &Choice) -> &str {
    choice.payload.as_deref().unwrap_or(&choice.title)
}

fn button(choice: &Choice) -> Value {
    match &choice.url {
        Some(url) => json!({ "type": "web_url", "url": url, "title": choice.title }),
        None => json!({ "type": "postback", "title": choice.title, "payload": payload(choice) }),
    }
}

fn element(card: &Card) -> Value {
    let mut element = Map::new();
    element.insert("title".into(), card.title.clone().into());
    if let Some(description) = &card.description {
        element.insert("subtitle".into(), description.clone().into());
    }
    if let Some(image) = &card.image {
        element.insert("image_url".into(), image.clone().into());
    }
    if !card.buttons.is_empty() {
        element.insert("buttons".into(), card.buttons.iter().map(button).collect());
    }
    Value::Object(element)
}

#[derive(Deserialize)]
struct Taken {
    message_id: String,
}

#[derive(Deserialize)]
struct Refused {
    error: RefusedError,
}

#[derive(Deserialize)]
struct RefusedError {
    #[serde(default, deserialize_with = "code")]
    code: Option<i64>,
    #[serde(default, deserialize_with = "code")]
    error_subcode: Option<i64>,
    #[serde(default)]
    message: Option<String>,
}

/// A code of the Graph API: a number, also when it is written as text.
pub(super) fn code<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let code = Value::deserialize(from)?;
    Ok(code.as_i64().or_else(|| code.as_str()?.parse().ok()))
}

/// What an answer says. A success without the message's id is not the API's own word.
pub(super) fn answer(answer: &HttpAnswer) -> Outcome {
    if (200..300).contains(&answer.status) {
        let taken: Option<Taken> = serde_json::from_slice(&answer.body).ok();
        return match taken {
            Some(taken) => Outcome::Accepted { provider_message_id: Some(taken.message_id), rest_ms: 0 },
            None => Outcome::Unknown { reason: "answer_without_id" },
        };
    }
    let error = serde_json::from_slice::<Refused>(&answer.body).ok().map(|refused| refused.error);
    Outcome::Answered(Answer {
        status: answer.status,
        code: error.as_ref().and_then(|error| error.code),
        subcode: error.as_ref().and_then(|error| error.error_subcode),
        detail: error.and_then(|error| error.message),
        retry_after_ms: answer.retry_after_ms,
        ..Answer::default()
    })
}
