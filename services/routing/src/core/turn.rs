//! One `apply` at work: changes rows together with their indexes, and collects effects.

use std::collections::{BTreeMap, BTreeSet};

use schemas::ids::{AgentId, CommandId, ConversationId, EventId, PartId, QueueId, TenantId};
use schemas::records::{
    AgentStateChanged, ConversationCommand, ConversationCommandKind, Millis, Refused, RoutingEvent, RoutingEventKind,
    SegmentEnded, SegmentKind,
};

use super::effect::Effect;
use super::rules::order::{self, Rank};
use super::rules::{eligibility, presence};
use super::state::{AgentKey, AgentRow, Facts, GatewayKey, GatewayRow, PartRow, QueueKey, State, WorkRow};

/// The dimensions of an event beside those of its stint.
#[derive(Debug, Clone, Default)]
pub struct Dims {
    /// The queue.
    pub queue: Option<QueueId>,
    /// The agent.
    pub agent: Option<AgentId>,
    /// The part.
    pub part: Option<PartId>,
}

impl Dims {
    /// Of something in a queue.
    pub fn queue(queue: &QueueId) -> Self {
        Self { queue: Some(queue.clone()), ..Self::default() }
    }

    /// Of something about a queue's work and an agent.
    pub fn offer(queue: &QueueId, agent: &AgentId) -> Self {
        Self { queue: Some(queue.clone()), agent: Some(agent.clone()), part: None }
    }

    /// Of something about a part.
    pub fn part(id: PartId, part: &PartRow) -> Self {
        Self { part: Some(id), ..Self::offer(&part.queue, &part.agent) }
    }
}

/// One event being applied.
pub struct Turn<'a> {
    /// Everything known. Read it freely; rows change through the methods below.
    pub state: &'a mut State,
    /// Task time, milliseconds.
    pub now: Millis,
    cause: String,
    ordinal: u32,
    effects: Vec<Effect>,
    /// Conversations that came to wait and are to be placed, in queue order.
    pub place: BTreeSet<(Rank, ConversationId)>,
    /// Agents who may have become able to take something, longest idle first.
    pub feed: BTreeSet<(Millis, AgentKey)>,
    /// Queues whose numbers changed.
    pub queues: BTreeSet<QueueKey>,
    /// Conversations whose stint ended, by tenant.
    pub left: BTreeMap<ConversationId, TenantId>,
}

impl<'a> Turn<'a> {
    /// Begins; `cause` names what happened, and every id made in this turn follows from it.
    pub fn new(state: &'a mut State, now: Millis, cause: String) -> Self {
        Self {
            state,
            now,
            cause,
            ordinal: 0,
            effects: Vec::new(),
            place: BTreeSet::new(),
            feed: BTreeSet::new(),
            queues: BTreeSet::new(),
            left: BTreeMap::new(),
        }
    }

    /// Ends.
    pub fn into_effects(self) -> Vec<Effect> {
        self.effects
    }

    /// Adds an effect.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// The next id that follows from the cause.
    pub fn next_id(&mut self) -> EventId {
        self.ordinal += 1;
        EventId::derive(&[&self.cause, &self.ordinal.to_string()])
    }

    /// Says something about a stint.
    pub fn say(&mut self, facts: &Facts, dims: Dims, kind: RoutingEventKind) {
        let event = RoutingEvent {
            conversation_id: Some(facts.conversation),
            stint_id: Some(facts.stint),
            part_id: dims.part,
            queue_id: dims.queue,
            agent_id: dims.agent,
            channel: Some(facts.channel),
            account_id: Some(facts.account.clone()),
            customer_key: Some(facts.customer_key),
            ..self.bare(&facts.tenant, kind)
        };
        self.push(Effect::Event(Box::new(event)));
    }

    /// Says something about an agent.
    pub fn say_agent(&mut self, key: &AgentKey, kind: RoutingEventKind) {
        let event = RoutingEvent { agent_id: Some(key.1.clone()), ..self.bare(&key.0, kind) };
        self.push(Effect::Event(Box::new(event)));
    }

    /// Refuses a command.
    pub fn refuse(&mut self, asked: &super::Asked<'_>, reason: &str) {
        let kind = RoutingEventKind::Refused(Refused { command_id: asked.command_id, reason: reason.into() });
        let event = RoutingEvent {
            conversation_id: asked.conversation,
            agent_id: asked.agent.cloned(),
            ..self.bare(asked.tenant, kind)
        };
        self.push(Effect::Event(Box::new(event)));
    }

    fn bare(&mut self, tenant: &TenantId, kind: RoutingEventKind) -> RoutingEvent {
        RoutingEvent {
            event_id: self.next_id(),
            tenant: tenant.clone(),
            occurred_at: self.now,
            recorded_at: self.now,
            conversation_id: None,
            stint_id: None,
            part_id: None,
            queue_id: None,
            agent_id: None,
            channel: None,
            account_id: None,
            customer_key: None,
            config_version: self.state.config_version(tenant),
            kind,
        }
    }

