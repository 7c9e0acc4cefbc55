//! T3, T4: how long a conversation can be re-opened. The queue it was last served in decides
//! before the account, the account before the tenant's channel, that before the tenant, and 72 h
//! is the default. Evaluated anew at each message and each closing, so that changed configuration
//! applies to conversations that already rest. On `web` no window outlasts the guest's session (T6).

use super::session;
use crate::core::desk::Desk;
use crate::core::event::{Clock, Setting, SettingKey};
use crate::core::state::{Standing, Thread, Threads};
use schemas::ids::QueueId;
use stream::Timestamp;

const DEFAULT_MINUTES: i64 = 72 * 60;
const MINUTE_MS: i64 = 60_000;

/// When a resting conversation is over.
pub(crate) fn ends_at(state: &Threads, thread: &Thread) -> Timestamp {
    let (minutes, clock) = rule(state, thread);
    let anchor = match clock {
        Clock::FromDisconnect => thread.ended_at,
        Clock::FromLastMessage => thread.heard_at,
    };
    let ends_at = anchor.plus_ms(minutes.max(0).saturating_mul(MINUTE_MS)).max(thread.grace_until());
    session::ends_at(state, thread).map_or(ends_at, |session| session.min(ends_at))
}

/// The conversation that counts rests from now on, without having had a stint now.
pub(crate) fn rest(desk: &mut Desk<'_>) -> Timestamp {
    let mut thread = desk.thread_or_new();
    thread.ended_at = desk.now;
    thread.standing = Standing::Resting { grace_s: 0, closes_at: desk.now };
    let closes_at = ends_at(desk.state, &thread).max(desk.now);
    thread.standing = Standing::Resting { grace_s: 0, closes_at };
    desk.put_thread(thread);
    closes_at
}

fn rule(state: &Threads, thread: &Thread) -> (i64, Clock) {
    let (tenant, channel, account) = state.account_of(thread);
    let queue_id = state.id_of(thread.last_queue);
    let queue = queue_id.and_then(|id| state.settings.get(&SettingKey::Queue(tenant.clone(), QueueId::new(id))));
    let account = state.settings.get(&SettingKey::Account(tenant.clone(), account.clone()));
    let tenant = state.settings.get(&SettingKey::Tenant(tenant.clone()));
    let own = |setting: Option<&Setting>| setting.and_then(|setting| setting.window_minutes);
    let minutes = own(queue)
        .or_else(|| own(account))
        .or_else(|| tenant.and_then(|tenant| tenant.per_channel.get(&channel).copied()))
        .or_else(|| own(tenant))
        .unwrap_or(DEFAULT_MINUTES);
    let clock = [account, tenant].into_iter().flatten().find_map(|setting| setting.window_clock);
    (minutes, clock.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::testing::*;
    use schemas::records::Channel;

    /// Ada's conversation, served in queue `help`, heard at 0 and disconnected after an hour.
    fn ended(settings: &[(SettingKey, Setting)]) -> Driver {
        let mut driver = driver();
        for (key, setting) in settings {
            driver.apply(configured(key.clone(), Some(setting.clone())), at(0));
        }
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, queue("help")), at(1));
        driver.apply(disconnect(ADA, 1, 1, 1), at(HOUR));
        driver
    }

    fn minutes(minutes: i64) -> Setting {
        Setting { window_minutes: Some(minutes), ..Setting::default() }
    }

    #[test]
    fn the_narrowest_setting_decides() {
        let tenant = || SettingKey::Tenant("acme".into());
        let account = || SettingKey::Account("acme".into(), "main".into());
        let help = || SettingKey::Queue("acme".into(), "help".into());
        let other = || SettingKey::Queue("acme".into(), "other".into());
        let whatsapp = Setting { per_channel: [(Channel::Whatsapp, 20)].into(), ..minutes(10) };
        let open = Setting { per_channel: [(Channel::Open, 20)].into(), ..minutes(10) };
        let last = |minutes| Setting {
            window_minutes: Some(minutes),
            window_clock: Some(Clock::FromLastMessage),
            ..Setting::default()
        };
        let cases: Vec<(Vec<(SettingKey, Setting)>, i64)> = vec![
            (vec![], HOUR + 72 * HOUR),
            (vec![(tenant(), minutes(10))], HOUR + 10 * MINUTE),
            (vec![(tenant(), whatsapp.clone())], HOUR + 20 * MINUTE),
            (vec![(tenant(), open)], HOUR + 10 * MINUTE),
            (vec![(tenant(), whatsapp.clone()), (account(), minutes(30))], HOUR + 30 * MINUTE),
            (vec![(account(), minutes(30)), (help(), minutes(40))], HOUR + 40 * MINUTE),
            (vec![(account(), minutes(30)), (other(), minutes(40))], HOUR + 30 * MINUTE),
            (vec![(tenant(), last(90))], 90 * MINUTE),
            (vec![(tenant(), last(90)), (account(), minutes(100))], 100 * MINUTE),
            (vec![(tenant(), minutes(10)), (account(), last(70))], 70 * MINUTE),
            (vec![(tenant(), minutes(0))], HOUR),
            (vec![(tenant(), minutes(-5))], HOUR),
        ];
        for (settings, end) in cases {
            let driver = ended(&settings);
            let thread = driver.state().customers.get(&key(ADA)).unwrap();
            assert_eq!(ends_at(driver.state(), thread), at(end), "{settings:?}");
        }
    }

    #[test]
    fn a_message_inside_the_window_reopens_and_one_at_its_end_begins_anew() {
        for (later, expected) in [(10 * MINUTE - 1, "reopened 1"), (10 * MINUTE, "opened 0")] {
            let mut driver = ended(&[(SettingKey::Tenant("acme".into()), minutes(10))]);
            let effects = driver.apply(message(ADA, "m2"), at(HOUR + later));
            assert!(said(&effects).contains(&expected.to_owned()), "{later}: {:?}", said(&effects));
        }
    }

    #[test]
    fn with_window_zero_each_message_after_the_end_begins_anew() {
        let mut driver = ended(&[(SettingKey::Tenant("acme".into()), minutes(0))]);
        assert_eq!(said(&driver.advance_to(at(HOUR))), ["closed 1"]);
        assert_eq!(said(&driver.apply(message(ADA, "m2"), at(HOUR))), ["opened 0", "message_added 1"]);
    }

    #[test]
    fn a_window_made_shorter_applies_to_conversations_that_rest() {
        let mut driver = ended(&[]);
        driver.apply(configured(SettingKey::Tenant("acme".into()), Some(minutes(5))), at(2 * HOUR));
        let effects = driver.apply(message(ADA, "m2"), at(2 * HOUR));
        assert_eq!(said(&effects), ["closed 1", "opened 0", "message_added 1"]);
    }

    #[test]
    fn a_window_made_longer_applies_to_conversations_that_rest() {
        let mut driver = ended(&[(SettingKey::Tenant("acme".into()), minutes(10))]);
        driver.apply(configured(SettingKey::Tenant("acme".into()), None), at(HOUR));
        assert!(said(&driver.advance_to(at(3 * HOUR))).is_empty());
        assert_eq!(said(&driver.apply(message(ADA, "m2"), at(3 * HOUR))), ["reopened 1", "message_added 2"]);
    }
}
