//! What comes in: records, requests, sockets.

pub mod ask;
pub mod bearer;
pub mod problem;
pub mod records;
pub mod rest;
pub mod socket;

use std::sync::Arc;

use access::TokenSecrets;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use stream::Shutdown;
use telemetry::HttpMetrics;

use crate::hub::Hub;

/// What every handler needs.
#[derive(Clone)]
pub struct Edge {
    /// The meeting place.
    pub hub: Hub,
    /// Who signs tokens.
    pub secrets: Arc<TokenSecrets>,
    /// Closes sockets.
    pub shutdown: Shutdown,
}

/// All routes of the public port.
pub fn router(edge: Edge, http: &HttpMetrics) -> Router {
    let bytes_max = edge.hub.settings().frame_bytes_max;
    let routes = Router::new()
        .route("/ws/agent", get(socket::open))
        .route("/api/v1/agents/me/presence", get(rest::presence).post(rest::set_presence))
        .route("/api/v1/agents/me/work", get(rest::work))
        .route("/api/v1/conversations/{id}", get(rest::conversation))
        .route("/api/v1/conversations/{id}/messages", get(rest::messages).post(rest::send))
        .route("/api/v1/conversations/{id}/accept", post(rest::accept))
        .route("/api/v1/conversations/{id}/decline", post(rest::decline))
        .route("/api/v1/conversations/{id}/disconnect", post(rest::disconnect))
        .route("/api/v1/conversations/{id}/wrap-up", post(rest::wrap_up))
        .route("/api/v1/queues/{id}/activity", get(rest::queue_activity))
        .method_not_allowed_fallback(rest::method_not_allowed)
        .fallback(rest::not_found)
        .layer(DefaultBodyLimit::max(bytes_max));
    http.layer(routes).with_state(edge)
}
