//! For any order, repeat, crash and abort: each customer's messages leave one at a time and in
//! order, receipts never go back, nobody is forgotten, and a restored state equals the live one.
#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

#[path = "simulation/side.rs"]
mod side;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use delivery::core::effect::{Effect, Send};
use delivery::core::event::{
    Account, AccountKey, Again, Answer, Asked, CallEnded, Consented, Echo, Event, Heard, Outcome, Receipt, Refusal,
    Route, Told, WhenUnknown,
};
use delivery::core::rows::{Breaker, Phase, Progress, part_id};
use delivery::core::{Delivery, Policy};
use schemas::ids::{ConversationId, CustomerKey, EventId, KeySecret, MessageId};
use schemas::records::{Channel, Content, Customer, DeliveryEventKind, Direction, MessageAdded, ReceiptStatus};
use stream::Timestamp;
use stream::testing::TaskDriver;

use side::Side;

const SCHEDULE_MS: &[i64] = &[1_000, 5_000, 20_000];
const ACCOUNTS: u64 = 4;

fn channel(account: u64) -> Channel {
    match account {
        0 => Channel::Open,
        1 => Channel::Whatsapp,
        2 => Channel::Facebook,
        _ => Channel::Twitter,
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.roll(of.len() as u64)).unwrap()]
    }
}

/// What the tests remember of each message, from the events alone.
#[derive(Default, Debug)]
struct Story {
    attempts: i64,
    is_over: bool,
    rank: u8,
}

struct World {
    driver: TaskDriver<Delivery>,
    dice: Dice,
    now: Timestamp,
    asked: u64,
    calls: VecDeque<Send>,
    past: Vec<Event>,
    stories: BTreeMap<MessageId, Story>,
    order: BTreeMap<CustomerKey, Vec<MessageId>>,
    /// Who said STOP and nothing since.
    silent: BTreeSet<CustomerKey>,
    /// What was asked for, for whoever wants it once more.
    records: Vec<Asked>,
    side: Side,
}

