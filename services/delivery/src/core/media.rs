//! Our own copies of attachments (C8): what is asked, tried and told.

use schemas::ids::{ConversationId, CustomerKey, MessageId, TenantId};
use schemas::records::{Attachment, Channel};
use serde::{Deserialize, Serialize};
use stream::Timestamp;

use super::event::{AccountKey, Route};

/// The message, and which of its attachments, from 0.
pub type CopyKey = (MessageId, i64);

/// A message with attachments that somebody else keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// The account it came by.
    pub account: AccountKey,
    /// Its channel.
    pub channel: Channel,
    /// Whose conversation.
    pub customer_key: CustomerKey,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The message.
    pub message_id: MessageId,
    /// Whether the customer wrote it.
    pub wrote: bool,
    /// All its attachments.
    pub attachments: Vec<Attachment>,
}

/// An attachment that is not copied yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The account it came by.
    pub account: AccountKey,
    /// Its channel.
    pub channel: Channel,
    /// Whose conversation.
    pub customer_key: CustomerKey,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// What the platform told of it.
    pub attachment: Attachment,
    /// How often it was begun anew, because somebody asked.
    pub round: i64,
    /// Tries so far in this round.
    pub tries: i64,
    /// Where it stands.
    pub phase: CopyPhase,
}

/// Where a copy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CopyPhase {
    /// Not to be tried before this.
    Waiting(Timestamp),
    /// For its turn, since then.
    Ready(Timestamp),
    /// Being fetched.
    Out,
    /// No more tries unless somebody asks; forgotten then.
    GivenUp(Timestamp),
}

/// One try, with all that it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Copy {
    /// What.
    pub key: CopyKey,
    /// Which try, from 1.
    pub attempt_no: i64,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountKey,
    /// Whose conversation: the owner of the copy.
    pub customer_key: CustomerKey,
    /// What the platform told of it.
    pub attachment: Attachment,
    /// The account's addresses and credentials.
    pub route: Route,
}

/// The end of one try.
#[derive(Debug, Clone, PartialEq)]
pub struct CopyEnded {
    /// What.
    pub key: CopyKey,
    /// Which try.
    pub attempt_no: i64,
    /// The wall clock then.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: CopyOutcome,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyOutcome {
    /// The copy lies in the store.
    Stored(Stored),
    /// It must not or cannot be had, now or later.
    Refused {
        /// Why, from a closed set.
        reason: &'static str,
    },
    /// It could not be had this time.
    Failed {
        /// Why, from a closed set.
        reason: &'static str,
        /// How long we were asked to wait.
        retry_after_ms: Option<i64>,
    },
    /// The process that tried ended.
    Lost,
}

/// A copy that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its reference.
    pub reference: String,
    /// Its size.
    pub size_bytes: i64,
    /// Its media type.
    pub mime: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// Somebody wants another try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyAsked {
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub key: CopyKey,
}
