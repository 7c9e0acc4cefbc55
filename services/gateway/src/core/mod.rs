//! What agents may see and ask, decided from a mirror of the views. Pure: records go in, effects
//! come out; ids and `now` are given.

mod ask;
mod effect;
pub mod guests;
mod outreach;
mod seen;
mod settle;
mod talk;

pub use ask::{Ask, Asked, Command};
pub use effect::{Effect, Hello, News, Outcome};
pub use outreach::{Outreach, Start, Words};
pub use seen::Seen;
pub use talk::{DeliveryState, Said, Talk};

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use schemas::ids::{AgentId, CommandId, ConversationId, CustomerKey, KeySecret, QueueId, TenantId};
use schemas::records::{
    AgentView, ConversationView, Presence, QueueView, RoutingEvent, RoutingEventKind, RoutingStatus, WorkState,
    WorkView,
};

use settle::Settlements;

/// An agent of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentRef {
    /// The company.
    pub tenant: TenantId,
    /// The person.
    pub agent: AgentId,
}

/// Somebody who has shown a good token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The person.
    pub agent: AgentRef,
    /// Whether they may see everybody's work.
    pub supervisor: bool,
}

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Latest messages of each conversation.
    pub messages_max: usize,
    /// Conversations without a live stint.
    pub ended_max: usize,
    /// Outcomes of commands, for those asked twice.
    pub outcomes_max: usize,
}

/// The mirror of all views, the latest messages, and the commands under way.
#[derive(Debug)]
pub struct Desk {
    limits: Limits,
    known: BTreeMap<AgentRef, bool>,
    agents: BTreeMap<AgentRef, AgentView>,
    queues: BTreeMap<(TenantId, QueueId), QueueView>,
    work: BTreeMap<(TenantId, ConversationId), WorkView>,
    by_agent: BTreeSet<(AgentRef, ConversationId)>,
    talks: BTreeMap<(TenantId, ConversationId), Talk>,
    by_customer: BTreeMap<CustomerKey, (TenantId, ConversationId)>,
    ended: VecDeque<(TenantId, ConversationId)>,
    settlements: Settlements,
    outreach: Outreach,
}

impl Desk {
    /// Knows nothing yet; keys of customers are made with this secret.
    pub fn new(limits: Limits, key_secret: KeySecret) -> Self {
        Self {
            limits,
            outreach: Outreach::new(key_secret),
            known: BTreeMap::new(),
            agents: BTreeMap::new(),
            queues: BTreeMap::new(),
            work: BTreeMap::new(),
            by_agent: BTreeSet::new(),
            talks: BTreeMap::new(),
            by_customer: BTreeMap::new(),
            ended: VecDeque::new(),
            settlements: Settlements::new(limits.outcomes_max),
        }
    }

    /// Takes in one record.
    pub fn apply(&mut self, seen: Seen) -> Vec<Effect> {
        match seen {
            Seen::Known { agent, supervisor } => self.known_agent(agent, supervisor),
            Seen::Agent { tenant, view } => self.agent(tenant, view),
            Seen::AgentGone(agent) => self.agent_gone(&agent),
            Seen::Queue { tenant, view } => self.queue(tenant, view),
            Seen::QueueGone { tenant, queue } => self.queue_gone(tenant, queue),
            Seen::Work { tenant, view } => self.work(tenant, *view),
            Seen::WorkGone { tenant, conversation } => self.work_gone(tenant, conversation),
            Seen::Conversation(view) => self.conversation(*view),
            Seen::ConversationGone(customer) => self.conversation_gone(customer),
            Seen::Said(event) => self.conversation_event(*event),
            Seen::Delivered(event) => self.delivery_event(&event),
            Seen::Routed(event) => self.routing_event(&event),
            Seen::Account { tenant, account, channel, queue, .. } => {
                self.outreach.account(tenant, account, channel.zip(queue));
                Vec::new()
            }
            Seen::Template { tenant, id, template } => {
                self.outreach.template(tenant, id, template.map(|template| *template));
                Vec::new()
            }
            Seen::Spelling { spelling, canonical } => {
                self.outreach.spelling(spelling, canonical);
                Vec::new()
            }
            Seen::Tenant { .. }
            | Seen::Deployment { .. }
            | Seen::Guest(_)
            | Seen::SessionGone(_)
            | Seen::GuestGone(_) => Vec::new(),
        }
    }

    /// Whether the configuration knows this agent, and if so, as a supervisor.
    pub fn known(&self, agent: &AgentRef) -> Option<bool> {
        self.known.get(agent).copied()
    }

