//! A bot, as strict as one that was written after the documentation: every turn must be signed after
//! Standard Webhooks and complete in its dialect; what it answers is scripted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What it does with one turn.
#[derive(Clone)]
pub(crate) enum Act {
    /// Answers this.
    Answer(u16, String),
    /// Answers this after a while.
    Slow(Duration, String),
    /// Never answers.
    Hang,
}

#[derive(Default)]
struct Kept {
    turns: Vec<(String, Value)>,
    problems: Vec<String>,
    script: VecDeque<Act>,
}

#[derive(Clone)]
pub(crate) struct FakeBot {
    kept: Arc<Mutex<Kept>>,
    pub(crate) url: String,
    fields: &'static [&'static str],
}

impl FakeBot {
    /// One that wants these fields in every turn.
    pub(crate) async fn start(fields: &'static [&'static str]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/turn", listener.local_addr().unwrap());
        let bot = Self { kept: Arc::default(), url, fields };
        let router = Router::new().route("/turn", post(serve)).with_state(bot.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        bot
    }

    pub(crate) fn script(&self, acts: &[Act]) {
        self.kept.lock().unwrap().script.extend(acts.iter().cloned());
    }

    /// Webhook ids and bodies of the turns so far.
    pub(crate) fn turns(&self) -> Vec<(String, Value)> {
        self.kept.lock().unwrap().turns.clone()
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        self.kept.lock().unwrap().problems.clone()
    }
}

async fn serve(State(bot): State<FakeBot>, headers: HeaderMap, body: Bytes) -> Response {
    let act = {
        let mut kept = bot.kept.lock().unwrap();
        match check(bot.fields, &headers, &body) {
            Ok(turn) => kept.turns.push(turn),
            Err(problem) => {
                kept.problems.push(problem);
                return StatusCode::BAD_REQUEST.into_response();
            }
        }
        kept.script.pop_front().unwrap_or(Act::Answer(200, "{}".into()))
    };
    match act {
        Act::Answer(status, body) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Act::Slow(wait, body) => {
            tokio::time::sleep(wait).await;
            body.into_response()
        }
        Act::Hang => std::future::pending().await,
    }
}

fn check(fields: &[&str], headers: &HeaderMap, body: &[u8]) -> Result<(String, Value), String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let expected = sign(id, timestamp, body);
    if header("webhook-signature").split(' ').all(|one| one != expected) {
        return Err("not signed by the secret".into());
    }
    if header("authorization") != "Bearer of-the-bot" {
        return Err("no bearer token".into());
    }
    let turn: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match fields.iter().find(|field| turn.get(**field).is_none_or(Value::is_null)) {
        Some(missing) => Err(format!("{missing} is missing in {turn}")),
        None => Ok((id.to_owned(), turn)),
    }
}

fn sign(id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Answers a turn by itself, signed with a secret of its endpoint or with another; the status.
pub(crate) async fn call_back(ingest: &str, path: &str, answer: &Value, is_signed: bool) -> u16 {
    let body = answer.to_string().into_bytes();
    let timestamp = (stream::clock::now().as_ms() / 1_000).to_string();
    let signature = if is_signed { sign("a1", &timestamp, &body) } else { sign("a2", &timestamp, &body) };
    let request = reqwest::Client::new()
        .post(format!("{ingest}{path}"))
        .header("webhook-id", "a1")
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

/// A bot's document.
pub(crate) fn document(bot: &FakeBot, dialect: &str, secret: &Value, token: &Value) -> Value {
    json!({"name": "Clerk", "url": bot.url, "dialect": dialect, "secrets": [secret], "access_token": token,
        "endpoint": "hook"})
}
