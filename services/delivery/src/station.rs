//! The rooms joined for the runtime.

use schemas::codec::Codec;
use schemas::ids::KeySecret;
use schemas::topics::{
    CHANNEL_INBOUND, CONFIG_ENTITIES, CONVERSATION_COMMANDS, CONVERSATION_EVENTS, DELIVERY_ACCOUNTS, DELIVERY_EVENTS,
    DELIVERY_REQUESTS, ROUTING_COMMANDS, Topic,
};
use stream::{DeadLetter, InputRecord, Inputs, Outbox, Reject, Station, clock};

use crate::core::bots::{BotCallEnded, BotOutcome, TurnPhase};
use crate::core::effect::{Effect, Errand};
use crate::core::event::{CallEnded, ErrandEnded, Event, Outcome};
use crate::core::media::{CopyEnded, CopyOutcome, CopyPhase};
use crate::core::rows::Phase;
use crate::core::state::Deliveries;
use crate::core::{Delivery, Policy};
use crate::metrics::Metrics;
use crate::{intake, outlets};

/// Every topic that delivery reads or writes.
pub const TOPICS: [Topic; 8] = [
    CONVERSATION_EVENTS,
    DELIVERY_REQUESTS,
    CHANNEL_INBOUND,
    CONFIG_ENTITIES,
    DELIVERY_EVENTS,
    DELIVERY_ACCOUNTS,
    CONVERSATION_COMMANDS,
    ROUTING_COMMANDS,
];

/// Delivery as the runtime sees it.
pub struct DeliveryStation {
    machine: Delivery,
    codec: Codec,
    secret: KeySecret,
    metrics: Metrics,
}

impl DeliveryStation {
    /// From a codec made for [`TOPICS`].
    pub fn new(policy: Policy, codec: Codec, secret: KeySecret, metrics: Metrics) -> Self {
        Self { machine: Delivery { policy }, codec, secret, metrics }
    }
}

impl Station for DeliveryStation {
    type Machine = Delivery;
    type Request = Errand;
    type Outcome = ErrandEnded;

    fn machine(&self) -> &Delivery {
        &self.machine
    }

    fn inputs(&self) -> Inputs {
        Inputs::new([CONVERSATION_EVENTS.name, DELIVERY_REQUESTS.name, CHANNEL_INBOUND.name])
            .config([CONFIG_ENTITIES.name, DELIVERY_ACCOUNTS.name])
    }

    fn intake(&self, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
        intake::read(&self.codec, &self.secret, record)
    }

    fn waits(&self, record: &InputRecord<'_>) -> Option<&'static str> {
        intake::waits(&self.codec, record)
    }

    fn outlet(&self, effect: Effect, out: &mut Outbox<Errand>) {
        self.metrics.count(&effect);
        outlets::speak(&self.codec, effect, out);
    }

    fn outcome(&self, outcome: &ErrandEnded) -> Event {
        match outcome {
            ErrandEnded::Send(ended) => Event::Called(ended.clone()),
            ErrandEnded::Copy(ended) => Event::Copied(ended.clone()),
            ErrandEnded::Bot(ended) => Event::BotCalled(ended.clone()),
        }
    }

    /// Calls that were out when the last process ended may have arrived (D1).
    fn lost(&self, state: &Deliveries) -> Vec<Event> {
        let at = clock::now();
        let claimed = state.messages().filter(|(_, message)| message.phase == Phase::Claimed);
        let lost = claimed.map(|(id, message)| CallEnded {
            message_id: *id,
            attempt_no: message.attempts,
            part_no: message.part_no(),
            at,
            outcome: Outcome::Lost,
        });
        let out = state.all_wanted().filter(|(_, wanted)| wanted.phase == CopyPhase::Out);
        let copies =
            out.map(|(key, wanted)| CopyEnded { key: *key, attempt_no: wanted.tries, at, outcome: CopyOutcome::Lost });
        let turns = state.all_turns().filter(|(_, row)| row.phase == TurnPhase::Out);
        let turns = turns.map(|(id, row)| BotCallEnded {
            turn_id: *id,
            try_no: row.tries,
            at,
            outcome: BotOutcome::Failed { reason: "restarted" },
        });
        let others = copies.map(Event::Copied).chain(turns.map(Event::BotCalled));
        lost.map(Event::Called).chain(others).collect()
    }

    fn observe(&self, _: &str, states: &[&Deliveries]) {
        if !states.is_empty() {
            self.metrics.expire(states.iter().flat_map(|state| state.configured()));
        }
    }

    fn dead_letter(&self, letter: &DeadLetter<'_>) -> Vec<u8> {
        outlets::refused(&self.codec, letter)
    }
}
