//! What one partition remembers: its tables, and the indexes that follow from them.

mod bots;
mod checks;
mod media;
mod remembered;

use schemas::ids::{CustomerKey, MessageId};
use schemas::records::Customer;
use stream::{Derived, Index, Scope, State, Stored, Table, Timestamp};

use super::bots::{Bot, BotKey, TurnRow};
use super::event::{Account, AccountKey};
use super::media::{CopyKey, Wanted};
use super::rows::{
    Consent, Early, Health, Lane, Message, Phase, Progress, ProviderKey, Replies, Sent, part_id, provider_keys,
};

/// The partition's memory. Rows change only through its methods, which keep the indexes in step.
#[derive(Debug)]
pub struct Deliveries {
    settings: Table<AccountKey, Account>,
    accounts: Table<AccountKey, Health>,
    messages: Table<MessageId, Message>,
    sent: Table<MessageId, Sent>,
    customers: Table<CustomerKey, Lane>,
    receipts: Table<ProviderKey, Early>,
    replies: Table<CustomerKey, Replies>,
    consents: Table<CustomerKey, Consent>,
    parties: Table<CustomerKey, Customer>,
    media: Table<CopyKey, Wanted>,
    bots: Table<BotKey, Bot>,
    turns: Table<MessageId, TurnRow>,
    /// Open messages in lane order.
    queue: Index<(CustomerKey, u64, MessageId)>,
    /// Committed calls by account.
    claims: Index<(AccountKey, MessageId)>,
    /// Lanes by their next deadline.
    wakes: Index<(Timestamp, CustomerKey)>,
    /// Lanes that wait for their account alone, longest first.
    ready: Index<(AccountKey, Timestamp, CustomerKey)>,
    /// Accounts by the end of their pause.
    resumes: Index<(Timestamp, AccountKey)>,
    /// Messages by the provider's ids of their sent parts.
    by_provider: Index<(ProviderKey, MessageId)>,
    /// Messages by our ids of their parts after the first.
    by_part: Index<(MessageId, MessageId)>,
    /// Settled messages of a customer that are not read yet, by the time they were settled.
    unread: Index<(CustomerKey, Timestamp, MessageId)>,
    /// Counted replies by the time they are forgotten.
    forget_replies: Index<(Timestamp, CustomerKey)>,
    /// Settled messages by the time they are forgotten.
    forget_sent: Index<(Timestamp, MessageId)>,
    /// Early receipts by the time they are forgotten.
    forget_early: Index<(Timestamp, ProviderKey)>,
    /// Copies by the end of their wait, those given up by the time they are forgotten.
    copies_due: Index<(Timestamp, CopyKey)>,
    /// Copies that wait for their turn alone, longest first.
    copies_ready: Index<(Timestamp, CopyKey)>,
    /// Copies being fetched.
    copies_out: Index<CopyKey>,
    /// Bot turns by what is due next.
    turns_due: Index<(Timestamp, MessageId)>,
}

impl Default for Deliveries {
    fn default() -> Self {
        Self {
            settings: Table::new("settings"),
            accounts: Table::new("accounts"),
            messages: Table::new("messages"),
            sent: Table::new("sent"),
            customers: Table::new("customers"),
            receipts: Table::new("receipts"),
            replies: Table::new("replies"),
            consents: Table::new("consents"),
            parties: Table::new("parties"),
            media: Table::new("media"),
            bots: Table::new("bots"),
            turns: Table::new("turns"),
            queue: Index::new(),
            claims: Index::new(),
            wakes: Index::new(),
            ready: Index::new(),
            resumes: Index::new(),
            by_provider: Index::new(),
            by_part: Index::new(),
            unread: Index::new(),
            forget_replies: Index::new(),
            forget_sent: Index::new(),
            forget_early: Index::new(),
            copies_due: Index::new(),
            copies_ready: Index::new(),
            copies_out: Index::new(),
            turns_due: Index::new(),
        }
    }
}

impl Deliveries {
    /// The configuration of an account.
    pub fn account(&self, key: &AccountKey) -> Option<&Account> {
        self.settings.get(key)
    }

