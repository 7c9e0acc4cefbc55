//! A bot at an open house: how it is configured, and how it answers by itself.

use serde_json::{Value, json};
use tests::providers::bot::{Bot, Settings};
use tests::providers::signed::sign;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const TOKEN: &str = "of-the-bot";

/// One that wants these fields in every turn, and says nothing that is not scripted.
pub(crate) async fn start(fields: &'static [&'static str]) -> Bot {
    let (secrets, access_token) = (vec![SECRET.to_owned()], TOKEN.to_owned());
    Bot::start(0, Settings { secrets, access_token, fields, answers: |_| json!({}) }).await.unwrap()
}

/// Answers a turn by itself, signed with a secret of its endpoint or with another; the status.
pub(crate) async fn call_back(ingest: &str, path: &str, answer: &Value, is_signed: bool) -> u16 {
    let body = answer.to_string().into_bytes();
    let timestamp = (stream::clock::now().as_ms() / 1_000).to_string();
    let id = if is_signed { "a1" } else { "a2" };
    let request = reqwest::Client::new()
        .post(format!("{ingest}{path}"))
        .header("webhook-id", "a1")
        .header("webhook-timestamp", &timestamp)
        .header("webhook-signature", sign(SECRET, (id, &timestamp), &body).unwrap())
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

/// A bot's document.
pub(crate) fn document(bot: &Bot, dialect: &str, secret: &Value, token: &Value) -> Value {
    json!({"name": "Clerk", "url": bot.url(), "dialect": dialect, "secrets": [secret], "access_token": token,
        "endpoint": "hook"})
}
