//! What is asked of a conversation, what became of it, and its present state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Channel, Content, Customer, Direction, Millis, OwnerKind, Sender, Target, record, shaped_record, symbols};
use crate::ids::{
    AccountId, AgentId, CommandId, ConversationId, CustomerKey, EventId, MessageId, PartId, QueueId, StintId, TenantId,
};

symbols! {
    /// Why something about a conversation's ownership happened.
    Cause {
        CustomerMessage = "customer_message", CustomerLeft = "customer_left",
        CustomerCleared = "customer_cleared", SessionExpired = "session_expired",
        AgentDisconnect = "agent_disconnect", FlowEnd = "flow_end", Patience = "patience",
        Inactivity = "inactivity", Transfer = "transfer", Queued = "queued", Accepted = "accepted",
        LastAgent = "last_agent", OwnerAway = "owner_away", TakenOver = "taken_over",
        Reassigned = "reassigned", Operator = "operator", Outbound = "outbound", Erased = "erased",
        WindowEnded = "window_ended",
    }
    /// Whose turn of the talk it was.
    TurnOf { Agent = "agent", Customer = "customer", Bot = "bot", }
    /// Who began it.
    Initiator { Customer = "customer", Agent = "agent", Api = "api", External = "external", }
}

shaped_record! {
    ConversationCommand, ConversationCommandKind, "conversation_command.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        command_id: CommandId,
        channel: Channel,
        account_id: AccountId,
        customer_key: CustomerKey,
        customer: Option<Customer>,
        conversation_id: Option<ConversationId>,
    }
    Send = send: Box<SendMessage>,
    Signal = signal: Box<Signal>,
    Connect = connect: Connect,
    Disconnect = disconnect: Disconnect,
    ReentryReleased = reentry_released: ReentryReleased,
    SetAttributes = set_attributes: SetAttributes,
    AddNote = add_note: AddNote,
    Link = link: LinkConversation,
    SetConsent = set_consent: SetConsent,
    Erase = erase: Erase,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SendMessage {
    pub sender: Sender,
    pub owner_epoch: Option<i64>,
    pub content: Content,
    pub purpose: Option<String>,
    pub expires_at: Option<Millis>,
    pub already_sent: bool,
    pub target: Option<Target>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Signal {
    /// `typing`, `read` or `reaction`.
    pub signal: String,
    pub sender: Sender,
    /// The platform's id of the message that was read or reacted to; of the last one heard if the sender names none.
    pub provider_message_id: Option<String>,
    /// The reaction; null: taken back.
    pub emoji: Option<String>,
    /// Whom to give it to; filled in by threading.
    pub customer: Option<Customer>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Connect {
    pub stint_id: StintId,
    pub owner_kind: OwnerKind,
    pub owner_id: String,
    pub queue_id: Option<QueueId>,
    pub part_id: Option<PartId>,
    pub owner_epoch: i64,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Disconnect {
    pub stint_id: StintId,
    pub owner_epoch: i64,
    /// The last sequence number that routing had seen.
    pub seen_seq: i64,
    pub cause: Cause,
    /// After-call work is still open: messages join the ended stint (T8).
    pub acw_open: bool,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReentryReleased {
    pub stint_id: StintId,
    pub seen_seq: i64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SetAttributes {
    pub attributes: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AddNote {
    pub author: Sender,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LinkConversation {
    pub other: ConversationId,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SetConsent {
    pub purpose: String,
    pub granted: bool,
    pub source: String,
    pub proof: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Erase {
    pub reason: String,
}

shaped_record! {
    ConversationEvent, ConversationEventKind, "conversation_event.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        conversation_id: ConversationId,
        stint_id: Option<StintId>,
        seq: i64,
        channel: Channel,
        account_id: AccountId,
        customer_key: CustomerKey,
    }
    Opened = opened: Box<Opened>,
    Reopened = reopened: Reopened,
    OwnerChanged = owner_changed: OwnerChanged,
    MessageAdded = message_added: Box<MessageAdded>,
    MessageRefused = message_refused: MessageRefused,
    MessageEdited = message_edited: Box<MessageEdited>,
    MessageDeleted = message_deleted: MessageDeleted,
    Reacted = reacted: Reacted,
    TurnEnded = turn_ended: TurnEnded,
    StintEnded = stint_ended: StintEnded,
    Closed = closed: Closed,
    AttributesChanged = attributes_changed: SetAttributes,
    NoteAdded = note_added: AddNote,
    Linked = linked: LinkConversation,
    ConsentChanged = consent_changed: SetConsent,
    Signalled = signalled: Box<Signal>,
    Erased = erased: Erase,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Opened {
    pub customer: Customer,
    /// The customer's former conversation.
    pub predecessor: Option<ConversationId>,
    pub initiator: Initiator,
    pub entry_point: Option<String>,
    /// Whether this customer never had a conversation on this account.
    pub is_new_customer: bool,
}

/// The same conversation, a new stint (`stint_id` of the event).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reopened {
    /// Counted from 1; the opening stint is 1.
    pub stint_no: i64,
    pub initiator: Initiator,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OwnerChanged {
    pub owner_kind: OwnerKind,
    pub owner_id: String,
    pub owner_epoch: i64,
    pub queue_id: Option<QueueId>,
    pub part_id: Option<PartId>,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MessageAdded {
    pub message_id: MessageId,
    pub direction: Direction,
    pub sender: Sender,
    pub content: Content,
    pub provider_event_id: Option<String>,
    /// Whom to send to; outbound only.
    pub customer: Option<Customer>,
    pub queue_id: Option<QueueId>,
    pub agent_id: Option<AgentId>,
    pub part_id: Option<PartId>,
    pub window_ends_at: Option<Millis>,
    pub command_id: Option<CommandId>,
    pub purpose: Option<String>,
    pub initiator: Option<Initiator>,
    pub expires_at: Option<Millis>,
    pub already_sent: bool,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MessageRefused {
    pub command_id: CommandId,
    /// `not_owner`, `no_conversation`, `window_closed` …
    pub reason: String,
    pub sender: Sender,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MessageEdited {
    pub provider_message_id: String,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MessageDeleted {
    pub provider_message_id: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Reacted {
    pub provider_message_id: String,
    pub emoji: Option<String>,
    pub removed: bool,
}

/// One side's turn: from the first message it had not answered to its answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TurnEnded {
    pub who: TurnOf,
    pub started_at: Millis,
    pub ended_at: Millis,
    pub business_ms: Option<i64>,
    pub queue_id: Option<QueueId>,
    pub agent_id: Option<AgentId>,
    pub part_id: Option<PartId>,
    /// Whether this is the stint's first human reply.
    pub is_first_response: bool,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct StintEnded {
    pub cause: Cause,
    pub stint_no: i64,
    pub started_at: Millis,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Closed {
    pub cause: Cause,
    pub opened_at: Millis,
    pub stints: i64,
}

/// Present state of a conversation with a live stint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConversationView {
    pub event_id: EventId,
    pub tenant: TenantId,
    pub occurred_at: Millis,
    pub recorded_at: Millis,
    pub conversation_id: ConversationId,
    pub stint_id: StintId,
    pub channel: Channel,
    pub account_id: AccountId,
    pub customer_key: CustomerKey,
    pub customer: Customer,
    pub owner_kind: OwnerKind,
    pub owner_id: String,
    pub owner_epoch: i64,
    pub queue_id: Option<QueueId>,
    pub part_id: Option<PartId>,
    pub window_ends_at: Option<Millis>,
    pub last_seq: i64,
    pub attributes: BTreeMap<String, String>,
}
record!(ConversationView, "conversation_view.avsc");
