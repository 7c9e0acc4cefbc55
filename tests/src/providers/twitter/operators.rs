//! What X tells operators: whose token it is, and to the app alone, its webhooks and subscriptions (X API
//! v2: `GET /2/users/me`, `/2/webhooks`, `/2/activity/subscriptions`; `POST /oauth2/token`).

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Details, Messages, problem};

const APP_TOKEN: &str = "the app's own token";

type Answer = (StatusCode, Json<Value>);

pub(super) fn routes(messages: Arc<Messages>) -> Router {
    Router::new()
        .route("/2/users/me", get(me))
        .route("/oauth2/token", post(token))
        .route("/2/webhooks", get(webhooks))
        .route("/2/activity/subscriptions", get(subscriptions))
        .with_state(messages)
}

fn shown(headers: &HeaderMap) -> &str {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn unauthorized() -> Answer {
    (StatusCode::UNAUTHORIZED, Json(problem(401, "unauthorized", "Unauthorized", Details::default()).answer))
}

/// By OAuth 2.0, or by OAuth 1.0a: then the signature's own parts alone are looked for.
async fn me(State(messages): State<Arc<Messages>>, headers: HeaderMap) -> Answer {
    let shown = shown(&headers);
    let key = format!("oauth_consumer_key=\"{}\"", messages.settings.consumer_key);
    let is_signed = shown.starts_with("OAuth ") && shown.contains(&key) && shown.contains("oauth_signature=\"");
    let named = |token: &String| {
        shown == format!("Bearer {token}") || is_signed && shown.contains(&format!("oauth_token=\"{token}\""))
    };
    let user = messages.settings.tokens.iter().find(|(token, _)| named(token));
    let Some((_, user)) = user else { return unauthorized() };
    (StatusCode::OK, Json(json!({"data": {"id": user, "name": "Acme", "username": "acme"}})))
}

async fn token(State(messages): State<Arc<Messages>>, headers: HeaderMap, body: String) -> Answer {
    let (key, secret) = (&messages.settings.consumer_key, &messages.settings.consumer_secret);
    let basic = format!("Basic {}", STANDARD.encode(format!("{key}:{secret}")));
    if shown(&headers) != basic || body != "grant_type=client_credentials" {
        return (StatusCode::FORBIDDEN, Json(json!({"errors": [{"code": 99, "message": "Unable to verify"}]})));
    }
    (StatusCode::OK, Json(json!({"token_type": "bearer", "access_token": APP_TOKEN})))
}

fn is_app(headers: &HeaderMap) -> bool {
    shown(headers) == format!("Bearer {APP_TOKEN}")
}

async fn webhooks(State(messages): State<Arc<Messages>>, headers: HeaderMap) -> Answer {
    if !is_app(&headers) {
        return unauthorized();
    }
    let all = messages.settings.hooks.iter().enumerate();
    let all = all.map(|(n, hook)| json!({"id": n.to_string(), "url": hook.url, "valid": hook.is_valid}));
    (StatusCode::OK, Json(json!({ "data": all.collect::<Vec<Value>>() })))
}

async fn subscriptions(State(messages): State<Arc<Messages>>, headers: HeaderMap) -> Answer {
    if !is_app(&headers) {
        return unauthorized();
    }
    let mut all = Vec::new();
    for (n, hook) in messages.settings.hooks.iter().enumerate() {
        for (event, user) in &hook.subscribed {
            all.push(json!({"event_type": event, "filter": {"user_id": user}, "webhook_id": n.to_string()}));
        }
    }
    (StatusCode::OK, Json(json!({ "data": all })))
}
