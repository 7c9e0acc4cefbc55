//! Web guests: which sessions are in force, what their conversations say, who is told. Pure: records
//! go in, effects come out; secrets, ids and `now` are given.

pub mod heard;
mod held;
pub mod identity;
pub mod line;
pub mod rates;
mod refusal;
pub mod session;
pub mod shown;
pub mod uploads;

pub use refusal::{Code, Refusal};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemas::config::{ChannelAccount, Deployment};
use schemas::ids::{AccountId, ConversationId, CustomerKey, DeploymentId, KeySecret, MessageId, TenantId};
use schemas::records::{
    Cause, Channel, ConversationEvent, ConversationEventKind, ConversationView, DeliveryEvent, DeliveryEventKind,
    Guest, GuestActivity, GuestView, GuestViewKind, Millis, SenderKind,
};
use stream::Timestamp;

use super::Seen;
use held::Held;
use rates::{Meter, Rate};
use session::{Session, SessionId};
use shown::{Memory, Place, Shown};

const MINUTE_MS: i64 = 60_000;
/// A session's last activity is kept anew when what is kept is older than this share of its life.
const KEEP_EVERY: i64 = 64;
/// A session that is over is forgotten this much later: until then it is told that it expired.
const FORGET_AFTER_MS: i64 = 24 * 60 * MINUTE_MS;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct GuestLimits {
    /// Latest messages of each guest.
    pub messages_max: usize,
    /// Guests whose messages are kept.
    pub guests_max: usize,
    /// The longest life of one session, whatever is said in it, milliseconds.
    pub session_ms_max: i64,
}

/// One deployment of one tenant.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// Whose.
    pub tenant: TenantId,
    /// Its id.
    pub id: DeploymentId,
    /// The account of its conversations.
    pub account: AccountId,
    /// What it says.
    pub spec: Arc<Deployment>,
}

/// What the shell does next.
#[derive(Debug, Clone, PartialEq)]
pub enum GuestEffect {
    /// Something for every connection of a guest.
    Tell {
        /// Whose.
        to: CustomerKey,
        /// What.
        news: GuestNews,
    },
    /// Something to keep on `guest.views`, or to take away from there.
    Keep {
        /// The record's key.
        key: String,
        /// The record; none: a tombstone.
        view: Option<Box<GuestView>>,
    },
}

/// What a guest is told without asking.
#[derive(Debug, Clone, PartialEq)]
pub enum GuestNews {
    /// Somebody, the guest on another device included, said something.
    Message(Arc<Shown>),
    /// Somebody is writing to the guest.
    Typing(SenderKind),
    /// The other side ended the conversation, or time did.
    Ended(ConversationId, Cause),
    /// A message of ours was received or read on one of the guest's devices.
    Receipt(MessageId, &'static str),
    /// What was said until then is not shown any more.
    Cleared,
    /// Sessions begun until then are over.
    Revoked(Millis),
    /// One session is over.
    SessionEnded(SessionId),
}

/// What is known of one guest.
#[derive(Debug, Default)]
struct Known {
    tenant: TenantId,
    account: AccountId,
    memory: Memory,
    spoke_at: Millis,
    kept_at: Millis,
    revoked_at: Millis,
    messages: Meter,
    history: Meter,
    held: Held,
}

/// The mirror of everything about guests.
#[derive(Debug)]
pub struct Guests {
    limits: GuestLimits,
    secret: KeySecret,
    deployments: BTreeMap<DeploymentId, BTreeMap<TenantId, Arc<Deployment>>>,
    accounts: BTreeMap<(TenantId, AccountId), i64>,
    sessions: BTreeMap<SessionId, Arc<Session>>,
    known: BTreeMap<CustomerKey, Known>,
    remembered: BTreeSet<(Millis, CustomerKey)>,
}

impl Guests {
    /// Knows nothing yet.
    pub fn new(limits: GuestLimits, secret: KeySecret) -> Self {
        Self {
            limits,
            secret,
            deployments: BTreeMap::new(),
            accounts: BTreeMap::new(),
            sessions: BTreeMap::new(),
            known: BTreeMap::new(),
            remembered: BTreeSet::new(),
        }
    }

