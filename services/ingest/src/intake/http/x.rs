//! X's webhooks: the challenge, and signed events. One endpoint may serve many accounts of its
//! tenant.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use schemas::config::Platform;
use serde_json::json;

use super::Edge;
use super::problem::Problem;
use super::signed::{self, Family, Post, Understood};
use crate::intake::channels::twitter;
use crate::intake::json;
use crate::intake::signature::{Scheme, challenge_answer};
use crate::metrics::Outcome;

/// The label of requests whose body was not read.
const UNREAD: &str = "x";
const X: Family = Family { platform: Platform::X, scheme: Scheme::Base64, unread: UNREAD, understand };

/// `GET /webhooks/x/{endpoint}?crc_token=…`: proves with the first of the endpoint's secrets that
/// it is ours; 401 for an unknown endpoint, or one whose name two tenants share.
pub(super) async fn challenge(
    State(edge): State<Edge>,
    Path(endpoint): Path<String>,
    query: Result<Query<BTreeMap<String, String>>, QueryRejection>,
) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let token = query.get("crc_token").map(String::as_str).unwrap_or_default();
    let known = edge.acceptance.knowledge.now().endpoints(&endpoint, Platform::X);
    if known.len() > 1 {
        tracing::warn!(endpoint, "several tenants have an endpoint of this name: no challenge can be answered");
    }
    let secret = match known.as_slice() {
        [one] => edge.secrets.all(&one.endpoint.secrets).into_iter().next(),
        _ => None,
    };
    let Some(answer) = secret.and_then(|secret| challenge_answer(token, &secret)) else {
        edge.acceptance.metrics.request(UNREAD, Outcome::Unauthorized);
        return Problem::unauthorized().into_response();
    };
    edge.acceptance.metrics.request(UNREAD, Outcome::Accepted);
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, json!({ "response_token": answer }).to_string()).into_response()
}

/// `POST /webhooks/x/{endpoint}`.
pub(super) async fn webhook(
    State(edge): State<Edge>,
    Path(endpoint): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    signed::webhook(&edge, &X, Post { endpoint, query, headers, body }).await
}

fn understand(body: &[u8]) -> Understood {
    match json::object(body) {
        Ok(value) => Understood::events("twitter", twitter::read_value(&value)),
        Err(error) => Understood::nothing(UNREAD, "unreadable_body", error.to_string()),
    }
}
