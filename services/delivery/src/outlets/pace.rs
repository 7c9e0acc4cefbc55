//! C9: so many calls a second for each account, by a token bucket (the generic cell rate algorithm,
//! ITU-T I.371). The bucket is this process's; several processes are each given a share of the rate.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use stream::clock::Stamp;

use crate::core::event::AccountKey;

/// Accounts remembered at once; one that made no call for long is forgotten first.
const ACCOUNTS_MAX: usize = 10_000;

/// An account's rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Calls a second.
    pub per_s: f64,
    /// Calls that may be made at once.
    pub burst: u32,
}

/// The buckets of all accounts.
#[derive(Debug)]
pub struct Pace {
    began: Stamp,
    share: f64,
    /// When each account's bucket is full again, since `began`.
    full_at: Mutex<HashMap<AccountKey, Duration>>,
}

impl Pace {
    /// This process has `share` (0 to 1) of every account's rate.
    pub fn new(share: f64) -> Self {
        Self { began: Stamp::now(), share: share.clamp(0.001, 1.0), full_at: Mutex::default() }
    }

    /// Takes a place in the account's row: how long the call must wait, or, if that is longer than
    /// `wait_max`, no place and how long it would be.
    ///
    /// # Errors
    /// The wait that is too long.
    pub fn take(&self, account: &AccountKey, rate: Rate, wait_max: Duration) -> Result<Duration, Duration> {
        self.take_at(self.began.elapsed(), account, rate, wait_max)
    }

    fn take_at(
        &self,
        now: Duration,
        account: &AccountKey,
        rate: Rate,
        wait_max: Duration,
    ) -> Result<Duration, Duration> {
        let interval = Duration::from_secs_f64(1.0 / (rate.per_s * self.share).max(1e-6));
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = buckets.get(account).copied().unwrap_or_default().max(now);
        let wait = (full_at + interval).saturating_sub(now + interval * rate.burst.max(1));
        if wait > wait_max {
            return Err(wait);
        }
        if buckets.len() >= ACCOUNTS_MAX {
            buckets.retain(|_, full_at| *full_at > now);
        }
        buckets.insert(account.clone(), full_at + interval);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(account: &str) -> AccountKey {
        AccountKey { tenant: "acme".into(), account: account.into() }
    }

    const RATE: Rate = Rate { per_s: 10.0, burst: 3 };
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_goes_at_once_and_the_rest_at_the_accounts_rate() {
        let pace = Pace::new(1.0);
        let waits: Vec<u128> =
            (0..6).map(|_| pace.take_at(SECOND, &key("a"), RATE, SECOND).unwrap().as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 300]);
        assert_eq!(pace.take_at(SECOND, &key("b"), RATE, SECOND), Ok(Duration::ZERO), "others do not wait");
        let later = SECOND * 2;
        assert_eq!(pace.take_at(later, &key("a"), RATE, SECOND), Ok(Duration::ZERO));
    }

    #[test]
    fn a_wait_that_is_too_long_takes_no_place() {
        let pace = Pace::new(1.0);
        let slow = Rate { per_s: 0.1, burst: 1 };
        assert_eq!(pace.take_at(SECOND, &key("a"), slow, SECOND), Ok(Duration::ZERO));
        for _ in 0..3 {
            assert_eq!(pace.take_at(SECOND, &key("a"), slow, SECOND), Err(SECOND * 10));
        }
    }

    #[test]
    fn a_process_keeps_to_its_share() {
        let pace = Pace::new(0.5);
        let one = Rate { per_s: 10.0, burst: 1 };
        pace.take_at(SECOND, &key("a"), one, SECOND).unwrap();
        assert_eq!(pace.take_at(SECOND, &key("a"), one, SECOND), Ok(Duration::from_millis(200)));
    }
}