fn account_key(n: u64) -> AccountKey {
    AccountKey { tenant: "acme".into(), account: format!("account {n}").as_str().into() }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            driver: TaskDriver::new(Delivery { policy: Policy { copies_max: side::COPIES_MAX, ..Policy::default() } }),
            dice: Dice(seed),
            now: Timestamp::from_ms(1_000_000),
            asked: 0,
            calls: VecDeque::new(),
            past: Vec::new(),
            stories: BTreeMap::new(),
            order: BTreeMap::new(),
            silent: BTreeSet::new(),
            records: Vec::new(),
            side: Side::default(),
        };
        world.apply(side::configured());
        for n in 0..ACCOUNTS {
            world.configure(n);
        }
        world
    }

    fn configure(&mut self, n: u64) {
        let account = Account {
            channel: channel(n),
            route: Route::default(),
            schedule_ms: Some(SCHEDULE_MS.to_vec()),
            order_hold_max_ms: (n == 2).then_some(8_000),
            when_unknown: if n == 1 { WhenUnknown::Hold } else { WhenUnknown::SendAgain },
            app_id: None,
            token_expires_at: None,
        };
        self.apply(Event::Configured(account_key(n), Some(Box::new(account))));
    }

    fn ask(&mut self) -> Event {
        self.asked += 1;
        let account = self.dice.roll(ACCOUNTS);
        let words = self.dice.pick(&[1, 1, 700, 1_500]);
        let customer = format!("customer {}", self.dice.roll(4));
        let key = account_key(account);
        let customer_key = CustomerKey::derive(&KeySecret::new("s"), &key.tenant, "any", &key.account, &customer);
        let message_id = MessageId::derive(&[&self.asked.to_string()]);
        let added = MessageAdded {
            message_id,
            direction: Direction::Outbound,
            content: Content::text("hello ".repeat(words)),
            customer: Some(Customer { id: customer, ..Customer::default() }),
            expires_at: (self.dice.roll(10) == 0).then_some(self.now.as_ms() + 3_000),
            ..MessageAdded::default()
        };
        self.order.entry(customer_key).or_default().push(message_id);
        let asked = Asked {
            topic: "conversation.events".into(),
            partition: 0,
            offset: 0,
            timestamp: self.now,
            event_id: EventId::default(),
            tenant: key.tenant,
            occurred_at: 0,
            recorded_at: 0,
            conversation_id: ConversationId::default(),
            stint_id: None,
            seq: 0,
            channel: channel(account),
            account_id: key.account,
            customer_key,
            added,
            notice: None,
            replay_of: None,
        };
        self.records.push(asked.clone());
        Event::Asked(Box::new(asked))
    }

    /// An operator wants a message to leave once more.
    fn resend(&mut self) {
        let at = usize::try_from(self.dice.roll(self.records.len().max(1) as u64)).unwrap();
        let Some(asked) = self.records.get(at).cloned() else { return };
        let again = match self.dice.roll(2) {
            0 => Again::Replay(self.dice.roll(3).to_string()),
            _ => Again::Redrive(1),
        };
        self.hear(Event::Resend(Box::new(asked), again));
    }

    /// A message that was given up begins anew, behind all others of its customer.
    fn reopen(&mut self, asked: &Asked) {
        let (id, state) = (asked.added.message_id, self.driver.state());
        let is_open = state.message(id).is_some();
        if is_open || state.sent(id).is_some_and(|sent| sent.past.progress != Progress::Failed) {
            return;
        }
        let order = self.order.entry(asked.customer_key).or_default();
        order.retain(|other| *other != id);
        order.push(id);
        let story = self.stories.entry(id).or_default();
        (story.is_over, story.rank) = (false, 0);
    }

    fn outcome(&mut self) -> Option<Event> {
        let index = self.dice.roll(self.calls.len().max(1) as u64);
        let send = self.calls.remove(usize::try_from(index).unwrap())?;
        let provider = (self.dice.roll(4) > 0).then(|| format!("wamid.{}.{}", send.message_id, send.attempt_no));
        let status = self.dice.pick(&[400, 401, 429, 500, 504]);
        let retry_after_ms = (self.dice.roll(2) == 0).then_some(2_000);
        let outcome = match self.dice.roll(10) {
            0 => Outcome::Answered(Answer { status, retry_after_ms, ..Answer::default() }),
            1 => Outcome::NotSent { reason: "no_connection" },
            2 => Outcome::Unknown { reason: "timeout" },
            3 => Outcome::Refused(Refusal::WindowClosed),
            4 => Outcome::Unconfigured { reason: "no_token" },
            5 if self.dice.roll(4) == 0 => Outcome::NotOurs,
            5 => Outcome::Paced { wait_ms: 700 },
            _ => Outcome::Accepted { provider_message_id: provider, rest_ms: 0 },
        };
        let Send { message_id, attempt_no, part_no, .. } = send;
        Some(Event::Called(CallEnded { message_id, attempt_no, part_no, at: self.now, outcome }))
    }

    fn receipt(&mut self) -> Event {
        let n = self.dice.roll(self.asked + 1);
        let message_id = MessageId::derive(&[&n.to_string()]);
        let attempt_no = 1 + self.dice.roll(2);
        let part = part_id(message_id, 1 + i64::try_from(self.dice.roll(3)).unwrap());
        let account = account_key(self.dice.roll(ACCOUNTS));
        let is_mark = self.dice.roll(6) == 0;
        let is_ours = self.dice.roll(2) == 0;
        Event::Receipt(Receipt {
            account,
            customer_key: self.order.keys().next().copied(),
            message_id: (is_ours && !is_mark).then_some(part),
            watermark: is_mark.then(|| self.now.as_ms()),
            provider_message_id: (!is_mark && self.dice.roll(3) > 0)
                .then(|| format!("wamid.{message_id}.{attempt_no}")),
            status: self.dice.pick(ReceiptStatus::ALL),
            at: self.now.as_ms(),
            provider_code: None,
            detail: None,
        })
    }

    /// Another partition speaks of an account.
    fn told(&mut self) {
        let breaker = self.dice.pick(&[Breaker::Open, Breaker::Closed, Breaker::HalfOpen]);
        let ms = self.dice.pick(&[-1_000, 500, 20_000]);
        let until = (self.dice.roll(2) == 0).then(|| self.now.plus_ms(ms));
        let account = account_key(self.dice.roll(ACCOUNTS));
        self.apply(Event::Told(account, Told { paused: false, breaker, until, reason: "down".into() }));
    }

    /// The platform tells what our account said, or somebody in its name.
    fn echo(&mut self) {
        let Some((customer_key, ids)) = self.order.iter().next_back() else { return };
        let message_id = (self.dice.roll(2) == 0).then(|| ids[ids.len() - 1]);
        let echo = Echo {
            account: account_key(self.dice.roll(ACCOUNTS)),
            channel: Channel::Facebook,
            customer_key: *customer_key,
            message_id,
            provider_message_id: Some(format!("mid.{}", self.asked)),
            content: Content::text("hello"),
            at: self.now.as_ms(),
            ..Echo::default()
        };
        self.hear(Event::Echo(Box::new(echo)));
    }

    fn step(&mut self) {
        match self.dice.roll(26) {
            0..=4 => {
                let event = self.ask();
                self.hear(event);
            }
            5..=9 => {
                if let Some(event) = self.outcome() {
                    self.hear(event);
                }
            }
            10..=13 => {
                let event = self.receipt();
                self.hear(event);
            }
            14 if !self.past.is_empty() => {
                let again = self.dice.roll(self.past.len() as u64);
                let event = self.past[usize::try_from(again).unwrap()].clone();
                self.apply(event);
            }
            15 => {
                let customers: Vec<CustomerKey> = self.order.keys().copied().collect();
                if !customers.is_empty() {
                    let customer_key = self.dice.pick(&customers);
                    self.customer_acts(customer_key);
                }
            }
            16 => match self.dice.roll(3) {
                0 => {
                    let n = self.dice.roll(ACCOUNTS);
                    self.configure(n);
                }
                1 => self.told(),
                _ => self.echo(),
            },
            17 => self.crash(),
            18..=22 => {
                let account = account_key(self.dice.roll(ACCOUNTS));
                if let Some(event) = self.side.happens(&mut self.dice, account, self.now) {
                    self.hear(event);
                }
            }
            23 => self.resend(),
            _ => {
                let ms = self.dice.pick(&[1, 500, 3_000, 40_000]);
                self.pass(ms);
            }
        }
        self.check();
    }

    /// A customer writes, says STOP, or is heard of by the conversation.
    fn customer_acts(&mut self, customer_key: CustomerKey) {
        let at = self.now.as_ms();
        match self.dice.roll(3) {
            0 => self.apply(Event::Heard(Heard { customer_key, window_ends_at: Some(at + 9_000), wrote: true })),
            1 => {
                self.silent.insert(customer_key);
                self.apply(Event::Consented(customer_key, Consented { purpose: "all".into(), granted: false, at }));
            }
            _ => {
                self.silent.remove(&customer_key);
                self.apply(Event::Wrote(customer_key));
            }
        }
    }

    fn hear(&mut self, event: Event) {
        if self.dice.roll(8) == 0 {
            let _aborted = self.driver.apply_aborted(event.clone(), self.now);
        }
        // What ends an errand comes from our own process, and once.
        if !matches!(event, Event::Copied(_) | Event::BotCalled(_)) {
            self.past.push(event.clone());
        }
        self.apply(event);
    }

    fn apply(&mut self, event: Event) {
        if let Event::Resend(asked, Again::Redrive(_)) = &event {
            self.reopen(asked);
        }
        let effects = self.driver.apply(event, self.now);
        self.note(effects);
    }

    fn pass(&mut self, ms: i64) {
        self.now = self.now.plus_ms(ms);
        let effects = self.driver.advance_to(self.now);
        self.note(effects);
    }

    /// The process dies: calls under way are lost, the state comes back from the changelog.
    fn crash(&mut self) {
        self.driver.crash_and_restore();
        self.calls.clear();
        let aside = self.side.lost(self.driver.state(), self.now);
        let claimed = self.driver.state().messages().filter(|(_, message)| message.phase == Phase::Claimed);
        let lost: Vec<Event> = claimed
            .map(|(id, message)| {
                let (message_id, attempt_no, part_no) = (*id, message.attempts, message.part_no());
                Event::Called(CallEnded { message_id, attempt_no, part_no, at: self.now, outcome: Outcome::Lost })
            })
            .collect();
        lost.into_iter().chain(aside).for_each(|event| self.apply(event));
    }

    fn note(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(send) => self.calls.push_back(*send),
                Effect::Event(event) => self.tell(event.message_id, event.customer_key, &event.kind),
                Effect::Copy(copy) => self.side.copy(*copy),
                Effect::CallBot(call) => self.side.call(*call),
                Effect::Turned(turned) => self.side.turned(&turned),
                Effect::Quiet(_)
                | Effect::Signal(_)
                | Effect::Account(_)
                | Effect::DeadLetter(_)
                | Effect::Foreign(..)
                | Effect::OptedOut(_)
                | Effect::Ignored(_) => {}
            }
        }
    }

    fn tell(&mut self, id: MessageId, customer: CustomerKey, kind: &DeliveryEventKind) {
        if matches!(kind, DeliveryEventKind::MediaStored(_) | DeliveryEventKind::MediaFailed(_)) {
            return;
        }
        if matches!(kind, DeliveryEventKind::Claimed(_)) {
            assert!(!self.silent.contains(&customer), "{id} was claimed after a STOP");
            let before = self.order[&customer].iter().take_while(|other| **other != id);
            for earlier in before {
                assert!(self.stories[earlier].is_over, "{id} was claimed before {earlier} was settled");
            }
        }
        let story = self.stories.entry(id).or_default();
        let rank = match kind {
            DeliveryEventKind::Claimed(_) => {
                assert!(!story.is_over, "{id} was claimed after it was settled");
                story.attempts += 1;
                return;
            }
            DeliveryEventKind::Sent(_) => 1,
            DeliveryEventKind::Delivered(_) => 2,
            DeliveryEventKind::Read(_) => 3,
            DeliveryEventKind::Failed(_) | DeliveryEventKind::Refused(_) | DeliveryEventKind::Exhausted(_) => {
                assert!(story.rank < 2, "{id} failed after it was delivered");
                story.is_over = true;
                story.rank = 0;
                return;
            }
            DeliveryEventKind::PartSent(_)
            | DeliveryEventKind::Ambiguous(_)
            | DeliveryEventKind::Retrying(_)
            | DeliveryEventKind::BotTurnFinished(_)
            | DeliveryEventKind::DataActionFinished(_)
            | DeliveryEventKind::MediaStored(_)
            | DeliveryEventKind::MediaFailed(_)
            | DeliveryEventKind::Unknown(_) => {
                assert!(!story.is_over, "{id} goes on after it was settled");
                return;
            }
        };
        assert!(rank > story.rank, "{id} went from {} to {rank}", story.rank);
        story.is_over = true;
        story.rank = rank;
    }

    fn check(&self) {
        for (id, message) in self.driver.state().messages() {
            let attempts_max = i64::try_from(SCHEDULE_MS.len()).unwrap() + 1;
            assert!(message.tries <= attempts_max, "{id} was tried {} times", message.tries);
        }
    }

    /// Everything that still waits comes to an end when calls end and time passes.
    fn drain(&mut self) {
        for _ in 0..2_000 {
            while let Some(event) = self.outcome().or_else(|| self.side.ends(&mut self.dice, self.now)) {
                self.apply(event);
            }
            self.pass(60_000);
        }
        self.side.is_settled(self.driver.state());
        assert_eq!(self.driver.state().messages().count(), 0, "messages are left behind");
        assert!(self.stories.values().all(|story| story.is_over), "a message was never settled");
    }
}

#[test]
fn the_laws_hold_for_any_course_of_events() {
    for seed in 0..60 {
        let mut world = World::new(seed);
        for _ in 0..400 {
            world.step();
        }
        world.drain();
    }
}

#[test]
fn the_same_course_gives_the_same_state() {
    let digest = |seed| {
        let mut world = World::new(seed);
        (0..300).for_each(|_| world.step());
        world.driver.digest()
    };
    assert_eq!(digest(7), digest(7));
    assert_ne!(digest(7), digest(8));
}
