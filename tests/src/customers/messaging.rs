//! Webhook bodies of Messenger and Instagram (Meta, "Messenger Platform webhooks", v25.0), signed
//! with the app's secret over the raw bytes.

use anyhow::bail;
use serde_json::{Value, json};

use super::{Customer, Reply, Webhook, whatsapp};
use crate::company::Account;

pub(super) fn message(customer: &Customer, no: u32, at_ms: i64, text: &str) -> anyhow::Result<(String, Webhook)> {
    let id = format!("m_{}_{at_ms}_{no}", customer.id);
    let webhook = from_person(customer, at_ms, "message", json!({"mid": id, "text": text}))?;
    Ok((id, webhook))
}

pub(super) fn receipt(customer: &Customer, reply: &Reply, status: &str, at_ms: i64) -> anyhow::Result<Webhook> {
    let id = &reply.provider_id;
    match (status, customer.account) {
        ("echo", _) => {
            let mut message = json!({"mid": id, "is_echo": true, "text": reply.text});
            if let Some(tracker) = &reply.tracker {
                message["metadata"] = json!(tracker);
            }
            let ids = (customer.provider_account(), customer.id.clone());
            posted(customer, at_ms, ids, ("message", message))
        }
        ("delivered", Account::Page) => {
            from_person(customer, at_ms, "delivery", json!({"mids": [id], "watermark": at_ms}))
        }
        ("read", Account::Page) => from_person(customer, at_ms, "read", json!({"watermark": at_ms})),
        ("read", _) => from_person(customer, at_ms, "read", json!({"mid": id})),
        _ => bail!("{} does not tell {status}", customer.account.provider()),
    }
}

fn from_person(customer: &Customer, at_ms: i64, name: &str, value: Value) -> anyhow::Result<Webhook> {
    posted(customer, at_ms, (customer.id.clone(), customer.provider_account()), (name, value))
}

fn posted(
    customer: &Customer,
    at_ms: i64,
    (from, to): (String, String),
    (name, value): (&str, Value),
) -> anyhow::Result<Webhook> {
    let object = if customer.account == Account::Gallery { "instagram" } else { "page" };
    let item = json!({"sender": {"id": from}, "recipient": {"id": to}, "timestamp": at_ms, name: value});
    let entry = json!({"id": customer.provider_account(), "time": at_ms, "messaging": [item]});
    let body = json!({"object": object, "entry": [entry]});
    whatsapp::signed(&customer.company, body.to_string().into_bytes())
}