    /// Takes in one record.
    pub fn apply(&mut self, seen: &Seen) -> Vec<GuestEffect> {
        match seen {
            Seen::Deployment { tenant, id, spec } => self.deployment(tenant, id, spec.clone()),
            Seen::Account { tenant, account, session_minutes, .. } => self.account(tenant, account, *session_minutes),
            Seen::Guest(view) => self.guest_view(view),
            Seen::SessionGone(id) => self.session_gone(id),
            Seen::GuestGone(customer) => self.guest_gone(*customer),
            Seen::Conversation(view) if view.channel == Channel::Web => self.conversation(view),
            Seen::ConversationGone(customer) => self.conversation_gone(*customer),
            Seen::Said(event) if event.channel == Channel::Web => self.said(event),
            Seen::Delivered(event) if event.channel == Channel::Web => self.delivered(event),
            Seen::Tenant { .. }
            | Seen::Template { .. }
            | Seen::Spelling { .. }
            | Seen::Known { .. }
            | Seen::Agent { .. }
            | Seen::AgentGone(_)
            | Seen::Queue { .. }
            | Seen::QueueGone { .. }
            | Seen::Work { .. }
            | Seen::WorkGone { .. }
            | Seen::Conversation(_)
            | Seen::Said(_)
            | Seen::Delivered(_)
            | Seen::Routed(_) => Vec::new(),
        }
    }

    /// When a session ends if nobody says anything more (T6).
    pub fn expires_at(&self, session: &Session) -> Timestamp {
        let spoke_at = self.known.get(&session.customer()).map_or(0, |known| known.spoke_at);
        let began_at = session.spec.began_at;
        let ends_at = spoke_at.max(began_at).saturating_add(self.session_ms(&session.tenant, &session.spec.account_id));
        Timestamp::from_ms(ends_at.min(began_at.saturating_add(self.limits.session_ms_max)))
    }

    /// How long sessions of an account last after the last message of either side, milliseconds.
    pub fn session_ms(&self, tenant: &TenantId, account: &AccountId) -> i64 {
        let minutes = self.accounts.get(&(tenant.clone(), account.clone())).copied();
        minutes.unwrap_or(ChannelAccount::SESSION_MINUTES).saturating_mul(MINUTE_MS)
    }

    /// What is remembered of a guest's conversations.
    pub fn memory(&self, customer: CustomerKey) -> Memory {
        self.known.get(&customer).map(|known| known.memory.clone()).unwrap_or_default()
    }

    /// Counts a message of a guest.
    ///
    /// # Errors
    /// In how many milliseconds there may be another.
    pub fn take_message(&mut self, session: &Session, rate: Rate, now: Timestamp) -> Result<(), i64> {
        self.of(&session.tenant, &session.spec.account_id, session.customer()).messages.take(rate, now)
    }

    /// Counts a look at the history.
    ///
    /// # Errors
    /// In how many milliseconds there may be another.
    pub fn take_history(&mut self, session: &Session, rate: Rate, now: Timestamp) -> Result<(), i64> {
        self.of(&session.tenant, &session.spec.account_id, session.customer()).history.take(rate, now)
    }

    /// What to write so that nothing said until `now` is shown to the guest any more.
    pub fn clear(&self, session: &Session, now: Timestamp) -> (String, GuestView) {
        let revoked_at = self.known.get(&session.customer()).map(|known| known.revoked_at).filter(|at| *at > 0);
        let account_id = session.spec.account_id.clone();
        guest(session, Guest { account_id, cleared_at: Some(now.as_ms()), revoked_at }, now)
    }

    /// What to write so that every session of the guest begun until `now` is over.
    pub fn revoke_all(&self, session: &Session, now: Timestamp) -> (String, GuestView) {
        let cleared_at = self.known.get(&session.customer()).and_then(|known| known.memory.cleared_at);
        let account_id = session.spec.account_id.clone();
        guest(session, Guest { account_id, cleared_at, revoked_at: Some(now.as_ms()) }, now)
    }

