//! Signed webhooks of every platform: who signed it, what it says, and 200 once all is durable.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemas::config::Platform;
use schemas::ids::{EndpointId, TenantId};
use secrecy::SecretString;
use stream::clock::{self, Stamp};

use super::problem::Problem;
use super::{Edge, body, kept, text, trace};
use crate::acceptance::{Fault, Request};
use crate::core::{Arrival, Heard, SignedEndpoint};
use crate::intake::reading::{Class, Reading};
use crate::intake::signature::{Scheme, is_signed};
use crate::metrics::Outcome;

/// What a platform's webhooks have of their own.
pub(super) struct Family {
    /// Whose endpoints these are.
    pub(super) platform: Platform,
    /// How bodies are signed.
    pub(super) scheme: Scheme,
    /// The label of requests whose body was not read.
    pub(super) unread: &'static str,
    /// What a signed body says.
    pub(super) understand: fn(&[u8]) -> Understood,
}

/// What a signed body says.
pub(super) struct Understood {
    channel: &'static str,
    heard: Vec<Heard>,
    faults: Vec<Fault>,
}

impl Understood {
    /// Nothing, for a reason of a closed set.
    pub(super) fn nothing(channel: &'static str, reason: &'static str, detail: String) -> Self {
        Self { channel, heard: Vec::new(), faults: vec![Fault { reason, detail }] }
    }

    /// These events; each that nobody understands is a fault.
    pub(super) fn events(channel: &'static str, readings: Vec<Reading>) -> Self {
        let mut understood = Self { channel, heard: Vec::new(), faults: Vec::new() };
        for reading in readings {
            if reading.heard.is_empty() {
                understood.faults.push(unknown(&reading));
            }
            understood.heard.extend(reading.heard);
        }
        understood
    }
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

/// One posted webhook, with its parts as axum gives them.
pub(super) struct Post {
    pub(super) endpoint: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

/// 200 once everything is durable, whatever a signed body holds.
pub(super) async fn webhook(edge: &Edge, family: &Family, post: Post) -> Response {
    let metrics = &edge.acceptance.metrics;
    let Ok(_place) = edge.places.try_acquire() else {
        metrics.request(family.unread, Outcome::Unavailable);
        return Problem::unavailable("too many requests under way").into_response();
    };
    let received_at = clock::now().as_ms();
    let Post { endpoint, query, headers, body } = post;
    let known = edge.acceptance.knowledge.now().endpoints(&endpoint, family.platform);
    let (rate, bucket) = (edge.limits.endpoint_requests_per_s_max, format!("{}/{endpoint}", family.unread));
    if !edge.rates.has_room(&bucket, rate, Stamp::now()) {
        metrics.request(family.unread, Outcome::Limits);
        return Problem::too_many().into_response();
    }
    let body = match body::read(body, edge.limits).await {
        Ok(body) => body,
        Err(problem) => {
            metrics.request(family.unread, Outcome::Limits);
            return problem.into_response();
        }
    };
    let signature = text(&headers, family.scheme.header());
    let fits = |secrets: &[SecretString]| is_signed(family.scheme, signature, &body, secrets);
    let Some(tenant) = signer(edge, &endpoint, &known, &fits) else {
        metrics.request(family.unread, Outcome::Unauthorized);
        return Problem::unauthorized().into_response();
    };
    edge.rates.take(&bucket, rate, Stamp::now());
    let found = (family.understand)(&body);
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
        return Problem::not_durable(&error).into_response();
    }
    metrics.request(found.channel, outcome);
    StatusCode::OK.into_response()
}

/// Whose secret signed the body; nobody's, if two tenants have the same. All are tried, also after one
/// fits; for an unknown endpoint as much is computed as for a known one.
pub(super) fn signer(
    edge: &Edge,
    endpoint: &str,
    known: &[SignedEndpoint],
    fits: &dyn Fn(&[SecretString]) -> bool,
) -> Option<TenantId> {
    if known.is_empty() {
        fits(&[]);
    }
    let mut signers = Vec::new();
    for one in known {
        let mut fitting = None;
        let secrets = edge.secrets.all(&one.endpoint.secrets);
        if secrets.is_empty() {
            fits(&[]);
        }
        for (no, secret) in (1..).zip(secrets) {
            // Each is tried, whatever came of the others: how long it takes tells nothing.
            fitting = if fits(std::slice::from_ref(&secret)) { Some(no) } else { fitting };
        }
        signers.extend(fitting.map(|no| (one.tenant.clone(), no)));
    }
    if signers.len() > 1 {
        tracing::error!(endpoint, "several tenants have an endpoint of this name and secret: each needs its own");
        return None;
    }
    let (tenant, no) = signers.pop()?;
    edge.acceptance.metrics.secret_used(&tenant, endpoint, no);
    Some(tenant)
}
