//! Broken bodies: whatever is cut off, swapped or put in, a parser says what it read or that it
//! could not, and never panics.
#![expect(clippy::unwrap_used, reason = "a missing fixture ends the test")]

#[path = "support/broken.rs"]
mod broken;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broken::{Dice, break_bytes, broken, fixtures};
use hmac::{Hmac, KeyInit, Mac};
use ingest::intake::signature::{Scheme, challenge_answer, is_signed};
use secrecy::SecretString;
use sha2::Sha256;

#[test]
fn no_broken_body_makes_a_parser_panic() {
    let mut read = 0;
    for kind in ["whatsapp", "facebook", "instagram", "twitter", "open"] {
        for (n, fixture) in fixtures(kind).iter().enumerate() {
            for round in 0..150_u64 {
                let seed = 0x9e37_79b9_7f4a_7c15 ^ (round << 20) ^ n as u64;
                let mut dice = Dice(seed);
                let body = broken(fixture, round, &mut dice);
                let found = std::panic::catch_unwind(|| ingest::parse_report(kind, &body));
                let found = found.unwrap_or_else(|_| panic!("seed {seed} of {kind} fixture {n} panics"));
                for event in found.unwrap_or_default() {
                    assert!(event["class"].is_string(), "seed {seed} of {kind} fixture {n}: {event}");
                    read += 1;
                }
            }
        }
    }
    assert!(read > 1000, "only {read} events read: the bodies are broken too much to tell anything");
}

#[test]
fn every_beginning_of_a_body_is_read_or_refused() {
    for kind in ["whatsapp", "facebook", "instagram", "twitter", "open"] {
        for fixture in fixtures(kind) {
            for end in 0..fixture.trim_ascii_end().len() {
                assert!(ingest::parse_report(kind, &fixture[..end]).is_err(), "{kind}, cut at {end}");
            }
        }
    }
}

#[test]
fn a_changed_signature_is_never_good_and_a_broken_one_makes_no_check_panic() {
    let (body, secrets) = (b"the body", [SecretString::from("the secret")]);
    let mut mac = Hmac::<Sha256>::new_from_slice(b"the secret").unwrap();
    mac.update(body);
    let mac = mac.finalize().into_bytes();
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    for (scheme, good) in
        [(Scheme::Hex, format!("sha256={hex}")), (Scheme::Base64, format!("sha256={}", STANDARD.encode(mac)))]
    {
        assert!(is_signed(scheme, Some(&good), body, &secrets));
        for seed in 1..5_000_u64 {
            let mut bytes = good.clone().into_bytes();
            break_bytes(&mut bytes, &mut Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1));
            let broken = String::from_utf8_lossy(&bytes).into_owned();
            // The digits of a hexadecimal signature may be upper case; around either may be space.
            let same = |text: &str| match (scheme, text.trim()) {
                (Scheme::Hex, text) => text.strip_prefix("sha256=").map(str::to_lowercase) == Some(hex.clone()),
                (Scheme::Base64, text) => text == good,
            };
            assert_eq!(is_signed(scheme, Some(&broken), body, &secrets), same(&broken), "seed {seed}: {broken:?}");
        }
    }
}

#[test]
fn no_challenge_that_could_be_a_body_is_answered() {
    let secret = SecretString::from("the secret");
    for fixture in fixtures("twitter") {
        let body = String::from_utf8(fixture).unwrap();
        for start in (0..body.len()).filter(|at| body.is_char_boundary(*at)) {
            let token: String = body[start..].chars().take(150).collect();
            let could_be = token.contains(['{', '[', '"', '\n', ':']);
            assert!(!could_be || challenge_answer(&token, &secret).is_none(), "{token:?}");
        }
    }
}
