//! Where guests' connections meet what is known of them, behind one lock that is never held while
//! waiting. A guest who comes back is told what they missed and joined to the living stream under
//! the same lock: nothing falls between the two, nothing is told twice.

pub mod frames;
mod past;
mod seats;
mod uploads;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use objects::Media;
use schemas::ids::{CommandId, ConversationId, DeploymentId, EventId, KeySecret, MessageId, TenantId};
use schemas::records::{Channel, ConversationCommand, ConversationCommandKind, PresenceKind, SetAttributes};
use sha2::{Digest, Sha256};
use stream::clock;
use tokio::sync::mpsc;

use crate::config::{GatewaySettings, GuestSettings};
use crate::core::guests::heard::{self, Said};
use crate::core::guests::identity::Person;
use crate::core::guests::rates::{Meter, Rate};
use crate::core::guests::session::{Decision, Door, Fresh, Session, SessionId, Wish, session_key, session_view};
use crate::core::guests::{Code, GuestEffect, GuestLimits, Guests, Refusal};
use crate::core::{Command, Seen};
use crate::hub::Closing;
use crate::metrics::Metrics;
use crate::outlets::commands::{Commands, NotDurable};
use crate::outlets::guests::{GuestLog, Kept};
use crate::outlets::transcripts::Transcripts;
use seats::Seats;

/// What a session's secret begins with, so that one that is found lying about is known for what it is.
const TOKEN_PREFIX: &str = "weftg_";
const TOKEN_CHARS_MAX: usize = 100;
/// Records to keep that wait to be published.
const KEPT_MAX: usize = 10_000;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two sweeps of what is over.
const LOOKS_A_SWEEP: u32 = 60;
const DAY_MS: i64 = 86_400_000;

/// The meeting place; clones share it.
#[derive(Clone)]
pub struct Lobby {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    log: GuestLog,
    commands: Commands,
    transcripts: Transcripts,
    media: Option<Arc<Media>>,
    metrics: Metrics,
    settings: GuestSettings,
    gateway: GatewaySettings,
    secret: KeySecret,
    keep: mpsc::Sender<Kept>,
}

struct Inner {
    guests: Guests,
    seats: Seats,
    connections: BTreeMap<(TenantId, DeploymentId), Meter>,
    open: usize,
    next_id: u64,
}

/// A connection's end of the lobby. Dropping it leaves.
pub struct Chair {
    lobby: Lobby,
    /// Which connection it is.
    pub id: u64,
    /// Where it came in.
    pub door: Arc<Door>,
    /// For frames to this connection.
    pub frames: mpsc::Sender<String>,
    /// For the reason to close it.
    pub close: mpsc::Sender<Closing>,
}

/// What a connection takes out of the lobby.
pub struct Outgoing {
    /// Frames to send.
    pub frames: mpsc::Receiver<String>,
    /// Why to close it.
    pub closed: mpsc::Receiver<Closing>,
}

impl Drop for Chair {
    fn drop(&mut self) {
        let mut inner = self.lobby.lock();
        inner.open -= 1;
        inner.seats.leave(self.id);
        self.lobby.shared.metrics.guest_sockets.dec();
    }
}

/// Why there is no chair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoChair {
    /// No such deployment, or not for this origin.
    NotAdmitted,
    /// The deployment has had too many new connections.
    TooFast,
    /// This process has as many connections as it may have.
    Full,
}

/// What a guest wants who asks for a session.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// The secret of the session to go on with.
    pub token: Option<String>,
    /// To leave that one and begin another.
    pub start_new: bool,
    /// Who has signed in.
    pub person: Option<Person>,
    /// The last message that the guest has seen.
    pub after: Option<(ConversationId, i64)>,
    /// The request's own id.
    pub tracing_id: Option<String>,
}

impl Lobby {
    /// Starts the tasks that end sessions and keep records.
    pub fn start(
        (settings, gateway): (GuestSettings, GatewaySettings),
        secret: KeySecret,
        (log, commands): (GuestLog, Commands),
        (transcripts, media): (Transcripts, Option<Arc<Media>>),
        metrics: Metrics,
    ) -> Self {
        let limits = GuestLimits {
            messages_max: settings.messages_kept_max,
            guests_max: settings.guests_kept_max,
            session_ms_max: settings.session_days_max.saturating_mul(DAY_MS),
        };
        let inner = Inner {
            guests: Guests::new(limits, secret.clone()),
            seats: Seats::default(),
            connections: BTreeMap::new(),
            open: 0,
            next_id: 0,
        };
        let (keep, kept) = mpsc::channel(KEPT_MAX);
        let inner = Mutex::new(inner);
        let shared = Shared { inner, log, commands, transcripts, media, metrics, settings, gateway, secret, keep };
        let lobby = Self { shared: Arc::new(shared) };
        tokio::spawn(lobby.clone().keep_all(kept));
        tokio::spawn(lobby.clone().look_after());
        lobby
    }

    /// The settings.
    pub fn settings(&self) -> &GuestSettings {
        &self.shared.settings
    }

