//! A public port under people who mean no good: what is held, how long, and whose request is whose.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::{any, post};
use network::{Caller, Metrics, Place, PortSettings, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Nothing here takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Port {
    address: SocketAddr,
    metrics: Metrics,
    seen: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

fn settings() -> PortSettings {
    PortSettings {
        connections_max: 100,
        connections_per_address_max: 100,
        header_timeout_ms: 60_000,
        address_requests_per_s_max: 1_000,
        trusted_proxies: Vec::new(),
        plain_sockets: Vec::new(),
    }
}

async fn port(settings: PortSettings) -> Port {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&seen);
    let app = Router::new()
        .route("/whole", post(async |body: String| body))
        .route("/who", any(async |Extension(Caller(address)): Extension<Caller>| address.to_string()))
        .layer(axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
            note.lock().unwrap().push(request.uri().path().to_owned());
            next.run(request)
        }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = Metrics::register(&prometheus::Registry::new()).unwrap();
    let (stop, stopped) = oneshot::channel();
    let serving = serve(listener, app, settings, ("test", metrics.clone()), async move {
        let _ = stopped.await;
    });
    Port { address, metrics, seen, stop: Some(stop), served: tokio::spawn(serving) }
}

impl Port {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends this on a connection of its own, closes our side, and reads what comes until the other side closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_to_end(&mut stream).await
    }

    fn refused(&self, limit: &str) -> u64 {
        self.metrics.refused.with_label_values(&["test", limit]).get()
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    read.expect("the other side closes").ok();
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn read_some(stream: &mut TcpStream) -> String {
    let mut bytes = [0; 4_096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.expect("an answer comes");
    String::from_utf8_lossy(&bytes[..read.unwrap()]).into_owned()
}

#[tokio::test]
async fn a_head_that_never_ends_and_an_idle_connection_are_closed() {
    let port = port(PortSettings { header_timeout_ms: 300, ..settings() }).await;
    for sent in [&b""[..], b"POST /whole HTTP/1.1\r\nhost: x\r\nx-a: ", b"GET /who HTTP/1.1\r\nhost: x\r\n\r\n"] {
        let said = port.exchange(sent).await;
        assert_eq!(said.starts_with("HTTP/1.1 200"), sent.ends_with(b"\r\n\r\n"), "{said}");
    }
}

#[tokio::test]
async fn one_address_holds_no_more_connections_than_it_may() {
    let port = port(PortSettings { connections_per_address_max: 2, ..settings() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = port.connect().await;
        stream.write_all(b"GET /who HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(read_some(&mut stream).await.starts_with("HTTP/1.1 200"));
        held.push(stream);
    }
    assert_eq!(port.exchange(b"").await, "");
    assert_eq!(port.refused("connections_per_address_max"), 1);
    assert_eq!(port.refused("connections_max"), 0);
}

#[tokio::test]
async fn a_client_of_a_trusted_proxy_is_known_by_what_the_proxy_says_and_any_other_by_its_address() {
    let asked = b"GET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: 1.2.3.4\r\n\r\n";
    for (trusted, expected) in
        [(vec![], "127.0.0.1"), (vec![Place::try_from("127.0.0.0/8".to_owned()).unwrap()], "1.2.3.4")]
    {
        let port = port(PortSettings { trusted_proxies: trusted, ..settings() }).await;
        let said = port.exchange(asked).await;
        assert!(said.ends_with(&format!("\r\n\r\n{expected}")), "{said}");
    }
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_to_come_again_and_another_is_served() {
    let trusted_proxies = vec![Place::try_from("127.0.0.1".to_owned()).unwrap()];
    let port = port(PortSettings { address_requests_per_s_max: 1, trusted_proxies, ..settings() }).await;
    let ask = async |from: &str| {
        let head = format!("GET /who HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: {from}\r\n\r\n");
        port.exchange(head.as_bytes()).await
    };
    let mut last = String::new();
    for _ in 0..20 {
        last = ask("1.2.3.4").await;
        if last.starts_with("HTTP/1.1 429") {
            break;
        }
    }
    assert!(last.starts_with("HTTP/1.1 429") && last.contains("retry-after: 1"), "{last}");
    assert!(ask("1.2.3.5").await.starts_with("HTTP/1.1 200"));
    assert!(port.refused("address_requests_per_s_max") >= 1);
}

#[tokio::test]
async fn a_socket_that_others_could_read_is_refused() {
    let here = || Place::try_from("127.0.0.1".to_owned()).unwrap();
    for (trusted_proxies, plain_sockets, word, is_served) in [
        (vec![], vec![], "", true),
        (vec![here()], vec![], "", false),
        (vec![here()], vec![], "x-forwarded-proto: http\r\n", false),
        (vec![here()], vec![], "x-forwarded-proto: https\r\n", true),
        (vec![here()], vec![here()], "", true),
    ] {
        let port = port(PortSettings { header_timeout_ms: 300, trusted_proxies, plain_sockets, ..settings() }).await;
        let upgrade = "connection: upgrade\r\nupgrade: websocket";
        let said = port.exchange(format!("GET /who HTTP/1.1\r\nhost: x\r\n{upgrade}\r\n{word}\r\n").as_bytes()).await;
        assert_eq!(said.starts_with("HTTP/1.1 200"), is_served, "{word} {said}");
        assert_eq!(said.contains("tls_required"), !is_served, "{word} {said}");
        assert_eq!(port.refused("tls_required"), u64::from(!is_served));
    }
}

/// RFC 9112, 6.3 and 11.2: what is inside a body is never a request.
#[tokio::test]
async fn no_request_is_smuggled_inside_another() {
    let hidden = "GET /who HTTP/1.1\r\nhost: x\r\n\r\n";
    let length = hidden.len() + 5;
    for (head, body) in [
        (format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"), format!("0\r\n\r\n{hidden}")),
        (format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"), format!("0\r\n\r\n{hidden}")),
        ("content-length: 0\r\ncontent-length: 5\r\n".to_owned(), hidden.to_owned()),
        ("content-length: 0, 5\r\n".to_owned(), hidden.to_owned()),
        ("content-length: +0\r\n".to_owned(), hidden.to_owned()),
        ("content-length : 0\r\n".to_owned(), hidden.to_owned()),
        ("transfer-encoding: xchunked\r\n".to_owned(), format!("0\r\n\r\n{hidden}")),
        ("transfer-encoding: chunked, identity\r\n".to_owned(), format!("0\r\n\r\n{hidden}")),
        ("x: a\n b\r\ncontent-length: 0\r\n".to_owned(), hidden.to_owned()),
        ("transfer-encoding: chunked\r\n".to_owned(), format!("0x0\r\n\r\n{hidden}")),
        ("transfer-encoding: chunked\r\n".to_owned(), format!("-1\r\n\r\n{hidden}")),
    ] {
        let port = port(PortSettings { header_timeout_ms: 500, ..settings() }).await;
        port.exchange(format!("POST /whole HTTP/1.1\r\nhost: x\r\n{head}\r\n{body}").as_bytes()).await;
        assert!(!port.seen().contains(&"/who".to_owned()), "{head:?} {body:?}");
    }
}

#[tokio::test]
async fn a_head_with_too_many_fields_or_bytes_is_refused() {
    let port = port(settings()).await;
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x-long: {}\r\n", "a".repeat(64 << 10));
    for head in [many, long] {
        let said = port.exchange(format!("GET /who HTTP/1.1\r\nhost: x\r\n{head}\r\n").as_bytes()).await;
        assert!(!said.starts_with("HTTP/1.1 200"), "{said}");
    }
    assert!(port.seen().is_empty());
}

#[tokio::test]
async fn an_open_request_ends_well_when_the_end_is_asked_for() {
    let mut port = port(settings()).await;
    let mut open = port.connect().await;
    open.write_all(b"POST /whole HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhel").await.unwrap();
    while port.seen().is_empty() {
        tokio::task::yield_now().await;
    }
    port.stop.take().unwrap().send(()).unwrap();
    open.write_all(b"lo").await.unwrap();
    assert!(read_to_end(&mut open).await.ends_with("\r\n\r\nhello"));
    tokio::time::timeout(PATIENCE, port.served).await.expect("it ends").unwrap();
}
