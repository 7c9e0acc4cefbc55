//! A contact centre on the bench, for the rules' tables of tests: every step is a transaction,
//! every invariant is checked after it, gateways send their heartbeats.
#![expect(missing_docs, reason = "each does what its name says")]
#![expect(clippy::wildcard_enum_match_arm, reason = "tests pick what they look for")]

mod bots;
pub mod observer;

use std::collections::{BTreeMap, BTreeSet};

use schemas::config::{Entity, EntityKind};
use schemas::ids::{AgentId, CommandId, ConversationId, CustomerKey, EventId, QueueId, StintId, TenantId};
use schemas::records::{
    AgentAsk, Cause, Channel, Connect, ConnectionChange, ConnectionsHeld, Content, ConversationCommandKind,
    CustomerLeft, Decision, DeliveryRequest, Disconnect, Millis, OwnerKind, PartEnded, Presence, QueueVisitEnded,
    ReentryReleased, RoutingCommand, RoutingCommandKind, RoutingEvent, RoutingEventKind, SegmentEnded, Sender,
    SenderKind, SetPresence, Spoke, Target, WorkArrived, WrapUpAsk,
};
use stream::Timestamp;
use stream::testing::TaskDriver;

use super::Routing;
use super::effect::Effect;
use super::event::{Configured, Event};
use super::index::Count;
use super::rules::estimate;
use super::state::{Facts, QueueKey, Stage, State, WorkRow};

const HEARTBEAT_MS: Millis = 10_000;

/// Seconds as milliseconds.
pub fn secs(n: i64) -> Millis {
    n * 1000
}

/// The tenant of the bench.
pub fn tenant() -> TenantId {
    TenantId::new("acme")
}

/// A conversation by name.
pub fn conversation(name: &str) -> ConversationId {
    ConversationId::derive(&[name])
}

/// A stint's facts.
pub fn facts(name: &str) -> Facts {
    Facts {
        tenant: tenant(),
        conversation: conversation(name),
        stint: StintId::derive(&[name, "1"]),
        stint_no: 1,
        customer_key: CustomerKey::default(),
        channel: Channel::Open,
        account: "main".into(),
        customer_name: None,
        language: None,
        is_new_customer: true,
        is_reopen: false,
        entry_point: None,
    }
}

/// A configuration document as an event.
pub fn configured(kind: EntityKind, id: &str, version: i64, spec: &serde_json::Value) -> Event {
    Event::Configured(Box::new(Configured {
        event_id: EventId::derive(&[kind.as_str(), id, &version.to_string()]),
        tenant: tenant(),
        kind: kind.as_str().into(),
        id: id.into(),
        version: Some(version),
        entity: Some(Entity::from_json(kind, &spec.to_string()).unwrap()),
    }))
}

/// The bench.
pub struct Bench {
    driver: TaskDriver<Routing>,
    commands: u64,
    versions: BTreeMap<(EntityKind, String), i64>,
    stints: BTreeMap<String, i64>,
    gateways: BTreeMap<String, BTreeSet<String>>,
    beats: bool,
    next_beat: Millis,
    clock: Millis,
    said: Vec<RoutingEvent>,
    told: Vec<ConversationCommandKind>,
    requests: Vec<DeliveryRequest>,
}

impl Bench {
    /// Nothing configured.
    pub fn empty() -> Self {
        Self {
            driver: TaskDriver::new(Routing),
            commands: 0,
            versions: BTreeMap::new(),
            stints: BTreeMap::new(),
            gateways: BTreeMap::new(),
            beats: true,
            next_beat: HEARTBEAT_MS,
            clock: 0,
            said: Vec::new(),
            told: Vec::new(),
            requests: Vec::new(),
        }
    }

    /// Agents ada and ben in the queue sales of the account main.
    pub fn simple() -> Self {
        Self::with_queue("{}")
    }

    /// As [`Bench::simple`], with these queue settings.
    pub fn with_queue(rules: &str) -> Self {
        let bench = Self::empty().agent("ada", "{}").agent("ben", "{}");
        bench.members("sales", &["ada", "ben"], rules).account("main", "sales")
    }

    pub fn agent(mut self, id: &str, spec: &str) -> Self {
        self.configure_agent(id, spec);
        self
    }

    pub fn queue(self, id: &str, rules: &str) -> Self {
        self.members(id, &[], rules)
    }

    pub fn members(mut self, id: &str, members: &[&str], rules: &str) -> Self {
        self.configure_queue(id, members, rules);
        self
    }

    pub fn account(mut self, id: &str, queue: &str) -> Self {
        self.configure_account(id, queue);
        self
    }

