//! Who sent it: signatures over the raw bytes, Meta's handshake token, X's challenge.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const SCHEME: &str = "sha256=";
const MAC_BYTES: usize = 32;
/// Used where there is no secret, so that an unknown endpoint costs as much as a wrong signature.
const NOBODY: &[u8] = b"no endpoint has this secret";

/// How a platform writes HMAC-SHA256(app secret, raw body) behind `sha256=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Meta: hexadecimal. Its older header with SHA-1 is not accepted.
    Hex,
    /// X: standard Base64 with padding.
    Base64,
}

impl Scheme {
    /// The header that carries the signature.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Hex => "x-hub-signature-256",
            Self::Base64 => "x-twitter-webhooks-signature",
        }
    }

    fn decode(self, header: &str) -> Option<[u8; MAC_BYTES]> {
        let text = header.trim().strip_prefix(SCHEME)?;
        match self {
            Self::Hex => unhex(text),
            Self::Base64 => STANDARD.decode(text).ok()?.try_into().ok(),
        }
    }
}

/// Whether one of the secrets signed this body; `signature` is the scheme's header. Every secret is
/// tried, in constant time.
pub fn is_signed(scheme: Scheme, signature: Option<&str>, body: &[u8], secrets: &[SecretString]) -> bool {
    let given = signature.and_then(|header| scheme.decode(header));
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

/// How far a signed time may be from ours, seconds (Standard Webhooks 1.0.0, verification).
const TOLERANCE_S: i64 = 300;
/// Signatures that are looked at.
const SIGNATURES_MAX: usize = 5;

/// The three headers of Standard Webhooks 1.0.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StandardHeaders<'a> {
    id: &'a str,
    timestamp: &'a str,
    signatures: &'a str,
}

impl<'a> StandardHeaders<'a> {
    /// The headers `webhook-id`, `webhook-timestamp` and `webhook-signature`, if all came.
    pub fn of(id: Option<&'a str>, timestamp: Option<&'a str>, signatures: Option<&'a str>) -> Option<Self> {
        let (id, timestamp, signatures) = (id?, timestamp?, signatures?);
        (!id.is_empty()).then_some(Self { id, timestamp, signatures })
    }
}

/// Whether one of the secrets (`whsec_` and Base64) signed this body under these headers within five
/// minutes of `now_s`. Every secret is tried with every signature, in constant time.
pub fn is_standard(given: Option<StandardHeaders<'_>>, body: &[u8], secrets: &[SecretString], now_s: i64) -> bool {
    let headers = given.unwrap_or(StandardHeaders { id: "-", timestamp: "0", signatures: "" });
    let sent_s = headers.timestamp.parse::<i64>().ok();
    let is_timely = sent_s.is_some_and(|sent_s| now_s.abs_diff(sent_s) <= TOLERANCE_S.unsigned_abs());
    let macs = headers.signatures.split(' ').take(SIGNATURES_MAX).filter_map(|one| {
        let mac: [u8; MAC_BYTES] = STANDARD.decode(one.strip_prefix("v1,")?).ok()?.try_into().ok()?;
        Some(mac)
    });
    let candidates: Vec<[u8; MAC_BYTES]> = macs.collect();
    let fits = |key: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(format!("{}.{}.", headers.id, headers.timestamp).as_bytes());
        mac.update(body);
        candidates.iter().fold(false, |found, one| mac.clone().verify_slice(one).is_ok() | found)
    };
    if secrets.is_empty() {
        return fits(NOBODY) & false;
    }
    let signed = secrets.iter().fold(false, |found, secret| {
        let text = secret.expose_secret();
        match STANDARD.decode(text.strip_prefix("whsec_").unwrap_or(text)) {
            Ok(key) => fits(&key) | found,
            Err(_) => fits(NOBODY) & false | found,
        }
    });
    signed & is_timely
}

