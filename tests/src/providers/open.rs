//! A company's own server behind an open-messaging account: takes the webhook only if its signature
//! is right (Standard Webhooks 1.0.0), its time is near and its body is a normalized message.

mod events;
mod items;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use serde_json::{Value, json};
use stream::clock;
use tokio::task::JoinHandle;

use super::shape::{Problem, Shape};
use super::stand::stand;
use super::statuses::{self, Post, Statuses};
use super::{Details, Platform, Verdict, locked, signed};

/// Who may post, and where receipts go.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Secrets by integration id, `whsec_…`; any may have signed.
    pub integrations: BTreeMap<String, Vec<String>>,
    /// Base address of ingest; none: no receipts.
    pub ingest_url: Option<String>,
    /// Bearer token for ingest.
    pub token: String,
}

stand! {
    /// The simulated server.
    OpenReceiver: Shop
}

#[derive(Default)]
struct Memory {
    /// Where the platform is reached.
    address: String,
    statuses: Statuses,
    /// Bodies by webhook id.
    taken: BTreeMap<String, Vec<u8>>,
    /// Webhook ids by the id and time in the body.
    messages: BTreeMap<(String, String), String>,
}

impl OpenReceiver {
    /// What an account's `webhook_url` must be.
    pub fn webhook_url(&self, integration: &str) -> String {
        format!("{}/webhooks/{integration}", locked(&self.counter.platform.memory).address)
    }
}

impl Platform for Shop {
    const ROUTE: &'static str = "/webhooks/{account}";

    fn judge(&self, account: &str, headers: &HeaderMap, body: &[u8], takes: bool) -> Verdict {
        let parsed: Option<Value> = serde_json::from_slice(body).ok();
        let mut seen = Details { body: parsed.clone().unwrap_or_default(), ..Details::default() };
        let id = match self.admit(account, headers, body) {
            Ok(id) => id,
            Err((status, problem)) => return refusal(status, problem, seen),
        };
        seen.id = Some(id.clone());
        let message = parsed.ok_or("expected JSON".to_owned()).and_then(|body| check(&body, account));
        let message = match message {
            Ok(message) => message,
            Err(problem) => return refusal(400, problem, seen),
        };
        let key = (message.id.clone(), message.time);
        (seen.to, seen.tracker, seen.text) = (Some(message.to), Some(message.id), message.text);
        let mut memory = locked(&self.memory);
        match memory.taken.get(&id) {
            Some(before) if before == body => seen.repeat = true,
            Some(_) => return refusal(409, "the same webhook-id with another body".into(), seen),
            None if memory.messages.contains_key(&key) => {
                return refusal(409, "the same message with another webhook-id".into(), seen);
            }
            None if takes => {
                memory.taken.insert(id.clone(), body.to_vec());
                memory.messages.insert(key, id);
            }
            None => {}
        }
        Verdict { status: 200, answer: Value::Null, seen, ..Verdict::default() }
    }

    fn taken(self: &Arc<Self>, account: &str, seen: &Details) -> Option<JoinHandle<()>> {
        if seen.body["type"] == "Event" {
            return None;
        }
        let (base, id, to) = (self.settings.ingest_url.clone()?, seen.tracker.clone()?, seen.to.clone()?);
        let url = format!("{base}/api/v2/conversations/messages/{account}/inbound/open/receipt");
        let statuses = locked(&self.memory).statuses.clone();
        let token = self.settings.token.clone();
        Some(statuses::tell(self.http.clone(), statuses, move |status| {
            let mut name = status.to_owned();
            name[..1].make_ascii_uppercase();
            let body = json!({
                "id": id,
                "channel": {"to": {"id": to}, "time": clock::now().to_string()},
                "status": name,
                "isFinalReceipt": status == "read" || status == "failed",
            });
            let headers =
                vec![("content-type", "application/json".into()), ("authorization", format!("Bearer {token}"))];
            Post { url: url.clone(), headers, body: body.to_string().into_bytes() }
        }))
    }

    fn locked_out(&self) -> (u16, Value) {
        (401, json!({"error": "unauthorized"}))
    }

    fn throttled(&self) -> Value {
        Value::Null
    }
}

fn refusal(status: u16, problem: Problem, seen: Details) -> Verdict {
    let answer = json!({"error": problem});
    Verdict { status, answer, seen: Details { problem: Some(problem), ..seen }, ..Verdict::default() }
}

impl Shop {
    /// The webhook's id, if it is signed by one who may.
    fn admit(&self, account: &str, headers: &HeaderMap, body: &[u8]) -> Result<String, (u16, Problem)> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let secrets = self.settings.integrations.get(account).ok_or((404, format!("no integration {account}")))?;
        let id = signed::admitted(headers, body, secrets).map_err(|problem| (401, problem))?;
        if header("content-type").split(';').next() != Some("application/json") {
            return Err((415, "expected content type application/json".into()));
        }
        Ok(id)
    }
}

struct Message {
    id: String,
    time: String,
    to: String,
    text: Option<String>,
}

fn check(body: &Value, account: &str) -> Result<Message, Problem> {
    let mut shape = Shape::of(body, "")?;
    let id = shape.needed("id")?.to_owned();
    let (to, time) = channel(shape.inner("channel")?, account)?;
    shape.one_of("direction", &["Outbound"])?;
    let kind = shape.one_of("type", &["Text", "Structured", "Event"])?;
    if kind == "Event" {
        let events = shape.get("events").and_then(Value::as_array).ok_or("events: expected an array")?;
        events::check(events)?;
        shape.end()?;
        return Ok(Message { id, time, to, text: None });
    }
    shape.one_of("originatingEntity", &["Human", "Bot"])?;
    let text = shape.text("text")?.map(str::to_owned);
    if kind == "Text" {
        if text.is_none() {
            return Err("text: is required".into());
        }
    } else {
        let content = shape.get("content").and_then(Value::as_array).ok_or("content: expected an array")?;
        items::check(content)?;
    }
    shape.end()?;
    Ok(Message { id, time, to, text })
}

fn channel(mut shape: Shape<'_>, account: &str) -> Result<(String, String), Problem> {
    shape.one_of("id", &[account])?;
    shape.one_of("platform", &["Open"])?;
    shape.one_of("type", &["Private"])?;
    shape.needed("messageId")?;
    let time = shape.needed("time")?;
    let has_ms = time.len() == "2026-01-02T03:04:05.678Z".len() && time.ends_with('Z');
    if !has_ms || time.parse::<jiff::Timestamp>().is_err() {
        return Err("channel.time: expected ISO 8601 with milliseconds, UTC".into());
    }
    let mut to = shape.inner("to")?;
    let person = to.needed("id")?.to_owned();
    if to.get("idType").is_some() {
        to.one_of("idType", &["Email", "Phone", "Opaque"])?;
    }
    to.end()?;
    let mut from = shape.inner("from")?;
    from.one_of("id", &[account])?;
    from.one_of("idType", &["Opaque"])?;
    from.needed("nickname")?;
    from.end()?;
    shape.end()?;
    Ok((person, time.to_owned()))
}

#[cfg(test)]
mod tests;