    pub fn configure_agent(&mut self, id: &str, spec: &str) -> &mut Self {
        let mut spec: serde_json::Value = serde_json::from_str(spec).unwrap();
        spec["name"] = id.into();
        self.configure(EntityKind::Agent, id, &spec)
    }

    pub fn configure_queue(&mut self, id: &str, members: &[&str], rules: &str) -> &mut Self {
        let mut spec: serde_json::Value = serde_json::from_str(rules).unwrap();
        spec["name"] = id.into();
        spec["members"] = members.into();
        self.configure(EntityKind::Queue, id, &spec)
    }

    pub fn configure_account(&mut self, id: &str, queue: &str) -> &mut Self {
        let spec = serde_json::json!({"channel": "open", "name": id, "queue": queue});
        self.configure(EntityKind::ChannelAccount, id, &spec)
    }

    pub fn configure_language(&mut self, id: &str) -> &mut Self {
        self.configure(EntityKind::Language, id, &serde_json::json!({"name": id}))
    }

    fn configure(&mut self, kind: EntityKind, id: &str, spec: &serde_json::Value) -> &mut Self {
        let version = self.versions.entry((kind, id.to_owned())).or_default();
        *version += 1;
        let event = configured(kind, id, *version, spec);
        let now = self.now();
        self.apply(event, now)
    }

    /// Gateways stop sending heartbeats.
    pub fn quiet(&mut self) -> &mut Self {
        self.beats = false;
        self
    }

    pub fn advance(&mut self, at: Millis) -> &mut Self {
        self.beat_until(at);
        let effects = self.driver.advance_to(Timestamp::from_ms(at));
        self.note(effects);
        self.clock = self.clock.max(at);
        self
    }

    /// Connects an agent to gateway g1 and puts them on queue.
    pub fn on_queue(&mut self, agent: &str) -> &mut Self {
        self.gateways.entry("g1".into()).or_default().insert(agent.into());
        let change = ConnectionChange { agent_id: agent.into(), gateway_id: "g1".into() };
        let now = self.now();
        self.command(None, RoutingCommandKind::ConnectionBack(change), now);
        self.presence(agent, Presence::OnQueue, now)
    }

    pub fn presence(&mut self, agent: &str, presence: Presence, at: Millis) -> &mut Self {
        let set = SetPresence { agent_id: agent.into(), presence, secondary: None };
        self.command(None, RoutingCommandKind::SetPresence(set), at)
    }

    pub fn held(&mut self, gateway: &str, agents: &[&str], at: Millis) -> &mut Self {
        self.beat_until(at);
        self.gateways.insert(gateway.into(), agents.iter().map(|agent| (*agent).to_owned()).collect());
        self.send_held(gateway, at)
    }

    pub fn lost(&mut self, agent: &str, gateway: &str, at: Millis) -> &mut Self {
        self.gateways.entry(gateway.into()).or_default().remove(agent);
        let change = ConnectionChange { agent_id: agent.into(), gateway_id: gateway.into() };
        self.command(None, RoutingCommandKind::ConnectionLost(change), at)
    }

    pub fn arrive(&mut self, name: &str) -> &mut Self {
        let now = self.now();
        self.arrive_at(name, now)
    }

    pub fn arrive_at(&mut self, name: &str, at: Millis) -> &mut Self {
        self.arrive_by("main", name, at)
    }

    pub fn arrive_by(&mut self, account: &str, name: &str, at: Millis) -> &mut Self {
        let arrived = WorkArrived { account_id: account.into(), ..WorkArrived::default() };
        self.stints.insert(name.into(), 1);
        self.arrived(name, arrived, at)
    }

    pub fn arrive_speaking(&mut self, name: &str, language: &str, at: Millis) -> &mut Self {
        let arrived =
            WorkArrived { account_id: "main".into(), language: Some(language.into()), ..WorkArrived::default() };
        self.stints.insert(name.into(), 1);
        self.arrived(name, arrived, at)
    }

    /// The next stint of a conversation inside its window.
    pub fn returns(&mut self, name: &str, last_agent: &str, at: Millis) -> &mut Self {
        *self.stints.entry(name.into()).or_default() += 1;
        let arrived = WorkArrived {
            account_id: "main".into(),
            returning: true,
            last_agent: Some(last_agent.into()),
            last_queue: Some("sales".into()),
            ..WorkArrived::default()
        };
        self.arrived(name, arrived, at)
    }

    /// A stint that an agent began by writing first.
    pub fn begins(&mut self, name: &str, agent: &str, queue: &str) -> &mut Self {
        let target = Target { kind: OwnerKind::Agent, id: agent.into(), queue_id: Some(queue.into()) };
        let arrived = WorkArrived { account_id: "main".into(), target: Some(target), ..WorkArrived::default() };
        let now = self.now();
        self.stints.insert(name.into(), 1);
        self.arrived(name, arrived, now)
    }

