//! D5, D3: an account that cannot be reached, is throttled or has lost its credentials is left
//! alone for a while, then asked by one call; another account never notices.

use stream::Timestamp;

use crate::core::rows::{Breaker, Health};

/// Failures in a row that open the circuit.
const FAILURES_MAX: u32 = 5;
/// How long it stays open the first time; doubled each time after.
const OPEN_MS: i64 = 5_000;
const OPEN_MS_MAX: i64 = 600_000;
/// How long a webhook may fail before it is disabled (D6), until somebody configures it anew.
const DISABLED_AFTER_MS: i64 = 5 * 86_400_000;
/// How long an account with refused credentials rests before one call tries them again.
const PAUSE_MS: i64 = 300_000;

/// What a call tells about its account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign<'a> {
    /// It answers.
    Well,
    /// It could not be reached or had a fault of its own.
    Failing(&'a str),
    /// It wants no calls for so many milliseconds.
    Throttled(i64, &'a str),
    /// It refuses our credentials, or what is configured cannot be used.
    Locked(&'a str),
    /// The call was not made.
    Silent,
}

/// Whether a call may be made.
pub fn admits(health: &Health) -> bool {
    match (health.until, health.breaker) {
        (Some(_), _) | (None, Breaker::Open) => false,
        (None, Breaker::Closed) => true,
        (None, Breaker::HalfOpen) => health.probe.is_none(),
    }
}

/// Ends a pause whose time is over: a throttled account goes on, others are asked by one call.
pub fn resume(health: Health, now: Timestamp) -> Health {
    if health.until.is_none_or(|until| until > now) {
        return health;
    }
    let breaker = if health.paused || health.breaker == Breaker::Open { Breaker::HalfOpen } else { health.breaker };
    Health { until: None, breaker, probe: None, ..health }
}

/// An account's health after one of its calls.
pub fn after(health: Health, sign: Sign<'_>, at: Timestamp) -> Health {
    match sign {
        Sign::Well => well(health),
        Sign::Silent => Health { probe: None, ..health },
        Sign::Throttled(wait_ms, reason) => {
            Health { until: health.until.max(Some(at.plus_ms(wait_ms))), probe: None, reason: reason.into(), ..health }
        }
        Sign::Locked(reason) => Health {
            paused: true,
            breaker: Breaker::Open,
            until: Some(at.plus_ms(PAUSE_MS)),
            probe: None,
            reason: reason.into(),
            ..health
        },
        Sign::Failing(reason) => {
            let failures = health.failures.saturating_add(1);
            let failing_since = health.failing_since.or(Some(at));
            let health = Health { failing_since, ..health };
            let is_open = health.breaker == Breaker::Open;
            if is_open || (health.breaker == Breaker::Closed && failures < FAILURES_MAX) {
                return Health { failures, ..health };
            }
            let open_ms = OPEN_MS.saturating_mul(1 << health.openings.min(10)).min(OPEN_MS_MAX);
            Health {
                breaker: Breaker::Open,
                until: Some(at.plus_ms(open_ms)),
                failures,
                openings: health.openings.saturating_add(1),
                probe: None,
                reason: reason.into(),
                ..health
            }
        }
    }
}

/// A webhook that failed for days is asked no more.
pub fn disabled(health: Health, at: Timestamp) -> Health {
    let is_over = health.failing_since.is_some_and(|since| at.ms_since(since) >= DISABLED_AFTER_MS);
    if !is_over {
        return health;
    }
    let reason = "disabled".to_owned();
    Health { paused: true, breaker: Breaker::Open, until: None, probe: None, reason, ..health }
}

/// A call that got through ends everything but a throttle that came meanwhile.
fn well(health: Health) -> Health {
    if health.breaker == Breaker::Closed && !health.paused {
        return Health { failures: 0, failing_since: None, ..health };
    }
    Health::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Answer, Outcome};
    use crate::core::rules::support::{Bench, account, asked, kinds};
    use schemas::records::Channel;

    const GONE: Outcome = Outcome::NotSent { reason: "no_connection" };

    #[test]
    fn signs_change_health() {
        let at = Timestamp::from_ms(1_000);
        let failing = |n| (0..n).fold(Health::default(), |health, _| after(health, Sign::Failing("down"), at));
        for (health, breaker, until_ms) in [
            (failing(4), Breaker::Closed, None),
            (failing(5), Breaker::Open, Some(6_000)),
            (
                after(resume(failing(5), Timestamp::from_ms(6_000)), Sign::Failing("down"), at),
                Breaker::Open,
                Some(11_000),
            ),
            (after(resume(failing(5), Timestamp::from_ms(6_000)), Sign::Well, at), Breaker::Closed, None),
            (after(Health::default(), Sign::Throttled(7_000, "rate"), at), Breaker::Closed, Some(8_000)),
            (after(Health::default(), Sign::Locked("token"), at), Breaker::Open, Some(301_000)),
            (after(failing(4), Sign::Well, at), Breaker::Closed, None),
        ] {
            assert_eq!((health.breaker, health.until.map(Timestamp::as_ms)), (breaker, until_ms), "{health:?}");
        }
    }

    #[test]
    fn an_open_circuit_lets_one_call_through_after_its_pause_and_closes_when_that_works() {
        let mut bench = Bench::with(account(Channel::Open));
        for (n, customer) in (1..=5).zip(["a", "b", "c", "d", "e"]) {
            bench.ask(asked(n, customer));
        }
        for n in 1..=4 {
            bench.called(n, GONE);
        }
        assert_eq!(kinds(&bench.called(5, GONE)), ["account open", "retrying no_connection"]);
        assert!(bench.ask(asked(6, "f")).is_empty());
        assert!(bench.advance(4_999).is_empty(), "retries wait too");
        assert_eq!(kinds(&bench.advance(1)), ["account half_open", "claimed", "send"]);
        let probe = bench.first_claimed().unwrap();
        let effects = bench.called(probe, Outcome::Accepted { provider_message_id: None, rest_ms: 0 });
        assert_eq!(kinds(&effects)[..2], ["account closed", "sent"]);
        assert_eq!(kinds(&effects).iter().filter(|kind| *kind == "send").count(), 5);
    }

    #[test]
    fn a_receipt_for_the_one_call_frees_the_account_for_the_next() {
        let mut bench = Bench::with(account(Channel::Open));
        for (n, customer) in (1..=6).zip(["a", "b", "c", "d", "e", "f"]) {
            bench.ask(asked(n, customer));
        }
        for n in 1..=5 {
            bench.called(n, GONE);
        }
        bench.called(6, Outcome::Lost);
        bench.advance(30_000);
        let probe = bench.first_claimed().unwrap();
        let effects = bench.receipt(probe, schemas::records::ReceiptStatus::Sent);
        assert_eq!(kinds(&effects), ["sent", "claimed", "send"]);
    }

    #[test]
    fn a_throttled_account_waits_as_long_as_it_is_asked_to() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.ask(asked(1, "ada"));
        let answer = Answer { status: 429, retry_after_ms: Some(9_000), ..Answer::default() };
        assert_eq!(kinds(&bench.called(1, Outcome::Answered(answer))), ["account closed", "retrying throttled"]);
        assert!(bench.ask(asked(2, "bob")).is_empty());
        let kinds = kinds(&bench.advance(9_000));
        assert_eq!(kinds, ["account closed", "claimed", "send", "claimed", "send"]);
    }

    #[test]
    fn an_account_with_refused_credentials_is_paused_until_it_is_configured_anew() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        let answer = Answer { status: 401, code: Some(190), ..Answer::default() };
        assert_eq!(kinds(&bench.called(1, Outcome::Answered(answer))), ["account open paused", "retrying credentials"]);
        bench.advance(10_000);
        let effects = bench.configure(account(Channel::Whatsapp));
        assert_eq!(kinds(&effects), ["account closed", "claimed", "send"]);
    }

    #[test]
    fn a_webhook_that_fails_for_five_days_is_disabled_until_it_is_configured_anew() {
        let mut bench = Bench::with(account(Channel::Open));
        let mut said = Vec::new();
        for n in 1..=200 {
            bench.ask(asked(n, &n.to_string()));
            while let Some(n) = bench.first_claimed() {
                said.extend(kinds(&bench.called(n, GONE)));
            }
            bench.advance(3_600_000);
        }
        assert!(said.iter().any(|kind| kind == "account open paused"), "{said:?}");
        assert_eq!(bench.first_claimed(), None);
        assert!(kinds(&bench.configure(account(Channel::Open))).contains(&"send".to_owned()));
    }
}
