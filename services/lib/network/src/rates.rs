//! How many requests a second somebody may make: a bucket for each, filled at a constant rate, holding
//! at most two seconds' worth.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use stream::clock::Stamp;

const BURST_S: f64 = 2.0;

/// Buckets beyond which full ones are thrown away: who has one is as good as new.
const BUCKETS_MAX: usize = 100_000;

/// The buckets of those who made requests.
#[derive(Debug, Default)]
pub struct Rates(Mutex<BTreeMap<String, Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    seen: Stamp,
}

impl Rates {
    /// Whether they may make a request now; looks before the body is read and takes nothing, so
    /// that forged requests use up nobody's rate.
    pub fn has_room(&self, who: &str, per_second: u32, now: Stamp) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(who).map_or(Bucket::full(per_second, now), |bucket| bucket.filled(per_second, now)).tokens >= 1.0
    }

    /// Counts a request of theirs. An idle bucket is full after two seconds, whatever the rate.
    pub fn take(&self, who: &str, per_second: u32, now: Stamp) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= BUCKETS_MAX && !kept.contains_key(who) {
            kept.retain(|_, bucket| now.since(bucket.seen).as_secs_f64() < BURST_S);
        }
        let bucket = kept.entry(who.to_owned()).or_insert(Bucket::full(per_second, now));
        *bucket = bucket.filled(per_second, now);
        bucket.tokens -= 1.0;
    }
}

impl Bucket {
    fn full(per_second: u32, now: Stamp) -> Self {
        Self { tokens: f64::from(per_second) * BURST_S, seen: now }
    }

    fn filled(self, per_second: u32, now: Stamp) -> Self {
        let full = Self::full(per_second, now);
        let added = now.since(self.seen).as_secs_f64() * f64::from(per_second);
        Self { tokens: full.tokens.min(self.tokens + added), seen: now }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn two_seconds_worth_may_come_at_once_and_then_as_many_as_the_rate() {
        let (rates, begin) = (Rates::default(), Stamp::now());
        let go = |who: &str, at: f64| {
            let now = begin.plus(Duration::from_secs_f64(at));
            let room = rates.has_room(who, 10, now);
            if room {
                rates.take(who, 10, now);
            }
            room
        };
        assert_eq!((0..50).filter(|_| go("a", 0.0)).count(), 20);
        assert_eq!((0..50).filter(|_| go("b", 0.0)).count(), 20, "each has a bucket of their own");
        assert_eq!((0..50).filter(|_| go("a", 1.0)).count(), 10);
        assert_eq!((0..100).filter(|n| go("a", 1.0 + f64::from(*n) * 0.11)).count(), 99);
        assert_eq!((0..50).filter(|_| go("a", 3_600.0)).count(), 20, "and never more than two seconds' worth");
    }
}
