//! T6: a guest's session on `web` ends a while after the last message of either side, whatever the
//! window says, and ends the stint that is connected then. Evaluated anew when it is due, so that
//! changed configuration applies to sessions that already run.

use super::leaving;
use crate::core::desk::Desk;
use crate::core::effect::Effect;
use crate::core::event::{Context, SettingKey};
use crate::core::state::{Stint, Thread, Threads};
use schemas::config::ChannelAccount;
use schemas::ids::{CustomerKey, EventId};
use schemas::records::{Cause, Channel};
use stream::Timestamp;

const MINUTE_MS: i64 = 60_000;

/// When the session ends, if there is one.
pub(crate) fn ends_at(state: &Threads, thread: &Thread) -> Option<Timestamp> {
    let (tenant, channel, account) = state.account_of(thread);
    if channel != Channel::Web {
        return None;
    }
    let account = state.settings.get(&SettingKey::Account(tenant.clone(), account.clone()));
    let minutes = account.and_then(|account| account.session_minutes).unwrap_or(ChannelAccount::SESSION_MINUTES);
    Some(thread.heard_at.plus_ms(minutes.max(0).saturating_mul(MINUTE_MS)))
}

/// A message of either side: the session lasts anew.
pub(crate) fn spoke(desk: &mut Desk<'_>) {
    if desk.context.channel != Channel::Web {
        return;
    }
    let Some(mut thread) = desk.thread() else { return };
    thread.heard_at = desk.now;
    desk.put_thread(thread);
    let session_ends_at = ends_at(desk.state, &thread);
    if let Some(stint) = desk.stint().cloned() {
        desk.put_stint(Stint { session_ends_at, ..stint });
    }
}

/// Tells routing that the guest's session is over, or looks again later if it has become longer.
pub(crate) fn look_at(state: &mut Threads, customer: CustomerKey, now: Timestamp) -> Vec<Effect> {
    let thread = *state.customers.get(&customer).expect("a stint has a thread");
    let stint = state.stints.get(&customer).cloned().expect("the index names only stints");
    let later = ends_at(state, &thread).filter(|ends_at| *ends_at > now);
    let (tenant, channel, account_id) = state.account_of(&thread);
    let heard_at = thread.heard_at.as_ms().to_string();
    let context = Context {
        cause: EventId::derive(&[&stint.stint_id.to_string(), "session expired", &heard_at]),
        tenant: tenant.clone(),
        channel,
        account_id: account_id.clone(),
        customer_key: customer,
        occurred_at: now.as_ms(),
    };
    state.put_stint(customer, Stint { session_ends_at: later, ..stint });
    let mut desk = Desk::new(state, context, now);
    if later.is_none() {
        leaving::customer_left(&mut desk, Cause::SessionExpired);
    }
    desk.leave()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Event, Setting};
    use crate::core::testing::*;
    use schemas::records::RoutingCommandKind;

    fn on_web(event: Event) -> Event {
        let Event::Concerns(mut concern) = event else { panic!("not about a customer") };
        concern.context.channel = Channel::Web;
        Event::Concerns(concern)
    }

    fn minutes(minutes: i64) -> Event {
        let setting = Setting { session_minutes: Some(minutes), ..Setting::default() };
        configured(SettingKey::Account("acme".into(), "main".into()), Some(setting))
    }

    fn connected() -> Driver {
        let mut driver = driver();
        driver.apply(minutes(60), at(0));
        driver.apply(on_web(message(ADA, "m1")), at(0));
        driver.apply(on_web(connect(ADA, 1, 1, agent("alan"))), at(1));
        driver
    }

    fn causes(effects: &[Effect]) -> Vec<Cause> {
        let left = |kind| if let RoutingCommandKind::CustomerLeft(left) = kind { Some(left.cause) } else { None };
        told(effects).into_iter().filter_map(left).collect()
    }

    #[test]
    fn a_session_lasts_after_the_last_message_of_either_side_and_ends_the_stint() {
        let mut driver = connected();
        driver.apply(on_web(send(ADA, "s1", "alan", 1)), at(30 * MINUTE));
        assert!(causes(&driver.advance_to(at(90 * MINUTE - 1))).is_empty());
        assert_eq!(causes(&driver.advance_to(at(90 * MINUTE))), [Cause::SessionExpired]);
        assert!(causes(&driver.advance_to(at(DAY))).is_empty(), "it is told once");
    }

    #[test]
    fn a_session_made_longer_ends_later() {
        let mut driver = connected();
        driver.apply(minutes(120), at(MINUTE));
        assert!(causes(&driver.advance_to(at(120 * MINUTE - 1))).is_empty());
        assert_eq!(causes(&driver.advance_to(at(120 * MINUTE))), [Cause::SessionExpired]);
    }

    #[test]
    fn no_window_outlasts_the_session() {
        let mut driver = connected();
        driver.apply(on_web(disconnect(ADA, 1, 1, 1)), at(10 * MINUTE));
        assert_eq!(said(&driver.advance_to(at(60 * MINUTE))), ["closed 1"]);
        let effects = driver.apply(on_web(message(ADA, "m2")), at(61 * MINUTE));
        assert_eq!(said(&effects), ["opened 0", "message_added 1"]);
    }

    #[test]
    fn other_channels_have_no_session() {
        let mut driver = driver();
        driver.apply(minutes(60), at(0));
        driver.apply(message(ADA, "m1"), at(0));
        assert!(causes(&driver.advance_to(at(30 * DAY))).is_empty());
    }
}
