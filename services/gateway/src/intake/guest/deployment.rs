//! What a messenger is told of its deployment, signed, so that it may lie anywhere: a flattened JSON
//! Web Signature (RFC 7515, 7.2.2) with Ed25519 (RFC 8037).

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemas::ids::DeploymentId;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::socket::origin_of;
use crate::config::GuestSettings;
use crate::core::guests::session::Door;
use crate::intake::Edge;
use crate::intake::problem::Problem;

/// What the keys are made for, from the secrets that sign tokens.
const PURPOSE: &str = "weft deployment configuration";

/// Signs configurations; the first key signs, all are published.
pub struct Signer {
    keys: Vec<Ed25519KeyPair>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.keys.len())
    }
}

impl Signer {
    /// Keys that rotate with the secrets that sign tokens.
    pub fn new(secrets: &access::TokenSecrets) -> Self {
        let key = |seed: &[u8; 32]| Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed");
        Self { keys: secrets.derived(PURPOSE).iter().map(key).collect() }
    }

    /// A flattened JSON Web Signature over a JSON text.
    pub fn signed(&self, payload: &Value) -> Value {
        let key = self.keys.first().expect("there is a token secret");
        let protected = json!({ "alg": "EdDSA", "kid": kid(key), "typ": "weft-deployment+jws" }).to_string();
        let (protected, payload) = (URL_SAFE_NO_PAD.encode(protected), URL_SAFE_NO_PAD.encode(payload.to_string()));
        let signature = key.sign(format!("{protected}.{payload}").as_bytes());
        json!({ "payload": payload, "protected": protected, "signature": URL_SAFE_NO_PAD.encode(signature.as_ref()) })
    }

    /// The public keys as a JSON Web Key Set (RFC 7517).
    pub fn public(&self) -> Value {
        let key = |key: &Ed25519KeyPair| {
            let x = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
            json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid(key), "x": x })
        };
        json!({ "keys": self.keys.iter().map(key).collect::<Vec<Value>>() })
    }
}

fn kid(key: &Ed25519KeyPair) -> String {
    Sha256::digest(key.public_key().as_ref()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What a messenger is told; nothing of it is secret.
pub fn configuration(door: &Door, settings: &GuestSettings) -> Value {
    let (at, messenger) = (&door.at, &door.at.spec.messenger);
    let sign_in = at.spec.sign_in.as_ref();
    json!({
        "deploymentId": at.id,
        "name": at.spec.name,
        "messenger": {
            "showsTyping": messenger.shows_typing,
            "showsEnd": messenger.shows_end,
            "mayClear": messenger.may_clear,
            "styles": messenger.styles,
            "uploads": messenger.uploads.as_ref().map(|uploads| json!({ "types": uploads.types, "bytesMax": uploads.bytes_max })),
        },
        "signIn": { "enabled": sign_in.is_some(), "stepUp": sign_in.is_some_and(|sign_in| sign_in.step_up) },
        "limits": {
            "messageBytes": settings.text_bytes_max,
            "customDataBytes": settings.attributes_bytes_max,
            "messagesPerSecond": settings.messages_per_s_max,
            "requestsPerMinute": settings.requests_per_min_max,
            "historyPerMinute": settings.history_per_min_max,
            "connections": settings.connections_max,
            "typingEveryMs": settings.typing_every_ms,
        },
    })
}

/// `GET deployments/{id}/config.json`, for the origins of the deployment and for whoever is no browser.
pub async fn config(State(edge): State<Edge>, Path(id): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    let origin = origin_of(&headers)?;
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "not_found", "no such deployment, or not for this origin");
    let door = edge.lobby.public(&DeploymentId::new(&id), origin.as_deref()).ok_or_else(unknown)?;
    let signed = edge.signer.signed(&configuration(&door, edge.lobby.settings()));
    Ok(readable(Json(signed).into_response(), origin.as_deref()))
}

/// `GET deployments/keys.json`: who may have signed a configuration.
pub async fn keys(State(edge): State<Edge>) -> Response {
    let mut response = Json(edge.signer.public()).into_response();
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Readable by the very origin that asked, and by no other with its answer.
fn readable(mut response: Response, origin: Option<&str>) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(origin) = origin.and_then(|origin| HeaderValue::from_str(origin).ok()) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_signed_configuration_is_what_a_published_key_signed() {
        let secrets = access::TokenSecrets::parse("the new secret of ours, an old secret of ours").unwrap();
        let signer = Signer::new(&secrets);
        let signed = signer.signed(&json!({"a": 1}));
        let part = |name: &str| signed[name].as_str().unwrap().to_owned();
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let header: Value = serde_json::from_slice(&bytes(&part("protected"))).unwrap();
        let public = signer.public();
        assert_eq!(public["keys"].as_array().unwrap().len(), 2);
        assert_eq!((&header["kid"], &header["alg"]), (&public["keys"][0]["kid"], &json!("EdDSA")));
        let key = UnparsedPublicKey::new(&ED25519, bytes(public["keys"][0]["x"].as_str().unwrap()));
        let (message, signature) = (format!("{}.{}", part("protected"), part("payload")), bytes(&part("signature")));
        assert!(key.verify(message.as_bytes(), &signature).is_ok());
        assert!(key.verify(format!("{message}x").as_bytes(), &signature).is_err());
        assert_eq!(serde_json::from_slice::<Value>(&bytes(&part("payload"))).unwrap(), json!({"a": 1}));
    }
}
