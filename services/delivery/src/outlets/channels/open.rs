//! Open messaging (D6): the normalized message of Genesys Cloud's open messaging, posted to the
//! account's webhook and signed as Standard Webhooks 1.0.0 says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use schemas::records::{Attachment, SenderKind};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use stream::Timestamp;

use super::{Call, Desk, HttpAnswer};
use crate::core::effect::Send;
use crate::core::event::{Answer, Outcome, SecretPlace};

/// What of a refusal's body is kept.
const DETAIL_CHARS_MAX: usize = 300;

/// The request of a send; the same message has the same `webhook-id` at each attempt.
///
/// # Errors
/// What the account's configuration lacks.
pub fn request(send: &Send, desk: &Desk<'_>) -> Result<Call, &'static str> {
    let url = send.route.webhook_url.clone().ok_or("no_webhook_url")?;
    let body = body(send, desk.outward_id).to_string().into_bytes();
    let id = format!("msg_{:032x}", send.message_id.as_u128());
    let keys = send.route.webhook_secrets.iter().map(|place| key(desk, place)).collect::<Result<Vec<_>, _>>()?;
    if keys.is_empty() {
        return Err("no_webhook_secret");
    }
    let signatures: Vec<String> = keys.iter().map(|key| signature(key, &id, desk.now_s, &body)).collect();
    let headers = vec![
        ("webhook-id", id),
        ("webhook-timestamp", desk.now_s.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ];
    Ok(Call { url, headers, body })
}

fn key(desk: &Desk<'_>, place: &SecretPlace) -> Result<Vec<u8>, &'static str> {
    let secret = (desk.secret)(place).ok_or("webhook_secret_unreadable")?;
    let text = secret.expose_secret();
    STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| "webhook_secret_not_base64")
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
fn signature(key: &[u8], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp_s}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn body(send: &Send, outward_id: &str) -> Value {
    let is_bot = matches!(send.sender, SenderKind::Bot | SenderKind::System);
    let mut body = Map::new();
    body.insert("id".into(), outward_id.into());
    body.insert("channel".into(), channel(send, outward_id));
    let has_content = !send.content.attachments.is_empty();
    body.insert("type".into(), if has_content { "Structured" } else { "Text" }.into());
    if let Some(text) = &send.content.text {
        body.insert("text".into(), text.clone().into());
    }
    if has_content {
        let content: Vec<Value> = send.content.attachments.iter().map(attachment).collect();
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

fn attachment(attachment: &Attachment) -> Value {
    let media_type = match attachment.attachment_type.as_str() {
        "image" | "sticker" => "Image",
        "audio" => "Audio",
        "video" => "Video",
        _ => "File",
    };
    let mut part = Map::new();
    part.insert("mediaType".into(), media_type.into());
    let fields = [
        ("url", &attachment.url),
        ("mime", &attachment.mime),
        ("filename", &attachment.file_name),
        ("text", &attachment.caption),
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
        return Outcome::Accepted { provider_message_id: None };
    }
    let text = String::from_utf8_lossy(&answer.body);
    let detail: String = text.chars().take(DETAIL_CHARS_MAX).collect();
    Outcome::Answered(Answer {
        status: answer.status,
        code: None,
        detail: (!detail.is_empty()).then_some(detail),
        retry_after_ms: answer.retry_after_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Route;
    use crate::outlets::channels::support::{body, send, with_media};
    use schemas::records::Channel;
    use secrecy::SecretString;

    fn route(secrets: &[&str]) -> Route {
        Route {
            name: "Shop".into(),
            provider_account_id: "shop".into(),
            webhook_url: Some("https://shop.example/hook".into()),
            webhook_secrets: secrets.iter().map(|name| SecretPlace::Env((*name).into())).collect(),
            ..Route::default()
        }
    }

    fn call(send: &Send) -> Result<Call, &'static str> {
        let secret = |place: &SecretPlace| match place {
            SecretPlace::Env(text) => Some(SecretString::from(text.clone())),
            SecretPlace::File(_) => None,
        };
        request(send, &Desk { outward_id: "k.m.mac", now_s: 1_614_265_330, secret: &secret })
    }

    #[test]
    fn a_signature_is_that_of_the_standards_own_example() {
        // Standard Webhooks, spec/standard-webhooks.md and its libraries' tests
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn every_live_secret_signs() {
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
        let call = call(&send(Channel::Open, route(&secrets))).unwrap();
        let signatures: Vec<&str> = call.headers[2].1.split(' ').collect();
        assert_eq!(signatures.len(), 2);
        assert_ne!(signatures[0], signatures[1]);
        assert!(!call.headers[0].1.contains('.'), "a full stop ends the id in what is signed");
    }

    #[test]
    fn the_body_is_a_normalized_message() {
        let call = call(&send(Channel::Open, route(&["whsec_AAAA"]))).unwrap();
        assert_eq!(
            body(&call),
            json!({"id":"k.m.mac","channel":{"id":"shop","platform":"Open","type":"Private","messageId":"k.m.mac",
                   "to":{"id":"16505551234"},"from":{"nickname":"Shop","id":"shop","idType":"Opaque"},
                   "time":"2026-01-02T03:04:05.678Z"},
                   "type":"Text","text":"Hello Ada","originatingEntity":"Human","direction":"Outbound"})
        );
    }

    #[test]
    fn media_is_an_attachment() {
        let call = call(&with_media(&send(Channel::Open, route(&["whsec_AAAA"])), "file")).unwrap();
        let expected = json!([{"contentType":"Attachment","attachment":{"mediaType":"File",
            "url":"https://files.example/a.pdf","mime":"application/pdf","filename":"a.pdf"}}]);
        assert_eq!((&body(&call)["type"], &body(&call)["content"]), (&json!("Structured"), &expected));
    }

    #[test]
    fn an_account_that_cannot_sign_is_not_configured() {
        let nowhere = Route { webhook_url: None, ..route(&["whsec_AAAA"]) };
        for (route, reason) in [
            (nowhere, "no_webhook_url"),
            (route(&[]), "no_webhook_secret"),
            (route(&["whsec_%%%"]), "webhook_secret_not_base64"),
        ] {
            assert_eq!(call(&send(Channel::Open, route)), Err(reason));
        }
    }
}
