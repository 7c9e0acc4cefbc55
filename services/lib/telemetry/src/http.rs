//! Metrics of HTTP requests, for services with a public port.

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// `weft_http_requests_total` and `weft_http_request_duration_seconds`.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    service: &'static str,
    requests: IntCounterVec,
    seconds: HistogramVec,
}

impl HttpMetrics {
    /// Registers both.
    pub fn register(registry: &Registry, service: &'static str) -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new("weft_http_requests_total", "HTTP requests by route template and status code."),
            &["service", "route", "code"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new("weft_http_request_duration_seconds", "Time to answer an HTTP request, in seconds.")
                .buckets(SECONDS.to_vec()),
            &["service", "route"],
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        Ok(Self { service, requests, seconds })
    }

    /// Counts every request to the routes of `router`, under the route's template.
    pub fn layer<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        router.layer(from_fn_with_state(self.clone(), count))
    }
}

async fn count(State(metrics): State<HttpMetrics>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let timer = metrics.seconds.with_label_values(&[metrics.service, &route]).start_timer();
    let response = next.run(request).await;
    timer.observe_duration();
    metrics.requests.with_label_values(&[metrics.service, &route, response.status().as_str()]).inc();
    response
}