    /// Takes away what has been over for a day.
    pub fn sweep(&mut self, now: Timestamp) -> Vec<GuestEffect> {
        let is_old = |session: &Session| self.expires_at(session).plus_ms(FORGET_AFTER_MS) <= now;
        let old: Vec<Arc<Session>> = self.sessions.values().filter(|session| is_old(session)).cloned().collect();
        let gone = |key| GuestEffect::Keep { key, view: None };
        let mut effects: Vec<GuestEffect> =
            old.iter().map(|session| gone(session::session_key(&session.tenant, &session.id))).collect();
        for session in &old {
            self.sessions.remove(&session.id);
        }
        let living: BTreeSet<CustomerKey> = self.sessions.values().map(|session| session.customer()).collect();
        let is_over = |known: &Known| {
            let last = known.spoke_at.max(known.revoked_at).max(known.memory.cleared_at.unwrap_or_default());
            let life = self.session_ms(&known.tenant, &known.account);
            Timestamp::from_ms(last.saturating_add(life).saturating_add(FORGET_AFTER_MS)) <= now
        };
        let forgotten = |(customer, known): &(&CustomerKey, &Known)| !living.contains(customer) && is_over(known);
        let forgotten: Vec<CustomerKey> = self.known.iter().filter(forgotten).map(|(customer, _)| *customer).collect();
        for customer in forgotten {
            let Some(known) = self.known.remove(&customer) else { continue };
            self.remembered.remove(&(known.spoke_at, customer));
            if known.kept_at > 0 {
                effects.push(gone(format!("{}/activity/{customer}", known.tenant)));
            }
            if known.revoked_at > 0 || known.memory.cleared_at.is_some() {
                effects.push(gone(format!("{}/guest/{customer}", known.tenant)));
            }
        }
        effects
    }

    fn is_revoked(&self, session: &Session) -> bool {
        self.known.get(&session.customer()).is_some_and(|known| session.spec.began_at <= known.revoked_at)
    }

    fn has_spoken(&self, customer: CustomerKey) -> bool {
        self.known.get(&customer).is_some_and(|known| known.spoke_at > 0 || known.memory.knows_the_end())
    }

    fn of(&mut self, tenant: &TenantId, account: &AccountId, customer: CustomerKey) -> &mut Known {
        self.known.entry(customer).or_insert_with(|| Known {
            tenant: tenant.clone(),
            account: account.clone(),
            ..Known::default()
        })
    }

    fn deployment(&mut self, tenant: &TenantId, id: &DeploymentId, spec: Option<Arc<Deployment>>) -> Vec<GuestEffect> {
        let of_name = self.deployments.entry(id.clone()).or_default();
        match spec {
            Some(spec) => drop(of_name.insert(tenant.clone(), spec)),
            None => drop(of_name.remove(tenant)),
        }
        Vec::new()
    }

    fn account(&mut self, tenant: &TenantId, account: &AccountId, minutes: Option<i64>) -> Vec<GuestEffect> {
        let key = (tenant.clone(), account.clone());
        match minutes {
            Some(minutes) => drop(self.accounts.insert(key, minutes)),
            None => drop(self.accounts.remove(&key)),
        }
        Vec::new()
    }

