//! D3: when the next attempt is made.

use crate::core::event::Account;
use crate::core::rules::capabilities;

/// The longest wait a provider can ask of us.
const RETRY_AFTER_MS_MAX: i64 = 24 * 3_600_000;

/// An account's waits before each attempt after the first, milliseconds.
pub fn of(account: &Account) -> &[i64] {
    account.schedule_ms.as_deref().unwrap_or_else(|| capabilities::schedule_ms(account.channel))
}

/// The wait before the next attempt after `attempts` were made, at least `least_ms`; `None` when
/// the schedule is used up.
pub fn next_wait_ms(schedule_ms: &[i64], attempts: i64, least_ms: i64) -> Option<i64> {
    let made = usize::try_from(attempts).ok()?.checked_sub(1)?;
    schedule_ms.get(made).map(|wait| (*wait).max(least_ms.min(RETRY_AFTER_MS_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rules::support::account;
    use schemas::records::Channel;

    #[test]
    fn waits_follow_the_schedule_and_a_longer_wish_of_the_provider() {
        for (attempts, least_ms, wait) in [
            (1, 0, Some(5_000)),
            (2, 0, Some(30_000)),
            (6, 0, Some(21_600_000)),
            (7, 0, None),
            (1, 60_000, Some(60_000)),
            (2, 1_000, Some(30_000)),
            (1, i64::MAX, Some(RETRY_AFTER_MS_MAX)),
        ] {
            assert_eq!(next_wait_ms(of(&account(Channel::Whatsapp)), attempts, least_ms), wait, "after {attempts}");
        }
    }

    #[test]
    fn an_account_can_have_its_own_schedule() {
        let mut own = account(Channel::Whatsapp);
        own.schedule_ms = Some(vec![100]);
        assert_eq!(next_wait_ms(of(&own), 1, 0), Some(100));
        assert_eq!(next_wait_ms(of(&own), 2, 0), None);
    }

    #[test]
    fn an_open_webhook_is_tried_for_more_than_27_hours() {
        let hours = of(&account(Channel::Open)).iter().sum::<i64>() / 3_600_000;
        assert_eq!(hours, 27);
    }
}
