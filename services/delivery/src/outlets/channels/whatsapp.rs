//! WhatsApp Cloud API, `POST /{phone number id}/messages`: text, and media by link.

use schemas::records::Attachment;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Call, Desk, HttpAnswer};
use crate::core::effect::Send;
use crate::core::event::{Answer, Outcome};

const API_URL: &str = "https://graph.facebook.com/v25.0";

/// The request of a send.
///
/// # Errors
/// What the account's configuration lacks.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    let token = send.route.access_token.as_ref().ok_or("no_access_token")?;
    let token = (desk.secret)(token).ok_or("access_token_unreadable")?;
    let base = send.route.api_url.as_deref().unwrap_or(API_URL).trim_end_matches('/');
    Ok(Call {
        url: format!("{base}/{}/messages", send.route.provider_account_id),
        headers: vec![("authorization", format!("Bearer {}", token.expose_secret()))],
        body: body(send, desk.outward_id).to_string().into_bytes(),
    })
}

fn body(send: &Send, outward_id: &str) -> Value {
    let mut body = Map::new();
    body.insert("messaging_product".into(), "whatsapp".into());
    body.insert("recipient_type".into(), "individual".into());
    let (field, id) = recipient(&send.customer.id);
    body.insert(field.into(), id.into());
    let (kind, part) = match send.content.attachments.first() {
        Some(attachment) => media(attachment, send.content.text.as_deref()),
        None => ("text", json!({ "body": send.content.text, "preview_url": false })),
    };
    body.insert("type".into(), kind.into());
    body.insert(kind.into(), part);
    if let Some(quoted) = &send.content.reply_to {
        body.insert("context".into(), json!({ "message_id": quoted }));
    }
    body.insert("biz_opaque_callback_data".into(), outward_id.into());
    Value::Object(body)
}

/// A phone number goes into `to`, a business-scoped user id (`CC.…`) into `recipient`.
fn recipient(id: &str) -> (&'static str, &str) {
    let digits = id.strip_prefix('+').unwrap_or(id);
    let is_phone = digits.bytes().all(|byte| byte.is_ascii_digit());
    (if is_phone { "to" } else { "recipient" }, id)
}

fn media(attachment: &Attachment, text: Option<&str>) -> (&'static str, Value) {
    let kind = match attachment.attachment_type.as_str() {
        "image" => "image",
        "audio" => "audio",
        "video" => "video",
        "sticker" => "sticker",
        _ => "document",
    };
    let mut part = Map::new();
    part.insert("link".into(), attachment.url.clone().into());
    let caption = text.or(attachment.caption.as_deref());
    if let Some(caption) = caption.filter(|_| !matches!(kind, "audio" | "sticker")) {
        part.insert("caption".into(), caption.into());
    }
    if let Some(name) = attachment.file_name.as_ref().filter(|_| kind == "document") {
        part.insert("filename".into(), name.clone().into());
    }
    (kind, Value::Object(part))
}

#[derive(Deserialize)]
struct Taken {
    messages: Vec<TakenMessage>,
}

#[derive(Deserialize)]
struct TakenMessage {
    id: String,
}

#[derive(Deserialize)]
struct Refused {
    error: RefusedError,
}

#[derive(Deserialize)]
struct RefusedError {
    code: i64,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    error_data: Option<ErrorData>,
}

#[derive(Deserialize)]
struct ErrorData {
    #[serde(default)]
    details: Option<String>,
}

