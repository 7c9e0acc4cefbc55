//! Who sent it: Meta's signature over the raw bytes, and the token of its handshake.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const SCHEME: &str = "sha256=";
const MAC_BYTES: usize = 32;
/// Used where there is no secret, so that an unknown endpoint costs as much as a wrong signature.
const NOBODY: &[u8] = b"no endpoint has this secret";

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-hub-signature-256";

/// Whether one of the secrets signed this body. `signature` is the header
/// `X-Hub-Signature-256: sha256=<hex of HMAC-SHA256(app secret, raw body)>`; the older header with
/// SHA-1 is not accepted. Every secret is tried, in constant time.
pub fn is_signed(signature: Option<&str>, body: &[u8], secrets: &[SecretString]) -> bool {
    let given = signature.and_then(decode);
    let candidate = given.unwrap_or([0; MAC_BYTES]);
    let fits = |secret: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(body);
        mac.verify_slice(&candidate).is_ok()
    };
    if secrets.is_empty() {
        return fits(NOBODY) & false;
    }
    secrets.iter().fold(false, |found, secret| fits(secret.expose_secret().as_bytes()) | found) & given.is_some()
}

fn decode(header: &str) -> Option<[u8; MAC_BYTES]> {
    let hex = header.trim().strip_prefix(SCHEME)?.as_bytes();
    if hex.len() != 2 * MAC_BYTES {
        return None;
    }
    let mut mac = [0; MAC_BYTES];
    for (byte, digits) in mac.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = digit(digits[0])? << 4 | digit(digits[1])?;
    }
    Some(mac)
}

fn digit(hex: u8) -> Option<u8> {
    match hex {
        b'0'..=b'9' => Some(hex - b'0'),
        b'a'..=b'f' => Some(hex - b'a' + 10),
        b'A'..=b'F' => Some(hex - b'A' + 10),
        _ => None,
    }
}

/// Whether a handshake's token is one of these, in a time that tells nothing of them.
pub fn is_token(given: &str, tokens: &[SecretString]) -> bool {
    let given = Sha256::digest(given.as_bytes());
    tokens
        .iter()
        .fold(false, |found, token| bool::from(Sha256::digest(token.expose_secret().as_bytes()).ct_eq(&given)) | found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(all: &[&str]) -> Vec<SecretString> {
        all.iter().map(|secret| SecretString::from(*secret)).collect()
    }

    /// RFC 4231, test cases 1 and 2 (HMAC-SHA-256), as Meta writes them into its header.
    #[test]
    fn published_vectors_are_accepted() {
        for (key, data, mac) in [
            ("\u{b}".repeat(20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                "Jefe".to_owned(),
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
        ] {
            assert!(is_signed(Some(&format!("sha256={mac}")), data.as_bytes(), &secrets(&[&key])), "{data}");
        }
    }

    /// The secret and the body of messenger4j's `WebhookTest.java` (MIT), signed there with SHA-1;
    /// this is HMAC-SHA-256 of the same.
    #[test]
    fn a_body_of_meta_is_accepted_with_its_signature_and_refused_with_any_other() {
        let secret = "60efff025951cddde78c8d03de52cc90";
        let body = concat!(
            r#"{"object":"page","entry":[{"id":"1717527131834678","time":1475942721780,"messaging":"#,
            r#"[{"sender":{"id":"1256217357730577"},"recipient":{"id":"1717527131834678"},"#,
            r#""timestamp":1475942721741,"message":{"mid":"mid.1475942721728:3b9e3646712f9bed52","#,
            r#""seq":123,"text":"34wrr3wr"}}]}]}"#
        );
        let mac = "2c28be6e4b8c62b732b3487f445dbec6624868db6844b347567ebc86d7da3ad4";
        let changed = body.replace("34wrr3wr", "CHANGED_TEXT_SO_SIGNATURE_IS_INVALID");
        let signed = format!("sha256={mac}");
        for (header, body, live, expected) in [
            (Some(signed.as_str()), body, vec![secret], true),
            (Some(signed.as_str()), body, vec!["a newer one", secret], true),
            (Some(signed.as_str()), body, vec![secret, "a newer one"], true),
            (Some(&format!("sha256={}", mac.to_uppercase())), body, vec![secret], true),
            (Some(signed.as_str()), &changed, vec![secret], false),
            (Some(signed.as_str()), body, vec!["another"], false),
            (Some(signed.as_str()), body, vec![], false),
            (Some("sha1=3daa41999293ff66c3eb313e04bcf77861bb0276"), body, vec![secret], false),
            (Some(mac), body, vec![secret], false),
            (Some("sha256="), body, vec![secret], false),
            (Some(&signed[..signed.len() - 2]), body, vec![secret], false),
            (Some(&format!("{signed}00")), body, vec![secret], false),
            (Some(&format!("sha256={}", "g".repeat(64))), body, vec![secret], false),
            (Some(&format!("sha256={}", "0".repeat(64))), body, vec![secret], false),
            (None, body, vec![secret], false),
        ] {
            assert_eq!(is_signed(header, body.as_bytes(), &secrets(&live)), expected, "{header:?} {live:?}");
        }
    }

    #[test]
    fn the_signature_is_over_the_bytes_as_they_came_not_over_their_meaning() {
        let escaped = br#"{"text":"\u00e4\u00f6"}"#;
        let plain = r#"{"text":"äö"}"#;
        let mut mac = Hmac::<Sha256>::new_from_slice(b"s").unwrap();
        mac.update(escaped);
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let header = format!("sha256={hex}");
        assert!(is_signed(Some(&header), escaped, &secrets(&["s"])));
        assert!(!is_signed(Some(&header), plain.as_bytes(), &secrets(&["s"])));
    }

    #[test]
    fn a_handshake_token_must_be_the_whole_token() {
        let live = secrets(&["let me in", "or me"]);
        for (given, expected) in [("let me in", true), ("or me", true), ("let me", false), ("", false)] {
            assert_eq!(is_token(given, &live), expected, "{given}");
        }
        assert!(!is_token("", &[]));
    }
}
