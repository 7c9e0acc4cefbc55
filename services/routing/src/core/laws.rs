//! For any order, duplicate, abort, crash and restore: the same answers, and what must never
//! happen does not. (The state's own invariants, R14 among them, are checked after every step by
//! the driver.)

use std::collections::{BTreeMap, BTreeSet};

use schemas::config::EntityKind;
use schemas::ids::{AgentId, CommandId, CustomerKey, EventId, StintId};
use schemas::records::{
    AgentAsk, Cause, Channel, ConnectionChange, ConnectionsHeld, Content, ConversationCommandKind, CustomerLeft,
    Millis, Presence, RoutingCommand, RoutingCommandKind, RoutingEventKind, Sender, SenderKind, SetPresence, Spoke,
    WorkArrived, WrapUpAsk,
};
use stream::Timestamp;
use stream::testing::TaskDriver;

use super::Routing;
use super::effect::Effect;
use super::event::Event;
use super::state::{Stage, State};
use super::testing::observer::Observer;
use super::testing::{configured, conversation, tenant};

const AGENTS: [&str; 4] = ["ada", "ben", "cyd", "dan"];
const QUEUES: [&str; 3] = ["sales", "vip", "slow"];
const CONVERSATIONS: u64 = 12;
const STEPS: u32 = 600;
const SEEDS: u64 = 20;

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough to choose by.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }
}

/// Threading's side of one conversation, as far as routing can see it.
#[derive(Clone, Default)]
struct Thread {
    seq: i64,
    stint_no: i64,
    epoch: i64,
    live: bool,
}

