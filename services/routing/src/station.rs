//! The rooms joined for the runtime.

use std::convert::Infallible;

use schemas::codec::Codec;
use schemas::topics::{
    CONFIG_ENTITIES, CONVERSATION_COMMANDS, DELIVERY_REQUESTS, ROUTING_COMMANDS, ROUTING_EVENTS, ROUTING_VIEWS, Topic,
};
use stream::{DeadLetter, InputRecord, Inputs, Outbox, Reject, Station};

use crate::core::Routing;
use crate::core::effect::Effect;
use crate::core::event::Event;
use crate::core::state::State;
use crate::metrics::Metrics;
use crate::{intake, outlets};

/// Every topic that routing reads or writes.
pub const TOPICS: [Topic; 6] =
    [ROUTING_COMMANDS, CONFIG_ENTITIES, ROUTING_EVENTS, ROUTING_VIEWS, CONVERSATION_COMMANDS, DELIVERY_REQUESTS];

/// Routing as the runtime sees it.
pub struct RoutingStation {
    codec: Codec,
    metrics: Metrics,
}

impl RoutingStation {
    /// From a codec made for [`TOPICS`].
    pub fn new(codec: Codec, metrics: Metrics) -> Self {
        Self { codec, metrics }
    }
}

impl Station for RoutingStation {
    type Machine = Routing;
    type Request = Infallible;
    type Outcome = Infallible;

    fn machine(&self) -> &Routing {
        &Routing
    }

    fn inputs(&self) -> Inputs {
        Inputs::new([ROUTING_COMMANDS.name]).config([CONFIG_ENTITIES.name])
    }

    fn intake(&self, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
        intake::read(&self.codec, record)
    }

    fn waits(&self, record: &InputRecord<'_>) -> Option<&'static str> {
        intake::waits(&self.codec, record)
    }

    fn outlet(&self, effect: Effect, out: &mut Outbox<Infallible>) {
        self.metrics.count(&effect);
        outlets::speak(&self.codec, effect, out);
    }

    fn outcome(&self, outcome: &Infallible) -> Event {
        match *outcome {}
    }

    fn observe(&self, slot: &str, states: &[&State]) {
        self.metrics.observe(slot, states);
    }

    fn dead_letter(&self, letter: &DeadLetter<'_>) -> Vec<u8> {
        outlets::dead_letter(&self.codec, letter)
    }
}

#[cfg(test)]
mod tests {
    use schemas::topics::TABLES;
    use stream::State as _;

    use super::*;

    #[test]
    fn every_table_has_its_changelog_planned() {
        let mut state = State::default();
        let tables: Vec<&str> =
            std::iter::once("task").chain(state.tables().iter().map(|table| table.name())).collect();
        let planned = TABLES.iter().find(|(service, _, _)| *service == "routing").unwrap().2;
        assert_eq!(tables, planned);
    }
}
