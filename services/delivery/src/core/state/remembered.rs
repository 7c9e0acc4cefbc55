//! What is remembered of the other side: counted replies, consents, parties, receipts that came early.

use schemas::ids::CustomerKey;
use schemas::records::Customer;
use stream::Timestamp;

use super::Deliveries;
use crate::core::rows::{Consent, Early, ProviderKey, Replies};

impl Deliveries {
    /// What was said to a customer since they last wrote.
    pub fn replies(&self, customer: CustomerKey) -> i64 {
        self.replies.get(&customer).map_or(0, |replies| replies.count)
    }

    /// Notes what was said to a customer since they last wrote.
    pub fn set_replies(&mut self, customer: CustomerKey, replies: Option<Replies>) {
        if let Some(old) = self.replies.remove(&customer) {
            self.forget_replies.remove(&(old.forget_at, customer));
        }
        if let Some(replies) = replies {
            self.forget_replies.insert((replies.forget_at, customer));
            self.replies.put(customer, replies);
        }
    }

    /// A count of replies to be forgotten.
    pub fn due_replies(&self, now: Timestamp) -> Option<CustomerKey> {
        self.forget_replies.first().filter(|(at, _)| *at <= now).map(|(_, customer)| *customer)
    }

    /// What a customer wants to hear from us; `None` while nobody has said.
    pub fn consent(&self, customer: CustomerKey) -> Option<&Consent> {
        self.consents.get(&customer)
    }

    /// Notes what a customer wants to hear from us.
    pub fn set_consent(&mut self, customer: CustomerKey, consent: Consent) {
        self.consents.put(customer, consent);
    }

    /// With whom an open conversation on a webhook is.
    pub fn party(&self, customer: CustomerKey) -> Option<&Customer> {
        self.parties.get(&customer)
    }

    /// Notes with whom an open conversation is, or that it is over.
    pub fn set_party(&mut self, customer: CustomerKey, party: Option<Customer>) {
        match party {
            Some(party) => drop(self.parties.put(customer, party)),
            None => drop(self.parties.remove(&customer)),
        }
    }

    /// Receipts kept for a provider's id.
    pub fn early(&self, key: &ProviderKey) -> Option<&Early> {
        self.receipts.get(key)
    }

    /// Keeps receipts for a provider's id.
    pub fn set_early(&mut self, key: ProviderKey, early: Early) {
        self.take_early(&key);
        self.forget_early.insert((early.forget_at, key.clone()));
        self.receipts.put(key, early);
    }

    /// Takes the receipts kept for a provider's id.
    pub fn take_early(&mut self, key: &ProviderKey) -> Option<Early> {
        let early = self.receipts.remove(key)?;
        self.forget_early.remove(&(early.forget_at, key.clone()));
        Some(early)
    }

    /// Early receipts to be given up.
    pub fn due_early(&self, now: Timestamp) -> Option<ProviderKey> {
        self.forget_early.first().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone())
    }
}
