//! From what an agent asks to the command that is published.

use schemas::ids::{CommandId, ConversationId, EventId, MessageId, WrapUpCodeId};
use schemas::records::{
    AgentAsk, Content, ConversationCommand, ConversationCommandKind, OwnerKind, Presence, RoutingCommand,
    RoutingCommandKind, RoutingStatus, SendMessage, Sender, SenderKind, SetPresence, Signal, Target, WorkState,
    WorkView, WrapUpAsk,
};
use stream::Timestamp;

use super::outreach::{Resolved, Start};
use super::settle::Awaits;
use super::{AgentRef, Desk, Outcome};

/// What an agent can ask for.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// To be seen as this.
    Presence {
        /// What they say.
        presence: Presence,
        /// Their own word for it.
        secondary: Option<String>,
    },
    /// To take the offered work.
    Accept(ConversationId),
    /// Not to take it.
    Decline(ConversationId),
    /// To end the talk.
    Disconnect(ConversationId),
    /// To say something.
    Message {
        /// Where.
        conversation: ConversationId,
        /// What.
        content: Box<Content>,
    },
    /// To write to somebody first.
    Start(Box<Start>),
    /// To finish after-call work.
    WrapUp {
        /// Of which conversation.
        conversation: ConversationId,
        /// The code.
        code: Option<WrapUpCodeId>,
        /// Free text.
        notes: Option<String>,
        /// Free labels.
        tags: Vec<String>,
    },
    /// To show that they are writing.
    Typing(ConversationId),
    /// To show that they have read what the customer wrote.
    Read(ConversationId),
    /// To react to a message of the customer's, or to take that back.
    React {
        /// Where.
        conversation: ConversationId,
        /// To which message.
        message: MessageId,
        /// With what; none: no longer.
        emoji: Option<String>,
    },
}

impl Ask {
    /// Its name, for metrics and ids.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Presence { .. } => "presence",
            Self::Accept(_) => "accept",
            Self::Decline(_) => "decline",
            Self::Disconnect(_) => "disconnect",
            Self::Message { .. } => "message",
            Self::Start(_) => "start",
            Self::WrapUp { .. } => "wrap_up",
            Self::Typing(_) => "typing",
            Self::Read(_) => "read",
            Self::React { .. } => "react",
        }
    }
}

/// What the shell does about it.
#[derive(Debug)]
pub enum Asked {
    /// Nothing: it is decided already.
    Decided(Outcome),
    /// Publishes it and waits for the event that decides.
    Publish(Box<Command>),
    /// Publishes it; that is all: routing says nothing of a presence that is so already, or of a
    /// code given before after-call work.
    PublishOnly(Box<Command>),
}

/// A command for one of the topics.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// About ownership.
    Routing(RoutingCommand),
    /// About content.
    Conversation(ConversationCommand),
}

impl Desk {
    /// Decides what becomes of an ask. The same command asked twice gets the first one's outcome.
    pub fn ask(&mut self, agent: &AgentRef, command_id: CommandId, ask: Ask, now: Timestamp) -> Asked {
        if let Some(outcome) = self.settlements.outcome(command_id) {
            return Asked::Decided(outcome.clone());
        }
        let about = About { agent, command_id, now };
        let (awaits, command) = match ask {
            Ask::Presence { presence, secondary } => {
                let is_so = self.is_so(agent, presence, secondary.as_deref());
                let kind = SetPresence { agent_id: agent.agent.clone(), presence, secondary };
                let command = about.routing(None, RoutingCommandKind::SetPresence(kind));
                if is_so {
                    return Asked::PublishOnly(Box::new(command));
                }
                (Awaits::Presence(presence), command)
            }
            Ask::Accept(id) => (Awaits::Connected(id), self.about_work(&about, id, RoutingCommandKind::Accept)),
            Ask::Decline(id) => (Awaits::Declined(id), self.about_work(&about, id, RoutingCommandKind::Decline)),
            Ask::Disconnect(id) => {
                (Awaits::Disconnected(id), self.about_work(&about, id, RoutingCommandKind::Disconnect))
            }
            Ask::WrapUp { conversation, code, notes, tags } => {
                let work = self.work_item(agent, conversation);
                let kind = WrapUpAsk { agent_id: agent.agent.clone(), part_id: None, code, notes, tags };
                let command = about.routing(Some((conversation, work)), RoutingCommandKind::WrapUp(kind));
                if self.owned(agent, conversation).is_ok() {
                    return Asked::PublishOnly(Box::new(command));
                }
                (Awaits::WrappedUp(conversation), command)
            }
            Ask::Message { conversation, content } => match self.owned(agent, conversation) {
                Ok(work) => (Awaits::Named, about.send(work, *content)),
                Err(reason) => return Asked::Decided(Outcome::Refused(reason.to_owned())),
            },
            Ask::Start(start) => match self.outreach.resolve(&agent.tenant, *start) {
                Ok(resolved) => (Awaits::Named, about.start(resolved)),
                Err(reason) => return Asked::Decided(Outcome::Refused(reason.to_owned())),
            },
            Ask::Typing(conversation) => return self.signal(&about, conversation, (None, "typing", None)),
            Ask::Read(conversation) => return self.signal(&about, conversation, (None, "read", None)),
            Ask::React { conversation, message, emoji } => {
                return self.signal(&about, conversation, (Some(message), "reaction", emoji));
            }
        };
        self.settlements.awaits(command_id, agent.clone(), awaits);
        Asked::Publish(Box::new(command))
    }