/// Rolls what happens next, most of it making sense.
struct World {
    dice: Dice,
    now: Millis,
    n: u32,
    next_beat: Millis,
    threads: BTreeMap<String, Thread>,
    versions: BTreeMap<String, i64>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self { dice: Dice(seed), now: 0, n: 0, next_beat: 0, threads: BTreeMap::new(), versions: BTreeMap::new() }
    }

    fn setup(&mut self) -> Vec<Event> {
        let mut events: Vec<Event> = AGENTS.iter().map(|agent| self.agent(agent)).collect();
        events.extend(QUEUES.iter().map(|queue| self.queue(queue)));
        for (account, queue) in [("main", "sales"), ("gold", "vip"), ("post", "slow")] {
            let spec = serde_json::json!({"channel": "open", "name": account, "queue": queue});
            events.push(configured(EntityKind::ChannelAccount, account, 1, &spec));
        }
        events.push(configured(EntityKind::Language, "de", 1, &serde_json::json!({"name": "German"})));
        events
    }

    fn agent(&mut self, id: &str) -> Event {
        let capacity = 1 + self.dice.roll(3);
        let mut spec = serde_json::json!({"name": id, "capacity": {"message": capacity}, "skills": {}});
        for skill in ["a", "b"] {
            if self.dice.roll(3) > 0 {
                spec["skills"][skill] = 3.into();
            }
        }
        if self.dice.roll(2) == 0 {
            spec["languages"] = serde_json::json!({"de": 4});
        }
        let version = self.version(id);
        configured(EntityKind::Agent, id, version, &spec)
    }

    fn queue(&mut self, id: &str) -> Event {
        let members: Vec<&str> = AGENTS.into_iter().filter(|_| self.dice.roll(3) > 0).collect();
        let policies = ["optional", "mandatory", "timed", "timed_forced", "agent_requested"];
        let skills = self.dice.pick(&[vec![], vec!["a"], vec!["b"], vec!["a", "b"]]).clone();
        let spec = serde_json::json!({
            "name": id, "members": members, "skills": skills,
            "evaluation": self.dice.pick(&["all", "all", "none"]),
            "alerting_timeout_s": 10 + self.dice.roll(40),
            "priority": self.dice.roll(5),
            "last_agent": {
                "policy": self.dice.pick(&["any_agent", "queue_members_only", "disabled"]),
                "wait_s": self.dice.roll(3) * 20,
            },
            "wrap_up": {"policy": self.dice.pick(&policies), "timeout_s": 20},
            "patience_s": (self.dice.roll(3) == 0).then_some(300),
            "owner_away": self.dice.pick(&["requeue_on_message", "requeue", "park", "keep"]),
            "service_level": {
                "target_s": 20, "ratio": 0.8,
                "clock": self.dice.pick(&["accept", "first_response", "every_response"]),
            },
            "auto_accept": self.dice.roll(4) == 0,
        });
        let version = self.version(id);
        configured(EntityKind::Queue, id, version, &spec)
    }

    fn version(&mut self, id: &str) -> i64 {
        let version = self.versions.entry(id.into()).or_default();
        *version += 1;
        *version
    }

    /// The next thing, given what routing knows and said.
    fn next(&mut self, state: &State) -> (Event, Timestamp) {
        self.n += 1;
        self.now += *self.dice.pick(&[0, 1, 500, 500, 1_000, 3_000, 3_000, 9_000, 31_000]);
        let any = format!("c{}", self.dice.roll(CONVERSATIONS));
        let name = self.busy(state).filter(|_| self.n.is_multiple_of(2)).unwrap_or(any);
        if self.now >= self.next_beat && self.dice.roll(20) > 0 {
            self.next_beat = self.now + 10_000;
            return (self.heartbeat("g1"), Timestamp::from_ms(self.now));
        }
        let event = match self.dice.roll(24) {
            0..=5 => self.customer_writes(&name),
            6..=7 => self.agent_writes(&name, state),
            8 => self.customer_leaves(&name),
            9..=13 => self.agent_asks(&name, state),
            14..=15 => self.agent_wraps_up(&name, state),
            16..=18 => self.presence(),
            19 => self.connection(),
            20..=21 => self.heartbeat("g2"),
            _ => match self.dice.roll(6) {
                0 => {
                    let agent = *self.dice.pick(&AGENTS);
                    self.agent(agent)
                }
                1 => {
                    let queue = *self.dice.pick(&QUEUES);
                    self.queue(queue)
                }
                _ => self.presence(),
            },
        };
        (event, Timestamp::from_ms(self.now))
    }

    /// A conversation that is offered to or with an agent.
    fn busy(&mut self, state: &State) -> Option<String> {
        let is_busy =
            |name: &&String| state.work.get(&conversation(name)).is_some_and(|row| row.stage != Stage::Waiting);
        let names: Vec<String> = self.threads.keys().filter(is_busy).cloned().collect();
        (!names.is_empty()).then(|| self.dice.pick(&names).clone())
    }

    fn customer_writes(&mut self, name: &str) -> Event {
        let account = (*self.dice.pick(&["main", "main", "gold", "post"])).to_owned();
        let (returning, last) = (self.dice.roll(2) == 0, *self.dice.pick(&AGENTS));
        let thread = self.threads.entry(name.to_owned()).or_default();
        thread.seq += 1;
        if thread.live {
            return self.spoke(name, SenderKind::Customer, None);
        }
        thread.live = true;
        thread.stint_no += 1;
        let is_first = thread.stint_no == 1;
        let arrived = WorkArrived {
            seq: thread.seq,
            owner_epoch: thread.epoch,
            stint_no: thread.stint_no,
            channel: Channel::Open,
            account_id: account.as_str().into(),
            returning: returning && !is_first,
            last_agent: (!is_first).then(|| last.into()),
            language: Some("de".to_owned()).filter(|_| self.n.is_multiple_of(5)),
            content: Some(Content::text("hello")),
            ..WorkArrived::default()
        };
        self.command(Some(name), RoutingCommandKind::WorkArrived(Box::new(arrived)))
    }

    fn spoke(&mut self, name: &str, kind: SenderKind, id: Option<String>) -> Event {
        let seq = self.threads.get(name).map_or(1, |thread| thread.seq);
        let spoke = Spoke { seq, sender: Sender { kind, id }, at: self.now, content: None };
        self.command(Some(name), RoutingCommandKind::Spoke(Box::new(spoke)))
    }

    fn agent_writes(&mut self, name: &str, state: &State) -> Event {
        self.threads.entry(name.to_owned()).or_default().seq += 1;
        let agent = self.concerned(name, state);
        self.spoke(name, SenderKind::Agent, Some(agent))
    }

    fn customer_leaves(&mut self, name: &str) -> Event {
        let seq = self.threads.get(name).map_or(0, |thread| thread.seq);
        let left = CustomerLeft { cause: Cause::CustomerLeft, seq };
        self.command(Some(name), RoutingCommandKind::CustomerLeft(left))
    }

    fn agent_asks(&mut self, name: &str, state: &State) -> Event {
        let agent = self.concerned(name, state);
        let ask = AgentAsk { agent_id: agent.as_str().into(), owner_epoch: None };
        let kinds = [
            RoutingCommandKind::Accept,
            RoutingCommandKind::Accept,
            RoutingCommandKind::Accept,
            RoutingCommandKind::Decline,
            RoutingCommandKind::Disconnect,
            RoutingCommandKind::Disconnect,
            RoutingCommandKind::Hold,
        ];
        let kind = self.dice.pick(&kinds)(ask);
        self.command(Some(name), kind)
    }

    fn agent_wraps_up(&mut self, name: &str, state: &State) -> Event {
        let agent = self.concerned(name, state);
        let code = (self.dice.roll(4) > 0).then(|| "done".into());
        let ask = WrapUpAsk { agent_id: agent.as_str().into(), code, ..WrapUpAsk::default() };
        self.command(Some(name), RoutingCommandKind::WrapUp(ask))
    }

    /// Mostly the agent that the conversation is with, at times any other.
    fn concerned(&mut self, name: &str, state: &State) -> String {
        let any = (*self.dice.pick(&AGENTS)).to_owned();
        let is_wrong = self.dice.roll(10) == 0;
        let row = state.work.get(&conversation(name)).filter(|_| !is_wrong);
        row.and_then(|row| match &row.stage {
            Stage::Alerting(offer) => Some(offer.agent.to_string()),
            Stage::With { part, .. } => state.parts.get(part).map(|part| part.agent.to_string()),
            Stage::Waiting | Stage::Bot(_) => None,
        })
        .unwrap_or(any)
    }

    fn presence(&mut self) -> Event {
        let agent = *self.dice.pick(&AGENTS);
        let presence = match self.dice.roll(8) {
            0 => Presence::Meal,
            1 => Presence::Offline,
            _ => Presence::OnQueue,
        };
        let set = SetPresence { agent_id: agent.into(), presence, secondary: None };
        self.command(None, RoutingCommandKind::SetPresence(set))
    }

    fn connection(&mut self) -> Event {
        let (agent, gateway) = (*self.dice.pick(&AGENTS), *self.dice.pick(&["g1", "g2"]));
        let change = ConnectionChange { agent_id: agent.into(), gateway_id: gateway.into() };
        let kind = match self.dice.roll(3) {
            0 => RoutingCommandKind::ConnectionLost(change),
            _ => RoutingCommandKind::ConnectionBack(change),
        };
        self.command(None, kind)
    }

    fn heartbeat(&mut self, gateway: &str) -> Event {
        let agent_ids: Vec<AgentId> = AGENTS.into_iter().filter(|_| self.dice.roll(20) > 0).map(AgentId::new).collect();
        let held = ConnectionsHeld { gateway_id: gateway.into(), agent_ids };
        self.command(None, RoutingCommandKind::ConnectionsHeld(held))
    }

    fn command(&mut self, name: Option<&str>, kind: RoutingCommandKind) -> Event {
        let n = self.n.to_string();
        let stint_no = name.and_then(|name| self.threads.get(name)).map_or(1, |thread| thread.stint_no).to_string();
        Event::Command(Box::new(RoutingCommand {
            event_id: EventId::derive(&["law", &n]),
            tenant: tenant(),
            occurred_at: self.now,
            recorded_at: self.now,
            command_id: CommandId::derive(&["law", &n]),
            conversation_id: name.map(conversation),
            stint_id: name.map(|name| StintId::derive(&[name, &stint_no])),
            customer_key: name.map(|_| CustomerKey::default()),
            kind,
        }))
    }

    /// Threading hears who owns its stints and which are over.
    fn hear(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Command(command) = effect else { continue };
            let is_meant = |name: &str| Some(conversation(name)) == command.conversation_id;
            let Some((_, thread)) = self.threads.iter_mut().find(|(name, _)| is_meant(name)) else { continue };
            match &command.kind {
                ConversationCommandKind::Connect(told) => thread.epoch = told.owner_epoch,
                ConversationCommandKind::Disconnect(told) => thread.live &= told.acw_open,
                ConversationCommandKind::ReentryReleased(_) => thread.live = false,
                ConversationCommandKind::Send(_)
                | ConversationCommandKind::Signal(_)
                | ConversationCommandKind::SetAttributes(_)
                | ConversationCommandKind::AddNote(_)
                | ConversationCommandKind::Link(_)
                | ConversationCommandKind::SetConsent(_)
                | ConversationCommandKind::Erase(_)
                | ConversationCommandKind::Unknown(_) => unreachable!("routing tells of ownership alone"),
            }
        }
    }
}

