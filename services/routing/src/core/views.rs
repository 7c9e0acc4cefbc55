//! Shows the present state of everything that changed in a turn.

use std::collections::BTreeSet;

use schemas::ids::{ConversationId, TenantId};
use schemas::records::{AgentView, QueueView, RoutingView, RoutingViewKind, WorkState, WorkView};

use super::effect::{Effect, Subject};
use super::index::Count;
use super::rules::{capacity, estimate, presence};
use super::state::{AgentKey, PartStage, QueueKey, Stage, State, WorkRow};
use super::turn::Turn;

/// Adds the views of touched agents, work items and queues.
pub(super) fn show(turn: &mut Turn<'_>) {
    let agents: BTreeSet<AgentKey> = turn.state.agents.touched().cloned().collect();
    let work: BTreeSet<ConversationId> = turn.state.work.touched().copied().collect();
    let queues = std::mem::take(&mut turn.queues);
    for key in agents {
        if let Some(view) = agent(turn.state, &key) {
            push(turn, key.0, key.1.as_str(), RoutingViewKind::Agent(view));
        }
    }
    for id in work {
        match turn.state.work.get(&id).cloned() {
            // What a bot does is no agent's work, and not shown as such.
            Some(row) if matches!(row.stage, Stage::Bot(_)) => {}
            Some(row) => {
                let view = work_item(turn.state, &row);
                push(turn, row.facts.tenant, &id.to_string(), RoutingViewKind::Work(Box::new(view)));
            }
            None => gone(turn, id),
        }
    }
    for key in queues {
        let is_ours = turn.state.tenants.get(&key.0).is_some_and(|tenant| tenant.active);
        if is_ours {
            let view = queue(turn.state, &key);
            push(turn, key.0, key.1.as_str(), RoutingViewKind::Queue(view));
        }
    }
}

fn push(turn: &mut Turn<'_>, tenant: TenantId, id: &str, kind: RoutingViewKind) {
    let event_id = turn.next_id();
    let (occurred_at, recorded_at) = (turn.now, turn.now);
    let view = RoutingView { event_id, tenant, occurred_at, recorded_at, id: id.to_owned(), kind };
    turn.push(Effect::View(Box::new(view)));
}

fn gone(turn: &mut Turn<'_>, id: ConversationId) {
    if let Some(tenant) = turn.left.remove(&id) {
        turn.push(Effect::Gone(Subject { tenant, kind: "work", id: id.to_string() }));
    }
}

fn agent(state: &State, key: &AgentKey) -> Option<AgentView> {
    let row = state.agents.get(key)?;
    Some(AgentView {
        agent_id: key.1.clone(),
        presence: row.presence,
        secondary: row.secondary.clone(),
        routing_status: presence::routing_status(row),
        is_connected: row.is_connected(),
        load: row.load.total() as f64,
        capacity: state.agent(key).map_or(0, capacity::of) as f64,
        since: row.state_since,
    })
}

fn work_item(state: &State, row: &WorkRow) -> WorkView {
    let queue = (row.facts.tenant.clone(), row.queue.clone());
    let mut view = WorkView {
        conversation_id: row.facts.conversation,
        stint_id: row.facts.stint,
        customer_key: row.facts.customer_key,
        channel: row.facts.channel,
        account_id: row.facts.account.clone(),
        customer_name: row.facts.customer_name.clone(),
        state: WorkState::Waiting,
        queue_id: Some(row.queue.clone()),
        owner_epoch: row.epoch,
        since: row.since,
        queued_at: Some(row.visit.started_at),
        last_seq: row.last_seq,
        ..WorkView::default()
    };
    match &row.stage {
        Stage::Bot(_) => {}
        Stage::Waiting => {
            view.position = estimate::position(state, row);
            view.estimated_wait_ms = estimate::wait_ms(state, &queue);
        }
        Stage::Alerting(offer) => {
            view.state = WorkState::Alerting;
            view.agent_id = Some(offer.agent.clone());
            view.deadline_at = Some(offer.expires_at);
        }
        Stage::With { part, .. } => {
            view.part_id = Some(*part);
            if let Some(held) = state.parts.get(part) {
                view.agent_id = Some(held.agent.clone());
                (view.state, view.deadline_at) = match held.stage {
                    PartStage::Talking => (WorkState::Interacting, None),
                    PartStage::Parked => (WorkState::Parked, None),
                    PartStage::WrapUp { deadline_at } => (WorkState::WrapUp, deadline_at),
                };
            }
        }
    }
    view
}

fn queue(state: &State, key: &QueueKey) -> QueueView {
    let count = |of: fn(QueueKey) -> Count| state.index.counts.get(&of(key.clone()));
    let from = (key.clone(), i64::MIN, ConversationId::default());
    let oldest = state.index.entered.range(from..).next().filter(|(of, _, _)| of == key);
    QueueView {
        queue_id: key.1.clone(),
        waiting: count(Count::Waiting),
        alerting: count(Count::Alerting),
        interacting: count(Count::Interacting),
        parked: count(Count::Parked),
        oldest_queued_at: oldest.map(|(_, at, _)| *at),
        agents_on_queue: count(Count::OnQueue),
        agents_idle: count(Count::Idle),
    }
}
