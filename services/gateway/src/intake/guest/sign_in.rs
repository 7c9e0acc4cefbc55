//! Whether the company's own sign-in signed a token: JWS in its compact form (RFC 7515), by the keys
//! and algorithms of the deployment and no other. What the token says is judged in the core.
//!
//! The cryptography is aws-lc-rs, which is here already; around it remains to take a text apart.

use std::path::Path;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemas::config::{SecretRef, SignIn, SignInAlgorithm, SignInKey};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::core::guests::identity::Claims;

const TOKEN_BYTES_MAX: usize = 8_192;
/// RFC 7518, 3.2: a key at least as long as the hash.
const SECRET_BYTES_MIN: usize = 32;

/// A token's header. One that brings its own key, or asks for what we do not know, is refused.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: String,
    kid: Option<String>,
    jku: Option<Value>,
    jwk: Option<Value>,
    x5u: Option<Value>,
    x5c: Option<Value>,
    crit: Option<Value>,
}

/// What a token says, if one of the keys signed it.
///
/// # Errors
/// What is wrong with it, from a closed set.
pub fn claims(token: &str, rules: &SignIn) -> Result<Claims, &'static str> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err("too_long");
    }
    let (message, signature) = token.rsplit_once('.').ok_or("malformed")?;
    let (header, payload) = message.split_once('.').ok_or("malformed")?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| "malformed");
    let (header, payload, signature) = (bytes(header)?, bytes(payload)?, bytes(signature)?);
    let header: Header = serde_json::from_slice(&header).map_err(|_| "malformed")?;
    if !header.typ.eq_ignore_ascii_case("JWT") {
        return Err("wrong_type");
    }
    let own = [&header.jku, &header.jwk, &header.x5u, &header.x5c, &header.crit];
    if own.iter().any(|one| one.is_some()) {
        return Err("brings_its_own_key");
    }
    let fits = |key: &&SignInKey| {
        name(key.algorithm) == header.alg && key.kid.as_ref().is_none_or(|kid| Some(kid) == header.kid.as_ref())
    };
    if !rules.keys.iter().filter(fits).any(|key| is_signed(key, message.as_bytes(), &signature)) {
        return Err("not_signed");
    }
    serde_json::from_slice(&payload).map_err(|_| "claims_unreadable")
}

const fn name(algorithm: SignInAlgorithm) -> &'static str {
    match algorithm {
        SignInAlgorithm::RS256 => "RS256",
        SignInAlgorithm::ES256 => "ES256",
        SignInAlgorithm::EdDsa => "EdDSA",
        SignInAlgorithm::HS256 => "HS256",
    }
}

/// Whether this key signed it, by the key's own algorithm. Constant time where the key is secret.
fn is_signed(key: &SignInKey, message: &[u8], signature: &[u8]) -> bool {
    let part = |part: &Option<String>| part.as_ref().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    let checked = match key.algorithm {
        SignInAlgorithm::RS256 => part(&key.n).zip(part(&key.e)).map(|(n, e)| {
            let key = RsaPublicKeyComponents { n, e };
            key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
        }),
        SignInAlgorithm::ES256 => part(&key.x).zip(part(&key.y)).map(|(x, y)| {
            let point = [&[4u8][..], &x, &y].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
        }),
        SignInAlgorithm::EdDsa => {
            part(&key.x).map(|x| UnparsedPublicKey::new(&ED25519, x).verify(message, signature).is_ok())
        }
        SignInAlgorithm::HS256 => key.secret.as_ref().and_then(secret).map(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
            hmac::verify(&key, message, signature).is_ok()
        }),
    };
    checked.unwrap_or(false)
}

