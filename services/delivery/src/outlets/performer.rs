//! Makes the calls: checked, signed, timed, never redirected, and only while the partition is ours.

use std::sync::Arc;
use std::time::Duration;

use access::TokenSecrets;
use anyhow::Context;
use objects::{Links, Media};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use schemas::ids::{KeySecret, OutwardId};
use secrecy::ExposeSecret;
use stream::clock::{self, Stamp};
use stream::{Reply, Timestamp};
use tokio::runtime::Handle;

use super::address::Addresses;
use super::bots::BotCalls;
use super::channels::{self, Desk, HttpAnswer};
use super::media::Fetcher;
use super::pace::{Pace, Rate};
use super::secrets::Secrets;
use super::stored;
use crate::config::{Config, DeliverySettings};
use crate::core::bots::{BotCall, BotCallEnded};
use crate::core::effect::{Errand, Send};
use crate::core::event::{CallEnded, ErrandEnded, Outcome, SecretPlace};
use crate::core::media::{Copy, CopyEnded, CopyOutcome};
use crate::core::rows::part_id;
use crate::core::rules::capabilities;
use crate::core::rules::signals::NO_PART;
use crate::core::rules::window::{self, Right};
use crate::metrics::Metrics;
use crate::station::DeliveryStation;

/// What of an answer is read, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long a claimed call waits for its account's own rate; a longer wait is the machine's.
const PACED_MAX: Duration = Duration::from_secs(10);
/// How long a signal does: later it is not worth showing.
const SIGNAL_PACED_MAX: Duration = Duration::from_secs(1);
/// Where the channel has no limit of its own.
const CALLS_PER_S: f64 = 1_000.0;

/// Everything a call needs.
pub struct Calls {
    http: reqwest::Client,
    addresses: Addresses,
    secrets: Arc<Secrets>,
    links: Option<Links>,
    pace: Pace,
    key_secret: KeySecret,
    metrics: Metrics,
}

impl Calls {
    /// A client that keeps its connections, follows no redirect and uses no proxy.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: &DeliverySettings, key_secret: KeySecret, metrics: Metrics) -> reqwest::Result<Self> {
        let addresses = Addresses::of_providers(settings);
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .dns_resolver(Arc::new(addresses.clone()))
            .user_agent(concat!("weft-delivery/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let pace = Pace::new(settings.account_rate_share);
        Ok(Self { http, addresses, secrets: Arc::default(), links: None, pace, key_secret, metrics })
    }

    /// Who calls bots, by the same rules.
    pub fn bots(&self) -> BotCalls {
        let (http, addresses) = (self.http.clone(), self.addresses.clone());
        BotCalls { http, addresses, secrets: Arc::clone(&self.secrets), key_secret: self.key_secret.clone() }
    }

    /// Makes one call, if it may still be made; `owned` is asked last before it.
    pub async fn call(&self, send: &Send, owned: impl Fn() -> bool) -> Outcome {
        let patience = if send.part_no == NO_PART { SIGNAL_PACED_MAX } else { PACED_MAX };
        let wait = match self.pace.take(&send.account, rate(send), patience) {
            Ok(wait) => wait,
            Err(wait) => return Outcome::Paced { wait_ms: i64::try_from(wait.as_millis()).unwrap_or(i64::MAX) },
        };
        self.metrics.paced_seconds.with_label_values(&[send.channel.as_str()]).observe(wait.as_secs_f64());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let now = clock::now();
        let right = match window::right(send, now.as_ms()) {
            Ok(right) => right,
            Err(refusal) => return Outcome::Refused(refusal),
        };
        let request = match self.request(send, right, now) {
            Ok(request) => request,
            Err(reason) => return Outcome::Unconfigured { reason },
        };
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

    fn request(&self, send: &Send, right: Right, now: Timestamp) -> Result<reqwest::Request, &'static str> {
        let outward = OutwardId { customer_key: send.customer_key, id: part_id(send.known_as, send.part_no) }
            .to_text(&self.key_secret);
        let secret = |place: &SecretPlace| self.secrets.get(place);
        let desk = Desk { outward_id: &outward, right, now_s: now.as_ms().div_euclid(1_000), secret: &secret };
        let mut call = channels::request(send, &desk)?;
        if let Some(links) = &self.links {
            call.body = stored::signed(call.body, links, send, desk.now_s);
        }
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
        let now = clock::now();
        let retry_after_ms =
            header(response.headers(), RETRY_AFTER.as_str()).and_then(|text| retry_after_ms(text, now));
        let rate = rate_left(response.headers(), now);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            let room = ANSWER_BYTES_MAX - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(HttpAnswer { status, retry_after_ms, rate, body })
    }
}

/// The account's own rate, or its channel's.
fn rate(send: &Send) -> Rate {
    let of_channel = capabilities::of(send.channel).map(|table| (table.calls_per_s, table.calls_at_once));
    let (per_s, burst) = of_channel.unwrap_or((CALLS_PER_S, 1));
    match send.route.calls_per_ks {
        Some(per_ks) => Rate { per_s: per_thousand(per_ks), burst: 1 },
        None => Rate { per_s, burst },
    }
}

#[expect(clippy::cast_precision_loss, reason = "a configured rate is far below 2^52")]
fn per_thousand(per_ks: i64) -> f64 {
    per_ks as f64 / 1_000.0
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Calls left, and milliseconds until there are more (X API, "Rate limits": seconds since 1970).
fn rate_left(headers: &HeaderMap, now: Timestamp) -> Option<(i64, i64)> {
    let number = |name: &str| header(headers, name)?.trim().parse::<i64>().ok();
    let reset = Timestamp::from_ms(number("x-rate-limit-reset")?.saturating_mul(1_000));
    Some((number("x-rate-limit-remaining")?, reset.ms_since(now).max(0)))
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
pub(super) fn retry_after_ms(text: &str, now: Timestamp) -> Option<i64> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(i64::from(seconds) * 1_000);
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp::from_ms(at.timestamp().as_millisecond()).ms_since(now).max(0))
}

/// Performs the errands of all partitions of this process.
pub struct Performer {
    calls: Arc<Calls>,
    fetcher: Option<Arc<Fetcher>>,
    bots: Arc<BotCalls>,
    runtime: Handle,
}

impl Performer {
    /// Runs its calls on this runtime; without a fetcher no media are kept.
    pub fn new(calls: Calls, fetcher: Option<Fetcher>, runtime: Handle) -> Self {
        let bots = Arc::new(calls.bots());
        Self { calls: Arc::new(calls), fetcher: fetcher.map(Arc::new), bots, runtime }
    }