    fn guest_view(&mut self, view: &GuestView) -> Vec<GuestEffect> {
        let tenant = &view.tenant;
        match &view.kind {
            GuestViewKind::Session(spec) => {
                let id = SessionId::new(&view.id);
                let session = Session { id: id.clone(), tenant: tenant.clone(), spec: (**spec).clone() };
                self.of(tenant, &spec.account_id, spec.customer_key);
                self.sessions.insert(id, Arc::new(session));
                Vec::new()
            }
            GuestViewKind::Guest(guest) => {
                let Ok(customer) = view.id.parse() else { return Vec::new() };
                let known = self.of(tenant, &guest.account_id, customer);
                let mut effects = Vec::new();
                if guest.cleared_at > known.memory.cleared_at {
                    known.memory.cleared_at = guest.cleared_at;
                    effects.push(GuestEffect::Tell { to: customer, news: GuestNews::Cleared });
                }
                if let Some(at) = guest.revoked_at.filter(|at| *at > known.revoked_at) {
                    known.revoked_at = at;
                    effects.push(GuestEffect::Tell { to: customer, news: GuestNews::Revoked(at) });
                }
                effects
            }
            GuestViewKind::Activity(activity) => {
                let Ok(customer) = view.id.parse() else { return Vec::new() };
                let known = self.of(tenant, &activity.account_id, customer);
                known.kept_at = known.kept_at.max(activity.spoke_at);
                self.spoke(customer, activity.spoke_at);
                Vec::new()
            }
            GuestViewKind::Unknown(_) => Vec::new(),
        }
    }

    fn session_gone(&mut self, id: &SessionId) -> Vec<GuestEffect> {
        let Some(session) = self.sessions.remove(id) else { return Vec::new() };
        vec![GuestEffect::Tell { to: session.customer(), news: GuestNews::SessionEnded(id.clone()) }]
    }

    fn guest_gone(&mut self, customer: CustomerKey) -> Vec<GuestEffect> {
        if let Some(known) = self.known.get_mut(&customer) {
            known.memory.cleared_at = None;
            known.revoked_at = 0;
        }
        Vec::new()
    }

    fn conversation(&mut self, view: &ConversationView) -> Vec<GuestEffect> {
        let known = self.of(&view.tenant, &view.account_id, view.customer_key);
        known.memory.live = Place::of(view.customer_key, view.conversation_id, view.last_seq);
        Vec::new()
    }

    fn conversation_gone(&mut self, customer: CustomerKey) -> Vec<GuestEffect> {
        if let Some(known) = self.known.get_mut(&customer) {
            known.memory.live = None;
        }
        Vec::new()
    }

    fn said(&mut self, event: &ConversationEvent) -> Vec<GuestEffect> {
        let to = event.customer_key;
        let news = match &event.kind {
            ConversationEventKind::MessageAdded(added) => return self.message(event, added),
            ConversationEventKind::ConsentChanged(consent) => {
                self.of(&event.tenant, &event.account_id, to).held.consent_changed(consent);
                return Vec::new();
            }
            ConversationEventKind::Signalled(signal)
                if signal.signal == "typing" && signal.sender.kind != SenderKind::Customer =>
            {
                GuestNews::Typing(signal.sender.kind)
            }
            ConversationEventKind::StintEnded(ended) => GuestNews::Ended(event.conversation_id, ended.cause),
            ConversationEventKind::Signalled(_)
            | ConversationEventKind::Opened(_)
            | ConversationEventKind::Reopened(_)
            | ConversationEventKind::OwnerChanged(_)
            | ConversationEventKind::MessageRefused(_)
            | ConversationEventKind::MessageEdited(_)
            | ConversationEventKind::MessageDeleted(_)
            | ConversationEventKind::Reacted(_)
            | ConversationEventKind::TurnEnded(_)
            | ConversationEventKind::Closed(_)
            | ConversationEventKind::AttributesChanged(_)
            | ConversationEventKind::NoteAdded(_)
            | ConversationEventKind::Linked(_)
            | ConversationEventKind::Erased(_)
            | ConversationEventKind::Unknown(_) => return Vec::new(),
        };
        vec![GuestEffect::Tell { to, news }]
    }

