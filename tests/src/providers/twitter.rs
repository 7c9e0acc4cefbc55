//! X direct messages, `POST /2/dm_conversations/with/{participant}/messages`, as strict as the real
//! one (X API v2, direct messages; `reference/channels.md` §5.4): text alone, by a user's token;
//! what was taken comes back by signed webhooks, as our own message or a read mark.

mod operators;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use stream::clock;
use tokio::task::JoinHandle;

use super::shape::{Problem, Shape};
use super::stand::stand;
use super::statuses::{self, Post, Statuses};
use super::{Details, Platform, Verdict, locked};

const WINDOW_S: i64 = 15 * 60;

/// Who may send from where.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The user that each token speaks for.
    pub tokens: BTreeMap<String, String>,
    /// Messages of one user in 15 minutes; 0: as many as they like.
    pub messages_max: i64,
    /// Signs the webhooks, and with the key asks in the app's name.
    pub consumer_secret: String,
    /// The app's key.
    pub consumer_key: String,
    /// The app's webhooks as operators are told of them.
    pub hooks: Vec<Hook>,
    /// Where webhooks go: the full address of ingest's X endpoint; none: no webhooks.
    pub webhook_url: Option<String>,
}

/// A webhook of an app.
#[derive(Debug, Clone, Default)]
pub struct Hook {
    /// Where it leads.
    pub url: String,
    /// Whether the last challenge was answered.
    pub is_valid: bool,
    /// Which events of which users it is sent.
    pub subscribed: Vec<(String, String)>,
}

stand! {
    /// The simulated platform.
    Twitter: Messages
}

#[derive(Default)]
struct Memory {
    /// Where the platform is reached.
    address: String,
    taken: u64,
    statuses: Statuses,
    closed: BTreeSet<String>,
    /// Messages of each user in the window of this number.
    used: BTreeMap<(String, i64), i64>,
}

impl Twitter {
    /// What an account's `api_url` must be.
    pub fn api_url(&self) -> String {
        locked(&self.counter.platform.memory).address.clone()
    }

    /// This person takes no messages from us.
    pub fn forget(&self, participant: &str) {
        locked(&self.counter.platform.memory).closed.insert(participant.to_owned());
    }
}

/// An error as the API writes it.
fn problem(status: u16, name: &str, detail: impl Into<String>, seen: Details) -> Verdict {
    let detail = detail.into();
    let answer = json!({"title": name, "detail": detail, "status": status,
        "type": format!("https://api.twitter.com/2/problems/{name}")});
    Verdict { status, answer, seen: Details { problem: Some(detail), ..seen }, ..Verdict::default() }
}

fn check(body: &Value) -> Result<String, Problem> {
    let mut shape = Shape::of(body, "")?;
    let text = shape.limited("text", 10_000)?.ok_or("text: is required")?.to_owned();
    shape.end()?;
    Ok(text)
}

impl Platform for Messages {
    const ROUTE: &'static str = "/2/dm_conversations/with/{account}/messages";

    fn routes(self: &Arc<Self>) -> axum::Router {
        operators::routes(Arc::clone(self))
    }

    fn judge(&self, participant: &str, headers: &HeaderMap, body: &[u8], takes: bool) -> Verdict {
        let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let seen = Details { body: parsed.clone(), to: Some(participant.to_owned()), ..Details::default() };
        let user = header("authorization").strip_prefix("Bearer ").and_then(|token| self.settings.tokens.get(token));
        let Some(user) = user else { return problem(401, "unauthorized", "Unauthorized", seen) };
        let seen = Details { account: Some(user.clone()), ..seen };
        if header("content-type").split(';').next() != Some("application/json") {
            return problem(400, "invalid-request", "expected content type application/json", seen);
        }
        let text = match check(&parsed) {
            Ok(text) => text,
            Err(wrong) => return problem(400, "invalid-request", wrong, seen),
        };
        let mut memory = locked(&self.memory);
        if memory.closed.contains(participant) {
            return problem(403, "forbidden", "You cannot send messages to this user.", seen);
        }
        let now_s = clock::now().as_ms().div_euclid(1_000);
        let window = now_s.div_euclid(WINDOW_S);
        let used = memory.used.entry((user.clone(), window)).or_insert(0);
        let max = self.settings.messages_max;
        let headers = vec![
            ("x-rate-limit-limit", max.to_string()),
            ("x-rate-limit-remaining", (max - *used - 1).max(0).to_string()),
            ("x-rate-limit-reset", ((window + 1) * WINDOW_S).to_string()),
        ];
        let headers = if max > 0 { headers } else { Vec::new() };
        if max > 0 && *used >= max {
            let refused = problem(429, "too-many-requests", "Too Many Requests", seen);
            return Verdict { headers, ..refused };
        }
        *used += i64::from(takes);
        memory.taken += u64::from(takes);
        let id = (1_700_000_000_000_000_000 + memory.taken).to_string();
        let answer = json!({"data": {"dm_conversation_id": format!("{user}-{participant}"), "dm_event_id": id}});
        let seen = Details { id: takes.then_some(id), text: Some(text), ..seen };
        Verdict { status: 201, answer, seen, headers }
    }

    fn taken(self: &Arc<Self>, participant: &str, seen: &Details) -> Option<JoinHandle<()>> {
        let (url, id, user) = (self.settings.webhook_url.clone()?, seen.id.clone()?, seen.account.clone()?);
        let (text, participant) = (seen.text.clone().unwrap_or_default(), participant.to_owned());
        let statuses = locked(&self.memory).statuses.clone();
        let secret = self.settings.consumer_secret.clone();
        Some(statuses::tell(self.http.clone(), statuses, move |status| {
            signed(&url, &secret, &event(status, (&user, &participant), &id, &text))
        }))
    }

    fn throttled(&self) -> Value {
        problem(429, "too-many-requests", "Too Many Requests", Details::default()).answer
    }

    fn locked_out(&self) -> (u16, Value) {
        (401, problem(401, "unauthorized", "Unauthorized", Details::default()).answer)
    }
}

fn event(status: &str, (user, participant): (&str, &str), id: &str, text: &str) -> Value {
    let now = clock::now().as_ms().to_string();
    if status == "read" {
        let mark = json!({"created_timestamp": now, "sender_id": participant, "target": {"recipient_id": user},
            "last_read_event_id": id});
        return json!({"for_user_id": user, "direct_message_mark_read_events": [mark]});
    }
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let message = json!({"target": {"recipient_id": participant}, "sender_id": user,
        "message_data": {"text": escaped, "entities": {"urls": []}}});
    let sent = json!({"type": "message_create", "id": id, "created_timestamp": now, "message_create": message});
    json!({"for_user_id": user, "direct_message_events": [sent], "apps": {}, "users": {}})
}

fn signed(url: &str, secret: &str, body: &Value) -> Post {
    let body = body.to_string().into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(&body);
    let signature = format!("sha256={}", STANDARD.encode(mac.finalize().into_bytes()));
    let headers = vec![("content-type", "application/json".into()), ("x-twitter-webhooks-signature", signature)];
    Post { url: url.to_owned(), headers, body }
}

#[cfg(test)]
mod tests;
