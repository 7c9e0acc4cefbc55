//! The finished facts that reports are made of; each comes whole, with all its dimensions.

use serde::{Deserialize, Serialize};

use super::{Cause, Millis, Presence, RoutingStatus, SegmentKind, TransferKind, VisitOutcome};
use crate::ids::{FlowId, SkillId, WrapUpCodeId};

/// A finished segment with all its dimensions; the sink pairs nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SegmentEnded {
    pub segment: SegmentKind,
    pub started_at: Millis,
    pub ended_at: Millis,
    pub business_ms: Option<i64>,
    /// For alerts: `accepted`, `declined`, `not_answered`, `withdrawn`.
    pub outcome: Option<String>,
    /// For agent states: presence and routing status during the segment.
    pub presence: Option<Presence>,
    pub routing_status: Option<RoutingStatus>,
    pub flow_id: Option<FlowId>,
    pub stint_no: i64,
}

/// One finished stay in one queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct QueueVisitEnded {
    pub outcome: VisitOutcome,
    pub visit_no: i64,
    pub stint_no: i64,
    pub started_at: Millis,
    pub ended_at: Millis,
    pub wait_ms: i64,
    pub business_wait_ms: Option<i64>,
    /// Null unless the queue's clock is `accept`.
    pub service_level_met: Option<bool>,
    /// Abandoned sooner than the queue's short-abandon threshold.
    pub is_short_abandon: bool,
    pub cause: Cause,
    pub offers: i64,
    pub skills: Vec<SkillId>,
    pub language: Option<String>,
    pub priority: i64,
    pub routing_method: String,
    pub is_new_customer: bool,
    pub is_reopen: bool,
    pub entry_point: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServiceLevelCounted {
    pub met: bool,
}

/// All totals of one agent's finished part, after-call work included.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PartEnded {
    pub part_no: i64,
    pub stint_no: i64,
    /// When the agent was connected.
    pub started_at: Millis,
    /// When after-call work was done.
    pub ended_at: Millis,
    pub disconnected_at: Millis,
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
    /// From the first unanswered customer message to this agent's first reply; null if none.
    pub first_response_ms: Option<i64>,
    pub response_ms: i64,
    pub response_count: i64,
    pub transfer_kind: Option<TransferKind>,
    pub is_consult_transfer: bool,
    /// Whether the part began with a queue visit answered (false: agent to agent).
    pub is_answered: bool,
    pub wrap_up_code: Option<WrapUpCodeId>,
    pub end_cause: Cause,
    pub skills: Vec<SkillId>,
    pub language: Option<String>,
    pub priority: i64,
    pub routing_method: String,
    pub service_level_met: Option<bool>,
    pub is_new_customer: bool,
    pub is_reopen: bool,
    pub entry_point: Option<String>,
}
