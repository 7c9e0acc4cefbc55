//! The finished facts that reports are made of: each says everything once, so that nothing has to
//! be paired later (A2).

use schemas::ids::PartId;
use schemas::records::{
    Cause, Millis, PartEnded, QueueVisitEnded, RoutingEventKind, SegmentEnded, SegmentKind, VisitOutcome,
};

use crate::core::state::{Facts, PartRow, WorkRow};
use crate::core::turn::{Dims, Turn};

/// When a segment began and how it ended.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    started_at: Millis,
    outcome: Option<&'a str>,
}

impl<'a> Span<'a> {
    /// Began then.
    pub fn since(started_at: Millis) -> Self {
        Self { started_at, outcome: None }
    }

    /// Ended so.
    #[must_use]
    pub fn outcome(self, outcome: &'a str) -> Self {
        Self { outcome: Some(outcome), ..self }
    }
}

/// A segment that ends now.
pub fn segment(turn: &mut Turn<'_>, facts: &Facts, dims: Dims, segment: SegmentKind, span: Span<'_>) {
    let ended = SegmentEnded {
        segment,
        started_at: span.started_at,
        ended_at: turn.now,
        outcome: span.outcome.map(str::to_owned),
        stint_no: facts.stint_no,
        ..SegmentEnded::default()
    };
    turn.say(facts, dims, RoutingEventKind::SegmentEnded(Box::new(ended)));
}

/// How a queue visit ended.
#[derive(Debug, Clone)]
pub struct VisitEnd<'a> {
    /// Answered, abandoned or flowed out.
    pub outcome: VisitOutcome,
    /// Why.
    pub cause: Cause,
    /// Which rule chose the agent, or would have.
    pub method: &'a str,
    /// Whether the queue's promise was kept.
    pub service_level_met: Option<bool>,
    /// Sooner than the queue's short-abandon threshold.
    pub is_short_abandon: bool,
}

/// A queue visit that ends now, its wait included.
pub fn visit(turn: &mut Turn<'_>, row: &WorkRow, dims: Dims, end: VisitEnd<'_>) {
    let visit = &row.visit;
    segment(turn, &row.facts, dims.clone(), SegmentKind::Wait, Span::since(visit.started_at));
    let ended = QueueVisitEnded {
        outcome: end.outcome,
        visit_no: visit.no,
        stint_no: row.facts.stint_no,
        started_at: visit.started_at,
        ended_at: turn.now,
        wait_ms: turn.now - visit.started_at,
        business_wait_ms: None,
        service_level_met: end.service_level_met,
        is_short_abandon: end.is_short_abandon,
        cause: end.cause,
        offers: visit.offers,
        skills: visit.skills.clone(),
        language: visit.language.as_ref().map(|language| language.as_str().to_owned()),
        priority: visit.priority,
        routing_method: end.method.to_owned(),
        is_new_customer: row.facts.is_new_customer,
        is_reopen: row.facts.is_reopen,
        entry_point: row.facts.entry_point.clone(),
    };
    turn.say(&row.facts, dims, RoutingEventKind::QueueVisitEnded(Box::new(ended)));
}

/// A part whose after-call work ends now.
pub fn part(turn: &mut Turn<'_>, id: PartId, row: &PartRow) {
    let totals = row.totals;
    let ended = PartEnded {
        part_no: row.no,
        stint_no: row.facts.stint_no,
        started_at: row.started_at,
        ended_at: turn.now,
        disconnected_at: row.disconnected_at.unwrap_or(turn.now),
        wait_ms: totals.wait_ms,
        alert_ms: totals.alert_ms,
        talk_ms: totals.talk_ms,
        hold_ms: 0,
        acw_ms: totals.acw_ms,
        focused_ms: 0,
        parked_ms: totals.parked_ms,
        waiting_for_customer_ms: totals.waiting_for_customer_ms,
        waiting_for_agent_ms: totals.waiting_for_agent_ms,
        messages_in: totals.messages_in,
        messages_out: totals.messages_out,
        first_response_ms: totals.first_response_ms,
        response_ms: totals.response_ms,
        response_count: totals.response_count,
        transfer_kind: None,
        is_consult_transfer: false,
        is_answered: row.visit.no > 0,
        wrap_up_code: row.code.clone(),
        end_cause: row.end_cause,
        skills: row.visit.skills.clone(),
        language: row.visit.language.as_ref().map(|language| language.as_str().to_owned()),
        priority: row.visit.priority,
        routing_method: row.method.clone(),
        service_level_met: row.service_level_met,
        is_new_customer: row.facts.is_new_customer,
        is_reopen: row.facts.is_reopen,
        entry_point: row.facts.entry_point.clone(),
    };
    turn.say(&row.facts, Dims::part(id, row), RoutingEventKind::PartEnded(Box::new(ended)));
}
