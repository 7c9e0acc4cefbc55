//! R6: how much an agent can hold at once.
//!
//! Every channel is media type `message`. Open offers and after-call work count like connected
//! conversations; a parked one does not count.

use schemas::config::Agent;

use crate::core::state::Load;

/// The media type of every channel.
pub const MEDIA: &str = "message";
/// Where an agent's document says nothing.
const DEFAULT_CAPACITY: i64 = 4;

/// How many interactions an agent may have.
pub fn of(agent: &Agent) -> i64 {
    agent.capacity.get(MEDIA).copied().unwrap_or(DEFAULT_CAPACITY)
}

/// Whether one more may be offered (R7: no offer lifts load above capacity).
pub fn has_room(agent: &Agent, load: Load) -> bool {
    load.total() < of(agent)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn alerting_talking_and_after_call_work_all_hold_capacity() {
        let agent = |n| Agent { capacity: BTreeMap::from([(MEDIA.to_owned(), n)]), ..Agent::default() };
        for (capacity, load, room) in [
            (1, (0, 0, 0), true),
            (1, (1, 0, 0), false),
            (1, (0, 1, 0), false),
            (1, (0, 0, 1), false),
            (4, (1, 1, 1), true),
            (4, (1, 2, 1), false),
            (0, (0, 0, 0), false),
            (2, (1, 3, 1), false),
        ] {
            let load = Load { alerting: load.0, talking: load.1, wrap_up: load.2 };
            assert_eq!(has_room(&agent(capacity), load), room, "{capacity} {load:?}");
        }
    }

    #[test]
    fn an_agent_whose_document_says_nothing_takes_four_messages() {
        assert_eq!(of(&Agent::default()), 4);
    }
}
