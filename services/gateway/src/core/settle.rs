//! Which event decides which command. Events of refused commands and of messages name the command;
//! the others are known by agent, conversation and what was asked.

use std::collections::{BTreeMap, VecDeque};

use schemas::ids::{CommandId, ConversationId};
use schemas::records::{Presence, RoutingEvent, RoutingEventKind};

use super::{AgentRef, Effect, Outcome};

/// What an undecided command waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The agent's presence is this one.
    Presence(Presence),
    /// The agent has the conversation.
    Connected(ConversationId),
    /// The agent's offer is over.
    Declined(ConversationId),
    /// The agent's talk is over.
    Disconnected(ConversationId),
    /// After-call work is done.
    WrappedUp(ConversationId),
    /// An event that names the command.
    Named,
}

#[derive(Debug)]
pub(super) struct Settlements {
    open: BTreeMap<CommandId, (AgentRef, Awaits)>,
    outcomes: BTreeMap<CommandId, Outcome>,
    order: VecDeque<CommandId>,
    outcomes_max: usize,
}

impl Settlements {
    pub(super) fn new(outcomes_max: usize) -> Self {
        Self { open: BTreeMap::new(), outcomes: BTreeMap::new(), order: VecDeque::new(), outcomes_max }
    }

    pub(super) fn outcome(&self, command: CommandId) -> Option<&Outcome> {
        self.outcomes.get(&command)
    }

    pub(super) fn awaits(&mut self, command: CommandId, agent: AgentRef, awaits: Awaits) {
        self.open.insert(command, (agent, awaits));
    }

    pub(super) fn forget(&mut self, command: CommandId) {
        self.open.remove(&command);
    }

    pub(super) fn settle(&mut self, command: CommandId, outcome: Outcome) -> Vec<Effect> {
        if self.open.remove(&command).is_none() {
            return Vec::new();
        }
        if self.outcomes.insert(command, outcome.clone()).is_none() {
            self.order.push_back(command);
        }
        if self.order.len() > self.outcomes_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.outcomes.remove(&oldest);
        }
        vec![Effect::Settled { command, outcome }]
    }

    pub(super) fn routed(&mut self, event: &RoutingEvent) -> Vec<Effect> {
        if let RoutingEventKind::Refused(refused) = &event.kind {
            return self.settle(refused.command_id, Outcome::Refused(refused.reason.clone()));
        }
        let Some(agent) = &event.agent_id else { return Vec::new() };
        let Some(decided) = decides(event) else { return Vec::new() };
        let settled = self.open.iter().filter(|(_, (asker, awaits))| {
            asker.tenant == event.tenant && asker.agent == *agent && decided.contains(awaits)
        });
        let settled: Vec<CommandId> = settled.map(|(command, _)| *command).collect();
        settled.into_iter().flat_map(|command| self.settle(command, Outcome::Done)).collect()
    }
}

fn decides(event: &RoutingEvent) -> Option<Vec<Awaits>> {
    let conversation = event.conversation_id;
    match &event.kind {
        RoutingEventKind::AgentStateChanged(changed) => Some(vec![Awaits::Presence(changed.presence)]),
        RoutingEventKind::Connected(_) => Some(vec![Awaits::Connected(conversation?)]),
        RoutingEventKind::Declined(_) => Some(vec![Awaits::Declined(conversation?)]),
        RoutingEventKind::WrapUpStarted(_) => Some(vec![Awaits::Disconnected(conversation?)]),
        RoutingEventKind::WrappedUp(_) => Some(vec![Awaits::WrappedUp(conversation?)]),
        // nobody declines an offer of after-call work: the stint is released
        RoutingEventKind::Ended(_) => Some(vec![Awaits::Disconnected(conversation?), Awaits::Declined(conversation?)]),
        RoutingEventKind::PartEnded(_) => {
            Some(vec![Awaits::Disconnected(conversation?), Awaits::WrappedUp(conversation?)])
        }
        RoutingEventKind::FlowStarted(_)
        | RoutingEventKind::FlowStep(_)
        | RoutingEventKind::FlowEnded(_)
        | RoutingEventKind::BotTurn(_)
        | RoutingEventKind::Queued(_)
        | RoutingEventKind::Decision(_)
        | RoutingEventKind::Offered(_)
        | RoutingEventKind::Accepted(_)
        | RoutingEventKind::NotAnswered(_)
        | RoutingEventKind::Withdrawn(_)
        | RoutingEventKind::Focused(_)
        | RoutingEventKind::Unfocused(_)
        | RoutingEventKind::Held(_)
        | RoutingEventKind::Resumed(_)
        | RoutingEventKind::Parked(_)
        | RoutingEventKind::Unparked(_)
        | RoutingEventKind::TransferRequested(_)
        | RoutingEventKind::Transferred(_)
        | RoutingEventKind::Abandoned(_)
        | RoutingEventKind::FlowedOut(_)
        | RoutingEventKind::AgentQueuesChanged(_)
        | RoutingEventKind::Refused(_)
        | RoutingEventKind::SegmentEnded(_)
        | RoutingEventKind::QueueVisitEnded(_)
        | RoutingEventKind::ServiceLevelCounted(_)
        | RoutingEventKind::Unknown(_) => None,
    }
}