    /// Takes in one record and tells everybody whom it concerns.
    pub fn see(&self, seen: &Seen) {
        let mut inner = self.lock();
        let effects = inner.guests.apply(seen);
        self.perform(&mut inner, effects);
    }

    /// The deployment of this id, as far as anybody may know it: from a web page, one that it admits.
    pub fn public(&self, id: &DeploymentId, origin: Option<&str>) -> Option<Door> {
        self.lock().guests.public(id, origin)
    }

    /// A chair for a new connection.
    ///
    /// # Errors
    /// Whoever comes is not admitted, or there is no room.
    pub fn enter(&self, id: &DeploymentId, origin: Option<&str>) -> Result<(Chair, Outgoing), NoChair> {
        let mut inner = self.lock();
        let door = inner.guests.door(id, origin).ok_or(NoChair::NotAdmitted)?;
        if inner.open >= self.shared.gateway.sockets_max {
            return Err(NoChair::Full);
        }
        let rate = Rate::per_minute(self.shared.settings.connections_per_min_max);
        let meter = inner.connections.entry((door.at.tenant.clone(), id.clone())).or_default();
        meter.take(rate, clock::now()).map_err(|_| NoChair::TooFast)?;
        inner.open += 1;
        let id = inner.next_id;
        inner.next_id += 1;
        drop(inner);
        self.shared.metrics.guest_sockets.inc();
        let (frames, outgoing) = mpsc::channel(self.shared.gateway.send_queue_max);
        let (close, closed) = mpsc::channel(1);
        let chair = Chair { lobby: self.clone(), id, door: Arc::new(door), frames, close };
        Ok((chair, Outgoing { frames: outgoing, closed }))
    }

    /// Begins, resumes or steps up a session, and joins the connection to it: the answer and what was
    /// missed stand in its queue before anything that comes later.
    ///
    /// # Errors
    /// The session is over, somebody else's, or cannot be made durable.
    pub async fn configure(&self, chair: &Chair, arrival: &Arrival) -> Result<Arc<Session>, Refusal> {
        let (token, wish, fresh) = chance(arrival)?;
        let now = clock::now();
        let decision = self.lock().guests.decide(&chair.door, &wish, fresh, now)?;
        let session = Arc::clone(&decision.session);
        let after = match (arrival.after, decision.is_new) {
            (Some(after), false) => Some(self.place(&session, after)?),
            (_, true) | (None, false) => None,
        };
        // first of all, so that the end of the former session does not end this connection
        let sat = self.lock().seats.leave(chair.id);
        if let Err(error) = self.make_durable(&decision).await {
            if sat.is_some() {
                // it may be closing by itself
                let _ = chair.close.try_send(Closing::GoingAway);
            }
            return Err(not_durable(&error));
        }
        {
            let mut inner = self.lock();
            if decision.has_fresh_secret {
                let (_, view) = session_view(&session, now);
                inner.guests.apply(&Seen::Guest(Box::new(view)));
            }
            if let Some(ended) = &decision.ends {
                let effects = inner.guests.apply(&Seen::SessionGone(ended.clone()));
                self.perform(&mut inner, effects);
            }
        }
        let token = decision.has_fresh_secret.then_some(token);
        self.sit(chair, &decision, after, (token, arrival.tracing_id.as_deref())).await;
        Ok(session)
    }

    /// Says something for a guest; resolves once it is durable.
    ///
    /// # Errors
    /// The session is over, it is too often, or it cannot be made durable.
    pub async fn say(&self, chair: &Chair, session: &Session, said: Said) -> Result<(), Refusal> {
        let now = clock::now();
        {
            let mut inner = self.lock();
            inner.guests.session(&chair.door, &session.id, now)?;
            if matches!(said, Said::Message { .. }) {
                let rate = Rate::per_second(self.shared.settings.messages_per_s_max);
                let taken = inner.guests.take_message(session, rate, now);
                taken.map_err(|wait| Refusal::too_fast("messages in this session", wait))?;
            }
        }
        let event = heard::event(session, said, &self.shared.secret, now);
        self.shared.log.say(&event).await.map_err(|error| not_durable(&error))
    }

    /// The id that a message of the guest has.
    pub fn message_id(session: &Session, client_id: &str) -> MessageId {
        heard::message_id(session, client_id)
    }

    /// Ends the conversation and shows nothing of it any more, on any device.
    ///
    /// # Errors
    /// The deployment does not allow it, the session is over, or it cannot be made durable.
    pub async fn clear(&self, chair: &Chair, session: &Session) -> Result<(), Refusal> {
        if !chair.door.at.spec.messenger.may_clear {
            return Err(Refusal::new(Code::Unavailable, "this deployment does not let guests clear"));
        }
        self.say(chair, session, Said::Presence(PresenceKind::Clear)).await?;
        let (key, view) = self.lock().guests.clear(session, clock::now());
        self.keep_and_apply(key, view).await
    }