    /// Tells threading about a stint's ownership.
    pub fn tell(&mut self, facts: &Facts, kind: ConversationCommandKind) {
        let event_id = self.next_id();
        let command = ConversationCommand {
            event_id,
            tenant: facts.tenant.clone(),
            occurred_at: self.now,
            recorded_at: self.now,
            command_id: CommandId::derive(&[&event_id.to_string(), kind.name()]),
            channel: facts.channel,
            account_id: facts.account.clone(),
            customer_key: facts.customer_key,
            customer: None,
            conversation_id: Some(facts.conversation),
            kind,
        };
        self.push(Effect::Command(Box::new(command)));
    }

    /// Sets or removes a stint's row.
    pub fn put_work(&mut self, id: ConversationId, row: Option<WorkRow>) {
        if let Some(old) = self.state.work.get(&id) {
            self.queues.insert((old.facts.tenant.clone(), old.queue.clone()));
            self.state.index.work(old, -1);
        }
        match row {
            Some(row) => {
                self.queues.insert((row.facts.tenant.clone(), row.queue.clone()));
                self.state.index.work(&row, 1);
                self.state.work.put(id, row);
            }
            None => {
                let old = self.state.work.remove(&id);
                self.left.extend(old.map(|old| (id, old.facts.tenant)));
            }
        }
    }

    /// Has a waiting conversation placed at the end of the turn.
    pub fn to_place(&mut self, row: &WorkRow) {
        self.place.insert((order::rank(row), row.facts.conversation));
    }

    /// Sets or removes a part's row.
    pub fn put_part(&mut self, id: PartId, row: Option<PartRow>) {
        if let Some(old) = self.state.parts.get(&id) {
            self.queues.insert((old.facts.tenant.clone(), old.queue.clone()));
            self.state.index.part(id, old, -1);
        }
        match row {
            Some(row) => {
                self.queues.insert((row.facts.tenant.clone(), row.queue.clone()));
                self.state.index.part(id, &row, 1);
                self.state.parts.put(id, row);
            }
            None => drop(self.state.parts.remove(&id)),
        }
    }

    /// Sets or removes a gateway's row.
    pub fn put_gateway(&mut self, key: &GatewayKey, row: Option<GatewayRow>) {
        if let Some(old) = self.state.connections.get(key) {
            self.state.index.gateway(key, old.held_at, -1);
        }
        match row {
            Some(row) => {
                self.state.index.gateway(key, row.held_at, 1);
                self.state.connections.put(key.clone(), row);
            }
            None => drop(self.state.connections.remove(key)),
        }
    }

    /// Changes an agent's row, says so when presence or routing status differ afterwards, and
    /// offers them work if they can take any.
    pub fn change_agent(&mut self, key: &AgentKey, change: impl FnOnce(&mut AgentRow)) {
        let now = self.now;
        let known = self.state.agents.get(key).cloned();
        let before = known.clone().unwrap_or_else(|| AgentRow::new(now));
        let mut row = before.clone();
        change(&mut row);
        let is_changed = presence::shown(&row) != presence::shown(&before);
        if is_changed {
            row.state_since = now;
        }
        if known.as_ref() == Some(&row) {
            return;
        }
        if known.is_some() {
            let standings = eligibility::standings(self.state, key, &before);
            self.state.index.agent(key, &before, standings, -1);
        }
        let standings = eligibility::standings(self.state, key, &row);
        self.queues.extend(standings.iter().map(|(lane, _)| (key.0.clone(), lane.queue.clone())));
        self.state.index.agent(key, &row, standings, 1);
        self.state.agents.put(key.clone(), row.clone());
        if is_changed {
            self.say_agent_state(key, &before, &row);
        }
        self.feed.remove(&(before.idle_since, key.clone()));
        self.feed.insert((row.idle_since, key.clone()));
    }

    fn say_agent_state(&mut self, key: &AgentKey, before: &AgentRow, after: &AgentRow) {
        if before.state_since < self.now {
            let segment = SegmentEnded {
                segment: SegmentKind::AgentState,
                started_at: before.state_since,
                ended_at: self.now,
                presence: Some(before.presence),
                routing_status: Some(presence::routing_status(before)),
                ..SegmentEnded::default()
            };
            self.say_agent(key, RoutingEventKind::SegmentEnded(Box::new(segment)));
        }
        let changed = AgentStateChanged {
            presence: after.presence,
            secondary: after.secondary.clone(),
            routing_status: presence::routing_status(after),
            is_connected: after.is_connected(),
            load: after.load.total() as f64,
        };
        self.say_agent(key, RoutingEventKind::AgentStateChanged(changed));
    }
}
