//! T8: while after-call work is open, messages join the ended stint and routing hears of them.
//! When routing releases it, messages that nobody took up begin a new stint; otherwise the
//! closing grace runs from the release, and the window from the end of the stint.

use super::{joining, window};
use crate::core::desk::Desk;
use crate::core::effect::Ignored;
use crate::core::state::{Phase, Standing};
use schemas::ids::StintId;

const MINUTE_MS: i64 = 60_000;

/// Routing lets go of the stint.
pub(crate) fn released(desk: &mut Desk<'_>, stint_id: StintId) {
    let Some((stint, seen_seq)) =
        desk.stint().filter(|stint| stint.stint_id == stint_id).and_then(|stint| match stint.phase {
            Phase::AfterCall { seen_seq } => Some((stint.clone(), seen_seq)),
            Phase::Live => None,
        })
    else {
        return desk.ignore(Ignored::NotLive);
    };
    if i64::from(stint.customer_seq) > seen_seq {
        joining::return_at_once(desk, stint);
    } else {
        rest(desk);
    }
}

/// The stint is over for routing too: grace and window run.
pub(crate) fn rest(desk: &mut Desk<'_>) {
    desk.take_stint();
    let Some(mut thread) = desk.thread() else { return };
    let grace_min = desk.queue_setting(&thread).map_or(0, |queue| queue.closing_grace_min);
    let grace_ms = match grace_min {
        ..=0 => 0,
        minutes => desk.now.ms_since(thread.ended_at).saturating_add(minutes.saturating_mul(MINUTE_MS)),
    };
    let grace_s = u32::try_from(grace_ms / 1000).unwrap_or(u32::MAX);
    thread.standing = Standing::Resting { grace_s, closes_at: desk.now };
    let closes_at = window::ends_at(desk.state, &thread);
    thread.standing = Standing::Resting { grace_s, closes_at };
    desk.put_thread(thread);
}

#[cfg(test)]
mod tests {
    use crate::core::effect::{Effect, Ignored};
    use crate::core::event::{Setting, SettingKey};
    use crate::core::testing::*;
    use schemas::records::{ConversationEventKind, RoutingCommandKind};

    /// Ada's stint, ended with after-call work open.
    fn in_after_call() -> Driver {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        let effects = driver.apply(disconnect_acw(ADA, 1, 1, 1), at(2));
        assert_eq!(said(&effects), ["stint_ended 1"]);
        driver
    }

    #[test]
    fn a_message_during_after_call_work_joins_the_ended_stint_and_routing_hears_of_it() {
        let mut driver = in_after_call();
        let effects = driver.apply(message(ADA, "m2"), at(3));
        assert_eq!(said(&effects), ["message_added 2"]);
        assert!(matches!(told(&effects).as_slice(), [RoutingCommandKind::Spoke(spoke)] if spoke.seq == 2));
        assert_eq!(stints_of(&effects), [Some(stint_id(ADA, 1, 1))]);
        assert!(shown(&effects).is_none());
    }

    #[test]
    fn an_agent_who_takes_it_up_is_connected_to_the_same_stint_again() {
        let mut driver = in_after_call();
        driver.apply(message(ADA, "m2"), at(3));
        let effects = driver.apply(connect(ADA, 1, 2, agent("alan")), at(4));
        assert_eq!(said(&effects), ["owner_changed 2"]);
        assert!(shown(&effects).is_some());
        assert_eq!(driver.apply(released(ADA, 1), at(5)), [Effect::Ignored(Ignored::NotLive)]);
        assert_eq!(said(&driver.apply(disconnect(ADA, 1, 2, 2), at(6))), ["stint_ended 2"]);
    }

    #[test]
    fn a_message_nobody_took_up_begins_a_new_stint_at_the_release() {
        let mut driver = in_after_call();
        driver.apply(message(ADA, "m2"), at(3));
        let effects = driver.apply(released(ADA, 1), at(4));
        assert_eq!(said(&effects), ["reopened 2"]);
        assert!(matches!(told(&effects).as_slice(), [RoutingCommandKind::WorkArrived(work)] if work.stint_no == 2));
    }

    #[test]
    fn a_message_that_crossed_the_end_is_not_lost_either() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        driver.apply(message(ADA, "m2"), at(2));
        driver.apply(disconnect_acw(ADA, 1, 1, 1), at(3));
        assert_eq!(said(&driver.apply(released(ADA, 1), at(4))), ["reopened 2"]);
    }

    #[test]
    fn without_messages_the_window_runs_from_the_end_of_the_stint() {
        let mut driver = in_after_call();
        assert!(driver.apply(released(ADA, 1), at(HOUR)).is_empty());
        assert!(said(&driver.advance_to(at(72 * HOUR + 1))).is_empty());
        assert_eq!(said(&driver.advance_to(at(72 * HOUR + 2))), ["closed 1"]);
    }

    #[test]
    fn a_message_within_the_closing_grace_is_appended_without_being_routed() {
        let mut driver = driver();
        let help = Setting { closing_grace_min: 10, window_minutes: Some(0), ..Setting::default() };
        driver.apply(configured(SettingKey::Queue("acme".into(), "help".into()), Some(help)), at(0));
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        driver.apply(disconnect_acw(ADA, 1, 1, 1), at(MINUTE));
        driver.apply(released(ADA, 1), at(2 * MINUTE));
        let effects = driver.apply(message(ADA, "thanks"), at(12 * MINUTE - 1));
        assert_eq!(said(&effects), ["message_added 2"]);
        assert!(told(&effects).is_empty());
        assert_eq!(
            said(&driver.apply(message(ADA, "m3"), at(12 * MINUTE))),
            ["closed 2", "opened 0", "message_added 1"]
        );
    }

    #[test]
    fn what_waits_across_stints_counts_from_the_first_unanswered_message() {
        let mut driver = in_after_call();
        driver.apply(message(ADA, "m2"), at(100));
        driver.apply(released(ADA, 1), at(200));
        driver.apply(connect(ADA, 2, 2, agent("bea")), at(300));
        let effects = driver.apply(send(ADA, "c1", "bea", 2), at(400));
        let turn = kinds(&effects)
            .into_iter()
            .find_map(|kind| if let ConversationEventKind::TurnEnded(turn) = kind { Some(turn) } else { None });
        assert_eq!(turn.map(|turn| (turn.started_at, turn.is_first_response)), Some((START, true)));
    }
}
