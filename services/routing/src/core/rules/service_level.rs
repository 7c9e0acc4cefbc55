//! The queue's promise: which clock, and whether it was kept in time (A3 *service level*).
//!
//! `accept` counts queue visits: answered within the target is met; answered later, or abandoned
//! and not a short abandon, is missed; a short abandon and a flow-out do not count.
//! `first_response` and `every_response` count replies, each from the first message it answers; a
//! stint that ends without the first reply it was owed is missed under either.

use schemas::config::{Queue, ServiceLevelClock};
use schemas::records::{Millis, RoutingEventKind, ServiceLevelCounted, VisitOutcome};

use crate::core::state::Facts;
use crate::core::turn::{Dims, Turn};

/// Whether a queue visit kept the promise; null when it does not count.
pub fn of_visit(queue: &Queue, outcome: VisitOutcome, wait_ms: Millis) -> Option<bool> {
    match (queue.service_level.clock, outcome) {
        (ServiceLevelClock::Accept, VisitOutcome::Answered) => Some(wait_ms <= target_ms(queue)),
        (ServiceLevelClock::Accept, VisitOutcome::Abandoned) => (!is_short_abandon(queue, wait_ms)).then_some(false),
        (ServiceLevelClock::Accept, VisitOutcome::FlowedOut | VisitOutcome::Unknown)
        | (ServiceLevelClock::FirstResponse | ServiceLevelClock::EveryResponse, _) => None,
    }
}

/// Whether an abandon came too soon to count.
pub fn is_short_abandon(queue: &Queue, wait_ms: Millis) -> bool {
    wait_ms < queue.short_abandon_s.saturating_mul(1000)
}

/// Whether a reply kept the promise; null when the queue's clock does not count it.
pub fn of_response(queue: &Queue, response_ms: Millis, is_first: bool) -> Option<bool> {
    match queue.service_level.clock {
        ServiceLevelClock::Accept => None,
        ServiceLevelClock::FirstResponse => is_first.then(|| response_ms <= target_ms(queue)),
        ServiceLevelClock::EveryResponse => Some(response_ms <= target_ms(queue)),
    }
}

/// Whether a stint that ends without any reply broke the promise.
pub fn of_silence(queue: &Queue) -> Option<bool> {
    match queue.service_level.clock {
        ServiceLevelClock::Accept => None,
        ServiceLevelClock::FirstResponse | ServiceLevelClock::EveryResponse => Some(false),
    }
}

/// Says that one was counted.
pub fn count(turn: &mut Turn<'_>, facts: &Facts, dims: Dims, met: Option<bool>) {
    if let Some(met) = met {
        turn.say(facts, dims, RoutingEventKind::ServiceLevelCounted(ServiceLevelCounted { met }));
    }
}

fn target_ms(queue: &Queue) -> Millis {
    queue.service_level.target_s.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(clock: &str) -> Queue {
        let spec = serde_json::json!({
            "name": "q", "members": [], "short_abandon_s": 5,
            "service_level": {"target_s": 20, "ratio": 0.8, "clock": clock},
        });
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn the_accept_clock_counts_visits() {
        for (outcome, wait_ms, expected) in [
            (VisitOutcome::Answered, 20_000, Some(true)),
            (VisitOutcome::Answered, 20_001, Some(false)),
            (VisitOutcome::Abandoned, 4_999, None),
            (VisitOutcome::Abandoned, 5_000, Some(false)),
            (VisitOutcome::FlowedOut, 60_000, None),
        ] {
            assert_eq!(of_visit(&queue("accept"), outcome, wait_ms), expected, "{outcome} {wait_ms}");
            assert_eq!(of_visit(&queue("first_response"), outcome, wait_ms), None);
        }
    }

    #[test]
    fn the_response_clocks_count_replies() {
        for (clock, is_first, expected) in [
            ("accept", true, None),
            ("first_response", true, Some(true)),
            ("first_response", false, None),
            ("every_response", true, Some(true)),
            ("every_response", false, Some(true)),
        ] {
            assert_eq!(of_response(&queue(clock), 20_000, is_first), expected, "{clock} {is_first}");
        }
        assert_eq!(of_response(&queue("every_response"), 20_001, false), Some(false));
        assert_eq!(of_silence(&queue("every_response")), Some(false));
        assert_eq!(of_silence(&queue("accept")), None);
    }
}
