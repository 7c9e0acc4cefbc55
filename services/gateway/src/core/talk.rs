//! The latest messages of a conversation and what became of them.

use std::collections::VecDeque;
use std::sync::Arc;

use schemas::ids::{CustomerKey, MessageId};
use schemas::records::{
    Content, ConversationEvent, ConversationEventKind, ConversationView, DeliveryEvent, DeliveryEventKind, Direction,
    MediaStored, MessageAdded, Millis, Sender, SenderKind,
};

use super::{AgentRef, Desk, Effect, News, Outcome};

/// One message as agents see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The message.
    pub message_id: MessageId,
    /// Its place in the conversation.
    pub seq: i64,
    /// In or out.
    pub direction: Direction,
    /// Who said it.
    pub sender: Sender,
    /// What.
    pub content: Content,
    /// When, by its source.
    pub occurred_at: Millis,
    /// What became of it; outbound only.
    pub delivery: Option<DeliveryState>,
    /// The platform's id of it; inbound only.
    pub provider_message_id: Option<String>,
}

/// How far an outbound message came, in the order in which states follow each other (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named as the kinds of DeliveryEvent")]
pub enum DeliveryState {
    Retrying,
    Ambiguous,
    Failed,
    Refused,
    Exhausted,
    Sent,
    Delivered,
    Read,
}

impl DeliveryState {
    /// As written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retrying => "retrying",
            Self::Ambiguous => "ambiguous",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }
}

/// What is known of a conversation.
#[derive(Debug, Default)]
pub struct Talk {
    /// With whom.
    pub customer: CustomerKey,
    /// Its state while a stint is live.
    pub view: Option<ConversationView>,
    /// The latest messages, oldest first.
    pub messages: VecDeque<Arc<Said>>,
}

impl Talk {
    /// The platform's id of a message of the customer's; of their last one if none is named.
    pub fn heard(&self, message: Option<MessageId>) -> Option<String> {
        let mut heard = self.messages.iter().rev().filter(|said| said.direction == Direction::Inbound);
        heard.find(|said| message.is_none_or(|id| said.message_id == id))?.provider_message_id.clone()
    }

    fn add(&mut self, said: Arc<Said>, messages_max: usize) -> bool {
        if self.messages.iter().any(|known| known.message_id == said.message_id) {
            return false;
        }
        self.messages.push_back(said);
        if self.messages.len() > messages_max {
            self.messages.pop_front();
        }
        true
    }

    /// Moves a message's state; false if that would be backward, except that a failure is news
    /// after `sent`.
    fn delivered(&mut self, message: MessageId, state: DeliveryState) -> bool {
        let Some(said) = self.messages.iter_mut().find(|said| said.message_id == message) else { return true };
        let failure = matches!(state, DeliveryState::Failed | DeliveryState::Exhausted);
        let moves = match said.delivery {
            None => true,
            Some(DeliveryState::Sent) if failure => true,
            Some(before) => before < state,
        };
        if moves {
            Arc::make_mut(said).delivery = Some(state);
        }
        moves
    }
}

impl Desk {
    pub(super) fn conversation_event(&mut self, event: ConversationEvent) -> Vec<Effect> {
        match event.kind {
            ConversationEventKind::MessageAdded(ref added) => self.message_added(&event, added),
            ConversationEventKind::MessageRefused(refused) => {
                self.settlements.settle(refused.command_id, Outcome::Refused(refused.reason))
            }
            ConversationEventKind::Signalled(ref signal)
                if signal.signal == "typing" && signal.sender.kind != SenderKind::Agent =>
            {
                let news = News::Typing { conversation: event.conversation_id, sender: signal.sender.clone() };
                self.tell_owner(&event, news)
            }
            ConversationEventKind::Signalled(_)
            | ConversationEventKind::Opened(_)
            | ConversationEventKind::Reopened(_)
            | ConversationEventKind::OwnerChanged(_)
            | ConversationEventKind::MessageEdited(_)
            | ConversationEventKind::MessageDeleted(_)
            | ConversationEventKind::Reacted(_)
            | ConversationEventKind::TurnEnded(_)
            | ConversationEventKind::StintEnded(_)
            | ConversationEventKind::Closed(_)
            | ConversationEventKind::AttributesChanged(_)
            | ConversationEventKind::NoteAdded(_)
            | ConversationEventKind::Linked(_)
            | ConversationEventKind::ConsentChanged(_)
            | ConversationEventKind::Erased(_)
            | ConversationEventKind::Unknown(_) => Vec::new(),
        }
    }

