//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use schemas::ids::{AgentId, TenantId};
use stream::clock;

use super::Edge;
use super::problem::Problem;
use crate::core::{AgentRef, Who};

/// Subprotocol that carries a token where a browser cannot set headers.
const SUBPROTOCOL: &str = "weft.bearer.";

/// An agent with a good token.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The agent.
    pub who: Who,
    /// When the token's time is over, milliseconds since 1970.
    pub expires_at_ms: Option<i64>,
    /// The subprotocol that carried the token, to be chosen in the answer.
    pub subprotocol: Option<String>,
}

impl FromRequestParts<Edge> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, Problem> {
        bearer(&parts.headers, edge)
    }
}

fn bearer(headers: &HeaderMap, edge: &Edge) -> Result<Bearer, Problem> {
    let (token, subprotocol) = token(headers).ok_or_else(|| unauthorized("no bearer token"))?;
    let claims = edge.secrets.verify(&token, clock::now().as_ms()).map_err(|refused| {
        tracing::info!(%refused, "token refused");
        unauthorized("the bearer token is not accepted")
    })?;
    let Some(agent) = claims.agent() else {
        return Err(Problem::new(StatusCode::FORBIDDEN, "agents_only", "this token belongs to a program"));
    };
    let agent = AgentRef { tenant: TenantId::new(&claims.tenant), agent: AgentId::new(agent) };
    let Some(supervisor) = edge.hub.known(&agent) else {
        return Err(Problem::new(StatusCode::FORBIDDEN, "unknown_agent", "the configuration has no such agent"));
    };
    let who = Who { agent, supervisor: supervisor || claims.supervisor };
    Ok(Bearer { who, expires_at_ms: claims.expires_at_ms, subprotocol })
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
}

fn token(headers: &HeaderMap) -> Option<(String, Option<String>)> {
    if let Some(header) = headers.get(header::AUTHORIZATION) {
        return Some((access::bearer(header.to_str().ok()?)?.to_owned(), None));
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).into_iter().filter_map(|one| one.to_str().ok());
    offered
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .find_map(|one| Some((one.strip_prefix(SUBPROTOCOL)?.to_owned(), Some(one.to_owned()))))
}
