//! T5: routing issues owner epochs, rising through a conversation's stints; threading accepts a
//! new owner only with a higher one, and an end only with at least the live one. An end names the
//! last message routing had seen: if the customer has written since, a new stint begins at once,
//! so that nobody waits in the gap. With after-call work open routing still hears of that message
//! (T8), so there it waits for the release.

use super::{after_call, joining};
use crate::core::desk::Desk;
use crate::core::effect::Ignored;
use crate::core::event::{Connect, Disconnect};
use crate::core::state::{Name, Phase, Stint};
use schemas::records::{ConversationEventKind, OwnerChanged, OwnerKind, StintEnded};

/// Routing gives the stint an owner; one in after-call work is taken up again.
pub(crate) fn connect(desk: &mut Desk<'_>, ask: Connect) {
    let (Some(mut thread), Some(stint)) = (desk.thread(), desk.stint().filter(|s| s.stint_id == ask.stint_id)) else {
        return desk.ignore(Ignored::NotLive);
    };
    if ask.owner_epoch <= thread.owner_epoch {
        return desk.ignore(Ignored::OldEpoch);
    }
    let stint = Stint { phase: Phase::Live, owner: ask.owner.clone(), ..stint.clone() };
    thread.owner_epoch = ask.owner_epoch;
    if ask.owner.kind == OwnerKind::Agent {
        thread.last_agent = desk.state.number(Name::Id(ask.owner.id.clone()));
    }
    if let Some(queue) = &ask.owner.queue_id {
        thread.last_queue = desk.state.number(Name::Id(queue.to_string()));
    }
    desk.put_thread(thread);
    desk.put_stint(stint);
    let changed = OwnerChanged {
        owner_kind: ask.owner.kind,
        owner_id: ask.owner.id,
        owner_epoch: ask.owner_epoch,
        queue_id: ask.owner.queue_id,
        part_id: ask.owner.part_id,
        cause: ask.cause,
    };
    desk.say(Some(ask.stint_id), ConversationEventKind::OwnerChanged(changed));
}

/// Routing ends the stint.
pub(crate) fn disconnect(desk: &mut Desk<'_>, ask: &Disconnect) {
    let live = desk.live_stint().filter(|stint| stint.stint_id == ask.stint_id).cloned();
    let (Some(mut thread), Some(stint)) = (desk.thread(), live) else { return desk.ignore(Ignored::NotLive) };
    if ask.owner_epoch < thread.owner_epoch {
        return desk.ignore(Ignored::OldEpoch);
    }
    thread.owner_epoch = ask.owner_epoch;
    thread.ended_at = desk.now;
    desk.put_thread(thread);
    let ended =
        StintEnded { cause: ask.cause, stint_no: i64::from(thread.stints), started_at: stint.started_at.as_ms() };
    desk.say(Some(ask.stint_id), ConversationEventKind::StintEnded(ended));
    if ask.acw_open {
        desk.put_stint(Stint { phase: Phase::AfterCall { seen_seq: ask.seen_seq }, ..stint });
    } else if i64::from(stint.customer_seq) > ask.seen_seq {
        joining::return_at_once(desk, stint);
    } else {
        after_call::rest(desk);
    }
}

#[cfg(test)]
mod tests {
    use crate::core::effect::{Effect, Ignored};
    use crate::core::testing::*;
    use schemas::records::{ConversationEventKind, OwnerKind, RoutingCommandKind};

    #[test]
    fn an_owner_needs_the_stint_and_a_higher_epoch() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        let wrong_stint = connect_to(stint_id(BOB, 1, 1), ADA, 1, queue("help"));
        assert_eq!(driver.apply(wrong_stint, at(1)), [Effect::Ignored(Ignored::NotLive)]);
        assert_eq!(said(&driver.apply(connect(ADA, 1, 1, queue("help")), at(2))), ["owner_changed 1"]);
        for epoch in [0, 1] {
            let effects = driver.apply(connect(ADA, 1, epoch, agent("alan")), at(3));
            assert_eq!(effects, [Effect::Ignored(Ignored::OldEpoch)], "epoch {epoch}");
        }
        assert_eq!(said(&driver.apply(connect(ADA, 1, 5, agent("alan")), at(4))), ["owner_changed 1"]);
        assert_eq!(driver.state().customers.get(&key(ADA)).unwrap().owner_epoch, 5);
    }

    #[test]
    fn an_end_needs_at_least_the_live_epoch() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 2, agent("alan")), at(1));
        assert_eq!(driver.apply(disconnect(ADA, 1, 1, 1), at(2)), [Effect::Ignored(Ignored::OldEpoch)]);
        let effects = driver.apply(disconnect(ADA, 1, 2, 1), at(3));
        assert_eq!(said(&effects), ["stint_ended 1"]);
        assert!(effects.contains(&Effect::Hidden(key(ADA))));
        assert_eq!(driver.apply(disconnect(ADA, 1, 2, 1), at(4)), [Effect::Ignored(Ignored::NotLive)]);
    }

    #[test]
    fn a_message_that_routing_had_not_seen_reopens_at_once_with_the_former_agent() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        driver.apply(message(ADA, "m2"), at(2));
        let effects = driver.apply(disconnect(ADA, 1, 1, 1), at(3));
        assert_eq!(said(&effects), ["stint_ended 2", "reopened 2"]);
        assert!(shown(&effects).is_some_and(|view| view.owner_kind == OwnerKind::None && view.owner_epoch == 1));
        let told = told(&effects);
        let [RoutingCommandKind::WorkArrived(arrived)] = told.as_slice() else { panic!("{told:?}") };
        assert!(arrived.returning && arrived.stint_no == 2 && arrived.owner_epoch == 1 && arrived.seq == 2);
        assert_eq!(arrived.last_agent, Some("alan".into()));
        assert_eq!(arrived.last_queue, Some("help".into()));
    }

    #[test]
    fn epochs_rise_through_the_stints_of_a_conversation() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 3, agent("alan")), at(1));
        driver.apply(disconnect(ADA, 1, 3, 1), at(2));
        let told = told(&driver.apply(message(ADA, "m2"), at(3)));
        let [RoutingCommandKind::WorkArrived(arrived)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(arrived.owner_epoch, 3);
        let effects = driver.apply(connect(ADA, 2, 3, queue("help")), at(4));
        assert_eq!(effects, [Effect::Ignored(Ignored::OldEpoch)]);
        let effects = driver.apply(connect(ADA, 2, 4, queue("help")), at(5));
        let [ConversationEventKind::OwnerChanged(changed)] = &kinds(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!((changed.owner_epoch, changed.owner_id.as_str()), (4, "help"));
    }
}