fn unhex(text: &str) -> Option<[u8; MAC_BYTES]> {
    let hex = text.as_bytes();
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

/// Longest challenge that is answered, bytes.
const CHALLENGE_BYTES_MAX: usize = 200;

/// The answer to X's challenge: `sha256=<Base64 of HMAC-SHA256(consumer secret, token)>`. The same
/// secret signs bodies, so whoever may choose the token gets a signature of it: only tokens that can
/// be no JSON are answered (letters, digits, space and `-_=+/.`, at most 200 bytes).
pub fn challenge_answer(token: &str, secret: &SecretString) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=+/. ".contains(&byte);
    if token.is_empty() || token.len() > CHALLENGE_BYTES_MAX || !token.bytes().all(is_plain) {
        return None;
    }
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(token.as_bytes());
    Some(format!("{SCHEME}{}", STANDARD.encode(mac.finalize().into_bytes())))
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
            assert!(
                is_signed(Scheme::Hex, Some(&format!("sha256={mac}")), data.as_bytes(), &secrets(&[&key])),
                "{data}"
            );
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
            assert_eq!(
                is_signed(Scheme::Hex, header, body.as_bytes(), &secrets(&live)),
                expected,
                "{header:?} {live:?}"
            );
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
        assert!(is_signed(Scheme::Hex, Some(&header), escaped, &secrets(&["s"])));
        assert!(!is_signed(Scheme::Hex, Some(&header), plain.as_bytes(), &secrets(&["s"])));
    }

    #[test]
    fn a_handshake_token_must_be_the_whole_token() {
        let live = secrets(&["let me in", "or me"]);
        for (given, expected) in [("let me in", true), ("or me", true), ("let me", false), ("", false)] {
            assert_eq!(is_token(given, &live), expected, "{given}");
        }
        assert!(!is_token("", &[]));
    }

    /// The secret and token of courier's `twitter_test.go` (weni-ai/courier), published with this
    /// answer; the token is sent as `test+token`.
    #[test]
    fn the_published_challenge_of_x_gets_the_published_answer() {
        let secret = SecretString::from("apiSecret");
        let answer = challenge_answer("test token", &secret).unwrap();
        assert_eq!(answer, "sha256=O5hJl2njQRIa4vsumZ+3oom9ECR5m3aQLRZkPoYelp0=");
    }

    /// The vector of the Standard Webhooks libraries (svix-webhooks, `webhook_test`).
    #[test]
    fn the_published_webhook_is_accepted_in_time_and_unchanged() {
        let secret = secrets(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        let good = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let five = ["v1,aaaa"; 5].join(" ");
        let judge = |id: &str, at: &str, signatures: &str, body: &[u8], now_s| {
            is_standard(StandardHeaders::of(Some(id), Some(at), Some(signatures)), body, &secret, now_s)
        };
        let stamp = at.to_string();
        for (signatures, expected) in [
            (good.to_owned(), true),
            (format!("v1,bm9uZQ== {good}"), true),
            (format!("v2,{} {good}", &good[3..]), true),
            (good[3..].to_owned(), false),
            ("v1,".to_owned(), false),
            (good[..good.len() - 4].to_owned(), false),
            (format!("{five} {good}"), false),
            (String::new(), false),
        ] {
            assert_eq!(judge(id, &stamp, &signatures, body, at), expected, "{signatures}");
        }
        assert!(judge(id, &stamp, good, body, at + 300) && judge(id, &stamp, good, body, at - 300));
        assert!(!judge(id, &stamp, good, body, at + 301) && !judge(id, &stamp, good, body, at - 301));
        assert!(!judge("msg_other", &stamp, good, body, at) && !judge(id, &stamp, good, b"{}", at));
        assert!(!judge(id, "soon", good, body, at) && !judge(id, "9223372036854775808", good, body, at));
        let headers = StandardHeaders::of(Some(id), Some(&stamp), Some(good));
        assert!(!is_standard(headers, body, &[], at) && !is_standard(None, body, &secret, 0));
        assert!(!is_standard(headers, body, &secrets(&["whsec_not base64"]), at));
        assert!(is_standard(headers, body, &[secrets(&["whsec_bmV3"]), secret.clone()].concat(), at));
    }

    #[test]
    fn a_challenge_that_could_be_a_body_is_not_answered() {
        let secret = SecretString::from("apiSecret");
        for token in ["", "{\"for_user_id\":\"1\"}", "[]", "a\"b", "a\nb", "ü", &"a".repeat(201)] {
            assert_eq!(challenge_answer(token, &secret), None, "{token}");
        }
        assert!(challenge_answer(&"a".repeat(200), &secret).is_some());
    }

    #[test]
    fn a_body_of_x_is_accepted_with_its_signature_in_base64_alone() {
        let body = br#"{"for_user_id":"1"}"#;
        let mut mac = Hmac::<Sha256>::new_from_slice(b"s").unwrap();
        mac.update(body);
        let bytes = mac.finalize().into_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = STANDARD.encode(bytes);
        for (header, live, expected) in [
            (format!("sha256={text}"), vec!["s"], true),
            (format!("sha256={text}"), vec!["new", "s"], true),
            (format!("sha256={text}"), vec!["new"], false),
            (format!("sha256={text}"), vec![], false),
            (format!("sha256={}", text.trim_end_matches('=')), vec!["s"], false),
            (format!("sha256={hex}"), vec!["s"], false),
            (text.clone(), vec!["s"], false),
            (format!("sha256={text}{text}"), vec!["s"], false),
            ("sha256=".to_owned(), vec!["s"], false),
        ] {
            assert_eq!(is_signed(Scheme::Base64, Some(&header), body, &secrets(&live)), expected, "{header} {live:?}");
        }
        assert!(!is_signed(Scheme::Hex, Some(&format!("sha256={text}")), body, &secrets(&["s"])));
    }
}
