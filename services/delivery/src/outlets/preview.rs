//! What a normalized message becomes on a channel, without anything around it: for people who want
//! to see it before it is sent.

use schemas::ids::{AttemptId, CustomerKey, MessageId};
use schemas::records::{Channel, Content, Customer, SenderKind};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::channels::{self, Call, Desk};
use crate::core::effect::Send;
use crate::core::event::{AccountKey, Route, SecretPlace};
use crate::core::rendering;
use crate::core::rows::part_id;
use crate::core::rules::window::Right;

/// A message as it is given: its content, alone or under `content`, and to whom.
#[derive(Deserialize)]
struct Given {
    content: Option<Content>,
    to: Option<String>,
    reply_to: Option<String>,
}

/// The provider requests that a message becomes, in order: `part`, `parts`, `method`, `url`,
/// `headers`, `body`; secrets are stars. The titles that an answer by number means are
/// `offered_choices` of the last.
///
/// # Errors
/// That it cannot be read, or why it cannot be sent.
pub fn render_report(channel: Channel, bytes: &[u8]) -> Result<Vec<Value>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    check_fields(&value)?;
    let given: Given = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let content = match given.content {
        Some(content) => content,
        None => serde_json::from_value(value).map_err(|error| error.to_string())?,
    };
    let rendering = rendering::render(channel, &content).map_err(str::to_owned)?;
    let parts = rendering.parts.len();
    let to = given.to.unwrap_or_else(|| "16505551234".into());
    let quoted = content.reply_to.clone().or(given.reply_to);
    let mut shown = Vec::new();
    for (no, part) in (1..).zip(rendering.parts) {
        let send = send(channel, &to, (no, part), quoted.clone().filter(|_| no == 1));
        let mut report = requested(&send, parts)?;
        if usize::try_from(no) == Ok(parts) && !rendering.offered.is_empty() {
            report.insert("offered_choices".into(), rendering.offered.clone().into());
        }
        shown.push(Value::Object(report));
    }
    Ok(shown)
}

/// A field that nobody reads is a mistake of whoever wrote it.
fn check_fields(value: &Value) -> Result<(), String> {
    const KNOWN: [&str; 10] = [
        "content_kind",
        "text",
        "attachments",
        "choices",
        "payload",
        "reply_to",
        "referral",
        "provider_fields",
        "content",
        "to",
    ];
    let fields = value.as_object().ok_or("expected an object")?;
    match fields.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        Some(name) => Err(format!("unknown field {name}, expected one of {}", KNOWN.join(", "))),
        None => Ok(()),
    }
}

fn send(channel: Channel, to: &str, (part_no, part): (i64, rendering::Part), quotes: Option<String>) -> Send {
    let place = || Some(SecretPlace::Env(String::new()));
    Send {
        message_id: MessageId::derive(&["preview"]),
        known_as: MessageId::derive(&["preview"]),
        attempt_id: AttemptId::default(),
        attempt_no: part_no,
        channel,
        account: AccountKey { tenant: "tenant".into(), account: "account".into() },
        customer_key: CustomerKey::default(),
        customer: Customer { id: to.into(), ..Customer::default() },
        sender: SenderKind::Agent,
        part,
        part_no,
        quotes,
        occurred_at: 0,
        window_ends_at: None,
        expires_at: None,
        route: Route {
            name: "account".into(),
            provider_account_id: "ACCOUNT".into(),
            access_token: place(),
            webhook_url: Some("https://webhook.example".into()),
            webhook_secrets: place().into_iter().collect(),
            ..Route::default()
        },
    }
}

fn requested(send: &Send, parts: usize) -> Result<Map<String, Value>, String> {
    let secret = |_: &SecretPlace| Some(SecretString::from("whsec_"));
    let outward = format!("{:032x}", part_id(send.message_id, send.part_no).as_u128());
    let desk = Desk { outward_id: &outward, right: Right::Free, now_s: 0, secret: &secret };
    let Call { url, headers, body } = channels::request(send, &desk).map_err(str::to_owned)?;
    let shown = |(name, value): &(&str, String)| {
        let is_secret = ["authorization", "webhook-signature"].contains(name);
        ((*name).to_owned(), Value::from(if is_secret { "***" } else { value.as_str() }))
    };
    let body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let mut report = Map::new();
    report.insert("part".into(), send.part_no.into());
    report.insert("parts".into(), parts.into());
    report.insert("method".into(), "POST".into());
    report.insert("url".into(), url.into());
    report.insert("headers".into(), Value::Object(headers.iter().map(shown).collect()));
    report.insert("body".into(), body);
    Ok(report)
}

/// The part of `docs/channels.md` that is made from the tables: what each channel can do.
pub fn capability_table() -> String {
    let channels = [Channel::Whatsapp, Channel::Facebook, Channel::Instagram, Channel::Twitter, Channel::Open];
    crate::core::rules::capabilities::table(&channels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_message_is_shown_as_the_requests_it_becomes() {
        let given = json!({"text": "Which?", "choices": [{"title": "Red"}, {"title": "Blue"}]}).to_string();
        let shown = render_report(Channel::Facebook, given.as_bytes()).unwrap();
        assert_eq!(shown.len(), 1);
        assert_eq!(shown[0]["url"], "https://graph.facebook.com/v25.0/ACCOUNT/messages");
        assert_eq!(shown[0]["headers"]["authorization"], "***");
        assert_eq!(shown[0]["body"]["message"]["quick_replies"][1]["title"], "Blue");
        assert_eq!(shown[0]["offered_choices"], json!(["Red", "Blue"]));
        let wrapped = json!({"to": "42", "content": {"text": "word ".repeat(500)}}).to_string();
        let shown = render_report(Channel::Facebook, wrapped.as_bytes()).unwrap();
        assert_eq!((shown.len(), &shown[1]["part"], &shown[1]["parts"]), (2, &json!(2), &json!(2)));
        assert_eq!(shown[0]["body"]["recipient"]["id"], "42");
    }

    #[test]
    fn what_cannot_be_sent_says_why() {
        for (given, expected) in [
            ("{", "EOF while parsing"),
            ("[]", "expected an object"),
            (r#"{"txt":"x"}"#, "unknown field txt"),
            (r#"{"text":" "}"#, "unsupported_content"),
        ] {
            let error = render_report(Channel::Twitter, given.as_bytes()).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
