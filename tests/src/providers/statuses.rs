//! How far taken messages come, told by webhook until it is acknowledged.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::JoinHandle;

/// A webhook that is not acknowledged is posted again, so often.
const POSTS_MAX: u32 = 120;
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// What a platform tells after it took a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Statuses {
    /// In this order, as the platform writes them; none by default.
    pub order: Vec<String>,
    /// Before each.
    pub delay: Duration,
    /// Each is told twice.
    pub doubled: bool,
}

impl Statuses {
    /// `sent`, `delivered`, `read`, each after `delay`.
    pub fn all(delay: Duration) -> Self {
        Self { order: ["sent", "delivered", "read"].map(str::to_owned).into(), delay, doubled: false }
    }

    /// These, at once.
    pub fn of(order: &[&str]) -> Self {
        Self { order: order.iter().map(|status| (*status).to_owned()).collect(), ..Self::default() }
    }

    /// The other way round.
    #[must_use]
    pub fn backwards(mut self) -> Self {
        self.order.reverse();
        self
    }

    /// Each told twice.
    #[must_use]
    pub fn doubled(self) -> Self {
        Self { doubled: true, ..self }
    }
}

/// One webhook to post.
pub(crate) struct Post {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

/// Posts what `make` makes of each status, one after the other.
pub(crate) fn tell(
    http: reqwest::Client,
    statuses: Statuses,
    make: impl Fn(&str) -> Post + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        for status in &statuses.order {
            tokio::time::sleep(statuses.delay).await;
            for _ in 0..if statuses.doubled { 2 } else { 1 } {
                post(&http, make(status)).await;
            }
        }
    })
}

async fn post(http: &reqwest::Client, post: Post) {
    let mut headers = HeaderMap::new();
    for (name, value) in &post.headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    for _ in 0..POSTS_MAX {
        let sent = http.post(&post.url).headers(headers.clone()).body(post.body.clone()).send().await;
        match sent {
            Ok(answer) if answer.status().is_success() => return,
            Ok(answer) => tracing::debug!(status = %answer.status(), "a status was not acknowledged"),
            Err(error) => tracing::debug!(%error, "a status was not acknowledged"),
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}