    /// As configured, on the present runtime.
    ///
    /// # Errors
    /// When TLS cannot be set up, a secret is too short, or the store cannot be opened.
    pub fn of(config: &Config, key_secret: KeySecret, metrics: Metrics) -> anyhow::Result<Self> {
        let tokens = TokenSecrets::parse(config.token_secret.expose_secret()).context("token_secret")?;
        let media = Media::open(&config.media, &tokens)?;
        let mut calls = Calls::new(&config.delivery, key_secret, metrics.clone()).context("HTTP client")?;
        calls.links = media.as_ref().map(|media| media.links.clone());
        let secrets = Arc::clone(&calls.secrets);
        let fetcher = media.map(|media| Fetcher::new(&config.delivery, media, secrets, metrics)).transpose();
        Ok(Self::new(calls, fetcher.context("HTTP client")?, Handle::current()))
    }

    /// Whether there is a store for media.
    pub fn keeps_media(&self) -> bool {
        self.fetcher.is_some()
    }

    fn send(&self, send: Box<Send>, reply: Reply<ErrandEnded>) {
        let calls = Arc::clone(&self.calls);
        self.runtime.spawn(async move {
            let outcome = calls.call(&send, || reply.owned()).await;
            let Send { message_id, attempt_no, part_no, .. } = *send;
            reply.send(ErrandEnded::Send(CallEnded { message_id, attempt_no, part_no, at: clock::now(), outcome }));
        });
    }

    fn call_bot(&self, call: Box<BotCall>, reply: Reply<ErrandEnded>) {
        let bots = Arc::clone(&self.bots);
        self.runtime.spawn(async move {
            let outcome = bots.call(&call, || reply.owned()).await;
            let (turn_id, try_no) = (call.asked.turn_id, call.try_no);
            reply.send(ErrandEnded::Bot(BotCallEnded { turn_id, try_no, at: clock::now(), outcome }));
        });
    }

    fn copy(&self, copy: Box<Copy>, reply: Reply<ErrandEnded>) {
        let fetcher = self.fetcher.clone();
        self.runtime.spawn(async move {
            let outcome = match fetcher {
                Some(fetcher) => fetcher.copy(&copy, || reply.owned()).await,
                None => CopyOutcome::Refused { reason: "no_store" },
            };
            let Copy { key, attempt_no, .. } = *copy;
            reply.send(ErrandEnded::Copy(CopyEnded { key, attempt_no, at: clock::now(), outcome }));
        });
    }
}

impl stream::Performer<DeliveryStation> for Performer {
    fn perform(&self, _: i32, errand: Errand, reply: Reply<ErrandEnded>) {
        match errand {
            Errand::Send(send) => self.send(send, reply),
            Errand::Copy(copy) => self.copy(copy, reply),
            Errand::Bot(call) => self.call_bot(call, reply),
        }
    }
}

#[cfg(test)]
mod tests;