    /// Whether routing has nothing to decide: it may then say nothing.
    fn is_so(&self, agent: &AgentRef, presence: Presence, secondary: Option<&str>) -> bool {
        match self.agents.get(agent) {
            Some(view) => {
                view.presence == presence
                    && view.secondary.as_deref() == secondary
                    && view.routing_status != RoutingStatus::NotResponding
            }
            None => presence == Presence::Offline && secondary.is_none(),
        }
    }

    fn work_item(&self, agent: &AgentRef, id: ConversationId) -> Option<&WorkView> {
        self.work.get(&(agent.tenant.clone(), id))
    }

    /// The conversation's work item if this agent may speak in it. Threading decides by the epoch
    /// alone, so nobody else's may be used.
    fn owned(&self, agent: &AgentRef, id: ConversationId) -> Result<&WorkView, &'static str> {
        let work = self.work_item(agent, id).ok_or("unknown_conversation")?;
        if work.agent_id.as_ref() != Some(&agent.agent) {
            return Err("not_owner");
        }
        match work.state {
            WorkState::Interacting | WorkState::Held | WorkState::Parked => Ok(work),
            WorkState::Waiting | WorkState::Alerting | WorkState::WrapUp | WorkState::Unknown => Err("not_owner"),
        }
    }

    /// Typing, reading, reacting: about the customer's last message if none is named.
    fn signal(&self, about: &About<'_>, id: ConversationId, told: (Option<MessageId>, &str, Option<String>)) -> Asked {
        let (message, signal, emoji) = told;
        let talk = self.talks.get(&(about.agent.tenant.clone(), id));
        let provider_message_id = talk.and_then(|talk| talk.heard(message));
        if message.is_some() && provider_message_id.is_none() {
            return Asked::Decided(Outcome::Refused("unknown_message".to_owned()));
        }
        let sender = about.sender();
        let signal = Signal { signal: signal.to_owned(), sender, provider_message_id, emoji, customer: None };
        match self.owned(about.agent, id) {
            Ok(work) => Asked::PublishOnly(Box::new(
                about.conversation(work, ConversationCommandKind::Signal(Box::new(signal))),
            )),
            Err(reason) => Asked::Decided(Outcome::Refused(reason.to_owned())),
        }
    }

    fn about_work(&self, about: &About<'_>, id: ConversationId, kind: fn(AgentAsk) -> RoutingCommandKind) -> Command {
        let work = self.work_item(about.agent, id);
        let ask = AgentAsk { agent_id: about.agent.agent.clone(), owner_epoch: work.map(|work| work.owner_epoch) };
        about.routing(Some((id, work)), kind(ask))
    }
}

struct About<'a> {
    agent: &'a AgentRef,
    command_id: CommandId,
    now: Timestamp,
}

impl About<'_> {
    fn event_id(&self) -> EventId {
        EventId::derive(&[&self.command_id.to_string(), "command"])
    }

    fn sender(&self) -> Sender {
        Sender { kind: SenderKind::Agent, id: Some(self.agent.agent.to_string()) }
    }

    fn routing(&self, about: Option<(ConversationId, Option<&WorkView>)>, kind: RoutingCommandKind) -> Command {
        let work = about.and_then(|(_, work)| work);
        Command::Routing(RoutingCommand {
            event_id: self.event_id(),
            tenant: self.agent.tenant.clone(),
            occurred_at: self.now.as_ms(),
            recorded_at: self.now.as_ms(),
            command_id: self.command_id,
            conversation_id: about.map(|(id, _)| id),
            stint_id: work.map(|work| work.stint_id),
            customer_key: work.map(|work| work.customer_key),
            kind,
        })
    }

    fn send(&self, work: &WorkView, content: Content) -> Command {
        let send = SendMessage {
            sender: self.sender(),
            owner_epoch: Some(work.owner_epoch),
            content,
            ..SendMessage::default()
        };
        self.conversation(work, ConversationCommandKind::Send(Box::new(send)))
    }

    /// By their own name, for an answer to themselves; threading begins the stint, routing gives it to them.
    fn start(&self, resolved: Resolved) -> Command {
        let agent = self.agent.agent.to_string();
        let send = SendMessage {
            sender: self.sender(),
            content: resolved.content,
            purpose: resolved.purpose,
            target: Some(Target { kind: OwnerKind::Agent, id: agent, queue_id: Some(resolved.queue) }),
            ..SendMessage::default()
        };
        Command::Conversation(ConversationCommand {
            event_id: self.event_id(),
            tenant: self.agent.tenant.clone(),
            occurred_at: self.now.as_ms(),
            recorded_at: self.now.as_ms(),
            command_id: self.command_id,
            channel: resolved.channel,
            account_id: resolved.account,
            customer_key: resolved.customer_key,
            customer: Some(resolved.customer),
            conversation_id: None,
            kind: ConversationCommandKind::Send(Box::new(send)),
        })
    }

    fn conversation(&self, work: &WorkView, kind: ConversationCommandKind) -> Command {
        Command::Conversation(ConversationCommand {
            event_id: self.event_id(),
            tenant: self.agent.tenant.clone(),
            occurred_at: self.now.as_ms(),
            recorded_at: self.now.as_ms(),
            command_id: self.command_id,
            channel: work.channel,
            account_id: work.account_id.clone(),
            customer_key: work.customer_key,
            customer: None,
            conversation_id: Some(work.conversation_id),
            kind,
        })
    }
}
