//! Where the rooms meet: one desk, all sockets, all commands under way, behind one lock that is
//! never held while waiting.

pub mod frames;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use schemas::ids::{AgentId, CommandId, ConversationId, CustomerKey, KeySecret, QueueId, TenantId};
use schemas::records::{QueueView, WorkView};
use serde_json::{Value, json};
use stream::clock::{self, Stamp};
use tokio::sync::{mpsc, oneshot};

use crate::config::GatewaySettings;
use crate::core::{AgentRef, Ask, Asked, Desk, Effect, Limits, Outcome, Seen, Who};
use crate::metrics::Metrics;
use crate::outlets::commands::{Commands, Notice};
use crate::outlets::transcripts::Transcripts;
use frames::{Frame, Line};

/// Connection notices that wait to be published.
const NOTICES_MAX: usize = 10_000;
const HELD_EVERY: Duration = Duration::from_secs(10);

/// The meeting place; clones share it.
#[derive(Clone)]
pub struct Hub {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    commands: Commands,
    transcripts: Transcripts,
    metrics: Metrics,
    settings: GatewaySettings,
    notices: mpsc::Sender<Notice>,
}

struct Inner {
    desk: Desk,
    sockets: BTreeMap<AgentRef, Vec<Socket>>,
    waiting: BTreeMap<CommandId, Vec<oneshot::Sender<Outcome>>>,
    sockets_open: usize,
    next_id: u64,
}

struct Socket {
    id: u64,
    queue: mpsc::Sender<String>,
    close: oneshot::Sender<Closing>,
}

/// Why we close a socket, with its WebSocket close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// The process ends; come back at once.
    GoingAway,
    /// The token's time is over.
    Expired,
    /// Nothing was heard for three pings.
    Idle,
    /// It does not take what it is sent.
    Slow,
    /// A guest's session: its time is over.
    SessionExpired,
    /// A guest's session was ended.
    SessionEnded,
    /// A guest has a newer connection too many.
    SessionLimit,
    /// A frame is larger than allowed.
    TooBig,
    /// A text frame is no text.
    NotText,
}

impl Closing {
    /// The close code (RFC 6455 §7.4; 4000–4999 are ours).
    pub const fn code(self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::Expired => 4401,
            Self::Idle => 4408,
            Self::Slow => 4429,
            Self::SessionExpired => 4006,
            Self::SessionEnded => 4007,
            Self::SessionLimit => 4430,
            Self::TooBig => 1009,
            Self::NotText => 1007,
        }
    }

    /// The reason, as sent and counted.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::GoingAway => "going_away",
            Self::Expired => "expired",
            Self::Idle => "idle",
            Self::Slow => "slow",
            Self::SessionExpired => "session_expired",
            Self::SessionEnded => "session_ended",
            Self::SessionLimit => "session_limit",
            Self::TooBig => "too_big",
            Self::NotText => "not_text",
        }
    }
}

/// A socket's end of the hub. Dropping it leaves.
pub struct Place {
    hub: Hub,
    who: Who,
    id: u64,
    /// Frames to send; the first is the greeting.
    pub queue: mpsc::Receiver<String>,
    /// For answers to this socket alone.
    pub answers: mpsc::Sender<String>,
    /// Resolves when the hub wants it closed.
    pub closed: oneshot::Receiver<Closing>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hub.leave(&self.who.agent, self.id);
    }
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// This agent has as many sockets as one may have.
    Agent,
    /// This process has as many sockets as it may have.
    Process,
}

/// What became of an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Decided, or published when nothing decides it.
    Decided(Outcome),
    /// Durable, but not decided in time; it still may be.
    NoAnswerYet,
    /// Not known to be durable; ask again with the same id.
    NotDurable,
}

impl Reply {
    /// `None` if it is done, else why not.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Decided(Outcome::Done) => None,
            Self::Decided(Outcome::Refused(reason)) => Some(reason),
            Self::NoAnswerYet => Some("no_answer_yet"),
            Self::NotDurable => Some("not_durable"),
        }
    }
}

/// An ask that is published, or was decided at once.
pub struct Submitted {
    command: CommandId,
    name: &'static str,
    since: Stamp,
    state: State,
}

