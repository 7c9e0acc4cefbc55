//! What comes in: records, requests, sockets.

pub mod ask;
pub mod bearer;
pub mod guest;
pub mod media;
pub mod problem;
pub mod records;
pub mod rest;
pub mod socket;
mod wire;

use std::sync::Arc;

use access::TokenSecrets;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use objects::Media;
use stream::Shutdown;
use telemetry::HttpMetrics;

use crate::hub::Hub;
use crate::lobby::Lobby;
use guest::deployment::{self, Signer};
use guest::socket as guest_socket;

/// What every handler needs.
#[derive(Clone)]
pub struct Edge {
    /// Where agents meet.
    pub hub: Hub,
    /// Where guests meet.
    pub lobby: Lobby,
    /// Signs configurations of deployments.
    pub signer: Arc<Signer>,
    /// Who signs tokens.
    pub secrets: Arc<TokenSecrets>,
    /// Where media lie; none: nowhere.
    pub media: Option<Arc<Media>>,
    /// Closes sockets.
    pub shutdown: Shutdown,
}

/// All routes of the public port.
pub fn router(edge: Edge, http: &HttpMetrics) -> Router {
    let bytes_max = edge.hub.settings().frame_bytes_max;
    let routes = Router::new()
        .route("/ws/agent", get(socket::open))
        .route("/ws/guest", get(guest_socket::open))
        .route("/api/v1/deployments/keys.json", get(deployment::keys))
        .route("/api/v1/deployments/{id}/config.json", get(deployment::config))
        .route("/api/v1/agents/me/presence", get(rest::presence).post(rest::set_presence))
        .route("/api/v1/agents/me/work", get(rest::work))
        .route("/api/v1/conversations", post(rest::start))
        .route("/api/v1/conversations/{id}", get(rest::conversation))
        .route("/api/v1/conversations/{id}/messages", get(rest::messages).post(rest::send))
        .route("/api/v1/conversations/{id}/accept", post(rest::accept))
        .route("/api/v1/conversations/{id}/decline", post(rest::decline))
        .route("/api/v1/conversations/{id}/disconnect", post(rest::disconnect))
        .route("/api/v1/conversations/{id}/wrap-up", post(rest::wrap_up))
        .route("/api/v1/queues/{id}/activity", get(rest::queue_activity))
        .route("/api/v1/conversations/{id}/media/{*object}", get(rest::media))
        .route("/media/{*object}", get(media::download).put(media::upload).options(media::options))
        .method_not_allowed_fallback(rest::method_not_allowed)
        .fallback(rest::not_found)
        .layer(DefaultBodyLimit::max(bytes_max));
    http.layer(routes).with_state(edge)
}
