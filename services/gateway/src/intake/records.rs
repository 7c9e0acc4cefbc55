//! From a record's bytes to what the desk takes in.

use std::sync::Arc;

use schemas::codec::{Codec, CodecError};
use schemas::config::{ChannelAccount, Entity, EntityKind};
use schemas::ids::{AccountId, AgentId, ConversationId, CustomerKey, DeploymentId, QueueId, TenantId};
use schemas::records::{Channel, ConfigEntity, CustomerAlias, RoutingView, RoutingViewKind};
use schemas::topics::{
    CONFIG_ENTITIES, CONVERSATION_EVENTS, CONVERSATION_VIEWS, CUSTOMER_ALIASES, DELIVERY_EVENTS, GUEST_VIEWS,
    ROUTING_EVENTS, ROUTING_VIEWS, Topic,
};

use crate::core::guests::session::SessionId;
use crate::core::{AgentRef, Seen};

/// Topics that are read from their beginning.
pub const VIEWS: [Topic; 5] = [CONFIG_ENTITIES, CUSTOMER_ALIASES, CONVERSATION_VIEWS, ROUTING_VIEWS, GUEST_VIEWS];
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
        ("customer.aliases", payload) => spelling(codec, key(), payload),
        ("routing.views", Some(payload)) => Ok(view(codec.decode(payload)?)),
        ("routing.views", None) => view_gone(key()),
        ("conversation.views", Some(payload)) => Ok(Some(Seen::Conversation(Box::new(codec.decode(payload)?)))),
        ("conversation.views", None) => {
            let customer: Option<CustomerKey> = key().and_then(|key| key.parse().ok());
            Ok(Some(Seen::ConversationGone(customer.ok_or(Unreadable::Key("of 32 hex digits"))?)))
        }
        ("guest.views", Some(payload)) => Ok(Some(Seen::Guest(Box::new(codec.decode(payload)?)))),
        ("guest.views", None) => guest_gone(key()),
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
    let Some(kind) = EntityKind::from_name(kind) else { return Ok(None) };
    let is_used = matches!(
        kind,
        EntityKind::Tenant
            | EntityKind::Agent
            | EntityKind::Deployment
            | EntityKind::ChannelAccount
            | EntityKind::Template
    );
    if !is_used {
        return Ok(None);
    }
    let entity = match payload {
        Some(payload) => {
            let document: ConfigEntity = codec.decode(payload)?;
            let unreadable = |error| Unreadable::Entity { kind: document.kind.clone(), id: document.id.clone(), error };
            Some(Entity::from_json(kind, &document.body).map_err(unreadable)?)
        }
        None => None,
    };
    Ok(match kind {
        EntityKind::Agent => {
            let supervisor = if let Some(Entity::Agent(spec)) = entity { Some(spec.supervisor) } else { None };
            Some(Seen::Known { agent: AgentRef { tenant, agent: AgentId::new(id) }, supervisor })
        }
        EntityKind::Deployment => {
            let spec = if let Some(Entity::Deployment(spec)) = entity { Some(Arc::from(spec)) } else { None };
            Some(Seen::Deployment { tenant, id: DeploymentId::new(id), spec })
        }
        EntityKind::ChannelAccount => {
            let spec = if let Some(Entity::ChannelAccount(spec)) = entity { Some(spec) } else { None };
            let channel = spec.as_ref().map(|spec| spec.channel);
            let queue = spec.as_ref().map(|spec| QueueId::new(&spec.queue));
            let web = spec.filter(|spec| spec.channel == Channel::Web);
            let session_minutes = web.map(|spec| spec.session_minutes.unwrap_or(ChannelAccount::SESSION_MINUTES));
            Some(Seen::Account { tenant, account: AccountId::new(id), channel, queue, session_minutes })
        }
        EntityKind::Template => {
            let template = if let Some(Entity::Template(spec)) = entity { Some(Box::new(spec)) } else { None };
            Some(Seen::Template { tenant, id: id.to_owned(), template })
        }
        EntityKind::Tenant => {
            let key_fingerprint = if let Some(Entity::Tenant(spec)) = entity { spec.key_fingerprint } else { None };
            Some(Seen::Tenant { tenant, key_fingerprint })
        }
        EntityKind::Endpoint
        | EntityKind::Queue
        | EntityKind::Skill
        | EntityKind::Language
        | EntityKind::WrapUpCode
        | EntityKind::EntryPoint
        | EntityKind::Bot
        | EntityKind::ApiClient => None,
    })
}

/// `tenant/channel/account/hash`; the hash is the key that the spelling would make.
fn spelling(codec: &Codec, key: Option<&str>, payload: Option<&[u8]>) -> Result<Option<Seen>, Unreadable> {
    let spelling = key.and_then(|key| key.rsplit('/').next()?.parse().ok());
    let spelling = spelling.ok_or(Unreadable::Key("of tenant/channel/account/hash"))?;
    let alias: Option<CustomerAlias> = payload.map(|payload| codec.decode(payload)).transpose()?;
    Ok(Some(Seen::Spelling { spelling, canonical: alias.map(|alias| alias.canonical_id) }))
}

fn guest_gone(key: Option<&str>) -> Result<Option<Seen>, Unreadable> {
    let (_, kind, id) = three(key)?;
    Ok(match kind {
        "session" => Some(Seen::SessionGone(SessionId::new(id))),
        "guest" => Some(Seen::GuestGone(id.parse().map_err(|_| Unreadable::Key("tenant/guest/customer key"))?)),
        _ => None,
    })
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