enum State {
    Known(Reply),
    Waits(oneshot::Receiver<Outcome>),
}

impl Hub {
    /// Starts the task that tells routing who is connected.
    pub fn start(
        settings: GatewaySettings,
        key_secret: KeySecret,
        commands: Commands,
        transcripts: Transcripts,
        metrics: Metrics,
    ) -> Self {
        let limits = Limits {
            messages_max: settings.messages_kept_max,
            ended_max: settings.ended_kept_max,
            outcomes_max: settings.outcomes_kept_max,
        };
        let (notices, waiting) = mpsc::channel(NOTICES_MAX);
        let inner = Inner {
            desk: Desk::new(limits, key_secret),
            sockets: BTreeMap::new(),
            waiting: BTreeMap::new(),
            sockets_open: 0,
            next_id: 0,
        };
        let inner = Mutex::new(inner);
        let shared = Arc::new(Shared { inner, commands, transcripts, metrics, settings, notices });
        let hub = Self { shared };
        tokio::spawn(hub.clone().notify(waiting));
        hub
    }

    /// The settings.
    pub fn settings(&self) -> &GatewaySettings {
        &self.shared.settings
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Takes in one record and tells everybody whom it concerns.
    pub fn see(&self, seen: Seen) {
        let mut inner = self.lock();
        for effect in inner.desk.apply(seen) {
            match effect {
                Effect::Tell { to, news } => {
                    if inner.sockets.contains_key(&to) {
                        let text = self.text(&Frame::news(&news));
                        self.tell(&mut inner, &to, &text);
                    }
                }
                Effect::Settled { command, outcome } => {
                    for waiter in inner.waiting.remove(&command).unwrap_or_default() {
                        // whoever asked may have gone
                        let _ = waiter.send(outcome.clone());
                    }
                }
            }
        }
    }

    /// Whether the configuration knows this agent, and if so, as a supervisor.
    pub fn known(&self, agent: &AgentRef) -> Option<bool> {
        self.lock().desk.known(agent)
    }

    /// A place for a new socket, with the greeting queued.
    pub fn enter(&self, who: &Who) -> Result<Place, NoPlace> {
        let mut inner = self.lock();
        if inner.sockets_open >= self.settings().sockets_max {
            return Err(NoPlace::Process);
        }
        let open = inner.sockets.get(&who.agent).map_or(0, Vec::len);
        if open >= self.settings().sockets_per_agent_max {
            return Err(NoPlace::Agent);
        }
        let (sender, queue) = mpsc::channel(self.settings().send_queue_max);
        let (close, closed) = oneshot::channel();
        let hello = inner.desk.hello(&who.agent);
        let hello = self.text(&Frame::hello(&who.agent.agent, &hello, self.settings().ping_s));
        sender.try_send(hello).expect("a new queue has room");
        let id = inner.next_id;
        inner.next_id += 1;
        inner.sockets_open += 1;
        self.metrics().sockets.inc();
        let socket = Socket { id, queue: sender.clone(), close };
        inner.sockets.entry(who.agent.clone()).or_default().push(socket);
        if open == 0 {
            self.notice(Notice::Back(who.agent.clone()));
        }
        drop(inner);
        Ok(Place { hub: self.clone(), who: who.clone(), id, queue, answers: sender, closed })
    }

    /// The agent's state and open work.
    pub fn hello(&self, agent: &AgentRef) -> crate::core::Hello {
        self.lock().desk.hello(agent)
    }

    /// All open work of a tenant.
    pub fn work_of_all(&self, tenant: &TenantId) -> Vec<WorkView> {
        self.lock().desk.work_of_all(tenant)
    }

    /// A queue's present state.
    pub fn queue_of(&self, tenant: &TenantId, queue: &QueueId) -> Option<QueueView> {
        self.lock().desk.queue_of(tenant, queue).cloned()
    }

    /// The work item of a conversation, and its view; none if the asker may not see it.
    pub fn conversation(&self, who: &Who, id: ConversationId) -> Option<Value> {
        let inner = self.lock();
        let (work, talk) = inner.desk.conversation_of(who, id)?;
        let view = talk.and_then(|talk| talk.view.as_ref());
        (work.is_some() || view.is_some()).then(|| json!({ "conversation_id": id, "work": work, "conversation": view }))
    }

    /// With whom a conversation is; none if the asker may not see it, or it is no longer remembered.
    pub fn customer_of(&self, who: &Who, id: ConversationId) -> Option<CustomerKey> {
        let inner = self.lock();
        let (work, talk) = inner.desk.conversation_of(who, id)?;
        work.map(|work| work.customer_key).or_else(|| talk.map(|talk| talk.customer))
    }

    /// Messages of a conversation, oldest first: the live part from memory, older ones from
    /// ClickHouse; `complete` is false, with the reason in `older`, when that cannot be reached.
    /// None if the asker may not see it.
    pub async fn transcript(&self, who: &Who, id: ConversationId) -> Option<Value> {
        let (mut messages, first, is_live) = {
            let inner = self.lock();
            let (work, talk) = inner.desk.conversation_of(who, id)?;
            let live = talk.map(|talk| &talk.messages).into_iter().flatten();
            let lines: Vec<Value> = live.map(|said| json!(Line::of(said))).collect();
            let first = talk.and_then(|talk| talk.messages.front()).map(|said| said.seq);
            (lines, first, work.is_some() || talk.is_some())
        };
        if first.is_some_and(|first| first <= 1) {
            return Some(json!({ "messages": messages, "complete": true }));
        }
        match self.shared.transcripts.older(&who.agent.tenant, id, first).await {
            Ok(older) if older.is_empty() && !is_live => None,
            Ok(mut older) => {
                older.append(&mut messages);
                Some(json!({ "messages": older, "complete": true }))
            }
            Err(error) => {
                tracing::warn!(%error, conversation_id = %id, "transcript without its older part");
                Some(json!({ "messages": messages, "complete": false, "older": error.to_string() }))
            }
        }
    }

    /// Publishes an ask. `key` is the asker's own id of it: the same key is the same command.
    pub async fn submit(&self, who: &Who, key: Option<&str>, ask: Ask) -> Submitted {
        let (name, since, now) = (ask.name(), Stamp::now(), clock::now());
        let command = self.command_id(&who.agent, key, name);
        let (asked, waits) = {
            let mut inner = self.lock();
            let asked = inner.desk.ask(&who.agent, command, ask, now);
            let waits = matches!(asked, Asked::Publish(_)).then(|| {
                let (sender, receiver) = oneshot::channel();
                inner.waiting.entry(command).or_default().push(sender);
                receiver
            });
            (asked, waits)
        };
        let known = |reply| Submitted { command, name, since, state: State::Known(reply) };
        let record = match asked {
            Asked::Decided(outcome) => return known(Reply::Decided(outcome)),
            Asked::Publish(record) | Asked::PublishOnly(record) => record,
        };
        if let Err(error) = self.shared.commands.publish(&record).await {
            tracing::error!(%error, command_id = %command, command = name, "command is not durable");
            drop(waits);
            self.forget(command);
            return known(Reply::NotDurable);
        }
        match waits {
            Some(receiver) => Submitted { command, name, since, state: State::Waits(receiver) },
            None => known(Reply::Decided(Outcome::Done)),
        }
    }

    /// Waits for the event that decides, within the time a command has.
    pub async fn reply(&self, submitted: Submitted) -> (CommandId, Reply) {
        let Submitted { command, name, since, state } = submitted;
        let reply = match state {
            State::Known(reply) => reply,
            State::Waits(receiver) => {
                let wait = Duration::from_millis(self.settings().command_wait_ms);
                match tokio::time::timeout(wait.saturating_sub(since.elapsed()), receiver).await {
                    Ok(Ok(outcome)) => Reply::Decided(outcome),
                    Ok(Err(_)) | Err(_) => {
                        self.forget(command);
                        Reply::NoAnswerYet
                    }
                }
            }
        };
        let outcome = match &reply {
            Reply::Decided(Outcome::Done) => "done",
            Reply::Decided(Outcome::Refused(_)) => "refused",
            Reply::NoAnswerYet => "no_answer_yet",
            Reply::NotDurable => "not_durable",
        };
        self.metrics().commands.with_label_values(&[name, outcome]).inc();
        self.metrics().command_seconds.with_label_values(&[name]).observe(since.elapsed().as_secs_f64());
        (command, reply)
    }

    /// Closes every socket.
    pub fn close_all(&self) {
        for socket in std::mem::take(&mut self.lock().sockets).into_values().flatten() {
            // the socket may be closing by itself
            let _ = socket.close.send(Closing::GoingAway);
        }
    }

    /// A frame's text, counted.
    pub fn text(&self, frame: &Frame<'_>) -> String {
        self.metrics().frames_out.with_label_values(&[frame.name()]).inc();
        frame.text()
    }

    fn command_id(&self, agent: &AgentRef, key: Option<&str>, name: &str) -> CommandId {
        let (tenant, person) = (agent.tenant.as_str(), agent.agent.as_str());
        match key {
            Some(key) => CommandId::derive(&[tenant, person, key]),
            None => {
                let mut inner = self.lock();
                inner.next_id += 1;
                let now = clock::now().as_ms().to_string();
                CommandId::derive(&[tenant, person, name, &now, &inner.next_id.to_string()])
            }
        }
    }

    fn forget(&self, command: CommandId) {
        let mut inner = self.lock();
        let waiters = inner.waiting.entry(command).or_default();
        waiters.retain(|waiter| !waiter.is_closed());
        if waiters.is_empty() {
            inner.waiting.remove(&command);
            inner.desk.forget(command);
        }
    }

    fn leave(&self, agent: &AgentRef, id: u64) {
        let mut inner = self.lock();
        inner.sockets_open -= 1;
        self.metrics().sockets.dec();
        let Some(sockets) = inner.sockets.get_mut(agent) else { return };
        sockets.retain(|socket| socket.id != id);
        if sockets.is_empty() {
            inner.sockets.remove(agent);
            self.notice(Notice::Lost(agent.clone()));
        }
    }

    /// A socket that has no room is closed: it would otherwise miss something.
    fn tell(&self, inner: &mut Inner, to: &AgentRef, text: &str) {
        let Some(sockets) = inner.sockets.get_mut(to) else { return };
        let (kept, slow): (Vec<Socket>, Vec<Socket>) =
            std::mem::take(sockets).into_iter().partition(|socket| socket.queue.try_send(text.to_owned()).is_ok());
        *sockets = kept;
        if inner.sockets.get(to).is_some_and(Vec::is_empty) {
            inner.sockets.remove(to);
            self.notice(Notice::Lost(to.clone()));
        }
        for socket in slow {
            // the socket may be closing by itself
            let _ = socket.close.send(Closing::Slow);
        }
    }

    /// Called under the lock, so that notices go out in the order of what they tell.
    fn notice(&self, notice: Notice) {
        if self.shared.notices.try_send(notice).is_err() {
            self.metrics().notices_dropped.inc();
        }
    }

    fn connected(&self) -> BTreeMap<TenantId, Vec<AgentId>> {
        let mut connected: BTreeMap<TenantId, Vec<AgentId>> = BTreeMap::new();
        for agent in self.lock().sockets.keys() {
            connected.entry(agent.tenant.clone()).or_default().push(agent.agent.clone());
        }
        connected
    }

    async fn notify(self, mut waiting: mpsc::Receiver<Notice>) {
        let mut every = tokio::time::interval(HELD_EVERY);
        loop {
            let notices = tokio::select! {
                notice = waiting.recv() => notice.into_iter().collect::<Vec<Notice>>(),
                _ = every.tick() => {
                    self.connected().into_iter().map(|(tenant, agents)| Notice::Held(tenant, agents)).collect()
                }
            };
            for notice in notices {
                if let Err(error) = self.shared.commands.notify(notice, clock::now()).await {
                    tracing::error!(%error, "routing does not hear who is connected");
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What routing says of an agent, for REST.
pub fn agent_state(hello: &crate::core::Hello) -> Value {
    json!({ "presence": hello.presence, "secondary": hello.secondary, "routing_status": hello.routing_status })
}
