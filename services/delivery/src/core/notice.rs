//! What goes to a webhook beside messages, in its place among them (T9): where the conversation is.

use schemas::ids::{ConversationId, StintId};
use schemas::records::{Cause, Closed, ConversationEventKind, Opened, OwnerChanged, Reopened, StintEnded};
use serde::{Deserialize, Serialize};

/// One change of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Which conversation.
    pub conversation_id: ConversationId,
    /// Its stint, if it was in one.
    pub stint_id: Option<StintId>,
    /// What changed.
    pub change: Change,
}

/// What changed, as threading told it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named as the kinds of ConversationEvent")]
pub enum Change {
    Opened(Box<Opened>),
    Reopened(Reopened),
    OwnerChanged(OwnerChanged),
    StintEnded(StintEnded),
    Closed(Closed),
}

impl Change {
    /// The change that an event tells, if it is one that webhooks hear of.
    pub fn of(kind: &ConversationEventKind) -> Option<Self> {
        Some(match kind {
            ConversationEventKind::Opened(opened) => Self::Opened(opened.clone()),
            ConversationEventKind::Reopened(reopened) => Self::Reopened(reopened.clone()),
            ConversationEventKind::OwnerChanged(changed) => Self::OwnerChanged(changed.clone()),
            ConversationEventKind::StintEnded(ended) => Self::StintEnded(ended.clone()),
            ConversationEventKind::Closed(closed) => Self::Closed(closed.clone()),
            ConversationEventKind::MessageAdded(_)
            | ConversationEventKind::MessageRefused(_)
            | ConversationEventKind::MessageEdited(_)
            | ConversationEventKind::MessageDeleted(_)
            | ConversationEventKind::Reacted(_)
            | ConversationEventKind::TurnEnded(_)
            | ConversationEventKind::AttributesChanged(_)
            | ConversationEventKind::NoteAdded(_)
            | ConversationEventKind::Linked(_)
            | ConversationEventKind::ConsentChanged(_)
            | ConversationEventKind::Signalled(_)
            | ConversationEventKind::Erased(_)
            | ConversationEventKind::Unknown(_) => return None,
        })
    }

    /// The event that told it.
    pub fn into_kind(self) -> ConversationEventKind {
        match self {
            Self::Opened(opened) => ConversationEventKind::Opened(opened),
            Self::Reopened(reopened) => ConversationEventKind::Reopened(reopened),
            Self::OwnerChanged(changed) => ConversationEventKind::OwnerChanged(changed),
            Self::StintEnded(ended) => ConversationEventKind::StintEnded(ended),
            Self::Closed(closed) => ConversationEventKind::Closed(closed),
        }
    }

    /// What it is called outside.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Opened(_) => "Opened",
            Self::Reopened(_) => "Reopened",
            Self::OwnerChanged(OwnerChanged { cause: Cause::Transfer, .. }) => "Transferred",
            Self::OwnerChanged(_) => "OwnerChanged",
            Self::StintEnded(_) => "Ended",
            Self::Closed(_) => "Closed",
        }
    }
}