    /// Sets or removes the configuration of an account.
    pub fn set_account(&mut self, key: AccountKey, account: Option<Account>) {
        match account {
            Some(account) => drop(self.settings.put(key, account)),
            None => drop(self.settings.remove(&key)),
        }
    }

    /// The configured accounts.
    pub fn configured(&self) -> impl Iterator<Item = (&AccountKey, &Account)> {
        self.settings.iter()
    }

    /// How an account does.
    pub fn health(&self, key: &AccountKey) -> Health {
        self.accounts.get(key).cloned().unwrap_or_default()
    }

    /// Notes how an account does.
    pub fn set_health(&mut self, key: &AccountKey, health: Health) {
        if health == self.health(key) {
            return;
        }
        if let Some(until) = self.accounts.get(key).and_then(|old| old.until) {
            self.resumes.remove(&(until, key.clone()));
        }
        self.resumes.extend_one(health.until.map(|until| (until, key.clone())));
        if health == Health::default() {
            self.accounts.remove(key);
        } else {
            self.accounts.put(key.clone(), health);
        }
    }

    /// An open message.
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.get(&id)
    }

    /// All open messages.
    pub fn messages(&self) -> impl Iterator<Item = (&MessageId, &Message)> {
        self.messages.iter()
    }

    /// Sets or changes an open message.
    pub fn set_message(&mut self, id: MessageId, message: Message) {
        let queued = (message.asked.customer_key, message.no, id);
        let claim = (message.asked.account(), id);
        if message.phase == Phase::Claimed {
            self.claims.insert(claim);
        } else {
            self.claims.remove(&claim);
        }
        self.queue.insert(queued);
        let account = message.asked.account();
        for key in provider_keys(&account, &message.sent) {
            self.by_provider.insert((key, id));
        }
        for no in 2..=message.parts {
            self.by_part.insert((part_id(id, no), id));
        }
        self.messages.put(id, message);
    }

    /// Takes a message out of its lane.
    pub fn remove_message(&mut self, id: MessageId) -> Option<Message> {
        let message = self.messages.remove(&id)?;
        self.queue.remove(&(message.asked.customer_key, message.no, id));
        self.claims.remove(&(message.asked.account(), id));
        for key in provider_keys(&message.asked.account(), &message.sent) {
            self.by_provider.remove(&(key, id));
        }
        for no in 2..=message.parts {
            self.by_part.remove(&(part_id(id, no), id));
        }
        Some(message)
    }

    /// The open messages of a customer, in order.
    pub fn lane_messages(&self, customer: CustomerKey) -> impl Iterator<Item = MessageId> {
        let (first, last) = (MessageId::from_u128(0), MessageId::from_u128(u128::MAX));
        self.queue.range((customer, 0, first)..=(customer, u64::MAX, last)).map(|(_, _, id)| *id)
    }

    /// How many calls of an account are out, counted up to `max`.
    pub fn claims(&self, account: &AccountKey, max: usize) -> usize {
        let (first, last) = (MessageId::from_u128(0), MessageId::from_u128(u128::MAX));
        self.claims.range((account.clone(), first)..=(account.clone(), last)).take(max).count()
    }

    /// A customer's lane.
    pub fn lane(&self, customer: CustomerKey) -> Option<&Lane> {
        self.customers.get(&customer)
    }

    /// Sets a lane, or removes it.
    pub fn set_lane(&mut self, customer: CustomerKey, lane: Option<Lane>) {
        if self.customers.get(&customer) == lane.as_ref() {
            return;
        }
        if let Some(old) = self.customers.get(&customer) {
            if let Some(at) = old.wake_at {
                self.wakes.remove(&(at, customer));
            }
            if let Some(since) = old.ready_since {
                self.ready.remove(&(old.account.clone(), since, customer));
            }
        }
        let Some(lane) = lane else {
            self.customers.remove(&customer);
            return;
        };
        self.wakes.extend_one(lane.wake_at.map(|at| (at, customer)));
        self.ready.extend_one(lane.ready_since.map(|since| (lane.account.clone(), since, customer)));
        self.customers.put(customer, lane);
    }

    /// The lane that waits longest for this account.
    pub fn first_ready(&self, account: &AccountKey) -> Option<CustomerKey> {
        let first = (account.clone(), Timestamp::ZERO, CustomerKey::default());
        let next = self.ready.range(first..).next();
        next.filter(|(key, _, _)| key == account).map(|(_, _, customer)| *customer)
    }

    /// A settled message.
    pub fn sent(&self, id: MessageId) -> Option<&Sent> {
        self.sent.get(&id)
    }

    /// Sets a settled message.
    pub fn set_sent(&mut self, id: MessageId, sent: Sent) {
        self.remove_sent(id);
        self.index_sent(id, &sent);
        self.sent.put(id, sent);
    }

    fn index_sent(&mut self, id: MessageId, sent: &Sent) {
        for key in provider_keys(&sent.account, &sent.past.parts) {
            self.by_provider.insert((key, id));
        }
        for no in 2..=sent.past.of {
            self.by_part.insert((part_id(id, no), id));
        }
        if is_unread(sent) {
            self.unread.insert((sent.customer_key, sent.at, id));
        }
        self.forget_sent.insert((sent.forget_at, id));
    }

    /// Forgets a settled message.
    pub fn remove_sent(&mut self, id: MessageId) {
        if let Some(old) = self.sent.remove(&id) {
            self.forget_sent.remove(&(old.forget_at, id));
            self.unread.remove(&(old.customer_key, old.at, id));
            for key in provider_keys(&old.account, &old.past.parts) {
                self.by_provider.remove(&(key, id));
            }
            for no in 2..=old.past.of {
                self.by_part.remove(&(part_id(id, no), id));
            }
        }
    }

    /// The message and part with this provider's id.
    pub fn find_provider(&self, key: &ProviderKey) -> Option<(MessageId, i64)> {
        let next = self.by_provider.range((key.clone(), MessageId::from_u128(0))..).next();
        let id = next.filter(|(found, _)| found == key).map(|(_, id)| *id)?;
        let open = self.messages.get(&id).map(|message| &message.sent);
        let parts = open.or_else(|| self.sent.get(&id).map(|sent| &sent.past.parts))?;
        let place = parts.iter().position(|part| part.provider_message_id.as_deref() == Some(key.1.as_str()))?;
        Some((id, as_i64(place) + 1))
    }

    /// The message and part that we call so outside.
    pub fn find_part(&self, part: MessageId) -> Option<(MessageId, i64)> {
        if self.messages.contains(&part) || self.sent.contains(&part) {
            return Some((part, 1));
        }
        let next = self.by_part.range((part, MessageId::from_u128(0))..).next();
        let id = next.filter(|(found, _)| *found == part).map(|(_, id)| *id)?;
        let open = self.messages.get(&id).map(|message| message.parts);
        let parts = open.or_else(|| self.sent.get(&id).map(|sent| sent.past.of))?;
        (2..=parts).find(|no| part_id(id, *no) == part).map(|no| (id, no))
    }

    /// A customer's settled messages until then that are not read yet, oldest first.
    pub fn unread(&self, customer: CustomerKey, until: Timestamp) -> Vec<MessageId> {
        let (first, last) = (MessageId::from_u128(0), MessageId::from_u128(u128::MAX));
        let found = self.unread.range((customer, Timestamp::ZERO, first)..=(customer, until, last));
        found.map(|(_, _, id)| *id).collect()
    }

    /// The earliest deadline.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let firsts = [
            self.wakes.first().map(|(at, _)| *at),
            self.resumes.first().map(|(at, _)| *at),
            self.forget_sent.first().map(|(at, _)| *at),
            self.forget_early.first().map(|(at, _)| *at),
            self.forget_replies.first().map(|(at, _)| *at),
            self.copies_due.first().map(|(at, _)| *at),
            self.turns_due.first().map(|(at, _)| *at),
        ];
        firsts.into_iter().flatten().min()
    }

    /// A lane with something due.
    pub fn due_lane(&self, now: Timestamp) -> Option<CustomerKey> {
        self.wakes.first().filter(|(at, _)| *at <= now).map(|(_, customer)| *customer)
    }

    /// An account whose pause is over.
    pub fn due_account(&self, now: Timestamp) -> Option<AccountKey> {
        self.resumes.first().filter(|(at, _)| *at <= now).map(|(_, key)| key.clone())
    }

    /// A settled message to be forgotten.
    pub fn due_sent(&self, now: Timestamp) -> Option<MessageId> {
        self.forget_sent.first().filter(|(at, _)| *at <= now).map(|(_, id)| *id)
    }
}