    /// What a new socket is greeted with.
    pub fn hello(&self, agent: &AgentRef) -> Hello {
        let view = self.agents.get(agent);
        Hello {
            presence: view.map_or(Presence::Offline, |view| view.presence),
            secondary: view.and_then(|view| view.secondary.clone()),
            routing_status: view.map_or(RoutingStatus::OffQueue, |view| view.routing_status),
            work: self.work_of(agent),
        }
    }

    /// The agent's open work.
    pub fn work_of(&self, agent: &AgentRef) -> Vec<WorkView> {
        let from = (agent.clone(), ConversationId::from_u128(0));
        let own = self.by_agent.range(from..).take_while(|(owner, _)| owner == agent);
        own.filter_map(|(_, conversation)| self.work.get(&(agent.tenant.clone(), *conversation))).cloned().collect()
    }

    /// All open work of a tenant; for supervisors.
    pub fn work_of_all(&self, tenant: &TenantId) -> Vec<WorkView> {
        let from = (tenant.clone(), ConversationId::from_u128(0));
        self.work.range(from..).take_while(|((of, _), _)| of == tenant).map(|(_, view)| view.clone()).collect()
    }

    /// A queue of the asker's tenant.
    pub fn queue_of(&self, tenant: &TenantId, queue: &QueueId) -> Option<&QueueView> {
        self.queues.get(&(tenant.clone(), queue.clone()))
    }

    /// The work item and the latest messages, if the asker may see them: the agent who has it, and
    /// supervisors.
    pub fn conversation_of(&self, who: &Who, id: ConversationId) -> Option<(Option<&WorkView>, Option<&Talk>)> {
        let key = (who.agent.tenant.clone(), id);
        let work = self.work.get(&key);
        let own = work.and_then(|work| work.agent_id.as_ref()) == Some(&who.agent.agent);
        (own || who.supervisor).then(|| (work, self.talks.get(&key)))
    }

    fn known_agent(&mut self, agent: AgentRef, supervisor: Option<bool>) -> Vec<Effect> {
        match supervisor {
            Some(supervisor) => self.known.insert(agent, supervisor),
            None => self.known.remove(&agent),
        };
        Vec::new()
    }

    fn agent(&mut self, tenant: TenantId, view: AgentView) -> Vec<Effect> {
        let agent = AgentRef { tenant, agent: view.agent_id.clone() };
        let state = |view: &AgentView| (view.presence, view.secondary.clone(), view.routing_status);
        let before = self.agents.insert(agent.clone(), view.clone());
        if before.as_ref().map(state) == Some(state(&view)) {
            return Vec::new();
        }
        let (presence, secondary, routing_status) = state(&view);
        vec![Effect::Tell { to: agent, news: News::Presence { presence, secondary, routing_status } }]
    }

    fn agent_gone(&mut self, agent: &AgentRef) -> Vec<Effect> {
        self.agents.remove(agent);
        Vec::new()
    }

    fn queue(&mut self, tenant: TenantId, view: QueueView) -> Vec<Effect> {
        self.queues.insert((tenant, view.queue_id.clone()), view);
        Vec::new()
    }

    fn queue_gone(&mut self, tenant: TenantId, queue: QueueId) -> Vec<Effect> {
        self.queues.remove(&(tenant, queue));
        Vec::new()
    }

    /// A view older than what `connected` has told already is passed over: topics do not wait for
    /// each other, and epochs only rise.
    fn work(&mut self, tenant: TenantId, view: WorkView) -> Vec<Effect> {
        let key = (tenant.clone(), view.conversation_id);
        let before = self.work.get(&key).cloned();
        if before.as_ref().is_some_and(|before| before.owner_epoch > view.owner_epoch || *before == view) {
            return Vec::new();
        }
        self.keep_work(key, view.clone());
        let of = |agent: &AgentId| AgentRef { tenant: tenant.clone(), agent: agent.clone() };
        let mut effects = Vec::new();
        let former = before.as_ref().and_then(|before| before.agent_id.as_ref());
        if let Some(former) = former.filter(|former| Some(*former) != view.agent_id.as_ref()) {
            effects.push(Effect::Tell { to: of(former), news: News::WorkGone(view.conversation_id) });
        }
        if let Some(agent) = &view.agent_id {
            let news = if is_new_offer(before.as_ref(), &view) { News::Offer } else { News::Work };
            effects.push(Effect::Tell { to: of(agent), news: news(Box::new(self.named(&tenant, &view))) });
        }
        effects
    }

