//! Customers and agents: what they do, as the records that ingest and the gateway would write.

use schemas::ids::{AgentId, CommandId, CustomerKey, EventId, KeySecret, MessageId};
use schemas::records::{
    AgentAsk, Channel, ConnectionsHeld, Content, ConversationCommand, ConversationCommandKind, Customer, InboundEvent,
    InboundKind, InboundMessage, InboundPresence, InboundReceipt, InboundTyping, Presence, PresenceKind, ReceiptStatus,
    RoutingCommand, RoutingCommandKind, SendMessage, Sender, SenderKind, SetPresence, WorkView, WrapUpAsk,
};
use stream::Timestamp;

const DAY_MS: i64 = 86_400_000;

pub(crate) fn secret() -> KeySecret {
    KeySecret::new("simulation")
}

/// A person who writes.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) channel: Channel,
    pub(crate) account: &'static str,
}

impl Person {
    pub(crate) fn key(&self) -> CustomerKey {
        CustomerKey::derive(&secret(), &"acme".into(), self.channel.as_str(), &self.account.into(), &self.name)
    }

    pub(crate) fn message_id(&self, provider_event_id: &str) -> MessageId {
        MessageId::derive(&["acme", self.channel.as_str(), self.account, provider_event_id])
    }

    pub(crate) fn writes(&self, id: &str, now: Timestamp) -> InboundEvent {
        let window = (self.channel == Channel::Whatsapp).then(|| now.as_ms() + DAY_MS);
        let message = InboundKind::Message(Box::new(InboundMessage { content: Content::text("hello") }));
        InboundEvent { window_ends_at: window, ..self.event(id, now, message) }
    }

    pub(crate) fn leaves(&self, id: &str, now: Timestamp) -> InboundEvent {
        self.event(id, now, InboundKind::Presence(InboundPresence { presence: PresenceKind::Disconnect }))
    }

    pub(crate) fn types(&self, id: &str, now: Timestamp) -> InboundEvent {
        self.event(id, now, InboundKind::Typing(InboundTyping { on: true, duration_ms: None }))
    }

    fn event(&self, id: &str, now: Timestamp, kind: InboundKind) -> InboundEvent {
        InboundEvent {
            event_id: EventId::derive(&[id]),
            tenant: "acme".into(),
            occurred_at: now.as_ms(),
            recorded_at: now.as_ms(),
            channel: Some(self.channel),
            account_id: Some(self.account.into()),
            customer_key: Some(self.key()),
            customer: Some(Customer { id: self.name.clone(), ..Customer::default() }),
            provider_event_id: id.to_owned(),
            received_at: now.as_ms(),
            window_ends_at: None,
            kind,
        }
    }
}

/// What the platform tells of a message of ours.
pub(crate) fn receipt(
    (key, channel, account): (CustomerKey, Channel, &str),
    provider_id: &str,
    status: ReceiptStatus,
    now: Timestamp,
) -> InboundEvent {
    let id = format!("{provider_id}:{status}");
    let told =
        InboundReceipt { status, provider_message_id: Some(provider_id.to_owned()), ..InboundReceipt::default() };
    InboundEvent {
        event_id: EventId::derive(&[&id]),
        tenant: "acme".into(),
        occurred_at: now.as_ms(),
        recorded_at: now.as_ms(),
        channel: Some(channel),
        account_id: Some(account.into()),
        customer_key: Some(key),
        customer: None,
        provider_event_id: id,
        received_at: now.as_ms(),
        window_ends_at: None,
        kind: InboundKind::Receipt(told),
    }
}

/// An agent's command to routing about a work item, or about themself.
pub(crate) fn asks(id: &str, view: Option<&WorkView>, kind: RoutingCommandKind, now: Timestamp) -> RoutingCommand {
    RoutingCommand {
        event_id: EventId::derive(&[id]),
        tenant: "acme".into(),
        occurred_at: now.as_ms(),
        recorded_at: now.as_ms(),
        command_id: CommandId::derive(&[id]),
        conversation_id: view.map(|view| view.conversation_id),
        stint_id: view.map(|view| view.stint_id),
        customer_key: view.map(|view| view.customer_key),
        kind,
    }
}

pub(crate) fn ask(view: &WorkView) -> AgentAsk {
    AgentAsk { agent_id: view.agent_id.clone().unwrap_or_default(), owner_epoch: Some(view.owner_epoch) }
}

pub(crate) fn wrap_up(view: &WorkView) -> RoutingCommandKind {
    RoutingCommandKind::WrapUp(WrapUpAsk {
        agent_id: view.agent_id.clone().unwrap_or_default(),
        part_id: view.part_id,
        code: Some("done".into()),
        notes: None,
        tags: Vec::new(),
    })
}

pub(crate) fn presence(agent: &str, presence: Presence) -> RoutingCommandKind {
    RoutingCommandKind::SetPresence(SetPresence { agent_id: agent.into(), presence, secondary: None })
}

pub(crate) fn held(agents: Vec<AgentId>) -> RoutingCommandKind {
    RoutingCommandKind::ConnectionsHeld(ConnectionsHeld { gateway_id: "g1".to_owned(), agent_ids: agents })
}

/// An agent's reply.
pub(crate) fn replies(id: &str, view: &WorkView, owner_epoch: i64, now: Timestamp) -> ConversationCommand {
    let sender = Sender { kind: SenderKind::Agent, id: view.agent_id.as_ref().map(ToString::to_string) };
    let send = SendMessage {
        sender,
        owner_epoch: Some(owner_epoch),
        content: Content::text("how can I help?"),
        ..SendMessage::default()
    };
    ConversationCommand {
        event_id: EventId::derive(&[id]),
        tenant: "acme".into(),
        occurred_at: now.as_ms(),
        recorded_at: now.as_ms(),
        command_id: CommandId::derive(&[id]),
        channel: view.channel,
        account_id: view.account_id.clone(),
        customer_key: view.customer_key,
        customer: None,
        conversation_id: Some(view.conversation_id),
        kind: ConversationCommandKind::Send(Box::new(send)),
    }
}