    fn message_added(&mut self, event: &ConversationEvent, added: &MessageAdded) -> Vec<Effect> {
        let said = Arc::new(Said {
            message_id: added.message_id,
            seq: event.seq,
            direction: added.direction,
            sender: added.sender.clone(),
            content: added.content.clone(),
            occurred_at: event.occurred_at,
            delivery: None,
            provider_message_id: added.provider_event_id.clone(),
        });
        let key = (event.tenant.clone(), event.conversation_id);
        let is_new_talk = !self.talks.contains_key(&key);
        let talk = self.talks.entry(key.clone()).or_default();
        talk.customer = event.customer_key;
        let is_new = talk.add(Arc::clone(&said), self.limits.messages_max);
        if is_new_talk {
            self.by_customer.insert(event.customer_key, key.clone());
            self.remember_ended(key);
        }
        let mut effects = Vec::new();
        if is_new {
            effects = self.tell_owner(event, News::Message(event.conversation_id, said));
        }
        if let Some(command) = added.command_id {
            effects.extend(self.settlements.settle(command, Outcome::Done));
        }
        effects
    }

    pub(super) fn delivery_event(&mut self, event: &DeliveryEvent) -> Vec<Effect> {
        if let DeliveryEventKind::MediaStored(stored) = &event.kind {
            return self.media_stored(event, stored);
        }
        let Some((state, reason)) = delivery_state(&event.kind) else { return Vec::new() };
        let by_customer = || self.by_customer.get(&event.customer_key).map(|(_, conversation)| *conversation);
        let Some(conversation) = event.conversation_id.or_else(by_customer) else { return Vec::new() };
        let key = (event.tenant.clone(), conversation);
        let moves = self.talks.get_mut(&key).is_none_or(|talk| talk.delivered(event.message_id, state));
        let owner = self.work.get(&key).and_then(|work| work.agent_id.clone());
        let Some(agent) = owner.filter(|_| moves) else { return Vec::new() };
        let to = AgentRef { tenant: key.0, agent };
        vec![Effect::Tell { to, news: News::Delivery { message: event.message_id, conversation, state, reason } }]
    }

    /// The message as it is remembered, and whoever has it, learn of the copy.
    fn media_stored(&mut self, event: &DeliveryEvent, stored: &MediaStored) -> Vec<Effect> {
        let Some(conversation) = event.conversation_id else { return Vec::new() };
        let key = (event.tenant.clone(), conversation);
        let messages = self.talks.get_mut(&key).map(|talk| &mut talk.messages);
        let said = messages.and_then(|all| all.iter_mut().find(|said| said.message_id == event.message_id));
        let place = usize::try_from(stored.attachment_no).ok();
        let Some((said, place)) = said.zip(place) else { return Vec::new() };
        let Some(attachment) = Arc::make_mut(said).content.attachments.get_mut(place) else { return Vec::new() };
        attachment.stored_ref = Some(stored.stored_ref.clone());
        attachment.size_bytes = Some(stored.size_bytes);
        let news = News::Media {
            conversation,
            message: event.message_id,
            attachment_no: stored.attachment_no,
            stored_ref: stored.stored_ref.clone(),
        };
        let owner = self.work.get(&key).and_then(|work| work.agent_id.clone());
        let to = owner.map(|agent| AgentRef { tenant: key.0, agent });
        to.map(|to| Effect::Tell { to, news }).into_iter().collect()
    }

    fn tell_owner(&self, event: &ConversationEvent, news: News) -> Vec<Effect> {
        let work = self.work.get(&(event.tenant.clone(), event.conversation_id));
        let owner = work.and_then(|work| work.agent_id.clone());
        let to = owner.map(|agent| AgentRef { tenant: event.tenant.clone(), agent });
        to.map(|to| Effect::Tell { to, news }).into_iter().collect()
    }
}

fn delivery_state(kind: &DeliveryEventKind) -> Option<(DeliveryState, Option<String>)> {
    match kind {
        DeliveryEventKind::Sent(_) => Some((DeliveryState::Sent, None)),
        DeliveryEventKind::Delivered(_) => Some((DeliveryState::Delivered, None)),
        DeliveryEventKind::Read(_) => Some((DeliveryState::Read, None)),
        DeliveryEventKind::Ambiguous(ambiguous) => Some((DeliveryState::Ambiguous, Some(ambiguous.reason.clone()))),
        DeliveryEventKind::Retrying(retrying) => Some((DeliveryState::Retrying, Some(retrying.reason.clone()))),
        DeliveryEventKind::Failed(failed) => Some((DeliveryState::Failed, Some(failed.reason.clone()))),
        DeliveryEventKind::Refused(refused) => Some((DeliveryState::Refused, Some(refused.reason.clone()))),
        DeliveryEventKind::Exhausted(exhausted) => Some((DeliveryState::Exhausted, Some(exhausted.reason.clone()))),
        DeliveryEventKind::Claimed(_)
        | DeliveryEventKind::PartSent(_)
        | DeliveryEventKind::BotTurnFinished(_)
        | DeliveryEventKind::DataActionFinished(_)
        | DeliveryEventKind::MediaStored(_)
        | DeliveryEventKind::MediaFailed(_)
        | DeliveryEventKind::Unknown(_) => None,
    }
}
