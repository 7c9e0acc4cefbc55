//! Meta's webhooks: the handshake, and signed events of WhatsApp, Messenger and Instagram. One
//! endpoint may serve many accounts of its tenant.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::config::Platform;
use serde_json::Value;

use super::Edge;
use super::problem::Problem;
use super::signed::{self, Family, Post, Understood};
use crate::intake::channels::{facebook, instagram, whatsapp};
use crate::intake::json;
use crate::intake::signature::{Scheme, is_token};
use crate::metrics::Outcome;

/// The label of requests whose body was not read.
const UNREAD: &str = "meta";
const META: Family = Family { platform: Platform::Meta, scheme: Scheme::Hex, unread: UNREAD, understand };

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

/// `POST /webhooks/meta/{endpoint}`.
pub(super) async fn webhook(
    State(edge): State<Edge>,
    Path(endpoint): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    signed::webhook(&edge, &META, Post { endpoint, query, headers, body }).await
}

/// One address takes all of Meta's products; `object` tells them apart.
fn understand(body: &[u8]) -> Understood {
    let value = match json::object(body) {
        Ok(value) => value,
        Err(error) => return Understood::nothing(UNREAD, "unreadable_body", error.to_string()),
    };
    match value.get("object").and_then(Value::as_str) {
        Some("whatsapp_business_account") | None => Understood::events("whatsapp", whatsapp::read_value(&value)),
        Some("page") => Understood::events("facebook", facebook::read_value(&value)),
        Some("instagram") => Understood::events("instagram", instagram::read_value(&value)),
        Some(_) => Understood::nothing(UNREAD, "foreign_object", "expected an object of Meta's messaging".into()),
    }
}
