//! Calls of bots (F4): one signed POST a turn, in the bot's own dialect; its answer in ours.

mod genesys;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderValue};
use schemas::ids::{KeySecret, OutwardId};
use schemas::records::BotAnswer;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use stream::clock;

use super::address::Addresses;
use super::secrets::Secrets;
use super::signing;
use crate::core::bots::{Bot, BotCall, BotOutcome, Dialect};
use crate::core::event::SecretPlace;

/// Most of an answer, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Everything a call of a bot needs.
pub struct BotCalls {
    pub(super) http: reqwest::Client,
    pub(super) addresses: Addresses,
    pub(super) secrets: Arc<Secrets>,
    pub(super) key_secret: KeySecret,
}

impl BotCalls {
    /// Makes one call, if it is still ours to make.
    pub async fn call(&self, call: &BotCall, owned: impl Fn() -> bool) -> BotOutcome {
        let request = match self.request(call) {
            Ok(request) => request,
            Err(reason) => return BotOutcome::Refused { reason },
        };
        if !owned() {
            return BotOutcome::Failed { reason: "not_ours" };
        }
        match self.exchange(request).await {
            Ok((200 | 201, body)) => answer(&call.bot, &body),
            Ok((202 | 204, _)) if call.bot.endpoint.is_some() => BotOutcome::Later,
            Ok((408 | 425 | 429 | 500.., _)) => BotOutcome::Failed { reason: "bot_error" },
            Ok((401 | 403, _)) => BotOutcome::Refused { reason: "credentials" },
            Ok(_) => BotOutcome::Refused { reason: "bot_refused" },
            Err(error) if error.is_connect() => BotOutcome::Failed { reason: "no_connection" },
            Err(error) if error.is_timeout() => BotOutcome::Failed { reason: "timeout" },
            Err(_) => BotOutcome::Failed { reason: "connection_broken" },
        }
    }

    fn request(&self, call: &BotCall) -> Result<reqwest::Request, &'static str> {
        let asked = &call.asked;
        let outward = OutwardId { customer_key: asked.customer_key, id: asked.turn_id }.to_text(&self.key_secret);
        let turn: Value = serde_json::from_str(&asked.body).map_err(|_| "bad_turn")?;
        let body = match &call.bot.dialect {
            Dialect::Weft => ours(turn, &outward, call),
            Dialect::Genesys { bot_id, bot_version } => genesys::turn(&turn, &outward, (bot_id, bot_version)),
        };
        let body = body.to_string().into_bytes();
        let secret = |place: &SecretPlace| self.secrets.get(place);
        let id = format!("turn_{:032x}", asked.turn_id.as_u128());
        let now_s = clock::now().as_ms().div_euclid(1_000);
        let url = self.addresses.check(&call.bot.url)?;
        let left = Duration::from_millis(u64::try_from(call.left_ms).unwrap_or_default());
        let mut request = self.http.post(url).timeout(left).header("content-type", "application/json");
        for (name, value) in signing::headers(&call.bot.secrets, &secret, (&id, now_s), &body)? {
            request = request.header(name, value);
        }
        if let Some(place) = &call.bot.access_token {
            let token = secret(place).ok_or("access_token_unreadable")?;
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| "secret_not_printable")?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request.body(body).build().map_err(|_| "bad_url")
    }

    async fn exchange(&self, request: reqwest::Request) -> reqwest::Result<(u16, Vec<u8>)> {
        let mut response = self.http.execute(request).await?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                // What is cut off is no JSON any more, and refused as such.
                break;
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, body))
    }
}

/// The turn with what only the shell knows: its outward id, and where it may be answered later.
fn ours(turn: Value, outward: &str, call: &BotCall) -> Value {
    let mut body = json!({ "turn_id": outward, "bot": call.asked.bot, "answer_within_ms": call.left_ms });
    if let Some(endpoint) = &call.bot.endpoint {
        body["callback_path"] = format!("/webhooks/bots/{endpoint}/turns/{outward}").into();
    }
    if let (Some(body), Value::Object(turn)) = (body.as_object_mut(), turn) {
        body.extend(turn);
    }
    body
}

fn answer(bot: &Bot, body: &[u8]) -> BotOutcome {
    let answer = match bot.dialect {
        Dialect::Weft => BotAnswer::read(body).ok(),
        Dialect::Genesys { .. } => genesys::answer(body),
    };
    match answer {
        Some(answer) => BotOutcome::Answered(answer.to_json()),
        None => BotOutcome::Refused { reason: "unreadable_answer" },
    }
}
