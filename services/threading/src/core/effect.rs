//! What threading wants done: records of the same transaction, and counts.

use super::event::Context;
use schemas::ids::CustomerKey;
use schemas::records::{ConversationEvent, ConversationView, RoutingCommand};

/// One wish of the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Something became of a conversation (`conversation.events`).
    Said(Box<ConversationEvent>),
    /// A live stint looks like this now (`conversation.views`).
    Shown(Box<ConversationView>),
    /// The stint has ended; its view goes.
    Hidden(CustomerKey),
    /// Routing is told (`routing.commands`).
    Told(Box<RoutingCommand>),
    /// A customer goes by another id too (`customer.aliases`).
    Named(Box<OtherName>),
    /// Nothing came of it; counted.
    Ignored(Ignored),
}

/// Another spelling of a customer's id.
#[derive(Clone, Debug, PartialEq)]
pub struct OtherName {
    /// Whose.
    pub context: Context,
    /// When it was learned, task time in ms.
    pub recorded_at: i64,
    /// The id that makes the key.
    pub canonical_id: String,
    /// The other spelling.
    pub alias: String,
}

/// Why nothing came of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ignored {
    /// It came before.
    Repeat,
    /// It names a stint that is not the live one.
    NotLive,
    /// It carries an epoch that has passed.
    OldEpoch,
    /// There is no conversation it could belong to.
    NoConversation,
}

impl Ignored {
    /// As a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Repeat => "repeat",
            Self::NotLive => "not_live",
            Self::OldEpoch => "old_epoch",
            Self::NoConversation => "no_conversation",
        }
    }
}
