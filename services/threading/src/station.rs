//! The rooms joined for the runtime.

use std::convert::Infallible;

use schemas::codec::Codec;
use schemas::ids::KeySecret;
use schemas::topics::{
    CHANNEL_INBOUND, CONFIG_ENTITIES, CONVERSATION_COMMANDS, CONVERSATION_EVENTS, CONVERSATION_VIEWS, CUSTOMER_ALIASES,
    ROUTING_COMMANDS, Topic,
};
use stream::{DeadLetter, InputRecord, Inputs, Outbox, Reject, Station};

use crate::core::Threading;
use crate::core::effect::Effect;
use crate::core::event::Event;
use crate::core::state::Threads;
use crate::metrics::Metrics;
use crate::{intake, outlets};

/// Every topic that threading reads or writes.
pub const TOPICS: [Topic; 7] = [
    CHANNEL_INBOUND,
    CONVERSATION_COMMANDS,
    CONFIG_ENTITIES,
    CONVERSATION_EVENTS,
    CONVERSATION_VIEWS,
    CUSTOMER_ALIASES,
    ROUTING_COMMANDS,
];

/// Threading as the runtime sees it.
pub struct ThreadingStation {
    codec: Codec,
    secret: KeySecret,
    metrics: Metrics,
}

impl ThreadingStation {
    /// From a codec made for [`TOPICS`].
    pub fn new(codec: Codec, secret: KeySecret, metrics: Metrics) -> Self {
        Self { codec, secret, metrics }
    }
}

impl Station for ThreadingStation {
    type Machine = Threading;
    type Request = Infallible;
    type Outcome = Infallible;

    fn machine(&self) -> &Threading {
        &Threading
    }

    fn inputs(&self) -> Inputs {
        Inputs::new([CHANNEL_INBOUND.name, CONVERSATION_COMMANDS.name]).config([CONFIG_ENTITIES.name])
    }

    fn intake(&self, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
        intake::read(&self.codec, record)
    }

    fn waits(&self, record: &InputRecord<'_>) -> Option<&'static str> {
        intake::waits(&self.codec, record)
    }

    fn outlet(&self, effect: Effect, out: &mut Outbox<Infallible>) {
        self.metrics.count(&effect);
        outlets::speak(&self.codec, &self.secret, effect, out);
    }

    fn outcome(&self, outcome: &Infallible) -> Event {
        match *outcome {}
    }

    fn observe(&self, slot: &str, states: &[&Threads]) {
        self.metrics.open_conversations(slot, states.iter().map(|state| state.open_conversations()));
    }

    fn dead_letter(&self, letter: &DeadLetter<'_>) -> Vec<u8> {
        outlets::dead_letter(&self.codec, letter)
    }
}