impl State for Deliveries {
    fn tables(&mut self) -> Vec<&mut dyn Stored> {
        vec![
            &mut self.settings,
            &mut self.messages,
            &mut self.sent,
            &mut self.customers,
            &mut self.accounts,
            &mut self.receipts,
            &mut self.replies,
            &mut self.consents,
            &mut self.parties,
            &mut self.media,
            &mut self.bots,
            &mut self.turns,
        ]
    }

    fn indexes(&mut self) -> Vec<&mut dyn Derived> {
        vec![
            &mut self.queue,
            &mut self.claims,
            &mut self.wakes,
            &mut self.ready,
            &mut self.resumes,
            &mut self.by_provider,
            &mut self.by_part,
            &mut self.unread,
            &mut self.forget_replies,
            &mut self.forget_sent,
            &mut self.forget_early,
            &mut self.copies_due,
            &mut self.copies_ready,
            &mut self.copies_out,
            &mut self.turns_due,
        ]
    }

    fn rebuild(&mut self) {
        for (id, message) in &self.messages {
            self.queue.insert((message.asked.customer_key, message.no, *id));
            if message.phase == Phase::Claimed {
                self.claims.insert((message.asked.account(), *id));
            }
            for key in provider_keys(&message.asked.account(), &message.sent) {
                self.by_provider.insert((key, *id));
            }
            for no in 2..=message.parts {
                self.by_part.insert((part_id(*id, no), *id));
            }
        }
        for (customer, lane) in &self.customers {
            self.wakes.extend_one(lane.wake_at.map(|at| (at, *customer)));
            self.ready.extend_one(lane.ready_since.map(|since| (lane.account.clone(), since, *customer)));
        }
        for (key, health) in &self.accounts {
            self.resumes.extend_one(health.until.map(|until| (until, key.clone())));
        }
        for (id, sent) in &self.sent {
            for key in provider_keys(&sent.account, &sent.past.parts) {
                self.by_provider.insert((key, *id));
            }
            for no in 2..=sent.past.of {
                self.by_part.insert((part_id(*id, no), *id));
            }
            if is_unread(sent) {
                self.unread.insert((sent.customer_key, sent.at, *id));
            }
            self.forget_sent.insert((sent.forget_at, *id));
        }
        for (customer, replies) in &self.replies {
            self.forget_replies.insert((replies.forget_at, *customer));
        }
        for (key, early) in &self.receipts {
            self.forget_early.insert((early.forget_at, key.clone()));
        }
        self.rebuild_media();
        self.rebuild_turns();
    }

