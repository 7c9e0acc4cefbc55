//! Copies of attachments (C8): asked of the provider where it must be asked, fetched under guard,
//! kept in the store. One try at a time of each; whether there is another is a rule.

mod guard;
mod keep;

use std::sync::Arc;
use std::time::Duration;

use objects::{Media, ObjectRef};
use reqwest::Response;
use reqwest::header::LOCATION;
use reqwest::redirect::Policy;
use stream::clock::{self, Stamp};
use tokio::sync::Semaphore;

use super::address::Addresses;
use super::channels::{self, Ask, Desk, FileFound, Source};
use super::secrets::Secrets;
use crate::config::DeliverySettings;
use crate::core::event::SecretPlace;
use crate::core::media::{Copy, CopyOutcome};
use crate::core::rules::window::Right;
use crate::metrics::Metrics;
use guard::Guard;

/// Addresses followed after the first.
const REDIRECTS_MAX: usize = 3;

/// Why a try ended without a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It must not or cannot be had, now or later.
    Refused(&'static str),
    /// Not this time; perhaps with a wish how long to wait, milliseconds.
    Failed(&'static str, Option<i64>),
}

impl From<Trouble> for CopyOutcome {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(reason) => Self::Refused { reason },
            Trouble::Failed(reason, retry_after_ms) => Self::Failed { reason, retry_after_ms },
        }
    }
}

/// Fetches and keeps.
pub struct Fetcher {
    /// To providers' own addresses, which the operator configured.
    api: Guard,
    /// To addresses that somebody else wrote.
    foreign: Guard,
    media: Media,
    secrets: Arc<Secrets>,
    timeout: Duration,
    places: Semaphore,
    metrics: Metrics,
}

