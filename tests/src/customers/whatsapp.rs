//! Webhook bodies as Meta's Cloud API posts them (reference: Meta, "WhatsApp Business Platform
//! webhooks", v25.0), signed with the app's secret over the raw bytes.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Customer, Reply, Webhook};
use crate::company::Company;

pub(super) fn message(customer: &Customer, no: u32, at_ms: i64, text: &str) -> anyhow::Result<(String, Webhook)> {
    said(customer, no, at_ms, ("text", json!({"body": text})))
}

pub(super) fn picture(
    customer: &Customer,
    no: u32,
    at_ms: i64,
    ((id, sha256), caption): ((&str, &str), &str),
) -> anyhow::Result<Webhook> {
    let image = json!({"id": id, "mime_type": "image/png", "sha256": sha256, "caption": caption});
    said(customer, no, at_ms, ("image", image)).map(|(_, webhook)| webhook)
}

fn said(customer: &Customer, no: u32, at_ms: i64, (kind, content): (&str, Value)) -> anyhow::Result<(String, Webhook)> {
    let id = format!("wamid.{}.{at_ms}.{no}", customer.id);
    let value = json!({
        "messaging_product": "whatsapp",
        "metadata": metadata(customer),
        "contacts": [{"profile": {"name": customer.name}, "wa_id": customer.id}],
        "messages": [{
            "from": customer.id,
            "id": id,
            "timestamp": (at_ms / 1000).to_string(),
            "type": kind,
            kind: content,
        }],
    });
    Ok((id, signed(&customer.company, body(&value))?))
}

pub(super) fn status(customer: &Customer, reply: &Reply, status: &str, at_ms: i64) -> anyhow::Result<Webhook> {
    let mut item = json!({
        "id": reply.provider_id,
        "status": status,
        "timestamp": (at_ms / 1000).to_string(),
        "recipient_id": customer.id,
        "pricing": {"billable": false, "pricing_model": "PMP", "category": "service", "type": "free_customer_service"},
    });
    if let Some(tracker) = &reply.tracker {
        item["biz_opaque_callback_data"] = json!(tracker);
    }
    let value = json!({"messaging_product": "whatsapp", "metadata": metadata(customer), "statuses": [item]});
    signed(&customer.company, body(&value))
}

pub(super) fn signed(company: &Company, body: Vec<u8>) -> anyhow::Result<Webhook> {
    let mut mac = Hmac::<Sha256>::new_from_slice(company.meta_secret.as_bytes())?;
    mac.update(&body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Webhook {
        path: format!("/webhooks/meta/{}", company.endpoint),
        headers: vec![("content-type", "application/json".into()), ("x-hub-signature-256", format!("sha256={hex}"))],
        body,
    })
}

fn metadata(customer: &Customer) -> Value {
    let number = customer.provider_account();
    json!({"display_phone_number": "15550001000", "phone_number_id": number})
}

fn body(value: &Value) -> Vec<u8> {
    let body = json!({
        "object": "whatsapp_business_account",
        "entry": [{"id": "102290129340398", "changes": [{"value": value, "field": "messages"}]}],
    });
    body.to_string().into_bytes()
}
