//! R8: presence is what agents say, routing status what routing makes of it.
//!
//! Setting a presence also ends Not Responding. Leaving the queue takes open offers back; what is
//! connected stays with its agent.

use schemas::records::{Presence, RoutingStatus, SetPresence};

use super::{eligibility, offer, owner_away};
use crate::core::Asked;
use crate::core::state::AgentRow;
use crate::core::turn::Turn;

/// Applies a presence.
pub fn set(turn: &mut Turn<'_>, asked: &Asked<'_>, set: &SetPresence) {
    let key = (asked.tenant.clone(), set.agent_id.clone());
    if turn.state.agent(&key).is_none() {
        return turn.refuse(asked, "unknown_agent");
    }
    if set.presence == Presence::Unknown {
        return turn.refuse(asked, "unknown_presence");
    }
    let now = turn.now;
    turn.change_agent(&key, |row| {
        let was_on_queue = row.presence == Presence::OnQueue && !row.not_responding;
        row.presence = set.presence;
        row.secondary.clone_from(&set.secondary);
        row.not_responding = false;
        if set.presence == Presence::OnQueue && !was_on_queue {
            row.idle_since = now;
        }
    });
    if set.presence != Presence::OnQueue {
        offer::withdraw_all(turn, &key, "off_queue");
    }
    owner_away::refresh(turn, &key);
}

/// What routing makes of an agent.
pub fn routing_status(row: &AgentRow) -> RoutingStatus {
    if !eligibility::is_on_queue(row) {
        RoutingStatus::OffQueue
    } else if row.not_responding {
        RoutingStatus::NotResponding
    } else if row.load.talking + row.load.wrap_up > 0 {
        RoutingStatus::Interacting
    } else {
        RoutingStatus::Idle
    }
}

/// What others see of an agent's state; a change of it is an event.
pub fn shown(row: &AgentRow) -> (Presence, Option<&str>, RoutingStatus, bool) {
    (row.presence, row.secondary.as_deref(), routing_status(row), row.is_connected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::state::Load;
    use crate::core::testing::{Bench, secs};

    #[test]
    fn routing_status_follows_from_presence_connection_and_load() {
        let held = || std::collections::BTreeMap::from([("g".to_owned(), None)]);
        let on = AgentRow { presence: Presence::OnQueue, gateways: held(), ..AgentRow::new(0) };
        let with = |alerting, talking, wrap_up| AgentRow { load: Load { alerting, talking, wrap_up }, ..on.clone() };
        for (row, expected) in [
            (with(0, 0, 0), RoutingStatus::Idle),
            (with(1, 0, 0), RoutingStatus::Idle),
            (with(0, 1, 0), RoutingStatus::Interacting),
            (with(0, 0, 1), RoutingStatus::Interacting),
            (AgentRow { not_responding: true, ..with(0, 1, 0) }, RoutingStatus::NotResponding),
            (AgentRow { presence: Presence::Meal, ..with(0, 1, 0) }, RoutingStatus::OffQueue),
            (AgentRow { gateways: Default::default(), ..on.clone() }, RoutingStatus::OffQueue),
        ] {
            assert_eq!(routing_status(&row), expected, "{row:?}");
        }
    }

    #[test]
    fn leaving_the_queue_takes_an_open_offer_back_and_the_conversation_waits_on() {
        let mut bench = Bench::simple();
        bench.on_queue("ada").arrive("c1");
        bench.presence("ada", Presence::Break, secs(1));
        assert!(bench.said("withdrawn").is_some());
        assert_eq!(bench.waiting("sales"), 1);
        bench.presence("ada", Presence::OnQueue, secs(2));
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
    }

    #[test]
    fn somebody_nobody_configured_is_refused() {
        let mut bench = Bench::simple();
        bench.presence("mallory", Presence::OnQueue, secs(1));
        assert_eq!(bench.refused().as_deref(), Some("unknown_agent"));
    }

    #[test]
    fn each_agent_state_ends_as_a_segment_with_what_it_was() {
        let mut bench = Bench::simple();
        bench.on_queue("ada");
        bench.presence("ada", Presence::Meal, secs(60));
        let segment = bench.segment("agent_state").unwrap();
        assert_eq!(segment.routing_status, Some(RoutingStatus::Idle));
        assert_eq!(segment.ended_at - segment.started_at, 60_000);
    }
}
