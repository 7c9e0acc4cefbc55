//! Configuration, dead letters, audit, aliases.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Channel, Millis, record};
use crate::ids::{AccountId, CustomerKey, EventId, TenantId};

/// One applied configuration document.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConfigEntity {
    pub event_id: EventId,
    pub tenant: TenantId,
    pub occurred_at: Millis,
    pub recorded_at: Millis,
    /// `Queue`, `Agent` …; see [`crate::config::EntityKind`].
    pub kind: String,
    pub id: String,
    /// Rises with every change of this entity.
    pub version: i64,
    /// The `spec` as JSON.
    pub body: String,
    pub applied_by: String,
}
record!(ConfigEntity, "config_entity.avsc");

/// Another spelling of a customer's id.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CustomerAlias {
    pub event_id: EventId,
    pub tenant: TenantId,
    pub occurred_at: Millis,
    pub recorded_at: Millis,
    pub channel: Channel,
    pub account_id: AccountId,
    /// HMAC of the alias; see the topic's key.
    pub alias_hash: String,
    pub canonical_id: String,
    pub customer_key: CustomerKey,
}
record!(CustomerAlias, "customer_alias.avsc");

/// A record that could not be used, with everything needed to use it later.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DeadLetter {
    pub event_id: EventId,
    pub tenant: TenantId,
    pub occurred_at: Millis,
    pub recorded_at: Millis,
    pub source_topic: String,
    pub source_partition: i32,
    pub source_offset: i64,
    #[serde(with = "serde_bytes", default)]
    pub source_key: Option<Vec<u8>>,
    #[serde(with = "serde_bytes", default)]
    pub source_value: Option<Vec<u8>>,
    pub source_headers: BTreeMap<String, String>,
    pub source_timestamp: Millis,
    /// From a closed set; see the service's page.
    pub reason: String,
    pub detail: String,
    pub service: String,
    pub version: String,
    pub attempt: i32,
}
record!(DeadLetter, "dead_letter.avsc");

/// A record as it was read, before anybody understood it.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'a> {
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
    pub timestamp: Millis,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [(String, Vec<u8>)],
}

impl DeadLetter {
    /// The dead letter of a record that a service gave up on: where it came from and all it held.
    /// Reason, detail and attempt are the caller's to fill in.
    pub fn of(unread: &Unread<'_>, service: &str) -> Self {
        let coordinates = format!("{}-{}@{}", unread.topic, unread.partition, unread.offset);
        Self {
            event_id: EventId::derive(&["dead letter", service, &coordinates]),
            tenant: TenantId::default(),
            occurred_at: unread.timestamp,
            recorded_at: unread.timestamp,
            source_topic: unread.topic.into(),
            source_partition: unread.partition,
            source_offset: unread.offset,
            source_key: unread.key.map(<[u8]>::to_vec),
            source_value: unread.value.map(<[u8]>::to_vec),
            source_headers: unread
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), String::from_utf8_lossy(value).into_owned()))
                .collect(),
            source_timestamp: unread.timestamp,
            service: service.into(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..Self::default()
        }
    }
}

/// Who did what to the system.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AuditEvent {
    pub event_id: EventId,
    pub tenant: TenantId,
    pub occurred_at: Millis,
    pub recorded_at: Millis,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub detail: Option<String>,
}
record!(AuditEvent, "audit_event.avsc");