/// The shared secret, if it can be had and is long enough.
fn secret(place: &SecretRef) -> Option<SecretString> {
    let secret = match place {
        SecretRef::Env(name) => settings::read_env_secret(name),
        SecretRef::File(path) => settings::read_secret_file(Path::new(path)),
    };
    let secret = secret.inspect_err(|error| tracing::warn!(%error, "a sign-in secret cannot be read")).ok()?;
    if secret.expose_secret().len() < SECRET_BYTES_MIN {
        tracing::warn!("a sign-in secret is shorter than {SECRET_BYTES_MIN} bytes and is not used");
        return None;
    }
    Some(secret)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    /// Key and token made with OpenSSL 3.
    const RSA_N: &str = "v-2rZucmBMHlaR1xkUTot6vJZnyVG4cCJc5C7l0g9uE9q2YrmxgJOljH6QYQBYYHmtttQUrxbX1In8tl8bntezVoys9ERl7JLVypYVpyRfqP_bWSV6XZthbVkt2IhYKyQXKRZTAspmeYfE83kdie1NIM7JE1Up8cTYzWMtX0qIy9CmoO1E5nBvuYz-A4GlHzBtoYi3P0vNTH6fwj4xJ-Cr_tZZ_Brg_pwvIb4OuEwYK5WKnb_xSg-rJZaoI65bbUCtDu5SpQwbZvScxdFXLIesUUUjpCZ5iWRzXycryNPWV7JXaRJrhTQ2m9DTyzA3KCLpZOCKw_5enZtI_0vypXKw";
    const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InIxIn0.eyJpc3MiOiJodHRwczovL3Nob3AuZXhhbXBsZSIsImF1ZCI6IndlZnQiLCJzdWIiOiJhZGEiLCJleHAiOjE4MDAwMDAzMDAsImRlcGxveW1lbnQiOiJzaG9wIn0.UeuLdb1yQ03kqPMAztHD3xMBf0Xqm770FBSnrq6MaizrO3A3EW-qC0P0XNNz4_kIQsvaAOb6OdFcSjV1o0E2rl4H0moDfFiwW8qD-bWJrFVy1qJRvIinxUD_y42DcB3aRdu_FGLfOmaVVE8_yjx7N_W9ig18_s5auxVxjxuyRsrQ5zOsGMFIb3YlAbyyDSJyvRGROuJmoQCSms_9tVkhqfYcJKhEcaHgzk7zuRHMg9oVrFMkAnTYLaNaDIHcV0V-qtHeR2mVkR7VL2cr6gZkUlkgX9jlvRBPxWPnfZ5S9Pee8kgYTAYkal4lOZkWtoV8iEgIT5TsubDj0coohaxHpQ";

    fn b64(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn ed() -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
    }

    fn ed_key() -> SignInKey {
        let x = Some(b64(ed().public_key()));
        SignInKey { algorithm: SignInAlgorithm::EdDsa, x, kid: Some("k1".into()), ..SignInKey::default() }
    }

    fn rules(keys: Vec<SignInKey>) -> SignIn {
        SignIn { keys, ..SignIn::default() }
    }

    fn said() -> Value {
        json!({"iss": "i", "aud": "a", "sub": "ada", "exp": 1, "deployment": "shop"})
    }

    fn token(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        format!("{message}.{}", b64(sign(message.as_bytes())))
    }

    fn ed_token(header: &Value) -> String {
        token(header, &said(), |message| ed().sign(message).as_ref().to_vec())
    }

    #[test]
    fn a_token_is_taken_from_each_algorithm_s_own_key() {
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": "k1"});
        assert_eq!(claims(&ed_token(&header), &rules(vec![ed_key()])).unwrap().sub, "ada");

        let rsa = SignInKey { n: Some(RSA_N.into()), e: Some("AQAB".into()), ..SignInKey::default() };
        assert_eq!(claims(RSA_TOKEN, &rules(vec![ed_key(), rsa])).unwrap().sub, "ada");

        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (Some(b64(x)), Some(b64(y)));
        let es = SignInKey { algorithm: SignInAlgorithm::ES256, x, y, ..SignInKey::default() };
        let sign = |message: &[u8]| pair.sign(&random, message).unwrap().as_ref().to_vec();
        let made = token(&json!({"alg": "ES256", "typ": "JWT"}), &said(), sign);
        assert_eq!(claims(&made, &rules(vec![es])).unwrap().sub, "ada");
    }

    #[test]
    fn a_shared_secret_signs_if_it_is_long_enough() {
        for (length, expected) in [(31, false), (32, true)] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            let text = "s".repeat(length);
            file.write_all(text.as_bytes()).unwrap();
            let secret = Some(SecretRef::File(file.path().to_str().unwrap().into()));
            let key = SignInKey { algorithm: SignInAlgorithm::HS256, secret, ..SignInKey::default() };
            let signing = hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes());
            let sign = |message: &[u8]| hmac::sign(&signing, message).as_ref().to_vec();
            let made = token(&json!({"alg": "HS256", "typ": "JWT"}), &said(), sign);
            assert_eq!(claims(&made, &rules(vec![key])).is_ok(), expected, "{length}");
        }
    }

    #[test]
    fn what_is_forged_confused_or_brings_its_own_key_is_refused() {
        let good = json!({"alg": "EdDSA", "typ": "JWT", "kid": "k1"});
        let with = |name: &str, value: Value| {
            let mut header = good.clone();
            header[name] = value;
            header
        };
        let unsigned = format!("{}.{}.", b64(with("alg", json!("none")).to_string()), b64(said().to_string()));
        let public = ed().public_key().as_ref().to_vec();
        let confused = token(&with("alg", json!("HS256")), &said(), |message| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), message).as_ref().to_vec()
        });
        let mut other_claims: Vec<String> = ed_token(&good).split('.').map(str::to_owned).collect();
        other_claims[1] =
            b64(json!({"iss": "i", "aud": "a", "sub": "eve", "exp": 1, "deployment": "shop"}).to_string());
        let without_type = ed_token(&json!({"alg": "EdDSA", "kid": "k1"}));
        let table = [
            (String::new(), "malformed"),
            ("a.b".into(), "malformed"),
            ("a.b.c.d".into(), "malformed"),
            (format!("{}=", ed_token(&good)), "malformed"),
            ("x".repeat(TOKEN_BYTES_MAX + 1), "too_long"),
            (unsigned, "not_signed"),
            (confused, "not_signed"),
            (other_claims.join("."), "not_signed"),
            (ed_token(&with("kid", json!("k2"))), "not_signed"),
            (ed_token(&with("alg", json!("RS256"))), "not_signed"),
            (ed_token(&with("typ", json!("at+jwt"))), "wrong_type"),
            (without_type, "malformed"),
            (ed_token(&with("jku", json!("https://evil.example/keys"))), "brings_its_own_key"),
            (ed_token(&with("x5u", json!("https://evil.example/cert"))), "brings_its_own_key"),
            (ed_token(&with("jwk", json!({"kty": "OKP"}))), "brings_its_own_key"),
            (ed_token(&with("crit", json!(["exp"]))), "brings_its_own_key"),
        ];
        for (token, reason) in table {
            assert_eq!(claims(&token, &rules(vec![ed_key()])).unwrap_err(), reason, "{token:.80}");
        }
        assert_eq!(claims(&ed_token(&good), &rules(vec![])).unwrap_err(), "not_signed");
    }
}