    fn check(&self, scope: Scope) -> Result<(), String> {
        match scope {
            Scope::Touched => {
                for id in self.messages.touched() {
                    self.messages.get(id).map_or(Ok(()), |message| self.check_message(*id, message))?;
                }
                for customer in self.customers.touched() {
                    self.customers.get(customer).map_or(Ok(()), |lane| self.check_lane(*customer, lane))?;
                }
                self.accounts.iter().try_for_each(|(key, health)| self.check_health(key, health))
            }
            Scope::All => {
                self.messages.iter().try_for_each(|(id, message)| self.check_message(*id, message))?;
                self.customers.iter().try_for_each(|(customer, lane)| self.check_lane(*customer, lane))?;
                self.accounts.iter().try_for_each(|(key, health)| self.check_health(key, health))?;
                self.check_indexes()?;
                self.check_media()?;
                self.check_turns()
            }
        }
    }
}

/// Whether a watermark could still move it.
fn is_unread(sent: &Sent) -> bool {
    matches!(sent.past.progress, Progress::Sent | Progress::Delivered)
}

fn as_i64(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Adds what is there, if anything.
trait ExtendOne<T> {
    fn extend_one(&mut self, entry: Option<T>);
}

impl<T: Ord + Clone> ExtendOne<T> for Index<T> {
    fn extend_one(&mut self, entry: Option<T>) {
        if let Some(entry) = entry {
            self.insert(entry);
        }
    }
}
