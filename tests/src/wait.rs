//! The one way to wait for something.

use std::future::Future;
use std::time::Duration;

use anyhow::bail;
use stream::clock::Stamp;

const POLL: Duration = Duration::from_millis(15);

/// Looks until `look` finds it; `look` answers what it saw instead. Gives what was found.
///
/// # Errors
/// After `deadline`, saying what was waited for and what was last seen.
pub async fn wait_for<T, F, Fut>(what: &str, deadline: Duration, mut look: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, String>>,
{
    let begun = Stamp::now();
    loop {
        match look().await {
            Ok(found) => return Ok(found),
            Err(seen) if begun.elapsed() > deadline => {
                bail!("waited {:.1} s for {what}; last seen: {seen}", begun.elapsed().as_secs_f64());
            }
            Err(_) => tokio::time::sleep(POLL).await,
        }
    }
}
