//! An agent's part of a stint: connected, timed by whose turn it is, stopped, finished.
//!
//! Talk is split without remainder into waiting for the agent (a customer's message is
//! unanswered) and waiting for the customer. Customer messages that came before anybody was
//! connected count for the part that answers them.

use schemas::ids::{AgentId, PartId};
use schemas::records::{
    Cause, Connect, Connected, ConversationCommandKind, OwnerKind, RoutingEventKind, SegmentKind, VisitOutcome,
};

use super::{estimate, facts, service_level};
use crate::core::state::{AgentRow, Offer, PartRow, PartStage, Stage, Totals, WorkRow};
use crate::core::turn::{Dims, Turn};

/// How a part begins.
struct Beginning<'a> {
    agent: &'a AgentId,
    method: &'a str,
    totals: Totals,
    service_level_met: Option<bool>,
}

/// Connects an agent who accepted; ends the queue visit.
pub fn begin(turn: &mut Turn<'_>, mut row: WorkRow, offer: &Offer, cause: Cause) {
    let tenant = row.facts.tenant.clone();
    let wait_ms = turn.now - row.visit.started_at;
    let queue = turn.state.queue(&tenant, &row.queue);
    let met = queue.and_then(|queue| service_level::of_visit(queue, VisitOutcome::Answered, wait_ms));
    let totals = Totals {
        wait_ms,
        alert_ms: turn.now - offer.since,
        messages_in: std::mem::take(&mut row.messages_waiting),
        ..Totals::default()
    };
    let beginning = Beginning { agent: &offer.agent, method: &offer.method, totals, service_level_met: met };
    let (id, part) = connected(turn, &mut row, beginning);
    let dims = Dims::part(id, &part);
    let alert = facts::Span::since(offer.since).outcome("accepted");
    facts::segment(turn, &row.facts, dims.clone(), SegmentKind::Alert, alert);
    let end = facts::VisitEnd {
        outcome: VisitOutcome::Answered,
        cause,
        method: &offer.method,
        service_level_met: met,
        is_short_abandon: false,
    };
    facts::visit(turn, &row, dims, end);
    estimate::learn(turn, (tenant, part.queue.clone()), wait_ms);
    put(turn, row, (id, part), cause, |agent| agent.load.alerting -= 1);
}

/// Connects an agent who wrote first (T7): nothing was offered, nobody waited. `work_arrived` brought their
/// first message.
pub fn begin_outbound(turn: &mut Turn<'_>, mut row: WorkRow, agent: AgentId) {
    let totals = Totals { messages_out: 1, ..Totals::default() };
    let beginning = Beginning { agent: &agent, method: "outbound", totals, service_level_met: None };
    let begun = connected(turn, &mut row, beginning);
    put(turn, row, begun, Cause::Outbound, |_| {});
}

fn connected(turn: &Turn<'_>, row: &mut WorkRow, beginning: Beginning<'_>) -> (PartId, PartRow) {
    row.epoch += 1;
    row.parts += 1;
    let id = PartId::derive(&[&row.facts.stint.to_string(), &row.epoch.to_string()]);
    let part = PartRow {
        facts: row.facts.clone(),
        queue: row.queue.clone(),
        agent: beginning.agent.clone(),
        no: row.parts,
        stage: PartStage::Talking,
        stage_since: turn.now,
        started_at: turn.now,
        disconnected_at: None,
        end_cause: Cause::Unknown,
        totals: beginning.totals,
        waits_for_agent: row.unanswered_at.is_some(),
        turn_since: turn.now,
        visit: row.visit.clone(),
        method: beginning.method.to_owned(),
        service_level_met: beginning.service_level_met,
        code: None,
        notes: None,
        tags: Vec::new(),
        is_acw_requested: false,
        away_at: None,
        requeue_on_message: false,
        reentry_at: None,
    };
    row.stage = Stage::With { part: id, released: false };
    row.since = turn.now;
    (id, part)
}

fn put(
    turn: &mut Turn<'_>,
    row: WorkRow,
    (id, part): (PartId, PartRow),
    cause: Cause,
    change: impl FnOnce(&mut AgentRow),
) {
    own(turn, &row, id, &part, cause);
    let key = (row.facts.tenant.clone(), part.agent.clone());
    turn.put_work(row.facts.conversation, Some(row));
    turn.put_part(id, Some(part));
    let now = turn.now;
    turn.change_agent(&key, |agent| {
        change(agent);
        agent.load.talking += 1;
        agent.idle_since = now;
    });
}

/// Says that the part's agent owns the stint under the row's epoch.
pub fn own(turn: &mut Turn<'_>, row: &WorkRow, id: PartId, part: &PartRow, cause: Cause) {
    let wait_ms = part.totals.wait_ms;
    let connected = Connected { owner_epoch: row.epoch, wait_ms, cause };
    turn.say(&row.facts, Dims::part(id, part), RoutingEventKind::Connected(connected));
    let connect = Connect {
        stint_id: row.facts.stint,
        owner_kind: OwnerKind::Agent,
        owner_id: part.agent.as_str().to_owned(),
        queue_id: Some(part.queue.clone()),
        part_id: Some(id),
        owner_epoch: row.epoch,
        cause,
    };
    turn.tell(&row.facts, ConversationCommandKind::Connect(connect));
}

/// Ends what the part is doing now, as a segment and in its sums.
pub fn stop(turn: &mut Turn<'_>, id: PartId, part: &mut PartRow) {
    let spent = turn.now - part.stage_since;
    let kind = match part.stage {
        PartStage::Talking => {
            take_turn(part, turn.now, part.waits_for_agent);
            part.totals.talk_ms += spent;
            SegmentKind::Talk
        }
        PartStage::Parked => {
            part.totals.parked_ms += spent;
            SegmentKind::Park
        }
        PartStage::WrapUp { .. } => {
            part.totals.acw_ms += spent;
            SegmentKind::WrapUp
        }
    };
    let span = facts::Span::since(part.stage_since);
    facts::segment(turn, &part.facts, Dims::part(id, part), kind, span);
    part.stage_since = turn.now;
}

/// Books the time of the present turn and notes whose turn is next.
pub fn take_turn(part: &mut PartRow, now: i64, waits_for_agent: bool) {
    let spent = now - part.turn_since;
    if part.waits_for_agent {
        part.totals.waiting_for_agent_ms += spent;
    } else {
        part.totals.waiting_for_customer_ms += spent;
    }
    part.turn_since = now;
    part.waits_for_agent = waits_for_agent;
}
