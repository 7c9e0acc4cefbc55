//! Webhook bodies of X direct messages (X, "Account Activity data objects"), signed with the consumer
//! secret over the raw bytes.

use anyhow::bail;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Customer, Reply, Webhook};

pub(super) fn message(customer: &Customer, no: u32, at_ms: i64, text: &str) -> anyhow::Result<(String, Webhook)> {
    let id = format!("{at_ms}{no:04}");
    let us = customer.provider_account();
    let webhook = posted(customer, "direct_message_events", created(&id, at_ms, (&customer.id, &us), text))?;
    Ok((id, webhook))
}

pub(super) fn receipt(customer: &Customer, reply: &Reply, status: &str, at_ms: i64) -> anyhow::Result<Webhook> {
    let us = customer.provider_account();
    match status {
        "echo" => {
            let sent = created(&reply.provider_id, at_ms, (&us, &customer.id), &reply.text);
            posted(customer, "direct_message_events", sent)
        }
        "read" => {
            let mark = json!({"created_timestamp": at_ms.to_string(), "sender_id": customer.id,
                "target": {"recipient_id": us}, "last_read_event_id": reply.provider_id});
            posted(customer, "direct_message_mark_read_events", mark)
        }
        _ => bail!("X does not tell {status}"),
    }
}

fn created(id: &str, at_ms: i64, (from, to): (&str, &str), text: &str) -> Value {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let message = json!({"target": {"recipient_id": to}, "sender_id": from, "message_data": {"text": escaped}});
    json!({"type": "message_create", "id": id, "created_timestamp": at_ms.to_string(), "message_create": message})
}

fn posted(customer: &Customer, name: &str, item: Value) -> anyhow::Result<Webhook> {
    let users = json!({customer.id.as_str(): {"id": customer.id, "name": customer.name, "screen_name": "somebody"}});
    let body = json!({"for_user_id": customer.provider_account(), name: [item], "users": users});
    let body = body.to_string().into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(customer.company.x_secret.as_bytes())?;
    mac.update(&body);
    let signature = format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes()));
    Ok(Webhook {
        path: format!("/webhooks/x/{}", customer.company.x_endpoint),
        headers: vec![("content-type", "application/json".into()), ("x-twitter-webhooks-signature", signature)],
        body,
    })
}
