//! What the Graph API tells operators of tokens, accounts and apps: `debug_token`, `{account}`,
//! `{account}/subscribed_apps`, `{app}/subscriptions` (Graph API reference, v25.0).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

/// An app of the platform's, as its owner set it up.
#[derive(Debug, Clone, Default)]
pub struct App {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Permissions of the one token.
    pub scopes: Vec<String>,
    /// When that token ends, seconds since 1970; 0: never.
    pub token_ends_s: i64,
    /// The WhatsApp Business account that the numbers belong to.
    pub business_account: Option<String>,
    /// What accounts send to it; none: they do not know it.
    pub subscribed: Option<Vec<String>>,
    /// What its webhooks are about: `page`, `instagram`, `whatsapp_business_account`.
    pub object: String,
    /// Where they go.
    pub callback_url: String,
    /// Of which fields.
    pub fields: Vec<String>,
}

/// A platform that tells of itself.
pub(super) trait Told: Send + Sync + 'static {
    /// The one valid token.
    fn access_token(&self) -> &str;
    /// The accounts that it may see.
    fn accounts(&self) -> &[String];
    /// The app that it belongs to.
    fn app(&self) -> App;
    /// What an account looks like.
    fn look(&self, account: &str) -> Value;
}

type Answer = (StatusCode, Json<Value>);

pub(super) fn routes<T: Told>(told: Arc<T>) -> Router {
    Router::new()
        .route("/v25.0/debug_token", get(debug_token::<T>))
        .route("/v25.0/{account}/subscribed_apps", get(subscribed_apps::<T>))
        .route("/v25.0/{app}/subscriptions", get(subscriptions::<T>))
        .with_state(told)
}

/// An account, for whoever has the token.
pub(super) async fn account<T: Told>(State(told): State<Arc<T>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    if let Err(refused) = admit(&headers, told.access_token()) {
        return refused;
    }
    if !told.accounts().contains(&id) {
        return refusal(StatusCode::BAD_REQUEST, 100, &format!("Object with ID '{id}' does not exist"));
    }
    (StatusCode::OK, Json(told.look(&id)))
}

async fn debug_token<T: Told>(
    State(told): State<Arc<T>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    if let Err(refused) = admit(&headers, told.access_token()) {
        return refused;
    }
    if query.get("input_token").map(String::as_str) != Some(told.access_token()) {
        let error = json!({"code": 190, "message": "Invalid OAuth access token."});
        return (StatusCode::OK, Json(json!({"data": {"error": error, "is_valid": false, "scopes": []}})));
    }
    let app = told.app();
    let targets: Vec<String> = app.business_account.into_iter().collect();
    let granular = app.scopes.iter().map(|scope| json!({"scope": scope, "target_ids": targets}));
    let data = json!({"app_id": app.id, "type": "SYSTEM_USER", "is_valid": true, "expires_at": app.token_ends_s,
        "scopes": app.scopes, "granular_scopes": granular.collect::<Vec<Value>>()});
    (StatusCode::OK, Json(json!({ "data": data })))
}

async fn subscribed_apps<T: Told>(State(told): State<Arc<T>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    if let Err(refused) = admit(&headers, told.access_token()) {
        return refused;
    }
    let app = told.app();
    let is_business = app.business_account.as_deref() == Some(id.as_str());
    if !is_business && !told.accounts().contains(&id) {
        return refusal(StatusCode::BAD_REQUEST, 100, &format!("Object with ID '{id}' does not exist"));
    }
    let one = app.subscribed.map(|fields| {
        if is_business {
            json!({"whatsapp_business_api_data": {"id": app.id, "name": "weft"}})
        } else {
            json!({"id": app.id, "name": "weft", "subscribed_fields": fields})
        }
    });
    (StatusCode::OK, Json(json!({ "data": one.into_iter().collect::<Vec<Value>>() })))
}

async fn subscriptions<T: Told>(State(told): State<Arc<T>>, Path(id): Path<String>, headers: HeaderMap) -> Answer {
    let app = told.app();
    if let Err(refused) = admit(&headers, &format!("{}|{}", app.id, app.secret)) {
        return refused;
    }
    if id != app.id {
        return refusal(StatusCode::BAD_REQUEST, 100, "An app access token is required");
    }
    let fields: Vec<Value> = app.fields.iter().map(|name| json!({"name": name, "version": "v25.0"})).collect();
    let one = json!({"object": app.object, "callback_url": app.callback_url, "active": true, "fields": fields});
    (StatusCode::OK, Json(json!({ "data": [one] })))
}

fn admit(headers: &HeaderMap, token: &str) -> Result<(), Answer> {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if shown == Some(&format!("Bearer {token}")) {
        return Ok(());
    }
    Err(refusal(StatusCode::UNAUTHORIZED, 190, "Error validating access token"))
}

fn refusal(status: StatusCode, code: i64, message: &str) -> Answer {
    (status, Json(json!({"error": {"message": message, "type": "OAuthException", "code": code}})))
}
