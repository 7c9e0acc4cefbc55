//! Broken bodies: whatever is cut off, swapped or put in, a parser says what it read or that it
//! could not, and never panics.
#![expect(clippy::unwrap_used, reason = "a missing fixture ends the test")]

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ingest::intake::signature::{Scheme, challenge_answer, is_signed};
use secrecy::SecretString;
use serde_json::Value;
use sha2::Sha256;

/// xorshift64*, seeded: a failure is repeated by its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % below.max(1)
    }
}

fn fixtures(kind: &str) -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// A value somewhere in the body becomes another one, or goes.
fn swap_value(value: &mut Value, dice: &mut Dice) {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    };
    if children == 0 || dice.roll(6) == 0 {
        let odd = [
            Value::Null,
            Value::from(0),
            Value::from(-1),
            Value::from(1e300),
            Value::from(u64::MAX),
            Value::from(true),
            Value::from(""),
            Value::from("\u{0}\u{202e}ü"),
            Value::from("x".repeat(70_000)),
            Value::Array(vec![]),
            Value::Array(vec![Value::Null, Value::from(1)]),
            Value::Object(serde_json::Map::new()),
        ];
        *value = odd[dice.roll(odd.len())].clone();
        return;
    }
    let at = dice.roll(children);
    match value {
        Value::Array(items) => swap_value(&mut items[at], dice),
        Value::Object(fields) => {
            let key = fields.keys().nth(at).unwrap().clone();
            if dice.roll(5) == 0 {
                fields.remove(&key);
            } else {
                swap_value(&mut fields[&key], dice);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn break_bytes(body: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(body.len());
        match dice.roll(4) {
            0 => body.truncate(at),
            1 if at < body.len() => drop(body.remove(at)),
            2 => body.insert(at, b"{}[]\",:\\0\xff"[dice.roll(10)]),
            _ if at < body.len() => body[at] ^= 1 << dice.roll(8),
            _ => {}
        }
    }
}

#[test]
fn no_broken_body_makes_a_parser_panic() {
    let mut read = 0;
    for kind in ["whatsapp", "facebook", "instagram", "twitter", "open"] {
        for (n, fixture) in fixtures(kind).iter().enumerate() {
            for round in 0..150_u64 {
                let seed = 0x9e37_79b9_7f4a_7c15 ^ (round << 20) ^ n as u64;
                let mut dice = Dice(seed);
                let mut body = fixture.clone();
                if round % 3 == 0 {
                    break_bytes(&mut body, &mut dice);
                } else {
                    let mut value: Value = serde_json::from_slice(fixture).unwrap();
                    for _ in 0..=dice.roll(3) {
                        swap_value(&mut value, &mut dice);
                    }
                    body = value.to_string().into_bytes();
                }
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