    fn arrived(&mut self, name: &str, arrived: WorkArrived, at: Millis) -> &mut Self {
        let stint_no = self.stints[name];
        let seq = (stint_no - 1) * 100 + 1;
        let arrived = WorkArrived { channel: Channel::Open, seq, stint_no, ..arrived };
        self.command(Some(name), RoutingCommandKind::WorkArrived(Box::new(arrived)), at)
    }

    pub fn spoke(&mut self, name: &str, seq: i64, at: Millis) -> &mut Self {
        self.said_by(name, SenderKind::Customer, None, (seq, at))
    }

    pub fn replied(&mut self, name: &str, agent: &str, seq: i64, at: Millis) -> &mut Self {
        self.said_by(name, SenderKind::Agent, Some(agent), (seq, at))
    }

    fn said_by(&mut self, name: &str, kind: SenderKind, id: Option<&str>, (seq, at): (i64, Millis)) -> &mut Self {
        let sender = Sender { kind, id: id.map(str::to_owned) };
        // Only flows and bots look at the words.
        let content = (kind == SenderKind::Customer).then(|| Content::text("hello"));
        let spoke = Spoke { seq, sender, at, content };
        self.command(Some(name), RoutingCommandKind::Spoke(Box::new(spoke)), at)
    }

    pub fn leave(&mut self, name: &str, at: Millis) -> &mut Self {
        let left = CustomerLeft { cause: Cause::CustomerLeft, seq: 0 };
        self.command(Some(name), RoutingCommandKind::CustomerLeft(left), at)
    }

    pub fn accept(&mut self, name: &str, agent: &str) -> &mut Self {
        self.ask(name, agent, RoutingCommandKind::Accept)
    }

    pub fn decline(&mut self, name: &str, agent: &str) -> &mut Self {
        self.ask(name, agent, RoutingCommandKind::Decline)
    }

    pub fn disconnect(&mut self, name: &str, agent: &str) -> &mut Self {
        self.ask(name, agent, RoutingCommandKind::Disconnect)
    }

    pub fn ask(&mut self, name: &str, agent: &str, kind: fn(AgentAsk) -> RoutingCommandKind) -> &mut Self {
        let now = self.now();
        self.command(Some(name), kind(AgentAsk { agent_id: agent.into(), owner_epoch: None }), now)
    }

    pub fn wrap_up(&mut self, name: &str, agent: &str, code: Option<&str>) -> &mut Self {
        let ask = WrapUpAsk { agent_id: agent.into(), code: code.map(Into::into), ..WrapUpAsk::default() };
        let now = self.now();
        let mut command = self.next_command(Some(name), RoutingCommandKind::WrapUp(ask), now);
        command.stint_id = None;
        self.apply(Event::Command(Box::new(command)), now)
    }

    fn command(&mut self, name: Option<&str>, kind: RoutingCommandKind, at: Millis) -> &mut Self {
        self.beat_until(at);
        let command = self.next_command(name, kind, at);
        self.apply(Event::Command(Box::new(command)), at)
    }

    fn next_command(&mut self, name: Option<&str>, kind: RoutingCommandKind, at: Millis) -> RoutingCommand {
        self.commands += 1;
        let n = self.commands.to_string();
        let stint = name.map(|name| self.stints.get(name).copied().unwrap_or(1).to_string());
        RoutingCommand {
            event_id: EventId::derive(&[&n]),
            tenant: tenant(),
            occurred_at: at,
            recorded_at: at,
            command_id: CommandId::derive(&[&n]),
            conversation_id: name.map(conversation),
            stint_id: name.zip(stint).map(|(name, stint)| StintId::derive(&[name, &stint])),
            customer_key: name.map(|_| CustomerKey::default()),
            kind,
        }
    }

    fn beat_until(&mut self, at: Millis) {
        while self.beats && self.next_beat <= at {
            let beat = self.next_beat;
            self.next_beat += HEARTBEAT_MS;
            for gateway in self.gateways.keys().cloned().collect::<Vec<_>>() {
                self.send_held(&gateway, beat);
            }
        }
    }

    fn send_held(&mut self, gateway: &str, at: Millis) -> &mut Self {
        let agent_ids = self.gateways[gateway].iter().map(AgentId::new).collect();
        let held = ConnectionsHeld { gateway_id: gateway.into(), agent_ids };
        let command = self.next_command(None, RoutingCommandKind::ConnectionsHeld(held), at);
        self.apply(Event::Command(Box::new(command)), at)
    }

    fn apply(&mut self, event: Event, at: Millis) -> &mut Self {
        self.clock = self.clock.max(at);
        let effects = self.driver.apply(event, Timestamp::from_ms(self.clock));
        self.note(effects);
        self
    }

