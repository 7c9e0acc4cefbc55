//! WhatsApp Cloud, `POST /v25.0/{phone number id}/messages`, as strict as the real one (Cloud API,
//! messages reference and error codes; `reference/channels.md` §4.5–4.8).

mod files;
mod rich;

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

use super::apps::{self, App, Told};
use super::shape::{Problem, Shape};
use super::stand::{people, stand};
use super::statuses::{self, Post, Statuses};
use super::{Details, Platform, Verdict, locked};

const WINDOW_MS: i64 = 24 * 3_600_000;
const MEDIA: &[&str] = &["image", "audio", "video", "document", "sticker"];

/// Who may send from where.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The one valid bearer token.
    pub access_token: String,
    /// Numbers that exist.
    pub phone_number_ids: Vec<String>,
    /// Signs the statuses.
    pub app_secret: String,
    /// Where statuses go: the full address of ingest's Meta endpoint; none: no statuses.
    pub webhook_url: Option<String>,
}

stand! {
    /// The simulated platform.
    WhatsApp: Cloud
}
people!(WhatsApp);

#[derive(Default)]
struct Memory {
    taken: u64,
    statuses: Statuses,
    unknown: BTreeSet<String>,
    wrote_ms: BTreeMap<(String, String), i64>,
    files: BTreeMap<String, files::File>,
    app: App,
    /// Where this platform is reached, for the addresses of files.
    address: String,
}

impl WhatsApp {
    /// Somebody sends a file: its id, as a webhook names it, and its SHA-256 in Base64.
    pub fn keep(&self, mime: &str, bytes: &[u8]) -> (String, String) {
        locked(&self.counter.platform.memory).keep(mime, bytes)
    }

    /// Addresses of files given so far are too old.
    pub fn age_links(&self) {
        locked(&self.counter.platform.memory).age_links();
    }
}

/// An error as the API writes it.
struct ApiError {
    status: u16,
    code: i64,
    problem: String,
}

fn bad_token() -> ApiError {
    let problem = "Invalid OAuth access token - Cannot parse access token".to_owned();
    ApiError { status: 401, code: 190, problem }
}

fn invalid(problem: Problem) -> ApiError {
    ApiError { status: 400, code: 100, problem: format!("(#100) {problem}") }
}

impl ApiError {
    fn verdict(self, mut seen: Details) -> Verdict {
        let answer = json!({"error": {
            "message": self.problem,
            "type": "OAuthException",
            "code": self.code,
            "error_data": {"messaging_product": "whatsapp", "details": self.problem},
            "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam",
        }});
        seen.problem = Some(self.problem);
        Verdict { status: self.status, answer, seen, ..Verdict::default() }
    }
}

impl Platform for Cloud {
    const ROUTE: &'static str = "/v25.0/{account}/messages";

    fn routes(self: &Arc<Self>) -> axum::Router {
        files::routes(Arc::clone(self)).merge(apps::routes(Arc::clone(self)))
    }

    fn judge(&self, account: &str, headers: &HeaderMap, body: &[u8], takes: bool) -> Verdict {
        let parsed: Result<Value, _> = serde_json::from_slice(body);
        let mut seen = Details { body: parsed.as_ref().cloned().unwrap_or_default(), ..Details::default() };
        if let Err(error) = self.admit(account, headers) {
            return error.verdict(seen);
        }
        if let Ok(body) = &parsed
            && body.get("status").is_some()
        {
            let answer = json!({"success": true});
            return match read_mark(body).map_err(invalid) {
                Ok(()) => Verdict { status: 200, answer, seen, ..Verdict::default() },
                Err(error) => error.verdict(seen),
            };
        }
        let message = match parsed {
            Ok(body) => check(&body),
            Err(_) => Err(invalid("expected JSON".into())),
        };
        let message = match message {
            Ok(message) => message,
            Err(error) => return error.verdict(seen),
        };
        let mut memory = locked(&self.memory);
        seen.to = Some(message.to.clone());
        seen.tracker = message.tracker;
        seen.text = message.text;
        if memory.unknown.contains(&message.to) {
            let problem = "Message undeliverable".to_owned();
            return ApiError { status: 400, code: 131_026, problem }.verdict(seen);
        }
        memory.taken += u64::from(takes);
        let id = format!("wamid.{}", STANDARD.encode(format!("{account}/{}", memory.taken)));
        let answer = json!({
            "messaging_product": "whatsapp",
            "contacts": [{"input": message.to, "wa_id": message.to.trim_start_matches('+')}],
            "messages": [{"id": id, "message_status": "accepted"}],
        });
        seen.id = takes.then_some(id);
        Verdict { status: 200, answer, seen, ..Verdict::default() }
    }

