//! The pieces that are counted and timed by themselves: the same for the instruction gates and the
//! workloads.

use anyhow::Context;
use schemas::ids::{ConversationId, EventId, MessageId, StintId};
use schemas::records::{
    ConversationEvent, ConversationEventKind, Direction, InboundEvent, InboundKind, MessageAdded, Sender, SenderKind,
};
use schemas::topics::CHANNEL_INBOUND;
use stream::{Change, InputRecord, Machine, Scope, State, Station, Timestamp};
use threading::ThreadingStation;
use threading::core::Threading;
use threading::core::effect::Effect;
use threading::core::event::Event;
use threading::core::state::Threads;

/// Records of a transaction under load.
pub const BATCH: u64 = 5_000;

/// What threading says of a customer's message, as large as in life.
pub fn message_added(inbound: &InboundEvent) -> ConversationEvent {
    let id = inbound.event_id.to_string();
    let content =
        if let InboundKind::Message(message) = &inbound.kind { message.content.clone() } else { <_>::default() };
    ConversationEvent {
        event_id: EventId::derive(&[&id, "conversation.events", "0"]),
        tenant: inbound.tenant.clone(),
        occurred_at: inbound.occurred_at,
        recorded_at: inbound.recorded_at,
        conversation_id: ConversationId::derive(&[&id]),
        stint_id: Some(StintId::derive(&[&id])),
        seq: 7,
        channel: inbound.channel.unwrap_or_default(),
        account_id: inbound.account_id.clone().unwrap_or_default(),
        customer_key: inbound.customer_key.unwrap_or_default(),
        kind: ConversationEventKind::MessageAdded(Box::new(MessageAdded {
            message_id: MessageId::derive(&[&id]),
            direction: Direction::Inbound,
            sender: Sender {
                kind: SenderKind::Customer,
                id: inbound.customer.as_ref().map(|customer| customer.id.clone()),
            },
            content,
            provider_event_id: Some(inbound.provider_event_id.clone()),
            window_ends_at: inbound.window_ends_at,
            ..MessageAdded::default()
        })),
    }
}

/// Threading's rooms with one partition's state.
pub struct Rooms<'a> {
    station: &'a ThreadingStation,
    state: Threads,
    now: i64,
}

impl<'a> Rooms<'a> {
    /// With an empty state.
    pub fn new(station: &'a ThreadingStation) -> Self {
        Self { station, state: Threads::default(), now: 0 }
    }

    /// Framed records of `channel.inbound` to events.
    ///
    /// # Errors
    /// If one is refused.
    pub fn intake(&self, inputs: &[(String, Vec<u8>)]) -> anyhow::Result<Vec<Event>> {
        let read = |(key, payload): &(String, Vec<u8>)| {
            let record = InputRecord {
                topic: CHANNEL_INBOUND.name,
                partition: 0,
                offset: 0,
                timestamp: Timestamp::ZERO,
                key: Some(key.as_bytes()),
                payload: Some(payload),
                headers: &[],
            };
            self.station.intake(&record)?.context("every message is threading's")
        };
        inputs.iter().map(read).collect()
    }

    /// Events to effects, a millisecond each.
    pub fn apply(&mut self, events: Vec<Event>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for event in events {
            self.now += 1;
            for table in self.state.tables() {
                table.settle();
            }
            effects.extend(Threading.apply(&mut self.state, event, Timestamp::from_ms(self.now)));
            assert!(self.state.check(Scope::Touched).is_ok(), "an invariant is broken");
        }
        effects
    }

    /// The changed rows as the changelog carries them; final from here.
    pub fn changes(&mut self) -> Vec<(&'static str, Vec<Change>)> {
        let drained = |table: &mut dyn stream::Stored| (table.name(), table.drain_changes());
        let changed = self.state.tables().into_iter().map(drained).collect();
        for table in self.state.tables() {
            table.seal();
            table.commit();
        }
        for index in self.state.indexes() {
            index.seal();
            index.commit();
        }
        changed
    }

    /// Takes changed rows in, as a restore does.
    ///
    /// # Errors
    /// If one cannot be read.
    pub fn restore(&mut self, rows: &[(&'static str, Vec<Change>)]) -> anyhow::Result<()> {
        let mut tables = self.state.tables();
        for (name, changes) in rows {
            let table = tables.iter_mut().find(|table| table.name() == *name).context("a table of this state")?;
            for (key, value) in changes {
                table.restore(key, value.as_deref())?;
            }
        }
        tables.into_iter().for_each(stream::Stored::restored);
        self.state.rebuild();
        Ok(())
    }

    /// Its state.
    pub fn state(&mut self) -> &mut Threads {
        &mut self.state
    }
}
