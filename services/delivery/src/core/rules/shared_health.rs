//! C9: what one partition learns of an account, the others need not find out by their own calls.

use crate::core::event::{AccountKey, Told};
use crate::core::rows::{Breaker, Health};
use crate::core::rules::claim;
use crate::core::step::Step;

/// Takes the word of another partition, or one's own come back; neither is told on.
pub(crate) fn told(step: &mut Step<'_>, key: AccountKey, told: Told) {
    if step.state.account(&key).is_none() {
        return;
    }
    let health = step.state.health(&key);
    let is_rest = told.until.is_some_and(|until| until > step.now);
    let health = match told.breaker {
        Breaker::Open | Breaker::Closed if is_rest => rested(health, told),
        Breaker::Closed if told.until.is_none() && !told.paused => well(health),
        Breaker::Open | Breaker::Closed | Breaker::HalfOpen => return,
    };
    step.state.set_health(&key, health);
    claim::admit(step, &key);
}

/// No call before the later of both times; a call that is to show whether it is well goes on.
fn rested(health: Health, told: Told) -> Health {
    if health.probe.is_some() || health.until >= told.until {
        return health;
    }
    let breaker = if told.breaker == Breaker::Open { Breaker::Open } else { health.breaker };
    Health { paused: health.paused || told.paused, breaker, until: told.until, reason: told.reason, ..health }
}

/// A call got through elsewhere; what we were asked to wait for by the provider stays.
fn well(health: Health) -> Health {
    match health.breaker {
        Breaker::Open | Breaker::HalfOpen if health.probe.is_none() => Health::default(),
        Breaker::Open | Breaker::HalfOpen | Breaker::Closed => health,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Event;
    use crate::core::rules::support::{Bench, account, account_key, asked, kinds};
    use schemas::records::Channel;

    fn said(breaker: Breaker, until_ms: Option<i64>, bench: &Bench) -> Event {
        let until = until_ms.map(|ms| bench.now.plus_ms(ms));
        Event::Told(account_key(), Told { paused: false, breaker, until, reason: "down".into() })
    }

    #[test]
    fn an_account_that_is_down_for_one_partition_rests_for_all() {
        let mut bench = Bench::with(account(Channel::Facebook));
        let down = said(Breaker::Open, Some(5_000), &bench);
        assert!(bench.apply(down).is_empty(), "nobody tells on what was told");
        assert!(bench.ask(asked(1, "ada")).is_empty());
        assert_eq!(kinds(&bench.advance(5_000)), ["account half_open", "claimed", "send"]);
    }

    #[test]
    fn an_account_that_answers_one_partition_is_well_for_all() {
        let mut bench = Bench::with(account(Channel::Facebook));
        let down = said(Breaker::Open, Some(600_000), &bench);
        bench.apply(down);
        bench.ask(asked(1, "ada"));
        let up = said(Breaker::Closed, None, &bench);
        assert_eq!(kinds(&bench.apply(up)), ["claimed", "send"]);
    }

    #[test]
    fn a_throttle_is_shared_and_an_old_word_is_not_heard() {
        let mut bench = Bench::with(account(Channel::Facebook));
        let old = said(Breaker::Open, Some(-1), &bench);
        bench.apply(old);
        assert_eq!(kinds(&bench.ask(asked(1, "ada"))), ["claimed", "send"]);
        let throttled = said(Breaker::Closed, Some(9_000), &bench);
        bench.apply(throttled);
        assert!(bench.ask(asked(2, "bob")).is_empty());
        assert_eq!(kinds(&bench.advance(9_000)), ["account closed", "claimed", "send"]);
    }
}
