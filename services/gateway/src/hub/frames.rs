//! Frames to agents, as JSON.

use schemas::ids::{AgentId, ConversationId, MessageId};
use schemas::records::{Content, Direction, Millis, Presence, RoutingStatus, Sender, WorkView};
use serde::Serialize;
use serde_json::Value;

use crate::core::{DeliveryState, Hello, News, Said};

/// What a socket is sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields are those of the agents' protocol, listed in README.md")]
pub enum Frame<'a> {
    Hello {
        agent_id: &'a AgentId,
        presence: Presence,
        secondary: Option<&'a str>,
        routing_status: RoutingStatus,
        work: &'a [WorkView],
        heartbeat_s: u64,
    },
    Result {
        id: Option<&'a str>,
        ok: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    Offer {
        #[serde(flatten)]
        item: &'a WorkView,
        expires_at: Option<Millis>,
    },
    Work {
        item: &'a WorkView,
    },
    WorkGone {
        conversation_id: ConversationId,
    },
    Message {
        conversation_id: ConversationId,
        #[serde(flatten)]
        message: Line<'a>,
    },
    Delivery {
        conversation_id: ConversationId,
        message_id: MessageId,
        state: &'a str,
        reason: Option<&'a str>,
    },
    Presence {
        presence: Presence,
        secondary: Option<&'a str>,
        routing_status: RoutingStatus,
    },
    Typing {
        conversation_id: ConversationId,
        sender: &'a Sender,
    },
    Media {
        conversation_id: ConversationId,
        message_id: MessageId,
        attachment_no: i64,
        stored_ref: &'a str,
    },
    Transcript {
        id: Option<&'a str>,
        conversation_id: ConversationId,
        #[serde(flatten)]
        transcript: &'a Value,
    },
    Pong {},
    Error {
        reason: &'a str,
        detail: &'a str,
    },
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "named as in MessageAdded")]
pub struct Line<'a> {
    pub message_id: MessageId,
    pub seq: i64,
    pub direction: Direction,
    pub sender: &'a Sender,
    pub content: &'a Content,
    pub occurred_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery_state: Option<&'static str>,
}

impl<'a> Line<'a> {
    /// As it is shown.
    pub fn of(said: &'a Said) -> Self {
        Self {
            message_id: said.message_id,
            seq: said.seq,
            direction: said.direction,
            sender: &said.sender,
            content: &said.content,
            occurred_at: said.occurred_at,
            delivery_state: said.delivery.map(DeliveryState::as_str),
        }
    }
}

impl<'a> Frame<'a> {
    /// The greeting.
    pub fn hello(agent_id: &'a AgentId, hello: &'a Hello, heartbeat_s: u64) -> Self {
        Self::Hello {
            agent_id,
            presence: hello.presence,
            secondary: hello.secondary.as_deref(),
            routing_status: hello.routing_status,
            work: &hello.work,
            heartbeat_s,
        }
    }

    /// Something the agent did not ask for.
    pub fn news(news: &'a News) -> Self {
        match news {
            News::Offer(item) => Self::Offer { item, expires_at: item.deadline_at },
            News::Work(item) => Self::Work { item },
            News::WorkGone(conversation) => Self::WorkGone { conversation_id: *conversation },
            News::Message(conversation, said) => {
                Self::Message { conversation_id: *conversation, message: Line::of(said) }
            }
            News::Delivery { message, conversation, state, reason } => Self::Delivery {
                conversation_id: *conversation,
                message_id: *message,
                state: state.as_str(),
                reason: reason.as_deref(),
            },
            News::Presence { presence, secondary, routing_status } => {
                Self::Presence { presence: *presence, secondary: secondary.as_deref(), routing_status: *routing_status }
            }
            News::Media { conversation, message, attachment_no, stored_ref } => Self::Media {
                conversation_id: *conversation,
                message_id: *message,
                attachment_no: *attachment_no,
                stored_ref,
            },
            News::Typing { conversation, sender } => Self::Typing { conversation_id: *conversation, sender },
        }
    }

    /// Its type, for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Result { .. } => "result",
            Self::Offer { .. } => "offer",
            Self::Work { .. } => "work",
            Self::WorkGone { .. } => "work_gone",
            Self::Message { .. } => "message",
            Self::Delivery { .. } => "delivery",
            Self::Presence { .. } => "presence",
            Self::Typing { .. } => "typing",
            Self::Media { .. } => "media",
            Self::Transcript { .. } => "transcript",
            Self::Pong {} => "pong",
            Self::Error { .. } => "error",
        }
    }

    /// The text that is sent.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("frames are texts, numbers and maps with text keys")
    }
}
