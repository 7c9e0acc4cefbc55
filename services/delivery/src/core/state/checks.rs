//! What must hold of the rows and their indexes.

use std::collections::BTreeSet;

use schemas::ids::{CustomerKey, MessageId};

use super::{Deliveries, is_unread};
use crate::core::event::AccountKey;
use crate::core::rows::{Health, Lane, Message, Phase, ProviderKey, provider_keys};

impl Deliveries {
    pub(super) fn check_message(&self, id: MessageId, message: &Message) -> Result<(), String> {
        let customer = message.asked.customer_key;
        let Some(lane) = self.customers.get(&customer) else {
            return Err(format!("message {id} is in no lane"));
        };
        if message.part_no() > message.parts {
            return Err(format!("message {id} has no part {} of {}", message.part_no(), message.parts));
        }
        if self.sent.contains(&id) {
            return Err(format!("message {id} is open and settled"));
        }
        match message.phase {
            Phase::Waiting(_) => Ok(()),
            Phase::Claimed if message.tries < 1 => Err(format!("message {id} is claimed without an attempt")),
            Phase::Claimed | Phase::Held(_) if lane.head != Some(id) => {
                Err(format!("message {id} is claimed or held out of its turn"))
            }
            Phase::Claimed => Ok(()),
            Phase::Held(_) if lane.wake_at.is_none() => Err(format!("message {id} is held for ever")),
            Phase::Held(_) => Ok(()),
        }
    }

    pub(super) fn check_lane(&self, customer: CustomerKey, lane: &Lane) -> Result<(), String> {
        let head = self.lane_messages(customer).next();
        let waits = lane.wake_at.is_some() || lane.ready_since.is_some();
        let Some(id) = head else {
            let settles = lane.settling.is_some() && lane.wake_at.is_some();
            return if settles { Ok(()) } else { Err(format!("lane {customer} is empty and stays")) };
        };
        if lane.head != head {
            return Err(format!("lane {customer} has head {:?} and serves {:?}", head, lane.head));
        }
        let phase = self.messages.get(&id).map(|message| message.phase);
        match phase {
            Some(Phase::Claimed) if lane.ready_since.is_some() => Err(format!("lane {customer} is claimed and ready")),
            Some(Phase::Claimed) => Ok(()),
            Some(Phase::Waiting(_) | Phase::Held(_)) if waits => Ok(()),
            Some(Phase::Waiting(_) | Phase::Held(_)) => Err(format!("nothing will wake lane {customer}")),
            None => Err(format!("lane {customer} serves message {id}, which is not there")),
        }
    }

    pub(super) fn check_health(&self, key: &AccountKey, health: &Health) -> Result<(), String> {
        let Some(id) = health.probe else { return Ok(()) };
        let is_out = self.messages.get(&id).is_some_and(|message| message.phase == Phase::Claimed);
        if is_out { Ok(()) } else { Err(format!("account {} waits for message {id}, which is not out", key.account)) }
    }

    pub(super) fn check_indexes(&self) -> Result<(), String> {
        let count = |n: usize, of: usize, what: &str| {
            if n == of { Ok(()) } else { Err(format!("index {what} has {n} entries for {of} rows")) }
        };
        let claimed = self.messages.iter().filter(|(_, m)| m.phase == Phase::Claimed).count();
        let waking = self.customers.iter().filter(|(_, lane)| lane.wake_at.is_some()).count();
        let ready = self.customers.iter().filter(|(_, lane)| lane.ready_since.is_some()).count();
        let pausing = self.accounts.iter().filter(|(_, health)| health.until.is_some()).count();
        let settled = self.sent.iter().map(|(id, sent)| (*id, &sent.account, &sent.past.parts));
        let settled = settled.flat_map(|(id, account, parts)| provider_keys(account, parts).map(move |key| (key, id)));
        let open = self.messages.iter().map(|(id, message)| (*id, message.asked.account(), &message.sent));
        let open = open
            .flat_map(|(id, account, parts)| provider_keys(&account, parts).map(|key| (key, id)).collect::<Vec<_>>());
        // A platform may tell of two parts under one id.
        let named: BTreeSet<(ProviderKey, MessageId)> = settled.chain(open).collect();
        let unread = self.sent.iter().filter(|(_, sent)| is_unread(sent)).count();
        count(self.queue.len(), self.messages.len(), "queue")?;
        count(self.claims.len(), claimed, "claims")?;
        count(self.wakes.len(), waking, "wakes")?;
        count(self.ready.len(), ready, "ready")?;
        count(self.resumes.len(), pausing, "resumes")?;
        count(self.by_provider.len(), named.len(), "by_provider")?;
        count(self.unread.len(), unread, "unread")?;
        count(self.forget_replies.len(), self.replies.len(), "forget_replies")?;
        count(self.forget_sent.len(), self.sent.len(), "forget_sent")?;
        count(self.forget_early.len(), self.receipts.len(), "forget_early")
    }
}
