//! The admin port of every service.

use std::net::SocketAddr;

use anyhow::Context;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus::{Encoder, IntGaugeVec, Opts, Registry, TextEncoder};
use serde_json::json;
use tokio::net::TcpListener;

use crate::health::{Health, Report};

/// `/livez`, `/readyz`, `/startupz`, `/metrics`, `/version`.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where the service registers its metrics.
    pub registry: Registry,
    /// Where the service adds its checks.
    pub health: Health,
    service: &'static str,
}

impl Admin {
    /// An admin port with `weft_build_info` and the process's own metrics.
    pub fn new(service: &'static str) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let build = IntGaugeVec::new(
            Opts::new("weft_build_info", "Always 1; the labels say what runs."),
            &["service", "version", "commit"],
        )?;
        build.with_label_values(&[service, VERSION, COMMIT]).set(1);
        registry.register(Box::new(build))?;
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Self { registry, health: Health::default(), service })
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/livez", get(async |State(admin): State<Self>| answer(admin.health.liveness())))
            .route("/readyz", get(async |State(admin): State<Self>| answer(admin.health.readiness())))
            .route("/startupz", get(async |State(admin): State<Self>| answer(admin.health.startup())))
            .route("/metrics", get(async |State(admin): State<Self>| admin.metrics()))
            .route("/version", get(async |State(admin): State<Self>| admin.version()))
            .with_state(self.clone())
    }

    /// Takes the address at once and answers from then on, on the present runtime, as long as the
    /// process lives. Returns the address taken (port 0 takes a free one).
    pub async fn serve(&self, address: SocketAddr) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("{}.admin_listen: cannot listen on {address}", self.service))?;
        let taken = listener.local_addr()?;
        let router = self.router();
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the admin port has closed");
            }
        });
        Ok(taken)
    }

    fn metrics(&self) -> Response {
        let mut text = Vec::new();
        match TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            Ok(()) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        }
    }

    fn version(&self) -> Json<serde_json::Value> {
        Json(json!({ "service": self.service, "version": VERSION, "commit": COMMIT }))
    }
}

const VERSION: &str = env!("CARGO_PKG_VERSION");
const COMMIT: &str = match option_env!("WEFT_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

fn answer(report: Report) -> Response {
    let code = if report.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(report)).into_response()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn every_route_of_the_admin_port_answers() {
        let admin = Admin::new("probe").unwrap();
        let check = admin.health.check("kafka");
        let address = admin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let unready = get(address, "/readyz").await;
        assert!(unready.starts_with("HTTP/1.1 503") && unready.contains("not started yet"), "{unready}");
        check.ok();
        for path in ["/livez", "/readyz", "/startupz"] {
            let answer = get(address, path).await;
            assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"ok\":true"), "{path}: {answer}");
        }
        let metrics = get(address, "/metrics").await;
        assert!(metrics.contains("weft_build_info{") && metrics.contains("process_resident_memory_bytes"), "{metrics}");
        assert!(get(address, "/version").await.contains("\"service\":\"probe\""));
    }

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let admin = Admin::new("probe").unwrap();
        let address = admin.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let error = admin.serve(address).await.unwrap_err().to_string();
        assert_eq!(error, format!("probe.admin_listen: cannot listen on {address}"));
    }
}
