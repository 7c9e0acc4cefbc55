//! Rows of routing; column for column `deploy/clickhouse/0003_*.sql`.
#![expect(missing_docs, reason = "every column is documented in deploy/clickhouse")]

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A row of `weft_raw.queue_entries`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct QueueEntryRow {
    pub tenant: String,
    pub queue_id: String,
    pub occurred_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversation_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid")]
    pub stint_id: Uuid,
    pub visit_no: i64,
    pub channel: String,
    pub account_id: String,
    pub customer_key: String,
    pub skills: Vec<String>,
    pub language: String,
    pub priority: i64,
    pub cause: String,
    pub position: i64,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}

/// A row of `weft_raw.queue_visits`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct QueueVisitRow {
    pub tenant: String,
    pub queue_id: String,
    pub agent_id: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversation_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid")]
    pub stint_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub part_id: Option<Uuid>,
    pub visit_no: i64,
    pub stint_no: i64,
    pub started_at: i64,
    pub ended_at: i64,
    pub outcome: String,
    pub cause: String,
    pub wait_ms: i64,
    pub business_wait_ms: Option<i64>,
    pub service_level_met: Option<bool>,
    pub is_short_abandon: bool,
    pub offers: i64,
    pub channel: String,
    pub account_id: String,
    pub customer_key: String,
    pub skills: Vec<String>,
    pub language: String,
    pub priority: i64,
    pub routing_method: String,
    pub is_new_customer: bool,
    pub is_reopen: bool,
    pub entry_point: String,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}

/// A row of `weft_raw.parts`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct PartRow {
    pub tenant: String,
    pub agent_id: String,
    pub queue_id: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversation_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid")]
    pub stint_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid")]
    pub part_id: Uuid,
    pub part_no: i64,
    pub stint_no: i64,
    pub started_at: i64,
    pub disconnected_at: i64,
    pub ended_at: i64,
    pub wait_ms: i64,
    pub alert_ms: i64,
    pub talk_ms: i64,
    pub hold_ms: i64,
    pub acw_ms: i64,
    pub focused_ms: i64,
    pub parked_ms: i64,
    pub waiting_for_customer_ms: i64,
    pub waiting_for_agent_ms: i64,
    pub messages_in: i64,
    pub messages_out: i64,
    pub first_response_ms: Option<i64>,
    pub response_ms: i64,
    pub response_count: i64,
    pub transfer_kind: String,
    pub is_consult_transfer: bool,
    pub is_answered: bool,
    pub wrap_up_code: String,
    pub end_cause: String,
    pub service_level_met: Option<bool>,
    pub channel: String,
    pub account_id: String,
    pub customer_key: String,
    pub skills: Vec<String>,
    pub language: String,
    pub priority: i64,
    pub routing_method: String,
    pub is_new_customer: bool,
    pub is_reopen: bool,
    pub entry_point: String,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}

/// A row of `weft_raw.segments`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct SegmentRow {
    pub tenant: String,
    pub segment: String,
    pub queue_id: String,
    pub agent_id: String,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub conversation_id: Option<Uuid>,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub stint_id: Option<Uuid>,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub part_id: Option<Uuid>,
    pub stint_no: i64,
    pub started_at: i64,
    pub ended_at: i64,
    pub business_ms: Option<i64>,
    pub outcome: String,
    pub presence: String,
    pub routing_status: String,
    pub flow_id: String,
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

/// A row of `weft_raw.service_levels`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct ServiceLevelRow {
    pub tenant: String,
    pub queue_id: String,
    pub occurred_at: i64,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub conversation_id: Option<Uuid>,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub stint_id: Option<Uuid>,
    pub met: bool,
    pub channel: String,
    pub account_id: String,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}

/// A row of `weft_raw.work_changes`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct WorkChangeRow {
    pub tenant: String,
    #[serde(with = "clickhouse::serde::uuid")]
    pub stint_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid")]
    pub conversation_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub part_id: Option<Uuid>,
    pub change: String,
    pub occurred_at: i64,
    pub queue_id: String,
    pub agent_id: String,
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

/// A row of `weft_raw.agent_changes`.
#[derive(Debug, Clone, PartialEq, Default, Row, Serialize, Deserialize)]
pub struct AgentChangeRow {
    pub tenant: String,
    pub agent_id: String,
    pub occurred_at: i64,
    pub presence: String,
    pub secondary: String,
    pub routing_status: String,
    pub is_connected: bool,
    pub load: f64,
    pub recorded_at: i64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub event_id: Uuid,
    pub src_topic: String,
    pub src_partition: i32,
    pub src_offset: i64,
    pub ordinal: u16,
}
