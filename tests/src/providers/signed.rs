//! Standard Webhooks 1.0.0, as whoever receives them checks them.

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stream::clock;

use super::shape::Problem;

/// How far a timestamp may be from now (the standard's libraries).
pub(crate) const TOLERANCE_S: i64 = 300;

/// The webhook's id, if one of the secrets (`whsec_…`) signed it lately.
pub(crate) fn admitted(headers: &HeaderMap, body: &[u8], secrets: &[String]) -> Result<String, Problem> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    if id.is_empty() || id.contains('.') {
        return Err("webhook-id: expected one without a full stop".into());
    }
    let seconds: i64 = timestamp.parse().map_err(|_| "webhook-timestamp: expected seconds".to_owned())?;
    let now_s = clock::now().as_ms().div_euclid(1_000);
    if (now_s - seconds).abs() > TOLERANCE_S {
        return Err(format!("webhook-timestamp: {} s from now", seconds - now_s));
    }
    let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let is_signed = header("webhook-signature")
        .split(' ')
        .any(|signature| secrets.iter().any(|secret| verify(secret, signature, &signed)));
    if is_signed { Ok(id.to_owned()) } else { Err("webhook-signature: none is right".into()) }
}

fn verify(secret: &str, signature: &str, signed: &[u8]) -> bool {
    let given = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
    let Some(given) = given else { return false };
    mac(secret).is_some_and(|mac| mac.chain_update(signed).verify_slice(&given).is_ok())
}

fn mac(secret: &str) -> Option<Hmac<Sha256>> {
    let key = STANDARD.decode(secret.trim_start_matches("whsec_")).ok()?;
    Hmac::<Sha256>::new_from_slice(&key).ok()
}

/// The header's value for a body; none if the secret is no `whsec_…`.
pub fn sign(secret: &str, (id, timestamp): (&str, &str), body: &[u8]) -> Option<String> {
    let mac = mac(secret)?.chain_update(format!("{id}.{timestamp}.")).chain_update(body);
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}
