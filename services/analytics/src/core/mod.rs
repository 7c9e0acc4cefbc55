//! Decides which rows an event becomes. Pure: one record in, its rows out.

pub mod conversations;
pub mod deliveries;
pub mod routing;
pub mod rows;

use schemas::records::{ConfigEntity, ConversationEvent, DeliveryEvent, RoutingEvent};

pub use rows::{Facts, Source};

/// What can be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Something became of a conversation.
    Conversation(Box<ConversationEvent>),
    /// Routing decided.
    Routing(Box<RoutingEvent>),
    /// A send changed.
    Delivery(Box<DeliveryEvent>),
    /// Configuration was applied.
    Entity(Box<ConfigEntity>),
}

/// The rows of one event.
pub fn facts(source: &Source, event: &Event) -> Facts {
    match event {
        Event::Conversation(event) => conversations::facts(source, event),
        Event::Routing(event) => routing::facts(source, event),
        Event::Delivery(event) => deliveries::facts(source, event),
        Event::Entity(entity) => deliveries::entity(source, entity),
    }
}
