//! What routing wants done.

use schemas::ids::TenantId;
use schemas::records::{ConversationCommand, DeliveryRequest, RoutingEvent, RoutingView};

/// One thing to do, all of them in the transaction that decided it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Say what was decided or what has finished.
    Event(Box<RoutingEvent>),
    /// Tell threading who owns a conversation.
    Command(Box<ConversationCommand>),
    /// Ask delivery to ask a bot.
    Ask(Box<DeliveryRequest>),
    /// Show the present state of an agent, a work item or a queue.
    View(Box<RoutingView>),
    /// That work item is gone.
    Gone(Subject),
    /// Nothing: a command came that was decided before.
    Repeated,
}

/// Names a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Whose.
    pub tenant: TenantId,
    /// `agent`, `work` or `queue`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
}
