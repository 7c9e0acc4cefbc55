//! A bot, as strict as one that was written after `docs/bots.md`: every turn must be signed after
//! Standard Webhooks and complete in its dialect. What it answers is scripted, or follows from the
//! turn.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::{Value, json};

use super::{Server, locked, signed};

/// What every turn of our own dialect must have.
pub const FIELDS: &[&str] = &["turn_id", "bot", "session_id", "conversation_id", "message"];

/// Who it is.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Any may have signed, `whsec_…`.
    pub secrets: Vec<String>,
    /// The one valid bearer token.
    pub access_token: String,
    /// What every turn must have.
    pub fields: &'static [&'static str],
    /// Its answer to a turn for which nothing is scripted.
    pub answers: fn(&Value) -> Value,
}

/// What it does with one turn.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers this.
    Answer(u16, String),
    /// Answers this after a while.
    Slow(Duration, String),
    /// Never answers.
    Hang,
}

/// The simulated bot.
pub struct Bot {
    room: Arc<Room>,
    /// Lives as long as the bot does.
    server: Server,
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bot({} turns)", self.turns().len())
    }
}

struct Room {
    settings: Settings,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    turns: Vec<(String, Value)>,
    problems: Vec<String>,
    script: VecDeque<Act>,
}

/// Asks back once, and hands over.
pub fn greets(turn: &Value) -> Value {
    if turn["turn_no"] == 1 {
        json!({"messages": [{"text": "Which parcel is it about?"}], "next": "more"})
    } else {
        json!({"messages": [{"text": "I will ask a colleague."}], "next": "agent", "attributes": {"topic": "parcel"}})
    }
}

impl Bot {
    /// Starts on a port of the loopback; 0 takes a free one.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn start(port: u16, settings: Settings) -> anyhow::Result<Self> {
        let room = Arc::new(Room { settings, kept: Mutex::default() });
        let router = Router::new().route("/turns", post(serve)).with_state(Arc::clone(&room));
        Ok(Self { room, server: Server::start(port, router).await? })
    }

    /// Where turns are posted.
    pub fn url(&self) -> String {
        format!("http://{}/turns", self.server.address())
    }

    /// The next turns are met so.
    pub fn script(&self, acts: &[Act]) {
        locked(&self.room.kept).script.extend(acts.iter().cloned());
    }

    /// Webhook ids and bodies of the turns so far.
    pub fn turns(&self) -> Vec<(String, Value)> {
        locked(&self.room.kept).turns.clone()
    }

    /// What turns were refused for.
    pub fn problems(&self) -> Vec<String> {
        locked(&self.room.kept).problems.clone()
    }
}

async fn serve(State(room): State<Arc<Room>>, headers: HeaderMap, body: Bytes) -> Response {
    let act = {
        let mut kept = locked(&room.kept);
        match check(&room.settings, &headers, &body) {
            Ok((id, turn)) => {
                let usual = (room.settings.answers)(&turn);
                kept.turns.push((id, turn));
                kept.script.pop_front().unwrap_or_else(|| Act::Answer(200, usual.to_string()))
            }
            Err(problem) => {
                kept.problems.push(problem);
                return StatusCode::BAD_REQUEST.into_response();
            }
        }
    };
    match act {
        Act::Answer(status, body) => {
            (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response()
        }
        Act::Slow(wait, body) => {
            tokio::time::sleep(wait).await;
            body.into_response()
        }
        Act::Hang => std::future::pending().await,
    }
}

fn check(settings: &Settings, headers: &HeaderMap, body: &[u8]) -> Result<(String, Value), String> {
    let id = signed::admitted(headers, body, &settings.secrets)?;
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if token != format!("Bearer {}", settings.access_token) {
        return Err("no bearer token".into());
    }
    let turn: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    match settings.fields.iter().find(|field| turn.get(**field).is_none_or(Value::is_null)) {
        Some(missing) => Err(format!("{missing} is missing in {turn}")),
        None => Ok((id, turn)),
    }
}
