//! Where one event about one customer is worked on: the state, the context, and what was said so
//! far. Everything said gets its id from the cause and its place.

use super::effect::{Effect, Ignored, OtherName};
use super::event::{Context, Setting, SettingKey};
use super::state::{Name, Phase, Stint, Thread, Threads};
use schemas::ids::{AgentId, CommandId, ConversationId, EventId, QueueId, StintId};
use schemas::records::{ConversationEvent, ConversationEventKind, OwnerKind, RoutingCommand, RoutingCommandKind};
use stream::Timestamp;

/// One event at work.
pub(crate) struct Desk<'a> {
    pub(crate) state: &'a mut Threads,
    pub(crate) context: Context,
    pub(crate) now: Timestamp,
    pub(crate) effects: Vec<Effect>,
    /// The customer's thread as this event has left it; read once and written once.
    thread: Option<Thread>,
    /// Whether it is to be written.
    changed: bool,
    /// The cause as text: every id made here begins with it.
    cause: String,
    /// A conversation's number and id: made once, used by everything that is said.
    conversation: Option<(u32, ConversationId)>,
}

/// Who held a stint when something was said in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeldBy {
    pub(crate) queue_id: Option<QueueId>,
    pub(crate) agent_id: Option<AgentId>,
    pub(crate) part_id: Option<schemas::ids::PartId>,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(state: &'a mut Threads, context: Context, now: Timestamp) -> Self {
        let cause = context.cause.to_string();
        let thread = state.customers.get(&context.customer_key).copied();
        Self { state, context, now, effects: Vec::new(), thread, changed: false, cause, conversation: None }
    }

    /// Writes what has become of the thread.
    pub(crate) fn settle(&mut self) {
        if let Some(thread) = self.thread.filter(|_| std::mem::take(&mut self.changed)) {
            self.state.put_thread(self.context.customer_key, thread);
        }
    }

    /// Everything said; the desk is left in order.
    pub(crate) fn leave(mut self) -> Vec<Effect> {
        self.settle();
        self.effects
    }

    /// The customer's thread, if they were ever heard of.
    pub(crate) fn thread(&self) -> Option<Thread> {
        self.thread
    }

    /// The customer's thread, a new one if they were never heard of.
    pub(crate) fn thread_or_new(&mut self) -> Thread {
        self.thread().unwrap_or_else(|| {
            let at = &self.context;
            let account = Name::Account(at.tenant.clone(), at.channel, at.account_id.clone());
            Thread::new(self.state.number(account))
        })
    }

    pub(crate) fn put_thread(&mut self, thread: Thread) {
        self.thread = Some(thread);
        self.changed = true;
    }

    /// The id of the conversation that counts, if the customer was ever heard of.
    pub(crate) fn conversation_id(&mut self) -> Option<ConversationId> {
        let thread = self.thread()?;
        let known = self.conversation.filter(|(number, _)| *number == thread.conversations);
        let known = known.unwrap_or_else(|| (thread.conversations, thread.conversation_id(self.context.customer_key)));
        self.conversation = Some(known);
        Some(known.1)
    }

    /// The stint that routing has to do with, live or in after-call work.
    pub(crate) fn stint(&self) -> Option<&Stint> {
        self.state.stints.get(&self.context.customer_key)
    }

    pub(crate) fn live_stint(&self) -> Option<&Stint> {
        self.stint().filter(|stint| stint.phase == Phase::Live)
    }

    pub(crate) fn stint_mut(&mut self) -> Option<&mut Stint> {
        self.state.stints.get_mut(&self.context.customer_key)
    }

    pub(crate) fn put_stint(&mut self, stint: Stint) {
        self.state.put_stint(self.context.customer_key, stint);
    }

    pub(crate) fn take_stint(&mut self) -> Option<Stint> {
        self.state.take_stint(self.context.customer_key)
    }

    /// What configuration says about the customer's last queue.
    pub(crate) fn queue_setting(&self, thread: &Thread) -> Option<&Setting> {
        let queue = self.state.id_of(thread.last_queue)?;
        self.state.settings.get(&SettingKey::Queue(self.context.tenant.clone(), QueueId::new(queue)))
    }

    pub(crate) fn held_by(&self) -> HeldBy {
        self.live_stint().map(HeldBy::of).unwrap_or_default()
    }

    /// Says on `conversation.events` what became of the conversation that counts.
    pub(crate) fn say(&mut self, stint_id: Option<StintId>, kind: ConversationEventKind) {
        let thread = self.thread();
        let conversation_id = self.conversation_id();
        let event = ConversationEvent {
            event_id: self.event_id("conversation.events"),
            tenant: self.context.tenant.clone(),
            occurred_at: self.context.occurred_at,
            recorded_at: self.now.as_ms(),
            conversation_id: conversation_id.unwrap_or_default(),
            stint_id,
            seq: thread.map_or(0, |thread| i64::from(thread.seq)),
            channel: self.context.channel,
            account_id: self.context.account_id.clone(),
            customer_key: self.context.customer_key,
            kind,
        };
        self.effects.push(Effect::Said(Box::new(event)));
    }

    /// Tells routing.
    pub(crate) fn tell(&mut self, stint_id: StintId, kind: RoutingCommandKind) {
        let conversation_id = self.conversation_id();
        let command = RoutingCommand {
            event_id: self.event_id("routing.commands"),
            tenant: self.context.tenant.clone(),
            occurred_at: self.context.occurred_at,
            recorded_at: self.now.as_ms(),
            command_id: CommandId::derive(&[&self.cause, kind.name()]),
            conversation_id,
            stint_id: Some(stint_id),
            customer_key: Some(self.context.customer_key),
            kind,
        };
        self.effects.push(Effect::Told(Box::new(command)));
    }

    pub(crate) fn name_alias(&mut self, canonical_id: &str, alias: &str) {
        self.effects.push(Effect::Named(Box::new(OtherName {
            context: self.context.clone(),
            recorded_at: self.now.as_ms(),
            canonical_id: canonical_id.to_owned(),
            alias: alias.to_owned(),
        })));
    }

    pub(crate) fn ignore(&mut self, why: Ignored) {
        self.effects.push(Effect::Ignored(why));
    }

    /// The id of the view that this cause leads to: the last one counts.
    pub(crate) fn view_id(&self) -> EventId {
        EventId::derive(&[&self.cause, "conversation.views"])
    }

    /// The id of the next record of this cause on a topic.
    pub(crate) fn event_id(&self, topic: &str) -> EventId {
        EventId::derive(&[&self.cause, topic, &self.effects.len().to_string()])
    }
}

impl HeldBy {
    pub(crate) fn of(stint: &Stint) -> Self {
        let owner = &stint.owner;
        Self {
            queue_id: owner.queue_id.clone(),
            agent_id: (owner.kind == OwnerKind::Agent).then(|| AgentId::new(&owner.id)),
            part_id: owner.part_id,
        }
    }
}