    fn work_gone(&mut self, tenant: TenantId, conversation: ConversationId) -> Vec<Effect> {
        let key = (tenant.clone(), conversation);
        let Some(view) = self.work.remove(&key) else { return Vec::new() };
        let Some(agent) = view.agent_id else { return Vec::new() };
        let agent = AgentRef { tenant, agent };
        self.by_agent.remove(&(agent.clone(), conversation));
        vec![Effect::Tell { to: agent, news: News::WorkGone(conversation) }]
    }

    fn routing_event(&mut self, event: &RoutingEvent) -> Vec<Effect> {
        self.foresee(event);
        self.settlements.routed(event)
    }

    /// What the next view will show is known from here on, so that what an agent asks right after
    /// an answer is judged by the state that the answer told.
    fn foresee(&mut self, event: &RoutingEvent) {
        let (Some(conversation), Some(agent)) = (event.conversation_id, &event.agent_id) else { return };
        let key = (event.tenant.clone(), conversation);
        let Some(mut view) = self.work.get(&key).cloned() else { return };
        if let RoutingEventKind::Connected(connected) = &event.kind
            && view.owner_epoch < connected.owner_epoch
        {
            view.agent_id = Some(agent.clone());
            view.owner_epoch = connected.owner_epoch;
            view.part_id = event.part_id;
            view.state = WorkState::Interacting;
            self.keep_work(key, view);
        } else if let RoutingEventKind::WrapUpStarted(started) = &event.kind
            && view.part_id == event.part_id
        {
            view.state = WorkState::WrapUp;
            view.deadline_at = started.deadline_at;
            self.keep_work(key, view);
        }
    }

    fn keep_work(&mut self, key: (TenantId, ConversationId), view: WorkView) {
        let index = |view: &WorkView| {
            let agent = view.agent_id.clone()?;
            Some((AgentRef { tenant: key.0.clone(), agent }, key.1))
        };
        if let Some(gone) = self.work.get(&key).and_then(index) {
            self.by_agent.remove(&gone);
        }
        self.by_agent.extend(index(&view));
        self.work.insert(key, view);
    }

    /// The view with the customer's name, if routing did not know it.
    fn named(&self, tenant: &TenantId, view: &WorkView) -> WorkView {
        let talk = self.talks.get(&(tenant.clone(), view.conversation_id));
        let name = || talk.and_then(|talk| talk.view.as_ref()).and_then(|view| view.customer.display_name.clone());
        WorkView { customer_name: view.customer_name.clone().or_else(name), ..view.clone() }
    }

    fn conversation(&mut self, view: ConversationView) -> Vec<Effect> {
        let key = (view.tenant.clone(), view.conversation_id);
        self.by_customer.insert(view.customer_key, key.clone());
        let talk = self.talks.entry(key).or_default();
        talk.customer = view.customer_key;
        talk.view = Some(view);
        Vec::new()
    }

    fn conversation_gone(&mut self, customer: CustomerKey) -> Vec<Effect> {
        if let Some(key) = self.by_customer.get(&customer).cloned() {
            if let Some(talk) = self.talks.get_mut(&key) {
                talk.view = None;
            }
            self.remember_ended(key);
        }
        Vec::new()
    }

    /// Conversations without a live stint stay until newer ones push them out.
    fn remember_ended(&mut self, key: (TenantId, ConversationId)) {
        self.ended.push_back(key);
        while self.ended.len() > self.limits.ended_max {
            let Some(oldest) = self.ended.pop_front() else { return };
            let live = self.talks.get(&oldest).is_some_and(|talk| talk.view.is_some());
            if live || self.work.contains_key(&oldest) || self.ended.contains(&oldest) {
                continue;
            }
            let customer = self.talks.remove(&oldest).map(|talk| talk.customer);
            if let Some(customer) = customer.filter(|customer| self.by_customer.get(customer) == Some(&oldest)) {
                self.by_customer.remove(&customer);
            }
        }
    }

    /// Nobody waits for this command any more.
    pub fn forget(&mut self, command: CommandId) {
        self.settlements.forget(command);
    }
}

/// An alert that this agent has not been shown yet.
fn is_new_offer(before: Option<&WorkView>, view: &WorkView) -> bool {
    let alert = |view: &WorkView| (view.state, view.agent_id.clone(), view.deadline_at);
    view.state == WorkState::Alerting && before.map(alert) != Some(alert(view))
}

#[cfg(test)]
mod tests;
