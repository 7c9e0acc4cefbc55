//! The platforms that weft sends to, simulated: strict where the real one is strict, with faults on
//! demand. Each listens on a port of its own and remembers every request in order, readable over
//! `GET /_seen`; `POST /_faults` scripts what the next answers are.
//!
//! Nothing here comes from weft's own code but the shapes of its configuration: a provider must not
//! believe what the program under test believes.

pub mod bot;
pub mod graph;
pub mod open;
pub mod signed;
pub mod twitter;
pub mod whatsapp;

mod apps;
mod line;
mod shape;
mod stand;
mod statuses;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stream::clock;
use tokio::task::JoinHandle;

use line::Line;

pub use apps::App;
pub use line::Server;
pub use statuses::Statuses;

/// Bodies above this are refused with 413.
const BODY_BYTES_MAX: usize = 1 << 20;

/// What a provider does instead of its duty, for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Answers with this status and takes nothing.
    Status(u16),
    /// Answers 429 with `Retry-After` (seconds) and takes nothing.
    Throttle(u32),
    /// Takes the message and never answers.
    TakeAndHang,
    /// Takes the message and closes the connection without an answer.
    TakeAndClose,
    /// Takes the message, tells everything there is to tell of it, and answers then.
    TellAndAnswer,
    /// Refuses our credentials and takes nothing.
    Credentials,
    /// Closes the connection without an answer; takes nothing.
    Close,
}

/// One request as it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// Counted from 1.
    pub n: u64,
    /// When, milliseconds since 1970.
    pub at_ms: i64,
    /// The account it was for: phone number id or integration id.
    pub account: String,
    /// The answer's status; 0 if there was none.
    pub status: u16,
    /// Whether the message was taken.
    pub taken: bool,
    /// Whether the same message was taken before.
    pub repeat: bool,
    /// What was wrong with the request.
    pub problem: Option<String>,
    /// The provider's id of the message: wamid, or the webhook's id.
    pub id: Option<String>,
    /// To whom.
    pub to: Option<String>,
    /// What came along to find the message again: callback data, or the id in the body.
    pub tracker: Option<String>,
    /// Its text or caption.
    pub text: Option<String>,
    /// The body, if it was JSON.
    pub body: Value,
}

/// What a provider makes of one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) status: u16,
    pub(crate) answer: Value,
    pub(crate) seen: Details,
    /// Of the answer.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// The parts of [`Seen`] that only the provider knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Details {
    /// Who sends, where the path does not say so.
    pub(crate) account: Option<String>,
    pub(crate) repeat: bool,
    pub(crate) problem: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) tracker: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) body: Value,
}

/// The judgement of one platform.
pub(crate) trait Platform: Send + Sync + 'static {
    /// The platform's route.
    const ROUTE: &'static str;

    /// Judges a request and, if it is good and `takes`, takes its message.
    fn judge(&self, account: &str, headers: &HeaderMap, body: &[u8], takes: bool) -> Verdict;

    /// Further routes of the platform.
    fn routes(self: &Arc<Self>) -> Router {
        Router::new()
    }

    /// A message was taken: what the platform does then; ends when all is told.
    fn taken(self: &Arc<Self>, account: &str, seen: &Details) -> Option<JoinHandle<()>>;

    /// The answer of a throttled request.
    fn throttled(&self) -> Value;

    /// Status and answer of a request with credentials that are no good.
    fn locked_out(&self) -> (u16, Value);
}

/// What all platforms keep: requests seen, faults to come.
#[derive(Debug, Default)]
pub(crate) struct Book {
    seen: Mutex<Vec<Seen>>,
    faults: Mutex<VecDeque<Fault>>,
}

impl Book {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        locked(&self.seen).clone()
    }

    pub(crate) fn script(&self, fault: Fault, times: usize) {
        locked(&self.faults).extend(std::iter::repeat_n(fault, times));
    }

    fn next_fault(&self) -> Option<Fault> {
        locked(&self.faults).pop_front()
    }

    fn note(&self, account: &str, status: u16, taken: bool, details: Details) {
        let mut seen = locked(&self.seen);
        let n = seen.len() as u64 + 1;
        let Details { account: own, repeat, problem, id, to, tracker, text, body } = details;
        let (at_ms, account) = (clock::now().as_ms(), own.unwrap_or_else(|| account.to_owned()));
        seen.push(Seen { n, at_ms, account, status, taken, repeat, problem, id, to, tracker, text, body });
    }
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A platform and its book.
pub(crate) struct Counter<P> {
    pub(crate) platform: Arc<P>,
    pub(crate) book: Arc<Book>,
}

impl<P> Clone for Counter<P> {
    fn clone(&self) -> Self {
        Self { platform: Arc::clone(&self.platform), book: Arc::clone(&self.book) }
    }
}

impl<P: Platform> Counter<P> {
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route(P::ROUTE, post(serve::<P>))
            .route("/_seen", get(async |State(counter): State<Self>| Json(counter.book.seen())))
            .route("/_faults", post(script::<P>))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(self.clone())
            .merge(self.platform.routes())
    }
}

/// `{"fault": …, "times": n}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    fault: Fault,
    times: usize,
}

async fn script<P: Platform>(State(counter): State<Counter<P>>, Json(script): Json<Script>) -> StatusCode {
    counter.book.script(script.fault, script.times);
    StatusCode::NO_CONTENT
}

async fn serve<P: Platform>(
    State(counter): State<Counter<P>>,
    axum::extract::Path(account): axum::extract::Path<String>,
    axum::extract::ConnectInfo(line): axum::extract::ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fault = counter.book.next_fault();
    let takes = matches!(fault, None | Some(Fault::TakeAndHang | Fault::TakeAndClose | Fault::TellAndAnswer));
    let verdict = counter.platform.judge(&account, &headers, &body, takes);
    let is_good = (200..300).contains(&verdict.status);
    let taken = takes && is_good;
    let is_new = taken && !verdict.seen.repeat;
    let (locked_status, locked_answer) = counter.platform.locked_out();
    let status = match fault {
        None | Some(Fault::TellAndAnswer) => verdict.status,
        Some(Fault::Credentials) => locked_status,
        Some(Fault::Status(status)) => status,
        Some(Fault::Throttle(_)) => 429,
        Some(Fault::TakeAndHang | Fault::TakeAndClose | Fault::Close) => 0,
    };
    counter.book.note(&account, status, taken, verdict.seen.clone());
    let told = if is_new { counter.platform.taken(&account, &verdict.seen) } else { None };
    match fault {
        None => with(verdict.headers, answer(status, verdict.answer)),
        Some(Fault::TellAndAnswer) => {
            if let Some(Err(error)) = futures::future::OptionFuture::from(told).await {
                tracing::error!(%error, "a platform did not tell all it had to");
            }
            with(verdict.headers, answer(status, verdict.answer))
        }
        Some(Fault::Credentials) => answer(status, locked_answer),
        Some(Fault::Status(_)) => answer(status, Value::Null),
        Some(Fault::Throttle(wait_s)) => {
            let header = [("retry-after", wait_s.to_string())];
            (header, answer(status, counter.platform.throttled())).into_response()
        }
        Some(Fault::TakeAndHang) => std::future::pending().await,
        Some(Fault::TakeAndClose | Fault::Close) => line.cut().await,
    }
}

fn with(headers: Vec<(&'static str, String)>, mut answer: Response) -> Response {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn answer(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if body.is_null() { status.into_response() } else { (status, Json(body)).into_response() }
}