/// What an answer says. A success without the message's id is not the API's own word.
pub fn answer(answer: &HttpAnswer) -> Outcome {
    if (200..300).contains(&answer.status) {
        let taken: Option<Taken> = serde_json::from_slice(&answer.body).ok();
        return match taken.and_then(|taken| taken.messages.into_iter().next()) {
            Some(message) => Outcome::Accepted { provider_message_id: Some(message.id) },
            None => Outcome::Unknown { reason: "answer_without_id" },
        };
    }
    let error = serde_json::from_slice::<Refused>(&answer.body).ok().map(|refused| refused.error);
    Outcome::Answered(Answer {
        status: answer.status,
        code: error.as_ref().map(|error| error.code),
        detail: error.and_then(|error| error.error_data.and_then(|data| data.details).or(error.message)),
        retry_after_ms: answer.retry_after_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Route, SecretPlace};
    use crate::outlets::channels::support::{body, send, with_media};
    use schemas::records::Channel;
    use secrecy::SecretString;

    fn route() -> Route {
        Route {
            provider_account_id: "106540352242922".into(),
            access_token: Some(SecretPlace::Env("TOKEN".into())),
            ..Route::default()
        }
    }

    fn call(send: &Send) -> Call {
        let secret = |_: &SecretPlace| Some(SecretString::from("EAAB"));
        request(send, &Desk { outward_id: "k.m.mac", now_s: 0, secret: &secret }).unwrap()
    }

    #[test]
    fn a_text_is_posted_to_the_number_with_our_id() {
        let call = call(&send(Channel::Whatsapp, route()));
        assert_eq!(call.url, "https://graph.facebook.com/v25.0/106540352242922/messages");
        assert_eq!(call.headers, [("authorization", "Bearer EAAB".to_owned())]);
        assert_eq!(
            body(&call),
            json!({"messaging_product":"whatsapp","recipient_type":"individual","to":"16505551234","type":"text",
                   "text":{"body":"Hello Ada","preview_url":false},"biz_opaque_callback_data":"k.m.mac"})
        );
    }

    #[test]
    fn media_goes_by_link_with_what_its_kind_can_carry() {
        let text = send(Channel::Whatsapp, route());
        let document = body(&call(&with_media(&text, "file")));
        let link = "https://files.example/a.pdf";
        assert_eq!(document["document"], json!({"link": link, "caption": "Hello Ada", "filename": "a.pdf"}));
        let image = body(&call(&with_media(&text, "image")));
        assert_eq!(image["image"], json!({"link": link, "caption": "Hello Ada"}));
        assert_eq!(body(&call(&with_media(&text, "audio")))["audio"], json!({"link": link}));
    }

    #[test]
    fn a_user_without_a_number_is_the_recipient() {
        let mut hidden = send(Channel::Whatsapp, route());
        hidden.customer.id = "US.13491208655302741918".into();
        let body = body(&call(&hidden));
        assert_eq!((&body["recipient"], &body["to"]), (&json!("US.13491208655302741918"), &Value::Null));
    }

    #[test]
    fn answers_are_read() {
        let answer = |status, body: &str| answer(&HttpAnswer { status, retry_after_ms: None, body: body.into() });
        let taken = r#"{"messaging_product":"whatsapp","contacts":[{"input":"1","wa_id":"1"}],
            "messages":[{"id":"wamid.1","message_status":"accepted"}]}"#;
        assert_eq!(answer(200, taken), Outcome::Accepted { provider_message_id: Some("wamid.1".into()) });
        assert_eq!(answer(200, "<html>"), Outcome::Unknown { reason: "answer_without_id" });
        let refused = r#"{"error":{"message":"(#131026) undeliverable","type":"OAuthException","code":131026,
            "error_data":{"messaging_product":"whatsapp","details":"unable to deliver"},"fbtrace_id":"A"}}"#;
        let expected =
            Answer { status: 400, code: Some(131_026), detail: Some("unable to deliver".into()), retry_after_ms: None };
        assert_eq!(answer(400, refused), Outcome::Answered(expected));
        assert_eq!(answer(502, "bad gateway"), Outcome::Answered(Answer { status: 502, ..Answer::default() }));
    }

    #[test]
    fn an_account_without_a_readable_token_is_not_configured() {
        let none = |_: &SecretPlace| None;
        let desk = Desk { outward_id: "k.m.mac", now_s: 0, secret: &none };
        assert_eq!(request(&send(Channel::Whatsapp, Route::default()), &desk), Err("no_access_token"));
        assert_eq!(request(&send(Channel::Whatsapp, route()), &desk), Err("access_token_unreadable"));
    }
}
