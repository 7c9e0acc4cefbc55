//! Messenger and Instagram, `POST /v25.0/{account}/messages`, as strict as the real ones (Send API,
//! its limits, windows and error codes; `reference/channels.md` §2.2–2.5, §3.3): what was taken is
//! told back by signed webhooks, as an echo, a delivery or a read mark.

mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use stream::clock;
use tokio::task::JoinHandle;

use super::apps::{self, App, Told};
use super::stand::{people, stand};
use super::statuses::{self, Post, Statuses};
use super::{Details, Platform, Verdict, locked};

const DAY_MS: i64 = 24 * 3_600_000;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flavour {
    /// Facebook pages.
    #[default]
    Messenger,
    /// Instagram accounts: texts counted in bytes, nothing of ours given back.
    Instagram,
}

/// Who may send from where.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Which of the two.
    pub flavour: Flavour,
    /// The one valid token.
    pub access_token: String,
    /// Pages or accounts that exist.
    pub accounts: Vec<String>,
    /// The app that sends: what echoes name.
    pub app_id: String,
    /// Signs the webhooks.
    pub app_secret: String,
    /// Where webhooks go: the full address of ingest's Meta endpoint; none: no webhooks.
    pub webhook_url: Option<String>,
}

stand! {
    /// The simulated platform.
    Graph: Pages
}
people!(Graph);

#[derive(Default)]
struct Memory {
    /// Where the platform is reached.
    address: String,
    taken: u64,
    statuses: Statuses,
    app: App,
    unknown: BTreeSet<String>,
    wrote_ms: BTreeMap<(String, String), i64>,
}

/// An error as the API writes it.
struct ApiError {
    status: u16,
    code: i64,
    subcode: Option<i64>,
    problem: String,
}

impl ApiError {
    fn new(status: u16, (code, subcode): (i64, Option<i64>), problem: impl Into<String>) -> Self {
        Self { status, code, subcode, problem: problem.into() }
    }

    fn body(&self) -> Value {
        let mut error = json!({"message": format!("(#{}) {}", self.code, self.problem), "type": "OAuthException",
            "code": self.code, "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam"});
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        json!({ "error": error })
    }

    fn verdict(self, seen: Details) -> Verdict {
        let answer = self.body();
        Verdict {
            status: self.status,
            answer,
            seen: Details { problem: Some(self.problem), ..seen },
            ..Verdict::default()
        }
    }
}

fn bad_token() -> ApiError {
    ApiError::new(401, (190, Some(463)), "Error validating access token")
}

impl Platform for Pages {
    const ROUTE: &'static str = "/v25.0/{account}/messages";

    fn routes(self: &Arc<Self>) -> axum::Router {
        let account = axum::routing::get(apps::account::<Self>);
        let own = axum::Router::new().route("/v25.0/{account}", account).with_state(Arc::clone(self));
        own.merge(apps::routes(Arc::clone(self)))
    }

    fn judge(&self, account: &str, headers: &HeaderMap, body: &[u8], takes: bool) -> Verdict {
        let parsed: Result<Value, _> = serde_json::from_slice(body);
        let seen = Details { body: parsed.as_ref().cloned().unwrap_or_default(), ..Details::default() };
        if let Err(error) = self.admit(account, headers) {
            return error.verdict(seen);
        }
        if let Ok(body) = &parsed
            && body.get("sender_action").is_some()
        {
            return match shapes::action(body) {
                Ok(to) => Verdict { status: 200, answer: json!({"recipient_id": to}), seen, ..Verdict::default() },
                Err(problem) => ApiError::new(400, (100, None), problem).verdict(seen),
            };
        }
        let shape = match &parsed {
            Ok(body) => shapes::check(body, self.settings.flavour),
            Err(_) => Err("expected JSON".to_owned()),
        };
        let message = match shape {
            Ok(message) => message,
            Err(problem) => return ApiError::new(400, (100, None), problem).verdict(seen),
        };
        let seen = Details { to: Some(message.to), tracker: message.metadata, text: message.text, ..seen };
        let to = seen.to.clone().unwrap_or_default();
        if let Err(error) = self.reach(account, &to, message.is_of_person) {
            return error.verdict(seen);
        }
        let mut memory = locked(&self.memory);
        memory.taken += u64::from(takes);
        let id = match self.settings.flavour {
            Flavour::Messenger => format!("m_{account}_{}", memory.taken),
            Flavour::Instagram => format!("aWdfZG0_{account}_{}", memory.taken),
        };
        let answer = json!({"recipient_id": to, "message_id": id});
        Verdict { status: 200, answer, seen: Details { id: takes.then_some(id), ..seen }, ..Verdict::default() }
    }

