//! Meta's webhooks: the handshake, and signed events of WhatsApp (Messenger and Instagram are not
//! read yet). One endpoint may serve many accounts of its tenant.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::config::Platform;
use schemas::ids::{EndpointId, TenantId};
use serde_json::Value;
use stream::clock;

use super::problem::Problem;
use super::{Edge, body, kept, text, trace};
use crate::acceptance::{Fault, Request};
use crate::core::{Arrival, Heard, SignedEndpoint};
use crate::intake::channels::whatsapp;
use crate::intake::json;
use crate::intake::reading::{Class, Reading};
use crate::intake::signature::{SIGNATURE_HEADER, is_signed, is_token};
use crate::metrics::Outcome;

/// The label of requests whose body was not read.
const UNREAD: &str = "meta";

/// `GET /webhooks/meta/{endpoint}?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…`: gives
/// back the challenge if the token is the endpoint's, else 403.
pub(super) async fn handshake(
    State(edge): State<Edge>,
    Path(endpoint): Path<String>,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let known = edge.acceptance.knowledge.now().endpoints(&endpoint, Platform::Meta);
    let tokens = edge.secrets.all(known.iter().filter_map(|one| one.endpoint.verify_token.as_ref()));
    let is_ours = is_token(field("hub.verify_token"), &tokens);
    if !is_ours || field("hub.mode") != "subscribe" {
        edge.acceptance.metrics.request(UNREAD, Outcome::Unauthorized);
        let detail = "expected hub.mode subscribe and this endpoint's verify token";
        return Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response();
    }
    edge.acceptance.metrics.request(UNREAD, Outcome::Accepted);
    let plain = [(header::CONTENT_TYPE, "text/plain"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (plain, field("hub.challenge").to_owned()).into_response()
}

/// `POST /webhooks/meta/{endpoint}`: 200 once everything is durable, whatever a signed body holds.
pub(super) async fn webhook(
    State(edge): State<Edge>,
    Path(endpoint): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let metrics = &edge.acceptance.metrics;
    let Ok(_place) = edge.places.try_acquire() else {
        metrics.request(UNREAD, Outcome::Unavailable);
        return Problem::unavailable("too many requests under way").into_response();
    };
    let received_at = clock::now().as_ms();
    let body = match body::read(body, edge.limits).await {
        Ok(body) => body,
        Err(problem) => {
            metrics.request(UNREAD, Outcome::Limits);
            return problem.into_response();
        }
    };
    let known = edge.acceptance.knowledge.now().endpoints(&endpoint, Platform::Meta);
    let Some(tenant) = signer(&edge, &known, text(&headers, SIGNATURE_HEADER), &body) else {
        metrics.request(UNREAD, Outcome::Unauthorized);
        return Problem::unauthorized().into_response();
    };
    let found = understand(&body);
    let endpoint = EndpointId::new(endpoint);
    let request = Request {
        arrival: Arrival { tenant, endpoint: Some(endpoint.clone()), received_at },
        source: endpoint,
        method: "POST".into(),
        query: query.unwrap_or_default(),
        headers: kept(&headers),
        body,
        trace: trace(&headers),
    };
    let batch = edge.acceptance.prepare(request, found.heard, found.faults);
    let outcome = if batch.faults.is_empty() { Outcome::Accepted } else { Outcome::DeadLettered };
    if let Err(error) = edge.acceptance.publish(batch).await {
        tracing::warn!(%error, "a webhook is not durable");
        metrics.request(found.channel, Outcome::Unavailable);
        return Problem::unavailable("the request could not be kept").into_response();
    }
    metrics.request(found.channel, outcome);
    StatusCode::OK.into_response()
}

/// Whose secret signed the body. All are tried, also after one fits; for an unknown endpoint as
/// much is computed as for a known one.
fn signer(edge: &Edge, known: &[SignedEndpoint], signature: Option<&str>, body: &[u8]) -> Option<TenantId> {
    if known.is_empty() {
        is_signed(signature, body, &[]);
    }
    let mut signer = None;
    for one in known {
        let secrets = edge.secrets.all(&one.endpoint.secrets);
        if is_signed(signature, body, &secrets) && signer.is_none() {
            signer = Some(one.tenant.clone());
        }
    }
    signer
}

struct Understood {
    channel: &'static str,
    heard: Vec<Heard>,
    faults: Vec<Fault>,
}

/// What a signed body says; what it says that nobody understands is a fault of its own.
fn understand(body: &[u8]) -> Understood {
    let fault = |reason, detail: String| Understood {
        channel: UNREAD,
        heard: Vec::new(),
        faults: vec![Fault { reason, detail }],
    };
    let value = match json::object(body) {
        Ok(value) => value,
        Err(error) => return fault("unreadable_body", error.to_string()),
    };
    match value.get("object").and_then(Value::as_str) {
        Some("whatsapp_business_account") | None => {}
        Some("page" | "instagram") => {
            return fault("unsupported_channel", "Messenger and Instagram are not read yet".into());
        }
        Some(_) => return fault("foreign_object", "expected an object of Meta's messaging".into()),
    }
    let mut understood = Understood { channel: "whatsapp", heard: Vec::new(), faults: Vec::new() };
    for reading in whatsapp::read_value(&value) {
        match reading.heard {
            Some(heard) => understood.heard.push(heard),
            None => understood.faults.push(unknown(&reading)),
        }
    }
    understood
}

fn unknown(reading: &Reading) -> Fault {
    let detail = match (reading.class, &reading.kind) {
        (Class::NotAMessage, Some(field)) => format!("expected a known field, found {:?}", shortened(field)),
        _ => "expected items as documented, found another shape".to_owned(),
    };
    Fault { reason: "unknown_event", detail }
}

/// Names of fields are short; a long one is no name.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}
