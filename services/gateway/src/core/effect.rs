//! What goes out.

use std::sync::Arc;

use schemas::ids::{CommandId, ConversationId, MessageId};
use schemas::records::{Presence, RoutingStatus, Sender, WorkView};

use super::{AgentRef, DeliveryState, Said};

/// What the shell does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Something for every socket of an agent.
    Tell {
        /// Whose.
        to: AgentRef,
        /// What.
        news: News,
    },
    /// A command was decided.
    Settled {
        /// Which.
        command: CommandId,
        /// How.
        outcome: Outcome,
    },
}

/// What an agent is told without asking.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Work is offered.
    Offer(Box<WorkView>),
    /// Own work changed.
    Work(Box<WorkView>),
    /// Work is no longer theirs.
    WorkGone(ConversationId),
    /// Somebody said something in a conversation of theirs.
    Message(ConversationId, Arc<Said>),
    /// Something became of a message.
    Delivery {
        /// Which message.
        message: MessageId,
        /// Where.
        conversation: ConversationId,
        /// What.
        state: DeliveryState,
        /// Why, if it went wrong.
        reason: Option<String>,
    },
    /// There is a copy of an attachment of a message.
    Media {
        /// Where.
        conversation: ConversationId,
        /// Which message.
        message: MessageId,
        /// Which attachment, from 0.
        attachment_no: i64,
        /// The copy's reference.
        stored_ref: String,
    },
    /// Their own state changed.
    Presence {
        /// What they say.
        presence: Presence,
        /// Their own word for it.
        secondary: Option<String>,
        /// What routing makes of it.
        routing_status: RoutingStatus,
    },
    /// Somebody is writing.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// Who.
        sender: Sender,
    },
}

/// What a new socket is greeted with.
#[derive(Debug, Clone, PartialEq)]
pub struct Hello {
    /// What the agent said last.
    pub presence: Presence,
    /// Their own word for it.
    pub secondary: Option<String>,
    /// What routing makes of it.
    pub routing_status: RoutingStatus,
    /// Their open work.
    pub work: Vec<WorkView>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Not done, for a reason of a closed set.
    Refused(String),
}