    fn taken(self: &Arc<Self>, account: &str, seen: &Details) -> Option<JoinHandle<()>> {
        let (url, id, to) = (self.settings.webhook_url.clone()?, seen.id.clone()?, seen.to.clone()?);
        let statuses = locked(&self.memory).statuses.clone();
        let (pages, account) = (Arc::clone(self), account.to_owned());
        let (text, tracker) = (seen.text.clone(), seen.tracker.clone());
        Some(statuses::tell(self.http.clone(), statuses, move |status| {
            let item = pages.item(status, (&account, &to), &id, (text.as_deref(), tracker.as_deref()));
            pages.webhook(&url, &account, &item)
        }))
    }

    fn throttled(&self) -> Value {
        ApiError::new(429, (613, None), "Calls to this api have exceeded the rate limit").body()
    }

    fn locked_out(&self) -> (u16, Value) {
        (401, bad_token().body())
    }
}

impl Told for Pages {
    fn access_token(&self) -> &str {
        &self.settings.access_token
    }

    fn accounts(&self) -> &[String] {
        &self.settings.accounts
    }

    fn app(&self) -> App {
        locked(&self.memory).app.clone()
    }

    fn look(&self, account: &str) -> Value {
        json!({"id": account, "name": "Acme", "username": "acme"})
    }
}

impl Pages {
    fn admit(&self, account: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if header("authorization") != format!("Bearer {}", self.settings.access_token) {
            return Err(bad_token());
        }
        if header("content-type").split(';').next() != Some("application/json") {
            return Err(ApiError::new(400, (100, None), "expected content type application/json"));
        }
        if !self.settings.accounts.iter().any(|known| known == account) {
            return Err(ApiError::new(400, (100, Some(33)), format!("Object with ID '{account}' does not exist")));
        }
        Ok(())
    }

    /// Whether the person can be written to, free or as a person within seven days.
    fn reach(&self, account: &str, to: &str, is_of_person: bool) -> Result<(), ApiError> {
        let is_instagram = self.settings.flavour == Flavour::Instagram;
        let memory = locked(&self.memory);
        if memory.unknown.contains(to) {
            let subcode = if is_instagram { 2_534_014 } else { 2_018_001 };
            return Err(ApiError::new(400, (100, Some(subcode)), "No matching user found"));
        }
        let wrote_ms = memory.wrote_ms.get(&(account.to_owned(), to.to_owned()));
        let since_ms = wrote_ms.map_or(0, |at_ms| clock::now().as_ms() - at_ms);
        if since_ms >= if is_of_person { 7 * DAY_MS } else { DAY_MS } {
            let subcode = if is_instagram { 2_534_022 } else { 2_018_278 };
            return Err(ApiError::new(400, (10, Some(subcode)), "This message is sent outside of allowed window"));
        }
        Ok(())
    }

    fn item(&self, status: &str, (account, to): (&str, &str), id: &str, said: (Option<&str>, Option<&str>)) -> Value {
        let now = clock::now().as_ms();
        let from_person = json!({"sender": {"id": to}, "recipient": {"id": account}, "timestamp": now});
        let with = |mut item: Value, name: &str, value: Value| {
            item[name] = value;
            item
        };
        match (status, self.settings.flavour) {
            ("echo", flavour) => {
                let mut message = json!({"mid": id, "is_echo": true});
                if let Some(text) = said.0 {
                    message["text"] = json!(text);
                }
                if flavour == Flavour::Messenger {
                    message["app_id"] = json!(self.settings.app_id.parse::<u64>().unwrap_or_default());
                    message["metadata"] = json!(said.1);
                }
                json!({"sender": {"id": account}, "recipient": {"id": to}, "timestamp": now, "message": message})
            }
            ("read", Flavour::Instagram) => with(from_person, "read", json!({"mid": id})),
            ("read", Flavour::Messenger) => with(from_person, "read", json!({"watermark": now})),
            _ => with(from_person, "delivery", json!({"mids": [id], "watermark": now})),
        }
    }

    fn webhook(&self, url: &str, account: &str, item: &Value) -> Post {
        let object = if self.settings.flavour == Flavour::Instagram { "instagram" } else { "page" };
        let entry = json!({"id": account, "time": clock::now().as_ms(), "messaging": [item]});
        let body = json!({"object": object, "entry": [entry]}).to_string().into_bytes();
        let secret = self.settings.app_secret.as_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(&body);
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let headers =
            vec![("content-type", "application/json".into()), ("x-hub-signature-256", format!("sha256={hex}"))];
        Post { url: url.to_owned(), headers, body }
    }
}

#[cfg(test)]
mod tests;
