//! HTTP/1.1 on a listener, with a limit on all that a stranger can hold.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Deserialize;
use stream::clock::Stamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::caller::Caller;
use crate::paced::Paced;
use crate::place::{Place, is_in};
use crate::privacy::{is_private, wants_socket};
use crate::rates::Rates;
use crate::seats::Seats;

/// Fields of one request's head.
const HEADERS_MAX: usize = 64;
/// Bytes of one request's head.
const HEAD_BYTES_MAX: usize = 32 << 10;
/// After the system had no connection to give, it is asked again after this.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// The answer to who asks too often; a problem document (RFC 9457).
const TOO_MANY: &str = r#"{"type":"about:blank","title":"Too Many Requests","status":429,"reason":"too_many_requests","detail":"expected fewer requests a second of one address"}"#;

/// The answer to who asks for a socket that others could read.
const NOT_PRIVATE: &str = r#"{"type":"about:blank","title":"Forbidden","status":403,"reason":"tls_required","detail":"expected wss: TLS up to a proxy of trusted_proxies that says X-Forwarded-Proto"}"#;

/// What a public port allows.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PortSettings {
    /// Open connections of this process.
    pub connections_max: usize,
    /// Open connections of one address; a trusted proxy is not counted.
    pub connections_per_address_max: usize,
    /// A connection that brings no whole head of a request for so long is closed, idle ones too; milliseconds.
    pub header_timeout_ms: u64,
    /// Requests a second of one client; more are asked to come again.
    pub address_requests_per_s_max: u32,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Place>,
    /// Whence sockets may come without TLS, beside this machine.
    pub plain_sockets: Vec<Place>,
}

telemetry::metrics! {
    /// What a public port counts.
    pub struct Metrics {
        /// Connections open now, those that became sockets left out.
        open: IntGaugeVec = "port_connections_open" ["service"],
        /// Connections and requests that were turned away, by the limit they met.
        refused: IntCounterVec = "port_refused_total" ["service", "limit"],
    }
}

struct Front {
    settings: PortSettings,
    service: &'static str,
    metrics: Metrics,
    rates: Rates,
    app: TowerToHyperService<Router>,
}

impl Front {
    fn is_proxy(&self, address: IpAddr) -> bool {
        is_in(&self.settings.trusted_proxies, address)
    }

    fn admits(&self, caller: Caller) -> bool {
        let (who, rate, now) = (caller.bucket(), self.settings.address_requests_per_s_max, Stamp::now());
        let has_room = self.rates.has_room(&who, rate, now);
        if has_room {
            self.rates.take(&who, rate, now);
        }
        has_room
    }

    fn refuse(&self, limit: &'static str) {
        self.metrics.refused.with_label_values(&[self.service, limit]).inc();
    }
}

/// Serves until `stop`, then lets open requests end.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    settings: PortSettings,
    (service, metrics): (&'static str, Metrics),
    stop: impl Future<Output = ()>,
) {
    let seats = Seats::new(settings.connections_max, settings.connections_per_address_max);
    let app = TowerToHyperService::new(app);
    let front = Arc::new(Front { settings, service, metrics, rates: Rates::default(), app });
    let (ending, _) = watch::channel(());
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "no connection can be taken");
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        let peer = peer_of(peer);
        let seat = match seats.take((!front.is_proxy(peer)).then_some(peer)) {
            Ok(seat) => seat,
            Err(limit) => {
                front.refuse(limit);
                continue;
            }
        };
        let (front, ended) = (Arc::clone(&front), ending.subscribe());
        tokio::spawn(async move {
            let open = front.metrics.open.with_label_values(&[front.service]);
            open.inc();
            attend(stream, peer, front, ended).await;
            open.dec();
            drop(seat);
        });
    }
    drop(listener);
    ending.send_replace(());
    ending.closed().await;
}

fn peer_of(peer: SocketAddr) -> IpAddr {
    peer.ip().to_canonical()
}

/// One connection, until either side has had enough. `ended` is held as long.
async fn attend(stream: TcpStream, peer: IpAddr, front: Arc<Front>, mut ended: watch::Receiver<()>) {
    // Small answers are whole answers; without this they wait for more (RFC 896).
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let timeout = Duration::from_millis(front.settings.header_timeout_ms);
    let answer = service_fn(move |request| answer(Arc::clone(&front), peer, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = ended.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke");
    }
}

async fn answer(front: Arc<Front>, peer: IpAddr, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let caller = Caller::of(peer, request.headers(), &front.settings.trusted_proxies);
    if !front.admits(caller) {
        front.refuse("address_requests_per_s_max");
        let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, "1")];
        return Ok((StatusCode::TOO_MANY_REQUESTS, headers, TOO_MANY).into_response());
    }
    let settings = &front.settings;
    let is_safe =
        || is_private(peer, request.headers(), &settings.trusted_proxies) || is_in(&settings.plain_sockets, peer);
    if wants_socket(request.headers()) && !is_safe() {
        front.refuse("tls_required");
        let headers = [(header::CONTENT_TYPE, "application/problem+json")];
        return Ok((StatusCode::FORBIDDEN, headers, NOT_PRIVATE).into_response());
    }
    request.extensions_mut().insert(caller);
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = front.app.call(request.map(Paced::new)).await?;
    if is_chunked {
        // A length may have come along that a proxy believed: what follows may be of the body (RFC 9112, 6.3).
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}
