//! R7: reserve, alert, then accept, decline, no answer or withdrawn.
//!
//! An offer does not change the owner; accepting is compare-and-set on the live epoch. Who
//! declines is not asked again for [`DECLINE_REST_MS`] of the same visit; who lets an offer run
//! out is Not Responding until they set a presence.

use schemas::ids::{AgentId, ConversationId};
use schemas::records::{Accepted, AgentAsk, Cause, Millis, OfferEnded, Offered, RoutingEventKind, SegmentKind};

use super::{decision, facts, part, reentry};
use crate::core::Asked;
use crate::core::state::{AgentKey, Offer, Stage, WorkRow};
use crate::core::turn::{Dims, Turn};

/// How long somebody who declined is not asked again, milliseconds.
pub const DECLINE_REST_MS: Millis = 60_000;
const DEFAULT_ALERTING_S: i64 = 30;

/// Offers a waiting conversation to an agent.
pub fn make(turn: &mut Turn<'_>, mut row: WorkRow, agent: &AgentId, method: &str) {
    decision::chosen(turn, &row, agent, method);
    let queue = turn.state.queue(&row.facts.tenant, &row.queue);
    let auto_accept = queue.is_some_and(|queue| queue.auto_accept);
    let alerting_s = queue.map_or(DEFAULT_ALERTING_S, |queue| queue.alerting_timeout_s);
    let expires_at = turn.now.saturating_add(alerting_s.max(1).saturating_mul(1000));
    row.offers += 1;
    row.visit.offers += 1;
    row.visit.held_until = None;
    row.visit.passed_over = None;
    row.since = turn.now;
    let offer = Offer { agent: agent.clone(), no: row.offers, since: turn.now, expires_at, method: method.to_owned() };
    let offered = Offered { offer_no: offer.no, owner_epoch: row.epoch, expires_at, auto_accept };
    turn.say(&row.facts, Dims::offer(&row.queue, agent), RoutingEventKind::Offered(offered));
    row.stage = Stage::Alerting(offer.clone());
    let (id, key) = (row.facts.conversation, (row.facts.tenant.clone(), agent.clone()));
    turn.put_work(id, Some(row.clone()));
    let now = turn.now;
    turn.change_agent(&key, |agent| {
        agent.load.alerting += 1;
        agent.idle_since = now;
    });
    if auto_accept {
        connect(turn, row, &offer);
    }
}

/// An agent accepts: an offer, or a message that came during their after-call work.
pub fn accept(turn: &mut Turn<'_>, asked: &Asked<'_>, ask: &AgentAsk) {
    let Some(row) = asked.work(turn) else { return turn.refuse(asked, "unknown_conversation") };
    match &row.stage {
        Stage::Alerting(offer) if offer.agent == ask.agent_id => {
            if ask.owner_epoch.is_some_and(|epoch| epoch != row.epoch) {
                return turn.refuse(asked, "epoch_passed");
            }
            let offer = offer.clone();
            connect(turn, row, &offer);
        }
        Stage::With { .. } => reentry::accept(turn, asked, ask, row),
        Stage::Waiting | Stage::Alerting(_) | Stage::Bot(_) => turn.refuse(asked, "not_offered"),
    }
}

fn connect(turn: &mut Turn<'_>, row: WorkRow, offer: &Offer) {
    let accepted = Accepted { offer_no: offer.no, alert_ms: turn.now - offer.since };
    turn.say(&row.facts, Dims::offer(&row.queue, &offer.agent), RoutingEventKind::Accepted(accepted));
    let cause = if offer.method == "last_agent" { Cause::LastAgent } else { Cause::Accepted };
    part::begin(turn, row, offer, cause);
}

/// An agent declines: an offer, or to take up a message that came during after-call work.
pub fn decline(turn: &mut Turn<'_>, asked: &Asked<'_>, ask: &AgentAsk) {
    let Some(row) = asked.work(turn) else { return turn.refuse(asked, "unknown_conversation") };
    match &row.stage {
        Stage::Alerting(offer) if offer.agent == ask.agent_id => {
            let ended = |ended| RoutingEventKind::Declined(ended);
            let until = turn.now + DECLINE_REST_MS;
            let mut row = end(turn, row, "declined", None, ended);
            row.visit.declined.insert(ask.agent_id.clone(), until);
            back_to_line(turn, row);
        }
        Stage::With { .. } => reentry::decline(turn, asked, ask, &row),
        Stage::Waiting | Stage::Alerting(_) | Stage::Bot(_) => turn.refuse(asked, "not_offered"),
    }
}

/// An offer ran out.
pub fn expire(turn: &mut Turn<'_>, id: ConversationId) {
    let Some(row) = turn.state.work.get(&id).cloned() else { return };
    let Stage::Alerting(offer) = &row.stage else { return };
    let key = (row.facts.tenant.clone(), offer.agent.clone());
    let row = end(turn, row, "not_answered", None, RoutingEventKind::NotAnswered);
    turn.change_agent(&key, |agent| agent.not_responding = true);
    back_to_line(turn, row);
}

/// Takes back every open offer to an agent.
pub fn withdraw_all(turn: &mut Turn<'_>, key: &AgentKey, reason: &str) {
    let from = (key.clone(), ConversationId::default());
    let offers = turn.state.index.offers.range(from..).take_while(|(of, _)| of == key);
    for id in offers.map(|(_, id)| *id).collect::<Vec<_>>() {
        if let Some(row) = turn.state.work.get(&id).cloned() {
            let row = withdraw(turn, row, reason);
            back_to_line(turn, row);
        }
    }
}

/// Takes back a conversation's open offer, if there is one; the row is not stored yet.
pub fn withdraw(turn: &mut Turn<'_>, row: WorkRow, reason: &str) -> WorkRow {
    match row.stage {
        Stage::Alerting(_) => end(turn, row, "withdrawn", Some(reason), RoutingEventKind::Withdrawn),
        Stage::Waiting | Stage::With { .. } | Stage::Bot(_) => row,
    }
}

/// Somebody who declined may be asked again.
pub fn rest_is_over(turn: &mut Turn<'_>, id: ConversationId) {
    let Some(mut row) = turn.state.work.get(&id).cloned() else { return };
    let now = turn.now;
    row.visit.declined.retain(|_, until| *until > now);
    turn.to_place(&row);
    turn.put_work(id, Some(row));
}

fn end(
    turn: &mut Turn<'_>,
    mut row: WorkRow,
    outcome: &str,
    reason: Option<&str>,
    kind: impl FnOnce(OfferEnded) -> RoutingEventKind,
) -> WorkRow {
    let Stage::Alerting(offer) = std::mem::replace(&mut row.stage, Stage::Waiting) else { return row };
    let dims = Dims::offer(&row.queue, &offer.agent);
    let ended = OfferEnded { offer_no: offer.no, alert_ms: turn.now - offer.since, reason: reason.map(str::to_owned) };
    turn.say(&row.facts, dims.clone(), kind(ended));
    facts::segment(turn, &row.facts, dims, SegmentKind::Alert, facts::Span::since(offer.since).outcome(outcome));
    row.since = turn.now;
    turn.change_agent(&(row.facts.tenant.clone(), offer.agent), |agent| agent.load.alerting -= 1);
    row
}

fn back_to_line(turn: &mut Turn<'_>, row: WorkRow) {
    let id = row.facts.conversation;
    turn.to_place(&row);
    turn.put_work(id, Some(row));
}
