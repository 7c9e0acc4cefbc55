//! Rows of conversations, deliveries and configuration; column for column `deploy/clickhouse/0002_*.sql`.
#![expect(missing_docs, reason = "every column is documented in deploy/clickhouse")]

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A row of `weft_raw.messages`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct MessageRow {
    pub tenant: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversation_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub stint_id: Option<Uuid>,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub part_id: Option<Uuid>,
    pub seq: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub message_id: Uuid,
    pub occurred_at: i64,
    pub channel: String,
    pub account_id: String,
    pub customer_key: String,
    pub direction: String,
    pub sender_kind: String,
    pub sender_id: String,
    pub content_kind: String,
    pub text: String,
    pub queue_id: String,
    pub agent_id: String,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}

/// A row of `weft_raw.conversation_changes`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct ConversationChangeRow {
    pub tenant: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversation_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub stint_id: Option<Uuid>,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub part_id: Option<Uuid>,
    pub change: String,
    pub occurred_at: i64,
    pub channel: String,
    pub account_id: String,
    pub customer_key: String,
    pub stint_no: i64,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub predecessor: Option<Uuid>,
    pub initiator: String,
    pub is_new_customer: bool,
    pub entry_point: String,
    pub owner_kind: String,
    pub owner_id: String,
    pub owner_epoch: i64,
    pub queue_id: String,
    pub cause: String,
    pub began_at: Option<i64>,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}

/// A row of `weft_raw.turns`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct TurnRow {
    pub tenant: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversation_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub stint_id: Option<Uuid>,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub part_id: Option<Uuid>,
    pub who: String,
    pub started_at: i64,
    pub ended_at: i64,
    pub business_ms: Option<i64>,
    pub channel: String,
    pub account_id: String,
    pub customer_key: String,
    pub queue_id: String,
    pub agent_id: String,
    pub is_first_response: bool,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}

/// A row of `weft_raw.deliveries`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct DeliveryRow {
    pub tenant: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub message_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub conversation_id: Option<Uuid>,
    pub occurred_at: i64,
    pub state: String,
    pub attempt_no: i64,
    pub reason: String,
    pub provider_code: String,
    pub provider_message_id: String,
    pub channel: String,
    pub account_id: String,
    pub customer_key: String,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}

/// A row of `weft_raw.entities`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct EntityRow {
    pub tenant: String,
    pub kind: String,
    pub id: String,
    pub version: i64,
    pub name: String,
    pub spec: String,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}
