//! Bodies that a platform signed and nobody expected: taken, kept and counted, never answered with an error (C2).

use super::broken::{Dice, broken, fixtures};
use super::support::{APP_SECRET, Port, sign_as_x};

/// Forms of each good body; the mutations of the parsers alone are many more.
const ROUNDS: u64 = 6;

fn forms(kind: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for (n, good) in fixtures(kind).into_iter().enumerate() {
        for round in 0..ROUNDS {
            let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (round << 20) ^ n as u64);
            forms.push(broken(&good, round, &mut dice));
        }
        forms.push(good[..good.len() / 2].to_vec());
        forms.push(good);
    }
    forms.retain(|body| body.len() <= super::BODY_BYTES_MAX);
    forms
}

#[tokio::test]
async fn whatever_a_platform_signs_is_taken_and_kept() {
    let port = Port::open_at_rate(1_000_000).await;
    let (mut taken, mut dead, mut events) = (0, 0, 0);
    for kind in ["whatsapp", "facebook", "instagram", "twitter"] {
        for body in forms(kind) {
            let answer = match kind {
                "twitter" => port.bird(&body, &sign_as_x(APP_SECRET, &body)).await,
                _ => port.signed(&body).await,
            };
            assert_eq!(answer.status(), 200, "{kind}: {:?}", String::from_utf8_lossy(&body));
            let written = port.written();
            assert_eq!(written.raw.len(), 1, "{kind}: the request itself is kept");
            taken += 1;
            dead += usize::from(!written.dead.is_empty());
            events += written.events.len();
        }
    }
    let counted = port.count("weft_webhooks_total", &[("outcome", "accepted")])
        + port.count("weft_webhooks_total", &[("outcome", "dead_lettered")]);
    assert_eq!(counted, taken, "each is counted");
    assert!(dead > 50 && events > 20, "{dead} of {taken} could not be understood, {events} events");
}

#[tokio::test]
async fn whatever_a_program_posts_is_taken_or_told_what_is_wrong() {
    let port = Port::open().await;
    let token = port.token("all", &["inbound"]);
    let mut refused = 0;
    for body in forms("open") {
        for form in ["message", "event", "receipt", "structured/response"] {
            let url = port.url(&format!("/api/v2/conversations/messages/shop/inbound/open/{form}"));
            let answer = port.http.post(url).bearer_auth(&token).body(body.clone()).send().await.unwrap();
            let status = answer.status().as_u16();
            assert!([200, 400].contains(&status), "{form}: {status} for {:?}", String::from_utf8_lossy(&body));
            refused += usize::from(status == 400);
        }
    }
    assert!(refused > 20, "only {refused} refused");
}
