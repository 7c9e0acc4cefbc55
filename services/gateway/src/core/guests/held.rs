//! C7: what consent decides about is shown to a guest once delivery has said that it is sent, and what
//! stands behind it waits, so that the order stays. Everything else is shown as it is said.
//!
//! A STOP from before this process began is not known here: until the guest writes, delivery is asked about all.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use schemas::ids::MessageId;
use schemas::records::{DeliveryEvent, DeliveryEventKind, Direction, Initiator, MessageAdded, SenderKind, SetConsent};

use super::shown::Shown;

/// The purpose that means each of them.
const ALL: &str = "all";
/// Verdicts about messages not seen yet; the events of two topics come in no common order.
const EARLY_MAX: usize = 16;
/// Messages behind one without a verdict; with more it is given up, and lies in the history alone.
const WAITING_MAX: usize = 100;

/// What of one guest waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    waiting: VecDeque<(Arc<Shown>, bool)>,
    early: BTreeMap<MessageId, bool>,
    /// They wrote, and did not say STOP since, as far as was seen.
    may_be_answered: bool,
}

impl Held {
    /// A message; it waits if consent decides about it.
    pub(super) fn take(&mut self, shown: Arc<Shown>, added: &MessageAdded) {
        if added.direction == Direction::Inbound {
            self.may_be_answered = true;
        }
        let is_of_our_own =
            added.sender.kind == SenderKind::Api || matches!(added.initiator, Some(Initiator::Agent | Initiator::Api));
        let is_asked = added.direction == Direction::Outbound && (!self.may_be_answered || is_of_our_own);
        self.waiting.push_back((shown, is_asked));
        if let Some(is_sent) = self.early.remove(&added.message_id) {
            self.decide(added.message_id, is_sent);
        }
        if self.waiting.len() > WAITING_MAX
            && let Some((first, is_asked)) = self.waiting.front_mut()
        {
            (*first, *is_asked) = (withheld(first), false);
        }
    }

    /// Their own word, or the platform's.
    pub(super) fn consent_changed(&mut self, consent: &SetConsent) {
        if consent.granted || consent.purpose == ALL {
            self.may_be_answered = consent.granted;
        }
    }

    /// What delivery says of a message.
    pub(super) fn delivered(&mut self, event: &DeliveryEvent) {
        let is_sent = match event.kind {
            DeliveryEventKind::Sent(_) => true,
            DeliveryEventKind::Refused(_) | DeliveryEventKind::Failed(_) => false,
            DeliveryEventKind::Claimed(_)
            | DeliveryEventKind::PartSent(_)
            | DeliveryEventKind::Ambiguous(_)
            | DeliveryEventKind::Retrying(_)
            | DeliveryEventKind::Delivered(_)
            | DeliveryEventKind::Read(_)
            | DeliveryEventKind::Exhausted(_)
            | DeliveryEventKind::BotTurnFinished(_)
            | DeliveryEventKind::DataActionFinished(_)
            | DeliveryEventKind::MediaStored(_)
            | DeliveryEventKind::MediaFailed(_)
            | DeliveryEventKind::Unknown(_) => return,
        };
        if !self.decide(event.message_id, is_sent) && self.early.len() < EARLY_MAX {
            self.early.insert(event.message_id, is_sent);
        }
    }

    /// What waits for nothing any more, in order.
    pub(super) fn let_go(&mut self) -> Vec<Arc<Shown>> {
        let mut gone = Vec::new();
        while self.waiting.front().is_some_and(|(_, is_asked)| !is_asked) {
            gone.extend(self.waiting.pop_front().map(|(shown, _)| shown));
        }
        if !gone.is_empty() && self.waiting.is_empty() {
            self.early.clear();
        }
        gone
    }

    fn decide(&mut self, message: MessageId, is_sent: bool) -> bool {
        let Some((shown, is_asked)) = self.waiting.iter_mut().find(|(shown, _)| shown.message_id == Some(message))
        else {
            return false;
        };
        *is_asked = false;
        if !is_sent {
            *shown = withheld(shown);
        }
        true
    }
}

fn withheld(shown: &Shown) -> Arc<Shown> {
    Arc::new(Shown { is_withheld: true, ..shown.clone() })
}