impl Fetcher {
    /// Two clients that follow no redirect by themselves, use no proxy, and connect to no address that
    /// was not checked.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        settings: &DeliverySettings,
        media: Media,
        secrets: Arc<Secrets>,
        metrics: Metrics,
    ) -> reqwest::Result<Self> {
        let allowed = [Addresses::of_providers(settings), Addresses::of_media(settings)];
        Self::through(settings, allowed, (media, secrets, metrics))
    }

    fn through(
        settings: &DeliverySettings,
        [api, foreign]: [Addresses; 2],
        (media, secrets, metrics): (Media, Arc<Secrets>, Metrics),
    ) -> reqwest::Result<Self> {
        let guard = |addresses: Addresses| -> reqwest::Result<Guard> {
            let http = reqwest::Client::builder()
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_proxy()
                .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
                .dns_resolver(Arc::new(addresses.clone()))
                .user_agent(concat!("weft-delivery/", env!("CARGO_PKG_VERSION")))
                .build()?;
            Ok(Guard { http, addresses })
        };
        let timeout = Duration::from_millis(settings.media_timeout_ms);
        let places = Semaphore::new(settings.media_fetches_max.max(1));
        Ok(Self { api: guard(api)?, foreign: guard(foreign)?, media, secrets, timeout, places, metrics })
    }

    /// Makes one try, if it is still ours to make.
    pub async fn copy(&self, copy: &Copy, owned: impl Fn() -> bool) -> CopyOutcome {
        let Ok(_place) = self.places.acquire().await else { return CopyOutcome::Lost };
        if !owned() {
            return CopyOutcome::Lost;
        }
        let began = Stamp::now();
        let outcome = self.try_copy(copy).await;
        self.metrics.media_seconds.with_label_values(&[copy.channel.as_str()]).observe(began.elapsed().as_secs_f64());
        outcome.unwrap_or_else(Into::into)
    }

    async fn try_copy(&self, copy: &Copy) -> Result<CopyOutcome, Trouble> {
        let found = match self.source(copy)? {
            Source::LookUp(ask) => self.look_up(copy, &ask).await?,
            Source::Api(ask) => FileFound { ask, is_fresh: true, mime: None, sha256: None },
            Source::Foreign(ask) => FileFound { ask, is_fresh: false, mime: None, sha256: None },
        };
        let hosts = channels::media_hosts(copy.channel);
        let is_allowed = |host: &str| {
            let own = copy.route.media_hosts.iter().map(String::as_str);
            hosts.iter().copied().chain(own).any(|pattern| is_host(host, pattern))
        };
        let deadline = Stamp::now().plus(self.timeout);
        let fetch = async {
            let response = self.fetch(&found.ask, &is_allowed).await?;
            guard::judge(&response, found.is_fresh)?;
            Ok(response)
        };
        let response = in_time(deadline, fetch).await?;
        let mime = keep::mime(&response, found.mime.as_deref().or(copy.attachment.mime.as_deref()))?;
        if !self.media.settings.admits(&mime) {
            return Err(Trouble::Refused("type_not_allowed"));
        }
        let (message, no) = copy.key;
        let owner = copy.customer_key.to_string();
        let name = format!("{message}-{no}");
        let object = ObjectRef::new(copy.account.tenant.as_str(), &owner, &name, &mime)
            .map_err(|_| Trouble::Refused("type_not_allowed"))?;
        let expected = found.sha256.as_deref().or(copy.attachment.sha256.as_deref());
        let stored = keep::keep(&self.media, response, &object, (expected, deadline)).await?;
        Ok(CopyOutcome::Stored(stored))
    }

    fn source(&self, copy: &Copy) -> Result<Source, Trouble> {
        let secret = |place: &SecretPlace| self.secrets.get(place);
        let now_s = clock::now().as_ms().div_euclid(1_000);
        let desk = Desk { outward_id: "", right: Right::Free, now_s, secret: &secret };
        channels::media(copy, &desk).map_err(|reason| Trouble::Failed(reason, None))
    }

    /// Follows redirects itself: each is checked as the first was, and what proves who we are stays where
    /// it was meant for.
    async fn fetch(&self, ask: &Ask, is_allowed: &(dyn Fn(&str) -> bool + Sync)) -> Result<Response, Trouble> {
        let mut url = ask.url.clone();
        let mut home = None;
        for hop in 0..=REDIRECTS_MAX {
            let is_api = ask.is_api && hop == 0;
            let guard = if is_api { &self.api } else { &self.foreign };
            let checked = guard.addresses.check(&url).map_err(Trouble::Refused)?;
            if !is_api && !checked.host_str().is_some_and(is_allowed) {
                return Err(Trouble::Refused("host_not_allowed"));
            }
            let is_home = *home.get_or_insert_with(|| checked.origin()) == checked.origin();
            let authorization = ask.authorization.as_deref().filter(|_| is_home);
            let response = guard.ask(checked.as_str(), authorization).await?;
            if !response.status().is_redirection() {
                return Ok(response);
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let next = location.and_then(|location| checked.join(location).ok());
            url = next.ok_or(Trouble::Refused("bad_redirect"))?.to_string();
        }
        Err(Trouble::Refused("too_many_redirects"))
    }

    async fn look_up(&self, copy: &Copy, ask: &Ask) -> Result<FileFound, Trouble> {
        let answer = async {
            let response = self.api.ask(&ask.url, ask.authorization.as_deref()).await?;
            guard::judge(&response, false)?;
            guard::read_small(response).await
        };
        let body = in_time(Stamp::now().plus(self.timeout), answer).await?;
        channels::media_found(copy.channel, ask, &body).ok_or(Trouble::Failed("unexpected_answer", None))
    }
}

async fn in_time<T>(deadline: Stamp, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
    let late = |_| Trouble::Failed("timeout", None);
    tokio::time::timeout(deadline.remaining(), work).await.map_err(late)?
}

/// `*.host` is every host below; anything else is that host alone.
fn is_host(host: &str, pattern: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => {
            let below = host.len().checked_sub(domain.len() + 1);
            below.is_some_and(|at| host.as_bytes()[at] == b'.' && at > 0 && host[at + 1..].eq_ignore_ascii_case(domain))
        }
        None => host.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests;
