//! What comes in.

use schemas::ids::{ConversationId, CustomerKey, QueueId, TenantId};
use schemas::records::{
    AgentView, ConversationEvent, ConversationView, DeliveryEvent, QueueView, RoutingEvent, WorkView,
};

use super::AgentRef;

/// One record of the topics that the gateway follows.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// The configuration of an agent: whether they supervise, or none when removed.
    Known {
        /// Who.
        agent: AgentRef,
        /// Whether they supervise.
        supervisor: Option<bool>,
    },
    /// An agent's present state.
    Agent {
        /// Whose.
        tenant: TenantId,
        /// The state.
        view: AgentView,
    },
    /// Routing forgot an agent.
    AgentGone(AgentRef),
    /// A queue's present state.
    Queue {
        /// Whose.
        tenant: TenantId,
        /// The state.
        view: QueueView,
    },
    /// Routing forgot a queue.
    QueueGone {
        /// Whose.
        tenant: TenantId,
        /// Which.
        queue: QueueId,
    },
    /// An open work item's present state.
    Work {
        /// Whose.
        tenant: TenantId,
        /// The state.
        view: Box<WorkView>,
    },
    /// A work item is done.
    WorkGone {
        /// Whose.
        tenant: TenantId,
        /// Which.
        conversation: ConversationId,
    },
    /// The state of a conversation with a live stint.
    Conversation(Box<ConversationView>),
    /// The stint of this customer's conversation ended.
    ConversationGone(CustomerKey),
    /// Something happened in a conversation.
    Said(Box<ConversationEvent>),
    /// Something became of a message.
    Delivered(Box<DeliveryEvent>),
    /// Routing decided something.
    Routed(Box<RoutingEvent>),
}
