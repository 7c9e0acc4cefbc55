//! The rows of the tables.

use schemas::ids::{ConversationId, CustomerKey, MessageId};
use schemas::records::{Channel, Millis};
use serde::{Deserialize, Serialize};
use stream::Timestamp;

use super::event::{AccountKey, Asked, Receipt};

/// A message that is not settled yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What was asked.
    pub asked: Asked,
    /// Its place in the customer's lane.
    pub no: u64,
    /// When we learned of it.
    pub accepted_at: Timestamp,
    /// Attempts claimed so far.
    pub attempts: i64,
    /// Why the last attempt did not settle it; empty before the first.
    pub last_reason: String,
    /// Where it stands.
    pub phase: Phase,
}

/// Where an open message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// For its turn, and not before this.
    Waiting(Timestamp),
    /// A call is committed and its outcome unknown to us yet.
    Claimed,
    /// Nobody knows whether it arrived; held for a proof until then (at most once).
    Held(Timestamp),
}

/// How far a settled message came; moves forward only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Progress {
    /// It will not arrive, unless a receipt proves otherwise.
    Failed,
    /// The provider took it.
    Sent,
    /// It reached the customer's device.
    Delivered,
    /// The customer saw it.
    Read,
}

/// A settled message, remembered for the receipts to come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// The account it left by.
    pub account: AccountKey,
    /// To whom.
    pub customer_key: CustomerKey,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The channel.
    pub channel: Channel,
    /// The attempt that settled it.
    pub attempt_no: i64,
    /// The provider's id.
    pub provider_message_id: Option<String>,
    /// How far it came.
    pub progress: Progress,
    /// When it is forgotten.
    pub forget_at: Timestamp,
}

/// One customer's messages, sent one after the other; present while there is something to wait for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// The account, the same for all messages of a customer key.
    pub account: AccountKey,
    /// The place of the next message.
    pub next_no: u64,
    /// The message whose turn it is.
    pub head: Option<MessageId>,
    /// Since when it is its turn.
    pub head_since: Timestamp,
    /// The message before, accepted by a provider that does not keep order by itself, and until
    /// when its first receipt is waited for.
    pub settling: Option<(MessageId, Timestamp)>,
    /// End of the reply window as of the customer's latest action.
    pub window_ends_at: Option<Millis>,
    /// When something is due here.
    pub wake_at: Option<Timestamp>,
    /// Since when the head could leave if the account let it.
    pub ready_since: Option<Timestamp>,
}

/// The state of an account's circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Breaker {
    /// Calls are made.
    #[default]
    Closed,
    /// No calls until the pause is over.
    Open,
    /// One call is made to see.
    HalfOpen,
}

impl Breaker {
    /// As written in `AccountState.breaker`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// How an account does, as this partition sees it; absent while all is well.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Health {
    /// Its credentials or configuration were refused.
    pub paused: bool,
    /// Its circuit.
    pub breaker: Breaker,
    /// No call before this.
    pub until: Option<Timestamp>,
    /// Calls in a row that failed for reasons of the provider.
    pub failures: u32,
    /// How often the circuit opened since it was last closed.
    pub openings: u32,
    /// The one call of a half-open circuit.
    pub probe: Option<MessageId>,
    /// Why it is not well.
    pub reason: String,
}

/// Receipts that came before we knew the provider's id they name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Early {
    /// As they came, one per status.
    pub receipts: Vec<Receipt>,
    /// When they are given up.
    pub forget_at: Timestamp,
}

/// The account and the provider's message id.
pub type ProviderKey = (AccountKey, String);

impl Sent {
    /// What receipts name it by, if the provider's id is known.
    pub fn provider_key(&self) -> Option<ProviderKey> {
        self.provider_message_id.clone().map(|id| (self.account.clone(), id))
    }
}
