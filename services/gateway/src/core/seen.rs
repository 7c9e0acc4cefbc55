//! What comes in.

use std::sync::Arc;

use schemas::config::{Deployment, Template};
use schemas::ids::{AccountId, ConversationId, CustomerKey, DeploymentId, QueueId, TenantId};
use schemas::records::{
    AgentView, Channel, ConversationEvent, ConversationView, DeliveryEvent, GuestView, QueueView, RoutingEvent,
    WorkView,
};

use super::AgentRef;
use super::guests::session::SessionId;

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
    /// A tenant whose customer keys were made with the secret of this fingerprint.
    Tenant {
        /// Who.
        tenant: TenantId,
        /// The fingerprint; none: no key was made yet.
        key_fingerprint: Option<String>,
    },
    /// The configuration of a deployment, or none when removed.
    Deployment {
        /// Whose.
        tenant: TenantId,
        /// Its id.
        id: DeploymentId,
        /// What it says.
        spec: Option<Arc<Deployment>>,
    },
    /// A channel account, or none when removed.
    Account {
        /// Whose.
        tenant: TenantId,
        /// Its id.
        account: AccountId,
        /// Its channel.
        channel: Option<Channel>,
        /// Where its customers wait.
        queue: Option<QueueId>,
        /// Of a web account: minutes that its sessions last after the last message of either side.
        session_minutes: Option<i64>,
    },
    /// A template, or none when removed.
    Template {
        /// Whose.
        tenant: TenantId,
        /// Its id.
        id: String,
        /// What it says.
        template: Option<Box<Template>>,
    },
    /// Another spelling of a customer's id, by the key that it would make; none: forgotten.
    Spelling {
        /// The spelling.
        spelling: CustomerKey,
        /// The id that the key is made from.
        canonical: Option<String>,
    },
    /// What gateways keep of guests.
    Guest(Box<GuestView>),
    /// A session is over.
    SessionGone(SessionId),
    /// Nothing is kept of a guest any more.
    GuestGone(CustomerKey),
}