/// Lets a seed's world run; gives everything that happened and everything that was said.
fn run(seed: u64) -> (Vec<(Event, Timestamp)>, Vec<Effect>, TaskDriver<Routing>) {
    let (mut world, mut driver, mut observer) = (World::new(seed), TaskDriver::new(Routing), Observer::default());
    let (mut script, mut said) = (Vec::new(), Vec::new());
    for event in world.setup() {
        script.push((event.clone(), Timestamp::ZERO));
        said.extend(driver.apply(event, Timestamp::ZERO));
    }
    for _ in 0..STEPS {
        let (event, now) = world.next(driver.state());
        let mut effects = driver.advance_to(now);
        observer.see(&effects, driver.state());
        world.hear(&effects);
        said.append(&mut effects);
        let mut effects = driver.apply(event.clone(), now);
        observer.see(&effects, driver.state());
        world.hear(&effects);
        said.append(&mut effects);
        script.push((event, now));
    }
    let open = driver.state().work.iter().filter(|(_, row)| !matches!(row.stage, Stage::With { .. })).count();
    assert_eq!(observer.visits.values().filter(|ended| !**ended).count(), open, "a visit was lost");
    let begun = observer.ended.len() + driver.state().parts.len();
    let connected = observer.parts.keys().collect::<BTreeSet<_>>();
    assert_eq!(connected.len(), begun, "a part was lost");
    (script, said, driver)
}