    fn taken(self: &Arc<Self>, account: &str, seen: &Details) -> Option<JoinHandle<()>> {
        let (url, id, to) = (self.settings.webhook_url.clone()?, seen.id.clone()?, seen.to.clone()?);
        let mut statuses = locked(&self.memory).statuses.clone();
        let is_outside = seen.body["type"] != "template" && self.is_outside(account, &to);
        if is_outside {
            statuses.order = vec!["failed".into()];
        }
        let (cloud, account, tracker) = (Arc::clone(self), account.to_owned(), seen.tracker.clone());
        Some(statuses::tell(self.http.clone(), statuses, move |status| {
            let item = status_item(&id, &to, status, tracker.as_deref());
            cloud.webhook(&url, &account, &item)
        }))
    }

    fn locked_out(&self) -> (u16, Value) {
        let refused = bad_token().verdict(Details::default());
        (refused.status, refused.answer)
    }

    fn throttled(&self) -> Value {
        json!({"error": {"message": "(#130429) Rate limit hit", "type": "OAuthException", "code": 130_429,
            "error_data": {"messaging_product": "whatsapp", "details": "Cloud API message throughput has been reached"}}})
    }
}

impl Told for Cloud {
    fn access_token(&self) -> &str {
        &self.settings.access_token
    }

    fn accounts(&self) -> &[String] {
        &self.settings.phone_number_ids
    }

    fn app(&self) -> App {
        locked(&self.memory).app.clone()
    }

    fn look(&self, account: &str) -> Value {
        json!({"id": account, "display_phone_number": "+1 650-555-1234", "verified_name": "Acme",
            "quality_rating": "GREEN"})
    }
}

impl Cloud {
    fn admit(&self, account: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if header("authorization") != format!("Bearer {}", self.settings.access_token) {
            return Err(bad_token());
        }
        if header("content-type").split(';').next() != Some("application/json") {
            return Err(invalid("expected content type application/json".into()));
        }
        if !self.settings.phone_number_ids.iter().any(|known| known == account) {
            let problem = format!("Unsupported post request. Object with ID '{account}' does not exist");
            return Err(ApiError { status: 400, code: 100, problem });
        }
        Ok(())
    }

    fn is_outside(&self, account: &str, to: &str) -> bool {
        let key = (account.to_owned(), to.to_owned());
        let wrote_ms = locked(&self.memory).wrote_ms.get(&key).copied();
        wrote_ms.is_some_and(|at_ms| clock::now().as_ms() - at_ms >= WINDOW_MS)
    }

    fn webhook(&self, url: &str, account: &str, item: &Value) -> Post {
        let body = json!({
            "object": "whatsapp_business_account",
            "entry": [{"id": "102290129340398", "changes": [{"field": "messages", "value": {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": "15550783881", "phone_number_id": account},
                "statuses": [item],
            }}]}],
        });
        let body = body.to_string().into_bytes();
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.settings.app_secret.as_bytes()).expect("HMAC takes keys of any length");
        mac.update(&body);
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let headers =
            vec![("content-type", "application/json".into()), ("x-hub-signature-256", format!("sha256={hex}"))];
        Post { url: url.to_owned(), headers, body }
    }
}

fn status_item(id: &str, to: &str, status: &str, tracker: Option<&str>) -> Value {
    let mut item = json!({
        "id": id,
        "status": status,
        "timestamp": clock::now().as_ms().div_euclid(1_000).to_string(),
        "recipient_id": to.trim_start_matches('+'),
    });
    if let Some(tracker) = tracker {
        item["biz_opaque_callback_data"] = json!(tracker);
    }
    if status == "failed" {
        item["errors"] = json!([{"code": 131_047, "title": "Re-engagement message", "message": "Re-engagement message",
            "error_data": {"details": "More than 24 hours have passed since the customer last replied to this number"}}]);
    }
    item
}

