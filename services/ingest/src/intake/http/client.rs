//! Programs that call our API: who they are by their bearer token, and what they may.

use axum::http::{HeaderMap, StatusCode, header};
use schemas::ids::{AccountId, ClientId, TenantId};
use stream::clock::Stamp;

use super::problem::Problem;
use super::{Edge, text};
use crate::metrics::Outcome;

/// A program that was let in.
pub(super) struct Client {
    /// Whose it is.
    pub(super) tenant: TenantId,
    /// Its id.
    pub(super) id: ClientId,
    accounts: Vec<String>,
}

impl Client {
    /// Lets a program in that has this scope, both in its token and in its configuration, and
    /// counts the request.
    pub(super) fn admit(edge: &Edge, headers: &HeaderMap, scope: &'static str, now: i64) -> Result<Self, Problem> {
        let unauthorized = || Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "expected a valid bearer token");
        let token = text(headers, header::AUTHORIZATION.as_str()).and_then(access::bearer).ok_or_else(unauthorized)?;
        let claims = edge.tokens.verify(token, now).map_err(|refused| {
            tracing::info!(%refused, "a bearer token is refused");
            unauthorized()
        })?;
        let id = claims.client().map(ClientId::new).ok_or_else(|| forbidden("expected the token of a client"))?;
        let tenant = TenantId::new(&claims.tenant);
        let directory = edge.acceptance.knowledge.now();
        let known = directory.client(&tenant, &id).ok_or_else(|| forbidden("expected a configured client"))?;
        if !known.token_hashes.is_empty() && !known.token_hashes.contains(&access::token_hash(token)) {
            tracing::info!(client = id.as_str(), "a bearer token is not among those of its client");
            return Err(unauthorized());
        }
        if !claims.has_scope(scope) || !known.scopes.iter().any(|one| one == scope) {
            return Err(forbidden(format!("expected the scope {scope}")));
        }
        let rate = known.requests_per_s_max.unwrap_or(edge.limits.client_requests_per_s_max);
        let accounts = known.accounts.clone();
        drop(directory);
        let (bucket, now) = (format!("client/{tenant}/{id}"), Stamp::now());
        if !edge.rates.has_room(&bucket, rate, now) {
            return Err(Problem::too_many());
        }
        edge.rates.take(&bucket, rate, now);
        Ok(Self { tenant, id, accounts })
    }

    /// Refuses an account that it may not speak for.
    pub(super) fn check(&self, account: &AccountId) -> Result<(), Problem> {
        if self.accounts.is_empty() || self.accounts.iter().any(|allowed| allowed == account.as_str()) {
            return Ok(());
        }
        Err(forbidden("expected a client that may speak for this account"))
    }
}

fn forbidden(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "forbidden", detail)
}

/// How a request of a program counts.
pub(super) fn outcome<T>(result: &Result<T, Problem>) -> Outcome {
    let Err(problem) = result else {
        return Outcome::Accepted;
    };
    match problem.status {
        StatusCode::UNAUTHORIZED => Outcome::Unauthorized,
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Outcome::Limits,
        StatusCode::SERVICE_UNAVAILABLE => Outcome::Unavailable,
        _ => Outcome::Refused,
    }
}
