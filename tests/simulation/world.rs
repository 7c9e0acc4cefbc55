//! The world of one seed: people, platforms, the log and the three services, in one thread.

use crate::dice::Dice;
use crate::log::{CUSTOMER_PARTITIONS, DOMAIN_PARTITIONS, Log};
use crate::node::{Node, Stepped};
use crate::people::{self, Person, secret};
use crate::provider::Provider;
use delivery::core::Policy;
use delivery::core::effect::Errand;
use delivery::core::event::{CallEnded, ErrandEnded, Event as DeliveryEvent};
use delivery::{DeliveryStation, metrics::Metrics as DeliveryMetrics};
use routing::metrics::Metrics as RoutingMetrics;
use routing::station::RoutingStation;
use schemas::codec::Codec;
use schemas::ids::{AgentId, EventId, MessageId};
use schemas::records::{
    Channel, ConfigEntity, ConversationCommand, ConversationCommandKind, Presence, ReceiptStatus, Record,
    RoutingCommandKind, RoutingView, RoutingViewKind, WorkState, WorkView,
};
use schemas::topics::{
    CHANNEL_INBOUND, CONFIG_ENTITIES, CONVERSATION_COMMANDS, CONVERSATION_EVENTS, DELIVERY_REQUESTS, ROUTING_COMMANDS,
    ROUTING_VIEWS, TOPICS, Topic,
};
use std::collections::{BTreeMap, BTreeSet};
use stream::{Output, Station, Timestamp};
use telemetry::Admin;
use threading::ThreadingStation;
use threading::metrics::Metrics as ThreadingMetrics;

/// A midnight.
const START_MS: i64 = 20_718 * 86_400_000;
const SECOND_MS: i64 = 1000;
const HOUR_MS: i64 = 3_600_000;
const HEARTBEAT_MS: i64 = 10 * SECOND_MS;
/// Longer than the longest schedule of retries and every window.
const SETTLED_AFTER_H: i64 = 40;
const DRAIN_STEPS_MAX: usize = 4_000;

pub(crate) const AGENTS: [&str; 3] = ["ann", "ben", "cat"];
/// Interactions an agent may hold.
pub(crate) const CAPACITY: usize = 2;