struct Message {
    to: String,
    tracker: Option<String>,
    text: Option<String>,
}

fn check(body: &Value) -> Result<Message, ApiError> {
    let mut shape = Shape::of(body, "").map_err(invalid)?;
    let kind = shape.text("type").map_err(invalid)?.unwrap_or("text");
    if !["text", "reaction"].contains(&kind) && !MEDIA.contains(&kind) && !rich::KINDS.contains(&kind) {
        let problem = format!("Message type {kind} is not supported here");
        return Err(ApiError { status: 400, code: 131_051, problem });
    }
    fields(shape, kind).map_err(invalid)
}

fn fields(mut shape: Shape<'_>, kind: &str) -> Result<Message, Problem> {
    shape.one_of("messaging_product", &["whatsapp"])?;
    if shape.get("recipient_type").is_some() {
        shape.one_of("recipient_type", &["individual"])?;
    }
    let to = match (shape.text("to")?, shape.text("recipient")?) {
        (Some(to), _) => phone(to)?,
        (None, Some(recipient)) => user_id(recipient)?,
        (None, None) => return Err("to: is required".into()),
    };
    let text = match kind {
        "text" => text(shape.inner("text")?)?,
        "image" => media(shape.inner("image")?, kind)?,
        "audio" => media(shape.inner("audio")?, kind)?,
        "video" => media(shape.inner("video")?, kind)?,
        "sticker" => media(shape.inner("sticker")?, kind)?,
        "interactive" => rich::interactive(shape.inner("interactive")?)?,
        "location" => rich::location(shape.inner("location")?)?,
        "template" => rich::template(shape.inner("template")?)?,
        "reaction" => reaction(shape.inner("reaction")?)?,
        _ => media(shape.inner("document")?, kind)?,
    };
    if shape.get("context").is_some() {
        let mut context = shape.inner("context")?;
        context.needed("message_id")?;
        context.end()?;
    }
    let tracker = shape.limited("biz_opaque_callback_data", 512)?.map(str::to_owned);
    shape.end()?;
    Ok(Message { to: to.to_owned(), tracker, text })
}

fn read_mark(body: &Value) -> Result<(), Problem> {
    let mut shape = Shape::of(body, "")?;
    shape.one_of("messaging_product", &["whatsapp"])?;
    shape.one_of("status", &["read"])?;
    shape.needed("message_id")?;
    if shape.get("typing_indicator").is_some() {
        let mut typing = shape.inner("typing_indicator")?;
        typing.one_of("type", &["text"])?;
        typing.end()?;
    }
    shape.end()
}

fn reaction(mut shape: Shape<'_>) -> Result<Option<String>, Problem> {
    shape.needed("message_id")?;
    shape.get("emoji").and_then(Value::as_str).ok_or("reaction.emoji: expected a string")?;
    shape.end()?;
    Ok(None)
}

fn phone(to: &str) -> Result<&str, Problem> {
    let digits = to.strip_prefix('+').unwrap_or(to);
    let is_number = (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { Ok(to) } else { Err("to: expected a phone number in E.164".into()) }
}

fn user_id(recipient: &str) -> Result<&str, Problem> {
    let is_user = recipient.split_once('.').is_some_and(|(country, id)| {
        country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase()) && !id.is_empty()
    });
    if is_user { Ok(recipient) } else { Err("recipient: expected a business-scoped user id".into()) }
}

fn text(mut shape: Shape<'_>) -> Result<Option<String>, Problem> {
    let body = shape.limited("body", 4_096)?.ok_or("text.body: is required")?;
    shape.flag("preview_url")?;
    shape.end()?;
    Ok(Some(body.to_owned()))
}

fn media(mut shape: Shape<'_>, kind: &str) -> Result<Option<String>, Problem> {
    let (link, id) = (shape.link("link")?, shape.text("id")?);
    if link.is_some() == id.is_some() {
        return Err(format!("{kind}: expected either link or id"));
    }
    let caption = if matches!(kind, "image" | "video" | "document") { shape.limited("caption", 1_024)? } else { None };
    if kind == "document" {
        shape.limited("filename", 240)?;
    }
    shape.end()?;
    Ok(caption.map(str::to_owned))
}

#[cfg(test)]
mod tests;
