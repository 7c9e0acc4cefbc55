//! Open-messaging bodies as an integration posts them (shapes of the Genesys-compatible API in
//! contract §4), with the integration's bearer token.

use serde_json::{Value, json};
use stream::Timestamp;

use super::{Customer, Reply, Webhook};

pub(super) fn message(customer: &Customer, no: u32, at_ms: i64, text: &str) -> (String, Webhook) {
    let id = format!("{}.{at_ms}.{no}", customer.id);
    let mut channel = channel(customer, at_ms);
    channel["messageId"] = json!(id);
    let body = json!({"channel": channel, "direction": "Inbound", "type": "Text", "text": text});
    let webhook = posted(customer, "message", &body);
    (id, webhook)
}

pub(super) fn receipt(customer: &Customer, reply: &Reply, status: &str, at_ms: i64) -> Webhook {
    let mut word = status.to_owned();
    word[..1].make_ascii_uppercase();
    let id = reply.tracker.as_ref().unwrap_or(&reply.provider_id);
    let body =
        json!({"id": id, "status": word, "isFinalReceipt": status == "read", "channel": channel(customer, at_ms)});
    posted(customer, "receipt", &body)
}

pub(super) fn left(customer: &Customer, at_ms: i64) -> Webhook {
    let mut channel = channel(customer, at_ms);
    channel["messageId"] = json!(format!("{}.{at_ms}.left", customer.id));
    let gone = json!({"eventType": "Presence", "presence": {"type": "Disconnect"}});
    posted(customer, "event", &json!({"channel": channel, "events": [gone]}))
}

fn channel(customer: &Customer, at_ms: i64) -> Value {
    json!({
        "to": {"id": customer.provider_account()},
        "from": {"id": customer.id, "idType": "Opaque", "nickname": customer.name},
        "time": Timestamp::from_ms(at_ms).to_string(),
    })
}

fn posted(customer: &Customer, what: &str, body: &Value) -> Webhook {
    let integration = customer.provider_account();
    Webhook {
        path: format!("/api/v2/conversations/messages/{integration}/inbound/open/{what}"),
        headers: vec![
            ("content-type", "application/json".into()),
            ("authorization", format!("Bearer {}", customer.client_token)),
        ],
        body: body.to_string().into_bytes(),
    }
}
