//! Makes the calls: checked, signed, timed, never redirected, and only while the partition is ours.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use schemas::ids::{KeySecret, OutwardId};
use stream::clock::{self, Stamp};
use stream::{Reply, Timestamp};
use tokio::runtime::Handle;

use super::address::Addresses;
use super::channels::{self, Desk, HttpAnswer};
use super::secrets::Secrets;
use crate::config::DeliverySettings;
use crate::core::effect::Send;
use crate::core::event::{CallEnded, Outcome, SecretPlace};
use crate::core::rules::window;
use crate::metrics::Metrics;
use crate::station::DeliveryStation;

/// What of an answer is read, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Everything a call needs.
pub struct Calls {
    http: reqwest::Client,
    addresses: Addresses,
    secrets: Secrets,
    key_secret: KeySecret,
    metrics: Metrics,
}

impl Calls {
    /// A client that keeps its connections, follows no redirect and uses no proxy.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: &DeliverySettings, key_secret: KeySecret, metrics: Metrics) -> reqwest::Result<Self> {
        let addresses = Addresses::new(&settings.ports, &settings.internal_hosts);
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .dns_resolver(Arc::new(addresses.clone()))
            .user_agent(concat!("weft-delivery/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, addresses, secrets: Secrets::default(), key_secret, metrics })
    }

    /// Makes one call, if it may still be made; `owned` is asked last before it.
    pub async fn call(&self, send: &Send, owned: impl Fn() -> bool) -> Outcome {
        let now = clock::now();
        let request = match self.request(send, now) {
            Ok(request) => request,
            Err(reason) => return Outcome::Unconfigured { reason },
        };
        if let Some(refusal) = window::refusal(send, now.as_ms()) {
            return Outcome::Refused(refusal);
        }
        if !owned() {
            return Outcome::NotOurs;
        }
        let began = Stamp::now();
        let answer = self.exchange(request).await;
        self.metrics.call_seconds.with_label_values(&[send.channel.as_str()]).observe(began.elapsed().as_secs_f64());
        match answer {
            Ok(answer) => channels::answer(send.channel, &answer),
            Err(error) => broken(&error),
        }
    }

    fn request(&self, send: &Send, now: Timestamp) -> Result<reqwest::Request, &'static str> {
        let outward = OutwardId { customer_key: send.customer_key, id: send.message_id }.to_text(&self.key_secret);
        let secret = |place: &SecretPlace| self.secrets.get(place);
        let desk = Desk { outward_id: &outward, now_s: now.as_ms().div_euclid(1_000), secret: &secret };
        let call = channels::request(send, &desk)?;
        let url = self.addresses.check(&call.url)?;
        let timeout = Duration::from_millis(u64::try_from(send.route.timeout_ms).unwrap_or_default());
        let mut request = self.http.post(url).timeout(timeout).header("content-type", "application/json");
        for (name, value) in call.headers {
            let mut value = HeaderValue::from_str(&value).map_err(|_| "secret_not_printable")?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        request.body(call.body).build().map_err(|_| "bad_url")
    }

    async fn exchange(&self, request: reqwest::Request) -> reqwest::Result<HttpAnswer> {
        let mut response = self.http.execute(request).await?;
        let status = response.status().as_u16();
        let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after_ms = header.and_then(|text| retry_after_ms(text, clock::now()));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            let room = ANSWER_BYTES_MAX - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(HttpAnswer { status, retry_after_ms, body })
    }
}

/// A connection that was never made carried nothing; of any other break nobody knows.
fn broken(error: &reqwest::Error) -> Outcome {
    if error.is_connect() {
        Outcome::NotSent { reason: "no_connection" }
    } else if error.is_timeout() {
        Outcome::Unknown { reason: "timeout" }
    } else {
        Outcome::Unknown { reason: "connection_broken" }
    }
}

/// `Retry-After` is seconds or a date (RFC 9110, 10.2.3).
fn retry_after_ms(text: &str, now: Timestamp) -> Option<i64> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(i64::from(seconds) * 1_000);
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp::from_ms(at.timestamp().as_millisecond()).ms_since(now).max(0))
}

/// Performs the sends of all partitions of this process.
pub struct Performer {
    calls: Arc<Calls>,
    runtime: Handle,
}

impl Performer {
    /// Runs its calls on this runtime.
    pub fn new(calls: Calls, runtime: Handle) -> Self {
        Self { calls: Arc::new(calls), runtime }
    }
}

impl stream::Performer<DeliveryStation> for Performer {
    fn perform(&self, _: i32, send: Send, reply: Reply<CallEnded>) {
        let calls = Arc::clone(&self.calls);
        self.runtime.spawn(async move {
            let outcome = calls.call(&send, || reply.owned()).await;
            let (message_id, attempt_no) = (send.message_id, send.attempt_no);
            reply.send(CallEnded { message_id, attempt_no, at: clock::now(), outcome });
        });
    }
}

#[cfg(test)]
mod tests;