    fn note(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Event(event) => self.said.push(*event),
                Effect::Command(command) => self.told.push(command.kind),
                Effect::Ask(request) => self.requests.push(*request),
                Effect::View(_) | Effect::Gone(_) | Effect::Repeated => {}
            }
        }
    }

    /// Forgets what was said so far.
    pub fn clear(&mut self) -> &mut Self {
        self.said.clear();
        self.told.clear();
        self
    }

    pub fn now(&self) -> Millis {
        self.clock
    }

    pub fn state(&self) -> &State {
        self.driver.state()
    }

    fn work(&self, name: &str) -> Option<&WorkRow> {
        self.state().work.get(&conversation(name))
    }

    fn queue_key(queue: &str) -> QueueKey {
        (tenant(), QueueId::new(queue))
    }

    pub fn offered_to(&self, name: &str) -> Option<String> {
        match &self.work(name)?.stage {
            Stage::Alerting(offer) => Some(offer.agent.to_string()),
            Stage::Waiting | Stage::With { .. } | Stage::Bot(_) => None,
        }
    }

    pub fn is_gone(&self, name: &str) -> bool {
        self.work(name).is_none()
    }

    pub fn waiting(&self, queue: &str) -> i64 {
        self.state().index.counts.get(&Count::Waiting(Self::queue_key(queue)))
    }

    pub fn count_on_queue(&self, queue: &str) -> i64 {
        self.state().index.counts.get(&Count::OnQueue(Self::queue_key(queue)))
    }

    pub fn estimate(&self, queue: &str) -> Option<Millis> {
        estimate::wait_ms(self.state(), &Self::queue_key(queue))
    }

    pub fn position(&self, name: &str) -> Option<i64> {
        estimate::position(self.state(), self.work(name)?)
    }

    pub fn epoch(&self, name: &str) -> i64 {
        self.work(name).map_or(0, |row| row.epoch)
    }

    pub fn load(&self, agent: &str) -> i64 {
        self.state().agents.get(&(tenant(), agent.into())).map_or(0, |row| row.load.total())
    }

    /// The last event of a kind.
    pub fn said(&self, kind: &str) -> Option<&RoutingEvent> {
        self.said.iter().rev().find(|event| event.kind.name() == kind)
    }

    fn last<T>(&self, pick: impl Fn(&RoutingEventKind) -> Option<T>) -> Option<T> {
        self.said.iter().rev().find_map(|event| pick(&event.kind))
    }

    pub fn refused(&self) -> Option<String> {
        self.last(|kind| match kind {
            RoutingEventKind::Refused(refused) => Some(refused.reason.clone()),
            _ => None,
        })
    }

    pub fn segment(&self, name: &str) -> Option<SegmentEnded> {
        self.last(|kind| match kind {
            RoutingEventKind::SegmentEnded(segment) if segment.segment.as_str() == name => Some((**segment).clone()),
            _ => None,
        })
    }

    pub fn visit_ended(&self) -> Option<QueueVisitEnded> {
        self.last(|kind| match kind {
            RoutingEventKind::QueueVisitEnded(visit) => Some((**visit).clone()),
            _ => None,
        })
    }

    pub fn part_ended(&self) -> Option<PartEnded> {
        self.last(|kind| match kind {
            RoutingEventKind::PartEnded(part) => Some((**part).clone()),
            _ => None,
        })
    }

    pub fn decision(&self) -> Option<Decision> {
        self.last(|kind| match kind {
            RoutingEventKind::Decision(decision) => Some((**decision).clone()),
            _ => None,
        })
    }

    pub fn service_levels(&self) -> Vec<bool> {
        let met = |event: &RoutingEvent| match &event.kind {
            RoutingEventKind::ServiceLevelCounted(counted) => Some(counted.met),
            _ => None,
        };
        self.said.iter().filter_map(met).collect()
    }

    pub fn last_config_version(&self) -> i64 {
        self.said.last().map_or(0, |event| event.config_version)
    }

    pub fn connect_told(&self) -> Option<Connect> {
        self.told.iter().rev().find_map(|kind| match kind {
            ConversationCommandKind::Connect(connect) => Some(connect.clone()),
            _ => None,
        })
    }

    pub fn disconnect_told(&self) -> Option<Disconnect> {
        self.told.iter().rev().find_map(|kind| match kind {
            ConversationCommandKind::Disconnect(disconnect) => Some(disconnect.clone()),
            _ => None,
        })
    }

    pub fn released_told(&self) -> Option<ReentryReleased> {
        self.told.iter().rev().find_map(|kind| match kind {
            ConversationCommandKind::ReentryReleased(released) => Some(released.clone()),
            _ => None,
        })
    }
}
