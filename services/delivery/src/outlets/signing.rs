//! Standard Webhooks 1.0.0: who we are, on what we post.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use crate::core::event::SecretPlace;

/// The headers of a body under an id, signed now (seconds) with every live secret.
///
/// # Errors
/// What is wrong with the secrets, from a closed set.
pub(super) fn headers(
    secrets: &[SecretPlace],
    read: &dyn Fn(&SecretPlace) -> Option<SecretString>,
    (id, now_s): (&str, i64),
    body: &[u8],
) -> Result<[(&'static str, String); 3], &'static str> {
    if secrets.is_empty() {
        return Err("no_webhook_secret");
    }
    let signed = |place: &SecretPlace| Ok(signature(&key(read, place)?, id, now_s, body));
    let signatures = secrets.iter().map(signed).collect::<Result<Vec<String>, &'static str>>()?;
    Ok([
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", now_s.to_string()),
        ("webhook-signature", signatures.join(" ")),
    ])
}

fn key(read: &dyn Fn(&SecretPlace) -> Option<SecretString>, place: &SecretPlace) -> Result<Vec<u8>, &'static str> {
    let secret = read(place).ok_or("webhook_secret_unreadable")?;
    let text = secret.expose_secret();
    STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)).map_err(|_| "webhook_secret_not_base64")
}

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
pub(super) fn signature(key: &[u8], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp_s}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}