    /// Ends this session, or all of the guest.
    ///
    /// # Errors
    /// It cannot be made durable.
    pub async fn end(&self, session: &Session, all: bool) -> Result<(), Refusal> {
        if all {
            let (key, view) = self.lock().guests.revoke_all(session, clock::now());
            return self.keep_and_apply(key, view).await;
        }
        let gone = (session_key(&session.tenant, &session.id), None);
        self.shared.log.keep(&[gone]).await.map_err(|error| not_durable(&error))?;
        self.see(&Seen::SessionGone(session.id.clone()));
        Ok(())
    }

    async fn keep_and_apply(&self, key: String, view: schemas::records::GuestView) -> Result<(), Refusal> {
        let kept = [(key, Some(Box::new(view.clone())))];
        self.shared.log.keep(&kept).await.map_err(|error| not_durable(&error))?;
        self.see(&Seen::Guest(Box::new(view)));
        Ok(())
    }

    /// The new session first: a crash in between leaves two, never none.
    async fn make_durable(&self, decision: &Decision) -> Result<(), NotDurable> {
        let session = &decision.session;
        let mut kept: Vec<Kept> = Vec::new();
        if decision.has_fresh_secret {
            let (key, view) = session_view(session, clock::now());
            kept.push((key, Some(Box::new(view))));
        }
        kept.extend(decision.ends.iter().map(|ended| (session_key(&session.tenant, ended), None)));
        if !kept.is_empty() {
            self.shared.log.keep(&kept).await?;
        }
        if let (true, Some(subject)) = (decision.stepped_up, &session.spec.subject) {
            self.shared.commands.publish(&Command::Conversation(signed_in(session, subject))).await?;
        }
        Ok(())
    }

    async fn keep_all(self, mut kept: mpsc::Receiver<Kept>) {
        while let Some(first) = kept.recv().await {
            let mut batch = vec![first];
            while let Ok(more) = kept.try_recv() {
                batch.push(more);
            }
            if let Err(error) = self.shared.log.keep(&batch).await {
                tracing::error!(%error, records = batch.len(), "what is kept of guests is not durable");
            }
        }
    }

    async fn look_after(self) {
        let mut every = tokio::time::interval(LOOK_EVERY);
        let mut looks: u32 = 0;
        loop {
            every.tick().await;
            looks = looks.wrapping_add(1);
            let now = clock::now();
            let mut inner = self.lock();
            let expired = inner.seats.expired(|session| inner.guests.expires_at(session) <= now);
            for id in expired {
                self.close(
                    &mut inner,
                    id,
                    &frames::Body::SessionExpiredEvent(frames::Empty {}),
                    Closing::SessionExpired,
                );
            }
            if looks.is_multiple_of(LOOKS_A_SWEEP) {
                let effects = inner.guests.sweep(now);
                self.perform(&mut inner, effects);
            }
        }
    }

    fn perform(&self, inner: &mut Inner, effects: Vec<GuestEffect>) {
        for effect in effects {
            match effect {
                GuestEffect::Tell { to, news } => self.tell(inner, to, &news),
                GuestEffect::Keep { key, view } => {
                    if self.shared.keep.try_send((key, view)).is_err() {
                        self.shared.metrics.notices_dropped.inc();
                    }
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_durable(error: &NotDurable) -> Refusal {
    tracing::error!(%error, "a guest's request is not durable");
    Refusal::new(Code::Unexpected, "not durable: the same again is safe")
}

/// Secrets are never compared, only looked up by their hash.
fn hash(token: &str) -> SessionId {
    SessionId::new(Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// 256 bits for a new session's secret and 128 for a new guest's id, in case they are needed.
fn chance(arrival: &Arrival) -> Result<(String, Wish, Fresh), Refusal> {
    if arrival.token.as_ref().is_some_and(|token| token.len() > TOKEN_CHARS_MAX) {
        return Err(Refusal::new(Code::SessionNotFound, "no such session"));
    }
    let (mut secret, mut guest) = ([0u8; 32], [0u8; 16]);
    let random = SystemRandom::new();
    if random.fill(&mut secret).and_then(|()| random.fill(&mut guest)).is_err() {
        return Err(Refusal::new(Code::Unexpected, "no randomness"));
    }
    let token = format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let fresh = Fresh { session: hash(&token), guest: URL_SAFE_NO_PAD.encode(guest) };
    let session = arrival.token.as_deref().map(hash);
    Ok((token, Wish { session, start_new: arrival.start_new, person: arrival.person.clone() }, fresh))
}

/// Tells whoever serves an unknown guest that they are a known person now.
fn signed_in(session: &Session, subject: &str) -> ConversationCommand {
    let command_id = CommandId::derive(&[session.id.as_str(), "signed in"]);
    let now = clock::now().as_ms();
    let attributes = [("signed_in_as".to_owned(), subject.to_owned())].into();
    ConversationCommand {
        event_id: EventId::derive(&[&command_id.to_string(), "command"]),
        tenant: session.tenant.clone(),
        occurred_at: now,
        recorded_at: now,
        command_id,
        channel: Channel::Web,
        account_id: session.spec.account_id.clone(),
        customer_key: session.customer(),
        customer: None,
        conversation_id: None,
        kind: ConversationCommandKind::SetAttributes(SetAttributes { attributes }),
    }
}
