//! What a deployment must keep: origins that a browser would send, keys that fit their algorithms.

use schemas::config::{Deployment, SignIn, SignInAlgorithm, SignInKey};

use super::Found;

/// What is wrong with a deployment.
pub(super) fn of_deployment(deployment: &Deployment) -> Found<'_> {
    let mut found = Vec::new();
    for origin in &deployment.allowed_origins {
        if !is_origin(origin) {
            let text =
                format!("expected an origin such as https://shop.example (http on localhost alone), found {origin:?}");
            found.push((vec!["allowed_origins"], text));
        }
    }
    if deployment.allowed_origins.is_empty() && !deployment.native_apps {
        found.push((vec!["name"], "nobody could connect: expected allowed_origins or native_apps: true".to_owned()));
    }
    if deployment.messenger.uploads.as_ref().is_some_and(|uploads| uploads.bytes_max <= 0) {
        found.push((vec!["messenger", "uploads", "bytes_max"], "expected more than 0 bytes".to_owned()));
    }
    found.extend(deployment.sign_in.iter().flat_map(of_sign_in));
    found
}

fn of_sign_in(sign_in: &SignIn) -> Found<'_> {
    let mut found = Vec::new();
    for (path, text) in [("issuer", &sign_in.issuer), ("audience", &sign_in.audience)] {
        if text.is_empty() {
            found.push((vec!["sign_in", path], "expected what the token must say, found nothing".to_owned()));
        }
    }
    if sign_in.keys.is_empty() {
        found.push((vec!["sign_in", "keys"], "expected at least one key, found none".to_owned()));
    }
    for key in &sign_in.keys {
        if let Some(text) = wrong_parts(key) {
            found.push((vec!["sign_in", "keys"], text.to_owned()));
        }
    }
    found
}

/// Each algorithm has its own parts; those of another would never be looked at.
fn wrong_parts(key: &SignInKey) -> Option<&'static str> {
    let parts = [&key.n, &key.e, &key.x, &key.y].map(Option::is_some);
    let (given, needs, text) = match key.algorithm {
        SignInAlgorithm::RS256 => (parts, [true, true, false, false], "an RS256 key has n and e"),
        SignInAlgorithm::ES256 => (parts, [false, false, true, true], "an ES256 key has x and y"),
        SignInAlgorithm::EdDsa => (parts, [false, false, true, false], "an EdDSA key has x"),
        SignInAlgorithm::HS256 => (parts, [false; 4], "an HS256 key has secret"),
    };
    let has_secret = key.secret.is_some();
    (given != needs || has_secret != (key.algorithm == SignInAlgorithm::HS256)).then_some(text)
}

/// As browsers write it (RFC 6454, 6.2): scheme, host, port unless it is the scheme's own.
fn is_origin(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    !text.contains('*')
        && (url.scheme() == "https" || url.scheme() == "http" && is_local)
        && url.origin().ascii_serialization() == text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_would_send() {
        for (text, expected) in [
            ("https://shop.example", true),
            ("https://shop.example:8443", true),
            ("http://localhost:3000", true),
            ("http://127.0.0.1:3000", true),
            ("http://shop.example", false),
            ("https://shop.example/", false),
            ("https://shop.example:443", false),
            ("https://SHOP.example", false),
            ("https://*.example", false),
            ("*", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(is_origin(text), expected, "{text}");
        }
    }

    #[test]
    fn a_key_has_the_parts_of_its_algorithm_and_no_other() {
        let part = || Some("AQAB".to_owned());
        let rsa = SignInKey { n: part(), e: part(), ..SignInKey::default() };
        assert_eq!(wrong_parts(&rsa), None);
        assert!(wrong_parts(&SignInKey { x: part(), ..rsa.clone() }).is_some());
        assert!(wrong_parts(&SignInKey { algorithm: SignInAlgorithm::HS256, ..rsa }).is_some());
        let point = SignInKey { algorithm: SignInAlgorithm::ES256, x: part(), y: part(), ..SignInKey::default() };
        assert_eq!(wrong_parts(&point), None);
        assert!(wrong_parts(&SignInKey { algorithm: SignInAlgorithm::EdDsa, ..point }).is_some());
    }
}
