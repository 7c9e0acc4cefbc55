//! What can happen to a partition's deliveries.

use schemas::ids::{AccountId, ConversationId, CustomerKey, EventId, MessageId, StintId, TenantId};
use schemas::records::{Channel, Customer, MessageAdded, Millis, ReceiptStatus};
use serde::{Deserialize, Serialize};
use stream::{Tick, Timestamp};

/// Whose account: ids of different tenants may be alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct AccountKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The account within it.
    pub account: AccountId,
}

/// Everything the machine hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A deadline came due.
    Tick,
    /// An account was configured, changed or removed.
    Configured(AccountKey, Option<Box<Account>>),
    /// Somebody said something to a customer.
    Asked(Box<Asked>),
    /// What came of a call.
    Called(CallEnded),
    /// The platform says how far a message came.
    Receipt(Receipt),
    /// The customer said something, which opens the reply window anew.
    Heard(Heard),
}

impl From<Tick> for Event {
    fn from(Tick: Tick) -> Self {
        Self::Tick
    }
}

/// What delivery must know of a channel account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The channel.
    pub channel: Channel,
    /// Where and how its messages leave.
    pub route: Route,
    /// Waits before each attempt after the first; null: the channel's own.
    pub schedule_ms: Option<Vec<i64>>,
    /// How long a later message waits for an earlier one; null: the channel's own.
    pub order_hold_max_ms: Option<i64>,
    /// What an unknown outcome leads to.
    pub when_unknown: WhenUnknown,
}

/// What an unknown outcome leads to (D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum WhenUnknown {
    /// Send again: may arrive twice.
    #[default]
    SendAgain,
    /// Hold for a proof: may not arrive.
    Hold,
}

/// Where a secret stands; never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretPlace {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
}

/// Where an account's messages leave; secrets by reference.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Route {
    /// What people call the account.
    pub name: String,
    /// The platform's id of the account.
    pub provider_account_id: String,
    /// Base address of the provider's API; null: the provider's own.
    pub api_url: Option<String>,
    /// The provider's access token.
    pub access_token: Option<SecretPlace>,
    /// Open messaging: where messages are posted.
    pub webhook_url: Option<String>,
    /// Open messaging: live signing secrets.
    pub webhook_secrets: Vec<SecretPlace>,
    /// Longest time of one call, milliseconds.
    pub timeout_ms: i64,
}

/// A message to be delivered, and the record that asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Topic of the record.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When the broker appended it.
    pub timestamp: Timestamp,
    /// The record's envelope.
    pub event_id: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// When it was said.
    pub occurred_at: Millis,
    /// When threading wrote it.
    pub recorded_at: Millis,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Its stint, if said in one.
    pub stint_id: Option<StintId>,
    /// Its number in the conversation.
    pub seq: i64,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account_id: AccountId,
    /// To whom, as a key.
    pub customer_key: CustomerKey,
    /// The message.
    pub added: MessageAdded,
}

impl Asked {
    /// The account it leaves by.
    pub fn account(&self) -> AccountKey {
        AccountKey { tenant: self.tenant.clone(), account: self.account_id.clone() }
    }

    /// To whom, as the platform knows them.
    pub fn customer(&self) -> Option<&Customer> {
        self.added.customer.as_ref()
    }
}

/// The end of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallEnded {
    /// The message.
    pub message_id: MessageId,
    /// Which attempt it was.
    pub attempt_no: i64,
    /// The wall clock then: waits count from it.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The provider took the message.
    Accepted {
        /// The provider's id of it.
        provider_message_id: Option<String>,
    },
    /// The provider said no.
    Answered(Answer),
    /// Nothing was sent: no connection.
    NotSent {
        /// Why.
        reason: &'static str,
    },
    /// Nothing was sent: it was no longer ours to send.
    NotOurs,
    /// Nothing was sent: the account's configuration cannot be used.
    Unconfigured {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing was sent: it was too late to.
    Refused(Refusal),
    /// Nobody knows whether it arrived.
    Unknown {
        /// What happened.
        reason: &'static str,
    },
    /// The process that made the call ended: nobody knows whether it arrived.
    Lost,
}

/// A provider's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The provider's own error code.
    pub code: Option<i64>,
    /// The provider's own words.
    pub detail: Option<String>,
    /// How long it asks us to wait.
    pub retry_after_ms: Option<i64>,
}

/// Why a message must not be sent any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The reply window is over (C6).
    WindowClosed,
    /// Whoever asked wanted it sent earlier or not at all.
    Expired,
}

impl Refusal {
    /// The reason code of the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WindowClosed => "window_closed",
            Self::Expired => "expired",
        }
    }
}

/// What a platform says about one of our messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The account it came by.
    pub account: AccountKey,
    /// Our id, if the platform gave it back.
    pub message_id: Option<MessageId>,
    /// The platform's id.
    pub provider_message_id: Option<String>,
    /// How far it came.
    pub status: ReceiptStatus,
    /// When, by the platform.
    pub at: Millis,
    /// The platform's error code.
    pub provider_code: Option<String>,
    /// The platform's words.
    pub detail: Option<String>,
}

/// A customer's action and the window it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Who.
    pub customer_key: CustomerKey,
    /// Until when we may answer freely.
    pub window_ends_at: Millis,
}