#[test]
fn capacity_offers_epochs_visits_and_parts_hold_whatever_happens() {
    let mut parts = 0;
    for seed in 0..SEEDS {
        let (_, said, _) = run(seed);
        let is_part =
            |effect: &&Effect| matches!(effect, Effect::Event(e) if matches!(e.kind, RoutingEventKind::PartEnded(_)));
        parts += said.iter().filter(is_part).count();
    }
    assert!(parts > 200, "the worlds did too little: {parts} parts");
}

#[test]
fn aborts_crashes_and_small_steps_change_nothing() {
    for seed in 0..SEEDS {
        let (script, expected, mut plain) = run(seed);
        let (mut troubled, mut dice, mut found) = (TaskDriver::new(Routing), Dice(seed + 1000), Vec::new());
        for (event, now) in script {
            match dice.roll(5) {
                0 => troubled.crash_and_restore(),
                1 => drop(troubled.apply_aborted(event.clone(), now)),
                2 => found.extend(troubled.advance_to(now)),
                3 => {
                    found.extend(troubled.apply_beside(event.clone(), event, now));
                    continue;
                }
                _ => {}
            }
            found.extend(troubled.apply(event, now));
        }
        assert!(expected == found, "seed {seed}");
        assert_eq!(plain.digest(), troubled.digest(), "seed {seed}");
    }
}

#[test]
fn a_command_that_comes_twice_is_decided_once() {
    let is_said = |effect: &Effect| matches!(effect, Effect::Event(_) | Effect::Command(_));
    for seed in 0..SEEDS {
        let (script, expected, _) = run(seed);
        let (mut doubled, mut dice, mut found) = (TaskDriver::new(Routing), Dice(seed + 2000), Vec::new());
        let mut earlier: Vec<Event> = Vec::new();
        for (event, now) in script {
            found.extend(doubled.apply(event.clone(), now).into_iter().filter(is_said));
            let is_guarded = |kind: &RoutingCommandKind| !matches!(kind, RoutingCommandKind::ConnectionsHeld(_));
            if matches!(&event, Event::Command(command) if is_guarded(&command.kind)) {
                earlier.push(event);
            }
            if !earlier.is_empty() {
                let copy = dice.pick(&earlier).clone();
                found.extend(doubled.apply(copy, now).into_iter().filter(is_said));
            }
        }
        let expected: Vec<Effect> = expected.into_iter().filter(is_said).collect();
        assert!(expected == found, "seed {seed}");
    }
}
