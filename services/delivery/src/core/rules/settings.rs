//! An account is configured, changed or removed: what waited for it goes on or ends.

use crate::core::event::{Account, AccountKey};
use crate::core::rows::Health;
use crate::core::rules::{claim, order};
use crate::core::step::Step;

/// Takes an account's configuration; a new one lifts a pause, since it may be the remedy.
pub(crate) fn configured(step: &mut Step<'_>, key: AccountKey, account: Option<Box<Account>>) {
    let is_removed = account.is_none();
    step.state.set_account(key.clone(), account.map(|account| *account));
    if is_removed {
        while let Some(customer) = step.state.first_ready(&key) {
            order::turn(step, customer);
        }
        return;
    }
    if step.state.health(&key).paused {
        step.set_health(&key, Health::default());
    }
    claim::admit(step, &key);
}

#[cfg(test)]
mod tests {
    use crate::core::event::{Event, Outcome};
    use crate::core::rules::support::{Bench, account, account_key, asked, kinds};
    use schemas::records::Channel;

    #[test]
    fn messages_of_a_removed_account_fail() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.policy.account_claims_max = 1;
        bench.ask(asked(1, "ada"));
        bench.ask(asked(2, "bob"));
        let effects = bench.apply(Event::Configured(account_key(), None));
        assert_eq!(kinds(&effects), ["failed unknown_account"]);
        let effects = bench.called(1, Outcome::NotSent { reason: "no_connection" });
        assert_eq!(kinds(&effects), ["exhausted no_connection", "dead letter"]);
        assert!(bench.is_empty());
    }
}