    fn message(&mut self, event: &ConversationEvent, added: &schemas::records::MessageAdded) -> Vec<GuestEffect> {
        let customer = event.customer_key;
        let Some(place) = Place::of(customer, event.conversation_id, event.seq) else { return Vec::new() };
        let shown = Arc::new(Shown::of(event, added, place.number));
        let every = self.session_ms(&event.tenant, &event.account_id) / KEEP_EVERY;
        let messages_max = self.limits.messages_max;
        let known = self.of(&event.tenant, &event.account_id, customer);
        if known.memory.messages.back().is_some_and(|last| last.place >= place) {
            return Vec::new();
        }
        known.held.take(shown, added);
        let mut effects = show(known, customer, messages_max);
        if event.recorded_at > known.kept_at.saturating_add(every) {
            known.kept_at = event.recorded_at;
            let activity = GuestActivity { account_id: event.account_id.clone(), spoke_at: event.recorded_at };
            let (tenant, now) = (&event.tenant, Timestamp::from_ms(event.recorded_at));
            let view = session::view(tenant, &customer.to_string(), GuestViewKind::Activity(activity), now);
            effects
                .push(GuestEffect::Keep { key: format!("{tenant}/activity/{customer}"), view: Some(Box::new(view)) });
        }
        self.spoke(customer, event.recorded_at);
        self.remember_lately();
        effects
    }

    fn delivered(&mut self, event: &DeliveryEvent) -> Vec<GuestEffect> {
        let to = event.customer_key;
        if let Some(state) = receipt(event) {
            return vec![GuestEffect::Tell { to, news: GuestNews::Receipt(event.message_id, state) }];
        }
        let messages_max = self.limits.messages_max;
        let Some(known) = self.known.get_mut(&to) else { return Vec::new() };
        known.held.delivered(event);
        show(known, to, messages_max)
    }

    fn spoke(&mut self, customer: CustomerKey, at: Millis) {
        let Some(known) = self.known.get_mut(&customer).filter(|known| known.spoke_at < at) else { return };
        self.remembered.remove(&(known.spoke_at, customer));
        known.spoke_at = at;
        if !known.memory.messages.is_empty() {
            self.remembered.insert((at, customer));
        }
    }

    /// Messages of those who have been silent longest are forgotten; they lie elsewhere.
    fn remember_lately(&mut self) {
        while self.remembered.len() > self.limits.guests_max {
            let Some((_, customer)) = self.remembered.pop_first() else { return };
            if let Some(known) = self.known.get_mut(&customer) {
                known.memory.messages.clear();
            }
        }
    }
}

/// Tells what waits for nothing any more.
fn show(known: &mut Known, customer: CustomerKey, messages_max: usize) -> Vec<GuestEffect> {
    let mut effects = Vec::new();
    for shown in known.held.let_go() {
        known.memory.messages.push_back(Arc::clone(&shown));
        if known.memory.messages.len() > messages_max {
            known.memory.messages.pop_front();
        }
        if !shown.is_withheld {
            effects.push(GuestEffect::Tell { to: customer, news: GuestNews::Message(shown) });
        }
    }
    effects
}

fn guest(session: &Session, guest: Guest, now: Timestamp) -> (String, GuestView) {
    let (tenant, customer) = (&session.tenant, session.customer());
    let view = session::view(tenant, &customer.to_string(), GuestViewKind::Guest(guest), now);
    (format!("{tenant}/guest/{customer}"), view)
}

/// How far a message came, as a guest is told of it.
fn receipt(event: &DeliveryEvent) -> Option<&'static str> {
    match event.kind {
        DeliveryEventKind::Delivered(_) => Some("Delivered"),
        DeliveryEventKind::Read(_) => Some("Read"),
        DeliveryEventKind::Claimed(_)
        | DeliveryEventKind::PartSent(_)
        | DeliveryEventKind::Sent(_)
        | DeliveryEventKind::Ambiguous(_)
        | DeliveryEventKind::Retrying(_)
        | DeliveryEventKind::Failed(_)
        | DeliveryEventKind::Refused(_)
        | DeliveryEventKind::Exhausted(_)
        | DeliveryEventKind::BotTurnFinished(_)
        | DeliveryEventKind::DataActionFinished(_)
        | DeliveryEventKind::MediaStored(_)
        | DeliveryEventKind::MediaFailed(_)
        | DeliveryEventKind::Unknown(_) => None,
    }
}

#[cfg(test)]
mod tests;
