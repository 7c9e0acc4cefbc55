//! The rows of the tables.

use schemas::ids::{ConversationId, CustomerKey, MessageId};
use schemas::records::{Channel, Millis};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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
    /// Attempts claimed so far, those of all parts.
    pub attempts: i64,
    /// Attempts of the present part.
    pub tries: i64,
    /// How many messages of the channel it is.
    pub parts: i64,
    /// Those that were sent, in order.
    pub sent: Vec<SentPart>,
    /// Why the last attempt did not settle it; empty before the first.
    pub last_reason: String,
    /// Where it stands.
    pub phase: Phase,
}

impl Message {
    /// The part whose turn it is, from 1.
    pub fn part_no(&self) -> i64 {
        i64::try_from(self.sent.len()).unwrap_or(i64::MAX - 1) + 1
    }
}

/// A part that the provider took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SentPart {
    /// The provider's id of it.
    pub provider_message_id: Option<String>,
    /// How far it came.
    pub progress: Progress,
}

/// The parts of a message that is settled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Those that were sent, in order.
    pub parts: Vec<SentPart>,
    /// How many there are.
    pub of: i64,
    /// How far the message came: as far as the last of its parts; failed if one is missing.
    pub progress: Progress,
}

impl Past {
    /// As far as its parts are.
    pub fn of(parts: Vec<SentPart>, of: i64) -> Self {
        let mut past = Self { parts, of, progress: Progress::Failed };
        past.progress = past.least();
        past
    }

    /// One that failed as a whole.
    pub fn failed(parts: Vec<SentPart>, of: i64) -> Self {
        Self { progress: Progress::Failed, ..Self::of(parts, of) }
    }

    /// How far the parts are together.
    pub fn least(&self) -> Progress {
        let is_whole = i64::try_from(self.parts.len()) == Ok(self.of);
        let least = self.parts.iter().map(|part| part.progress).min();
        least.filter(|_| is_whole).unwrap_or(Progress::Failed)
    }
}

/// What a part is called outside: the first by its message's id, the others by one of their own.
pub fn part_id(message: MessageId, part_no: i64) -> MessageId {
    if part_no <= 1 { message } else { MessageId::derive(&[&message.to_string(), "part", &part_no.to_string()]) }
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
    /// When it was settled.
    pub at: Timestamp,
    /// Its parts that were sent, and how far it came as a whole.
    pub past: Past,
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
    /// The message or part before, accepted by a provider that does not keep order by itself, and until
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

    /// What is written so; `None` for what a later build may write.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Closed, Self::Open, Self::HalfOpen].into_iter().find(|breaker| breaker.as_str() == name)
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
    /// Since when, with no call that got through.
    pub failing_since: Option<Timestamp>,
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

/// What was said to a customer since they last wrote, where the channel counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replies {
    /// Messages of the channel.
    pub count: i64,
    /// When they are forgotten.
    pub forget_at: Timestamp,
}

/// What a customer wants to hear from us (C7).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Consent {
    /// The latest word on each purpose; `all` is on every one.
    pub words: BTreeMap<String, Word>,
    /// Everything was forbidden, and they have written nothing since that could be answered.
    pub is_silent: bool,
}

/// Consent given or taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Given, or taken back.
    pub granted: bool,
    /// When.
    pub at: Millis,
}

/// What receipts name sent parts by, as far as the provider's ids are known.
pub fn provider_keys<'a>(account: &'a AccountKey, parts: &'a [SentPart]) -> impl Iterator<Item = ProviderKey> + 'a {
    parts.iter().filter_map(|part| part.provider_message_id.clone()).map(|id| (account.clone(), id))
}
