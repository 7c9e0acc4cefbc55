use std::net::SocketAddr;

use network::Place;
use schemas::records::{Channel, Content};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::core::event::{Refusal, Route};
use crate::outlets::channels::support;

fn calls() -> Calls {
    let settings = DeliverySettings {
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        account_calls_max: 32,
        account_rate_share: 1.0,
        connect_timeout_ms: 1_000,
        ports: vec![443],
        internal_hosts: vec![Place::try_from("127.0.0.1".to_owned()).unwrap()],
        media_internal_hosts: vec![Place::try_from("127.0.0.1".to_owned()).unwrap()],
        denied_hosts: Vec::new(),
        media_fetches_max: 8,
        media_timeout_ms: 2_000,
    };
    let metrics = Metrics::start(&prometheus::Registry::new()).unwrap();
    Calls::new(&settings, KeySecret::new("secret"), metrics).unwrap()
}

/// A send by webhook; the secret stands in a file.
fn send(address: SocketAddr, secret: &std::path::Path) -> Send {
    let route = Route {
        webhook_url: Some(format!("http://{address}/hook")),
        webhook_secrets: vec![SecretPlace::File(secret.display().to_string())],
        timeout_ms: 300,
        ..Route::default()
    };
    support::saying(&support::send(Channel::Open, route), &Content::text("Hello Ada"))
}

fn secret_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    file
}

/// Reads one request whole, then does as told.
async fn serve(listener: TcpListener, answer: Option<&'static str>) -> TcpStream {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut chunk = [0; 4_096];
        let n = socket.read(&mut chunk).await.unwrap();
        assert!(n > 0, "the request ended early");
        request.extend_from_slice(&chunk[..n]);
    }
    if let Some(answer) = answer {
        socket.write_all(answer.as_bytes()).await.unwrap();
    }
    socket
}

async fn outcome_of(answer: Option<&'static str>, keeps_open: bool) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let secret = secret_file();
    let send = send(listener.local_addr().unwrap(), secret.path());
    let calls = calls();
    let served = tokio::spawn(async move {
        let socket = serve(listener, answer).await;
        if keeps_open {
            std::future::pending::<()>().await;
        }
        drop(socket);
    });
    let outcome = calls.call(&send, || true).await;
    served.abort();
    outcome
}

#[tokio::test]
async fn an_answer_is_an_answer_and_silence_is_ambiguous() {
    let ok = "HTTP/1.1 204 No Content\r\n\r\n";
    assert_eq!(outcome_of(Some(ok), true).await, Outcome::Accepted { provider_message_id: None, rest_ms: 0 });
    let busy = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
    let Outcome::Answered(answer) = outcome_of(Some(busy), true).await else { panic!("expected an answer") };
    assert_eq!((answer.status, answer.retry_after_ms), (429, Some(7_000)));
    assert_eq!(outcome_of(None, true).await, Outcome::Unknown { reason: "timeout" });
    assert_eq!(outcome_of(None, false).await, Outcome::Unknown { reason: "connection_broken" });
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved = "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    let Outcome::Answered(answer) = outcome_of(Some(moved), true).await else { panic!("expected an answer") };
    assert_eq!(answer.status, 307);
}

#[tokio::test]
async fn a_refused_connection_carried_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let secret = secret_file();
    let outcome = calls().call(&send(address, secret.path()), || true).await;
    assert_eq!(outcome, Outcome::NotSent { reason: "no_connection" });
}

#[tokio::test]
async fn nothing_leaves_when_it_must_not() {
    let nobody: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let secret = secret_file();
    let ours = send(nobody, secret.path());
    assert_eq!(calls().call(&ours, || false).await, Outcome::NotOurs);
    let late = Send { expires_at: Some(1), ..ours.clone() };
    assert_eq!(calls().call(&late, || true).await, Outcome::Refused(Refusal::Expired));
    let closed = Send { channel: Channel::Facebook, window_ends_at: Some(1), ..ours.clone() };
    assert_eq!(calls().call(&closed, || true).await, Outcome::Refused(Refusal::WindowClosed));
    let mut elsewhere = ours;
    elsewhere.route.webhook_url = Some("http://10.0.0.1/hook".into());
    assert_eq!(calls().call(&elsewhere, || true).await, Outcome::Unconfigured { reason: "not_https" });
}

#[tokio::test]
async fn an_account_that_used_up_its_rate_is_told_how_long_it_must_wait() {
    let secret = secret_file();
    let mut slow = send("127.0.0.1:1".parse().unwrap(), secret.path());
    slow.route.calls_per_ks = Some(1);
    let calls = calls();
    assert_eq!(calls.call(&slow, || true).await, Outcome::NotSent { reason: "no_connection" });
    let Outcome::Paced { wait_ms } = calls.call(&slow, || true).await else { panic!("expected a wait") };
    assert!((900_000..=1_000_000).contains(&wait_ms), "{wait_ms}");
}

#[test]
fn x_says_when_its_window_begins_anew() {
    let mut headers = HeaderMap::new();
    headers.insert("x-rate-limit-remaining", HeaderValue::from_static("0"));
    headers.insert("x-rate-limit-reset", HeaderValue::from_static("1000"));
    assert_eq!(rate_left(&headers, Timestamp::from_ms(940_000)), Some((0, 60_000)));
    assert_eq!(rate_left(&HeaderMap::new(), Timestamp::from_ms(0)), None);
}

#[test]
fn a_wish_to_wait_is_seconds_or_a_date() {
    let now = Timestamp::from_ms(784_111_777_000);
    for (text, expected) in [
        ("120", Some(120_000)),
        ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10_000)),
        ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
        ("soon", None),
    ] {
        assert_eq!(retry_after_ms(text, now), expected, "{text}");
    }
}
