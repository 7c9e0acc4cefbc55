//! The public port.

mod body;
mod bots;
mod client;
pub mod gate;
mod meta;
mod open;
pub mod outreach;
pub mod problem;
mod signed;
mod x;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use access::TokenSecrets;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use network::Rates;
use telemetry::{HttpMetrics, TraceContext};
use tokio::sync::Semaphore;

use crate::acceptance::Acceptance;
use crate::intake::channels::open::Form;
use crate::intake::secrets::SecretBook;
use crate::intake::signature::Scheme;
use problem::Problem;

/// What every request may need; cheap to clone.
#[derive(Clone)]
pub struct Edge {
    /// From what was heard to durable records.
    pub acceptance: Arc<Acceptance>,
    /// Secrets of endpoints.
    pub secrets: Arc<SecretBook>,
    /// Sign bearer tokens.
    pub tokens: Arc<TokenSecrets>,
    /// What a request may cost.
    pub limits: Limits,
    /// How many requests endpoints and clients make.
    pub rates: Arc<Rates>,
    /// Places for requests under way.
    pub places: Arc<Semaphore>,
}

/// What a request may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of its body.
    pub body_bytes_max: usize,
    /// Time to send it.
    pub body_timeout: Duration,
    /// Signed requests a second of one endpoint.
    pub endpoint_requests_per_s_max: u32,
    /// Requests a second of one client whose configuration says nothing else.
    pub client_requests_per_s_max: u32,
}

/// The routes of contract §4 that exist so far.
pub fn router(edge: Edge, metrics: &HttpMetrics) -> Router {
    let inbound = "/api/v2/conversations/messages/{integration}/inbound/open";
    let routes = Router::new()
        .route("/webhooks/meta/{endpoint}", get(meta::handshake).post(meta::webhook))
        .route("/webhooks/x/{endpoint}", get(x::challenge).post(x::webhook))
        .route("/webhooks/bots/{endpoint}/turns/{turn_id}", axum::routing::post(bots::turn))
        .route(&format!("{inbound}/message"), open::route(Form::Message))
        .route(&format!("{inbound}/event"), open::route(Form::Event))
        .route(&format!("{inbound}/receipt"), open::route(Form::Receipt))
        .route(&format!("{inbound}/structured/response"), open::route(Form::StructuredResponse))
        .route("/api/v2/conversations/messages/agentless", post(outreach::agentless))
        .route("/api/v1/consents", post(outreach::consents))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address takes other methods")
        })
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address"))
        .with_state(edge);
    metrics.layer(routes)
}

/// The headers that are kept with the raw request: none that could let somebody in.
const KEPT_HEADERS: [&str; 6] =
    ["content-type", "user-agent", Scheme::Hex.header(), Scheme::Base64.header(), "traceparent", IDEMPOTENCY_KEY];
const IDEMPOTENCY_KEY: &str = "idempotency-key";

fn kept(headers: &HeaderMap) -> BTreeMap<String, String> {
    KEPT_HEADERS.iter().filter_map(|name| Some(((*name).to_owned(), text(headers, name)?.to_owned()))).collect()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn trace(headers: &HeaderMap) -> Option<TraceContext> {
    text(headers, "traceparent")?.parse().ok()
}
