//! From a record's bytes to what the desk takes in.

use schemas::codec::{Codec, CodecError};
use schemas::config::{Entity, EntityKind};
use schemas::ids::{AgentId, ConversationId, CustomerKey, QueueId, TenantId};
use schemas::records::{ConfigEntity, RoutingView, RoutingViewKind};
use schemas::topics::{
    CONFIG_ENTITIES, CONVERSATION_EVENTS, CONVERSATION_VIEWS, DELIVERY_EVENTS, ROUTING_EVENTS, ROUTING_VIEWS, Topic,
};

use crate::core::{AgentRef, Seen};

/// Topics that are read from their beginning.
pub const VIEWS: [Topic; 3] = [CONFIG_ENTITIES, CONVERSATION_VIEWS, ROUTING_VIEWS];
/// Topics that are read from their end.
pub const EVENTS: [Topic; 3] = [CONVERSATION_EVENTS, DELIVERY_EVENTS, ROUTING_EVENTS];

/// Why a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Its bytes.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Its key, which is all that a tombstone has.
    #[error("expected a key {0}")]
    Key(&'static str),
    /// The document in it.
    #[error("{kind} {id}: {error}")]
    Entity {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
        /// What was expected.
        error: serde_json::Error,
    },
}

impl Unreadable {
    /// One of a closed set, for metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Codec(_) => "undecodable",
            Self::Key(_) => "bad_key",
            Self::Entity { .. } => "bad_entity",
        }
    }

    /// Whether it is the world's fault and not the record's: reading it again may work.
    pub fn is_worlds(&self) -> bool {
        matches!(self, Self::Codec(CodecError::RegistryAway { .. }))
    }
}

/// Reads one record; `None`: nothing for the desk.
pub fn read(
    codec: &Codec,
    topic: &str,
    key: Option<&[u8]>,
    payload: Option<&[u8]>,
) -> Result<Option<Seen>, Unreadable> {
    let key = || key.and_then(|key| std::str::from_utf8(key).ok());
    match (topic, payload) {
        ("config.entities", payload) => entity(codec, key(), payload),
        ("routing.views", Some(payload)) => Ok(view(codec.decode(payload)?)),
        ("routing.views", None) => view_gone(key()),
        ("conversation.views", Some(payload)) => Ok(Some(Seen::Conversation(Box::new(codec.decode(payload)?)))),
        ("conversation.views", None) => {
            let customer: Option<CustomerKey> = key().and_then(|key| key.parse().ok());
            Ok(Some(Seen::ConversationGone(customer.ok_or(Unreadable::Key("of 32 hex digits"))?)))
        }
        ("conversation.events", Some(payload)) => Ok(Some(Seen::Said(Box::new(codec.decode(payload)?)))),
        ("delivery.events", Some(payload)) => Ok(Some(Seen::Delivered(Box::new(codec.decode(payload)?)))),
        ("routing.events", Some(payload)) => Ok(Some(Seen::Routed(Box::new(codec.decode(payload)?)))),
        _ => Ok(None),
    }
}

fn three(key: Option<&str>) -> Result<(TenantId, &str, &str), Unreadable> {
    let mut parts = key.unwrap_or_default().splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(tenant), Some(kind), Some(id)) => Ok((TenantId::new(tenant), kind, id)),
        _ => Err(Unreadable::Key("of tenant/kind/id")),
    }
}

fn entity(codec: &Codec, key: Option<&str>, payload: Option<&[u8]>) -> Result<Option<Seen>, Unreadable> {
    let (tenant, kind, id) = three(key)?;
    if kind != EntityKind::Agent.as_str() {
        return Ok(None);
    }
    let agent = AgentRef { tenant, agent: AgentId::new(id) };
    let Some(payload) = payload else {
        return Ok(Some(Seen::Known { agent, supervisor: None }));
    };
    let document: ConfigEntity = codec.decode(payload)?;
    let unreadable = |error| Unreadable::Entity { kind: document.kind.clone(), id: document.id.clone(), error };
    match Entity::from_json(EntityKind::Agent, &document.body).map_err(unreadable)? {
        Entity::Agent(spec) => Ok(Some(Seen::Known { agent, supervisor: Some(spec.supervisor) })),
        Entity::Tenant(_)
        | Entity::Endpoint(_)
        | Entity::ChannelAccount(_)
        | Entity::Queue(_)
        | Entity::Skill(_)
        | Entity::Language(_)
        | Entity::WrapUpCode(_)
        | Entity::Template(_)
        | Entity::EntryPoint(_)
        | Entity::ApiClient(_) => Ok(None),
    }
}

fn view(view: RoutingView) -> Option<Seen> {
    let tenant = view.tenant;
    match view.kind {
        RoutingViewKind::Agent(view) => Some(Seen::Agent { tenant, view }),
        RoutingViewKind::Work(view) => Some(Seen::Work { tenant, view }),
        RoutingViewKind::Queue(view) => Some(Seen::Queue { tenant, view }),
        RoutingViewKind::Unknown(_) => None,
    }
}

fn view_gone(key: Option<&str>) -> Result<Option<Seen>, Unreadable> {
    let (tenant, kind, id) = three(key)?;
    Ok(match kind {
        "agent" => Some(Seen::AgentGone(AgentRef { tenant, agent: AgentId::new(id) })),
        "queue" => Some(Seen::QueueGone { tenant, queue: QueueId::new(id) }),
        "work" => {
            let conversation: ConversationId =
                id.parse().map_err(|_| Unreadable::Key("tenant/work/conversation id"))?;
            Some(Seen::WorkGone { tenant, conversation })
        }
        _ => None,
    })
}
