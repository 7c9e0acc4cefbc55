//! What delivery is asked beside messages, what became of each attempt, and account health.

use serde::{Deserialize, Serialize};

use super::{Channel, Millis, record, shaped_record};
use crate::ids::{AccountId, ConversationId, CustomerKey, EventId, MessageId, RoutingDomain, StintId, TenantId};

shaped_record! {
    DeliveryRequest, DeliveryRequestKind, "delivery_request.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        routing_domain: RoutingDomain,
        conversation_id: Option<ConversationId>,
        stint_id: Option<StintId>,
        account_id: Option<AccountId>,
        customer_key: CustomerKey,
    }
    BotTurn = bot_turn: OutsideCall,
    DataAction = data_action: OutsideCall,
    MediaCopy = media_copy: MediaCopy,
    Resend = resend: Resend,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OutsideCall {
    pub turn_id: String,
    pub name: String,
    pub body: String,
    pub timeout_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MediaCopy {
    pub message_id: MessageId,
    pub attachment_no: i64,
}

/// A record of `conversation.events` that shall leave once more.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Resend {
    /// `replay`: to the webhook as it went before; `redrive`: a message that was given up.
    pub mode: String,
    pub request_id: String,
    /// Attempts made before.
    pub attempts: i64,
    /// The platform's id of the customer, for events that do not hold it.
    pub customer_id: Option<String>,
    #[serde(with = "serde_bytes")]
    pub event: Vec<u8>,
}

shaped_record! {
    DeliveryEvent, DeliveryEventKind, "delivery_event.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        message_id: MessageId,
        conversation_id: Option<ConversationId>,
        customer_key: CustomerKey,
        attempt_no: i64,
        channel: Channel,
        account_id: AccountId,
        part_no: Option<i64>,
        parts: Option<i64>,
    }
    Claimed = claimed: Claimed,
    PartSent = part_sent: PartSent,
    Sent = sent: Sent,
    Ambiguous = ambiguous: Ambiguous,
    Retrying = retrying: Retrying,
    Delivered = delivered: Receipt,
    Read = read: Receipt,
    Failed = failed: Failed,
    Refused = refused: SendRefused,
    Exhausted = exhausted: Exhausted,
    BotTurnFinished = bot_turn_finished: OutsideResult,
    DataActionFinished = data_action_finished: OutsideResult,
    MediaStored = media_stored: MediaStored,
    MediaFailed = media_failed: MediaFailed,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Claimed {
    pub attempt_id: crate::ids::AttemptId,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PartSent {
    pub provider_message_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sent {
    pub provider_message_id: Option<String>,
    pub offered_choices: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ambiguous {
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Retrying {
    pub at: Millis,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Receipt {
    pub provider_message_id: Option<String>,
    /// When the platform says it happened.
    pub at: Millis,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Failed {
    pub reason: String,
    pub provider_code: Option<String>,
    pub detail: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SendRefused {
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Exhausted {
    pub attempts: i64,
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OutsideResult {
    pub turn_id: String,
    pub outcome: String,
    pub body: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MediaStored {
    pub attachment_no: i64,
    pub stored_ref: String,
    pub size_bytes: i64,
    pub mime: Option<String>,
    pub sha256: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MediaFailed {
    pub attachment_no: i64,
    pub reason: String,
}

/// Health of one channel account, shared by all delivery instances.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AccountState {
    pub event_id: EventId,
    pub tenant: TenantId,
    pub occurred_at: Millis,
    pub recorded_at: Millis,
    pub account_id: AccountId,
    pub paused: bool,
    /// `closed`, `open` or `half_open`.
    pub breaker: String,
    pub until: Option<Millis>,
    pub reason: Option<String>,
}
record!(AccountState, "account_state.avsc");
