//! What customers and platforms sent us, normalized (`channel.inbound`), and raw (`channel.raw`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Channel, Content, Customer, Millis, Referral, record, shaped_record, symbols};
use crate::ids::{AccountId, CustomerKey, EndpointId, EventId, TenantId};

symbols! {
    /// How far a message came; moves forward only.
    ReceiptStatus {
        Sent = "sent", Delivered = "delivered", Read = "read", Played = "played",
        Failed = "failed", Deleted = "deleted",
    }
    PresenceKind { Join = "join", Disconnect = "disconnect", Clear = "clear", SignIn = "sign_in", SessionExpired = "session_expired", }
}

shaped_record! {
    InboundEvent, InboundKind, "inbound_event.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        channel: Option<Channel>,
        account_id: Option<AccountId>,
        customer_key: Option<CustomerKey>,
        customer: Option<Customer>,
        provider_event_id: String,
        received_at: Millis,
        window_ends_at: Option<Millis>,
    }
    Message = message: Box<InboundMessage>,
    Postback = postback: InboundPostback,
    Echo = echo: Box<InboundEcho>,
    Receipt = receipt: InboundReceipt,
    Reaction = reaction: InboundReaction,
    Edit = edit: Box<InboundEdit>,
    Delete = delete: InboundDelete,
    Typing = typing: InboundTyping,
    Presence = presence: InboundPresence,
    OptIn = opt_in: InboundOptChange,
    OptOut = opt_out: InboundOptChange,
    Referral = referral: InboundReferral,
    Handover = handover: InboundNotice,
    AccountEvent = account_event: InboundNotice,
    BotTurnResult = bot_turn_result: InboundBotTurnResult,
    Unsupported = unsupported: InboundNotice,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundMessage {
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundPostback {
    pub title: Option<String>,
    pub payload: Option<String>,
    pub referral: Option<Referral>,
}

/// What our own account said, as the platform tells it back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundEcho {
    pub content: Content,
    pub app_id: Option<String>,
    pub callback_data: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundReceipt {
    pub status: ReceiptStatus,
    /// The provider's id of the message the receipt is about; null for a watermark.
    pub provider_message_id: Option<String>,
    /// What we gave with the send and the provider gives back (`customer_key.id.mac`).
    pub callback_data: Option<String>,
    pub watermark_ms: Option<Millis>,
    pub provider_code: Option<String>,
    pub detail: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundReaction {
    pub provider_message_id: String,
    pub emoji: Option<String>,
    pub removed: bool,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundEdit {
    pub provider_message_id: String,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundDelete {
    pub provider_message_id: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundTyping {
    pub on: bool,
    pub duration_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundPresence {
    pub presence: PresenceKind,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundOptChange {
    pub purpose: String,
    pub source: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundReferral {
    pub referral: Referral,
}

/// Something about the account or an unknown shape: kept with its own words.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundNotice {
    /// What the platform calls it.
    pub name: String,
    /// The platform's own JSON, at most 64 KiB.
    pub body: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct InboundBotTurnResult {
    pub turn_id: String,
    pub outcome: String,
    pub body: Option<String>,
}

/// One webhook request as it came.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RawRequest {
    pub event_id: EventId,
    pub tenant: TenantId,
    pub occurred_at: Millis,
    pub recorded_at: Millis,
    pub endpoint: EndpointId,
    pub method: String,
    pub query: String,
    pub headers: BTreeMap<String, String>,
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    pub received_at: Millis,
}
record!(RawRequest, "raw_request.avsc");
