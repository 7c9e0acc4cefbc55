//! OAuth 1.0a signatures, HMAC-SHA1 (RFC 5849, 3.4). Written here because all that is needed of it is
//! one header: a JSON body is no part of what is signed, and the libraries bring their own clients.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use schemas::ids::AttemptId;
use secrecy::{ExposeSecret, SecretString};
use sha1::Sha1;

use super::Desk;
use crate::core::event::{OAuth1, SecretPlace};

/// The `Authorization` header of a request (method, address) without query; the attempt's id is the nonce.
pub(super) fn header(
    credentials: &OAuth1,
    (method, url): (&str, &str),
    attempt: AttemptId,
    desk: &Desk<'_>,
) -> Result<String, &'static str> {
    let read = |place: &SecretPlace| (desk.secret)(place).ok_or("oauth1_unreadable");
    let (consumer_key, token) = (read(&credentials.consumer_key)?, read(&credentials.token)?);
    let (nonce, timestamp) = (format!("{:032x}", attempt.as_u128()), desk.now_s.to_string());
    let mut parameters = vec![
        ("oauth_consumer_key", consumer_key.expose_secret().to_owned()),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", "HMAC-SHA1".to_owned()),
        ("oauth_timestamp", timestamp),
        ("oauth_token", token.expose_secret().to_owned()),
        ("oauth_version", "1.0".to_owned()),
    ];
    let key = key(&read(&credentials.consumer_secret)?, &read(&credentials.token_secret)?);
    let signature = signature(&key, &text(method, url, &parameters));
    parameters.insert(2, ("oauth_signature", signature));
    let parts: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", encoded(value))).collect();
    Ok(format!("OAuth {}", parts.join(", ")))
}

fn key(consumer_secret: &SecretString, token_secret: &SecretString) -> String {
    format!("{}&{}", encoded(consumer_secret.expose_secret()), encoded(token_secret.expose_secret()))
}

/// The signature base string; parameters sorted by name (3.4.1).
fn text(method: &str, url: &str, parameters: &[(&str, String)]) -> String {
    let pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
    format!("{method}&{}&{}", encoded(url), encoded(&pairs.join("&")))
}

fn signature(key: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Percent-encoding of everything that is not unreserved (3.6).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_xs_own_example() {
        // X developer documentation, "Creating a signature" (POST statuses/update.json)
        let parameters = [
            ("include_entities", "true".to_owned()),
            ("oauth_consumer_key", "xvz1evFS4wEEPTGEFPHBog".to_owned()),
            ("oauth_nonce", "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg".to_owned()),
            ("oauth_signature_method", "HMAC-SHA1".to_owned()),
            ("oauth_timestamp", "1318622958".to_owned()),
            ("oauth_token", "370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb".to_owned()),
            ("oauth_version", "1.0".to_owned()),
            ("status", "Hello Ladies + Gentlemen, a signed OAuth request!".to_owned()),
        ];
        let text = text("POST", "https://api.twitter.com/1.1/statuses/update.json", &parameters);
        let secret = |text: &str| SecretString::from(text.to_owned());
        let key = key(
            &secret("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw"),
            &secret("LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE"),
        );
        assert_eq!(signature(&key, &text), "hCtSmYh+iHYCEqBWrE7C7hYmtUk=");
    }
}
