//! Entering a queue: one visit begins, the queue owns the stint, and it waits.
//!
//! What the visit asks for follows from the queue's settings at this moment and again whenever
//! they change (R16).

use schemas::records::{Cause, Connect, ConversationCommandKind, OwnerKind, Queued, RoutingEventKind};

use super::{eligibility, estimate};
use crate::core::state::{Stage, State, Visit, WorkRow};
use crate::core::turn::{Dims, Turn};

/// Begins a visit of `row.queue`.
pub fn enter(turn: &mut Turn<'_>, mut row: WorkRow, cause: Cause) {
    let id = row.facts.conversation;
    row.visit = Visit { no: row.visit.no + 1, started_at: turn.now, cause, ..Visit::default() };
    row.stage = Stage::Waiting;
    row.since = turn.now;
    row.epoch += 1;
    ask(turn.state, &mut row);
    turn.put_work(id, Some(row.clone()));
    let queued = Queued {
        visit_no: row.visit.no,
        skills: row.visit.skills.clone(),
        language: row.visit.language.as_ref().map(|language| language.as_str().to_owned()),
        priority: row.visit.priority,
        cause,
        position: estimate::position(turn.state, &row).unwrap_or(1),
    };
    turn.say(&row.facts, Dims::queue(&row.queue), RoutingEventKind::Queued(queued));
    let connect = Connect {
        stint_id: row.facts.stint,
        owner_kind: OwnerKind::Queue,
        owner_id: row.queue.as_str().to_owned(),
        queue_id: Some(row.queue.clone()),
        part_id: None,
        owner_epoch: row.epoch,
        cause,
    };
    turn.tell(&row.facts, ConversationCommandKind::Connect(connect));
    turn.to_place(&row);
}

/// Takes over what the queue's settings ask for.
pub fn ask(state: &State, row: &mut WorkRow) {
    let Some(queue) = state.queue(&row.facts.tenant, &row.queue) else {
        row.visit.patience_at = None;
        return;
    };
    row.visit.skills = eligibility::skills_asked(queue);
    row.visit.language = eligibility::language_asked(state, &row.facts.tenant, queue, row.facts.language.as_deref());
    row.visit.priority = queue.priority;
    let silent_since = row.customer_at.max(row.visit.started_at);
    row.visit.patience_at = queue.patience_s.map(|s| silent_since.saturating_add(s.saturating_mul(1000)));
}