/// Everything there is.
pub(crate) struct World {
    pub(crate) codec: Codec,
    pub(crate) log: Log,
    pub(crate) provider: Provider,
    /// Every message a customer ever wrote.
    pub(crate) written: BTreeSet<MessageId>,
    pub(crate) threading: Node<ThreadingStation>,
    pub(crate) routing: Node<RoutingStation>,
    pub(crate) delivery: Node<DeliveryStation>,
    pub(crate) now: Timestamp,
    dice: Dice,
    people: Vec<Person>,
    /// Records on their way to the log: duplicates and latecomers.
    post: BTreeMap<(Timestamp, u64), Output>,
    /// Agents whose connection is lost until then.
    lost: BTreeMap<&'static str, Timestamp>,
    held_at: Timestamp,
    count: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let registry = |service| Admin::new(service).unwrap().registry;
        let codec = || Codec::offline(TOPICS);
        let threading =
            ThreadingStation::new(codec(), secret(), ThreadingMetrics::register(&registry("threading")).unwrap());
        let routing = RoutingStation::new(codec(), RoutingMetrics::register(&registry("routing")).unwrap());
        let metrics = DeliveryMetrics::start(&registry("delivery")).unwrap();
        let delivery = DeliveryStation::new(Policy::default(), codec(), secret(), metrics);
        let config = CONFIG_ENTITIES.name;
        let person = |n: usize| {
            let (channel, account) =
                if n.is_multiple_of(2) { (Channel::Whatsapp, "main") } else { (Channel::Open, "shop") };
            Person { name: format!("person{n}"), channel, account }
        };
        let mut world = Self {
            threading: Node::new(threading, &[CHANNEL_INBOUND.name, CONVERSATION_COMMANDS.name], config),
            routing: Node::new(routing, &[ROUTING_COMMANDS.name], config),
            delivery: Node::new(
                delivery,
                &[CONVERSATION_EVENTS.name, DELIVERY_REQUESTS.name, CHANNEL_INBOUND.name],
                config,
            ),
            codec: codec(),
            log: Log::default(),
            provider: Provider::default(),
            written: BTreeSet::new(),
            now: Timestamp::from_ms(START_MS),
            dice: Dice::new(seed),
            people: (0..8).map(person).collect(),
            post: BTreeMap::new(),
            lost: BTreeMap::new(),
            held_at: Timestamp::ZERO,
            count: 0,
        };
        world.configure();
        world
    }

    fn configure(&mut self) {
        let wrap_up = *self.dice.pick(&["optional", "mandatory", "timed", "timed_forced"]);
        let away = *self.dice.pick(&["requeue_on_message", "requeue", "keep"]);
        let grace = self.dice.roll(2);
        let agent = format!(r#"{{"name":"A","capacity":{{"message":{CAPACITY}}}}}"#);
        let queue = |grace: usize| {
            format!(
                r#"{{"name":"Q","members":["ann","ben","cat"],"wrap_up":{{"policy":"{wrap_up}","timeout_s":20}},
                "owner_away":"{away}","closing_grace_min":{grace},"acw_reentry_s":15,"alerting_timeout_s":20}}"#
            )
        };
        let account =
            |channel: &str| format!(r#"{{"channel":"{channel}","name":"C","queue":"{channel}","endpoint":null}}"#);
        let mut documents = vec![("Tenant", "acme", r#"{"name":"Acme","window":{"minutes":120}}"#.to_owned())];
        documents.extend(AGENTS.iter().map(|id| ("Agent", *id, agent.clone())));
        documents.extend([("Queue", "whatsapp", queue(grace)), ("Queue", "open", queue(0))]);
        documents
            .extend([("ChannelAccount", "main", account("whatsapp")), ("ChannelAccount", "shop", account("open"))]);
        for (kind, id, body) in documents {
            let entity = ConfigEntity {
                event_id: EventId::derive(&[kind, id]),
                tenant: "acme".into(),
                kind: kind.to_owned(),
                id: id.to_owned(),
                version: 1,
                body,
                ..ConfigEntity::default()
            };
            self.send(CONFIG_ENTITIES, format!("acme/{kind}/{id}"), &entity, 0);
        }
        self.all_on_queue();
    }

    /// One thing happens, and each service does a little.
    pub(crate) fn step(&mut self) {
        let jump = match self.dice.roll(400) {
            0 => 3 * HOUR_MS,
            1..=4 => 90 * SECOND_MS,
            n => [0, 1, 20, 300, 1500, 4000][n % 6],
        };
        self.pass(jump);
        match self.dice.roll(20) {
            0..=6 => self.customer_acts(),
            7 => self.agent_changes(),
            8..=15 => self.agent_works(),
            16 => self.crash(),
            17 => self.old_command_comes_again(),
            _ => {}
        }
        for _ in 0..self.dice.roll(12) {
            self.work_somewhere();
        }
    }

    /// Agents finish everything, services catch up, time passes until nothing is left to do.
    pub(crate) fn drain(&mut self) {
        self.lost.clear();
        for round in 0..DRAIN_STEPS_MAX {
            if round % 30 == 0 {
                self.all_on_queue();
            }
            self.pass(SECOND_MS);
            self.catch_up();
            let open = self.work_views();
            if open.is_empty() && self.post.is_empty() && self.provider.is_idle() {
                break;
            }
            assert!(round + 1 < DRAIN_STEPS_MAX, "work that nobody can finish: {open:?}");
            for view in open {
                self.finish(&view);
            }
        }
        for _ in 0..SETTLED_AFTER_H * 2 {
            self.pass(HOUR_MS / 2);
            self.catch_up();
        }
    }

    /// Every task restores its state from its changelog, which must give the live one.
    pub(crate) fn lose_all_memory(&mut self) {
        for partition in 0..CUSTOMER_PARTITIONS {
            self.threading.crash(partition);
            self.delivery.crash(partition);
        }
        for partition in 0..DOMAIN_PARTITIONS {
            self.routing.crash(partition);
        }
    }

    /// All services read everything there is.
    fn catch_up(&mut self) {
        loop {
            let mut worked = false;
            for partition in 0..CUSTOMER_PARTITIONS {
                worked |= self.step_node(0, partition) == Stepped::Worked;
                worked |= self.step_node(1, partition) == Stepped::Worked;
            }
            for partition in 0..DOMAIN_PARTITIONS {
                worked |= self.step_node(2, partition) == Stepped::Worked;
            }
            if !worked {
                return;
            }
        }
    }

    fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        while let Some(entry) = self.post.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let output = entry.remove();
            self.log.append(output, self.now);
        }
        if self.now.ms_since(self.held_at) >= HEARTBEAT_MS {
            self.held_at = self.now;
            let now = self.now;
            self.lost.retain(|_, until| *until > now);
            let present: Vec<AgentId> =
                AGENTS.iter().filter(|agent| !self.lost.contains_key(*agent)).map(AgentId::new).collect();
            self.tell_routing(None, people::held(present));
        }
        for (partition, ended) in self.provider.ended(self.now) {
            let event = self.delivery.station.outcome(&ErrandEnded::Send(ended));
            self.delivery.apply(partition, event, &mut self.log, self.now);
            self.perform(partition);
        }
    }

    fn customer_acts(&mut self) {
        let person = self.dice.pick(&self.people).clone();
        let id = self.fresh("in");
        let event = match self.dice.roll(20) {
            0 => person.leaves(&id, self.now),
            1 => person.types(&id, self.now),
            _ => {
                self.written.insert(person.message_id(&id));
                person.writes(&id, self.now)
            }
        };
        let key = person.key().to_string();
        for _ in 0..[1, 1, 1, 2, 3][self.dice.roll(5)] {
            let later = [0, 0, 50, 5_000, 600_000][self.dice.roll(5)];
            self.send(CHANNEL_INBOUND, key.clone(), &event, later);
        }
    }

    fn agent_changes(&mut self) {
        let agent = *self.dice.pick(&AGENTS);
        match self.dice.roll(4) {
            0 => drop(self.lost.insert(agent, self.now.plus_ms(100 * SECOND_MS))),
            1 => self.tell_routing(None, people::presence(agent, Presence::Break)),
            _ => self.tell_routing(None, people::presence(agent, Presence::OnQueue)),
        }
    }

    fn agent_works(&mut self) {
        let open: Vec<WorkView> = self.work_views().into_iter().filter(|view| view.agent_id.is_some()).collect();
        if open.is_empty() {
            return;
        }
        let view = self.dice.pick(&open).clone();
        match (view.state, self.dice.roll(6)) {
            (WorkState::Alerting, 0) => self.tell_routing(Some(&view), RoutingCommandKind::Decline(people::ask(&view))),
            (WorkState::Alerting, 1) | (_, 5) => {}
            (WorkState::Interacting, 0) => {
                self.tell_routing(Some(&view), RoutingCommandKind::Disconnect(people::ask(&view)));
            }
            (WorkState::Interacting, 1) => self.reply(&view, view.owner_epoch - 1),
            (WorkState::Interacting, _) | (WorkState::WrapUp, 3) => self.reply(&view, view.owner_epoch),
            (WorkState::WrapUp, 0..=2) => self.tell_routing(Some(&view), people::wrap_up(&view)),
            (_, _) => self.tell_routing(Some(&view), RoutingCommandKind::Accept(people::ask(&view))),
        }
    }

    fn finish(&mut self, view: &WorkView) {
        match view.state {
            WorkState::Alerting => self.tell_routing(Some(view), RoutingCommandKind::Accept(people::ask(view))),
            WorkState::Interacting => self.tell_routing(Some(view), RoutingCommandKind::Disconnect(people::ask(view))),
            WorkState::WrapUp => self.tell_routing(Some(view), people::wrap_up(view)),
            WorkState::Waiting | WorkState::Held | WorkState::Parked | WorkState::Unknown => {}
        }
    }

    fn reply(&mut self, view: &WorkView, epoch: i64) {
        let id = self.fresh("out");
        let command = people::replies(&id, view, epoch, self.now);
        for _ in 0..[1, 1, 2][self.dice.roll(3)] {
            self.send(CONVERSATION_COMMANDS, view.customer_key.to_string(), &command, 0);
        }
    }

    fn crash(&mut self) {
        let partition = self.dice.roll(CUSTOMER_PARTITIONS);
        match self.dice.roll(3) {
            0 => drop(self.threading.crash(partition)),
            1 => drop(self.routing.crash(0)),
            _ => {
                self.delivery.crash(partition);
                self.provider.forget(partition);
                for event in self.delivery.station.lost(self.delivery.tasks[partition].driver.state()) {
                    self.delivery.apply(partition, at_sim_time(event, self.now), &mut self.log, self.now);
                }
                self.perform(partition);
            }
        }
    }

    /// Somebody drives a record of routing's again that was decided long ago.
    fn old_command_comes_again(&mut self) {
        let commands: Vec<ConversationCommand> = self.log.records(&self.codec, CONVERSATION_COMMANDS.name);
        let ownership: Vec<_> =
            commands.into_iter().filter(|command| !matches!(command.kind, ConversationCommandKind::Send(_))).collect();
        if !ownership.is_empty() {
            let command = self.dice.pick(&ownership).clone();
            self.send(CONVERSATION_COMMANDS, command.customer_key.to_string(), &command, 0);
        }
    }

    fn work_somewhere(&mut self) {
        match self.dice.roll(3) {
            2 => self.step_node(2, self.dice.clone().roll(DOMAIN_PARTITIONS)),
            service => {
                let partition = self.dice.roll(CUSTOMER_PARTITIONS);
                self.step_node(service, partition)
            }
        };
    }

    fn step_node(&mut self, service: usize, partition: usize) -> Stepped {
        let (log, now, dice) = (&mut self.log, self.now, &mut self.dice);
        match service {
            0 => self.threading.step(partition, log, now, dice),
            1 => {
                let stepped = self.delivery.step(partition, log, now, dice);
                self.perform(partition);
                stepped
            }
            _ => self.routing.step(partition, log, now, dice),
        }
    }

    /// Hands committed sends to the platforms, whose receipts come in any order, some twice.
    fn perform(&mut self, partition: usize) {
        for errand in std::mem::take(&mut self.delivery.tasks[partition].requests) {
            let Errand::Send(send) = errand else { panic!("without a store nothing is fetched, found {errand:?}") };
            let Some(id) = self.provider.call(partition, &send, self.now, &mut self.dice) else { continue };
            for status in [ReceiptStatus::Sent, ReceiptStatus::Delivered, ReceiptStatus::Read, ReceiptStatus::Read] {
                let whose = (send.customer_key, send.channel, send.account.account.as_str());
                let receipt = people::receipt(whose, &id, status, self.now);
                let later = [1, 60, 2_000, 40_000][self.dice.roll(4)];
                self.send(CHANNEL_INBOUND, send.customer_key.to_string(), &receipt, later);
            }
        }
    }

    fn all_on_queue(&mut self) {
        for agent in AGENTS {
            self.tell_routing(None, people::presence(agent, Presence::OnQueue));
        }
    }

    fn tell_routing(&mut self, view: Option<&WorkView>, kind: RoutingCommandKind) {
        let id = self.fresh("ask");
        let command = people::asks(&id, view, kind, self.now);
        for _ in 0..[1, 1, 1, 2][self.dice.roll(4)] {
            self.send(ROUTING_COMMANDS, "acme".to_owned(), &command, 0);
        }
    }

    fn send<R: Record>(&mut self, topic: Topic, key: String, record: &R, later_ms: i64) {
        let output = Output::new(topic.name, key, self.codec.encode(topic.name, record).unwrap());
        if later_ms == 0 {
            self.log.append(output, self.now);
        } else {
            self.count += 1;
            self.post.insert((self.now.plus_ms(later_ms), self.count), output);
        }
    }

    fn fresh(&mut self, what: &str) -> String {
        self.count += 1;
        format!("{what}-{}", self.count)
    }

    /// What agents see of their work.
    fn work_views(&self) -> Vec<WorkView> {
        let latest = self.log.latest::<RoutingView>(&self.codec, ROUTING_VIEWS.name);
        let views = latest
            .into_values()
            .filter_map(|view| if let RoutingViewKind::Work(work) = view.kind { Some(*work) } else { None });
        views.collect()
    }
}

/// The shell reads the wall clock where a process has died; here it is the world's.
fn at_sim_time(event: DeliveryEvent, now: Timestamp) -> DeliveryEvent {
    if let DeliveryEvent::Called(ended) = event {
        return DeliveryEvent::Called(CallEnded { at: now, ..ended });
    }
    event
}
