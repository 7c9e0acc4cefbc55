//! A bench for the tables of tests: one partition, one account, a clock.

mod words;

use schemas::ids::{CustomerKey, KeySecret, MessageId};
use schemas::records::{Channel, Content, Customer, Direction, MessageAdded, ReceiptStatus, Sender, SenderKind};
use stream::Timestamp;
use stream::testing::TaskDriver;

use crate::core::effect::{Effect, Send};
use crate::core::event::{Account, AccountKey, Asked, CallEnded, Event, Outcome, Receipt, Route, WhenUnknown};
use crate::core::rows::Phase;
use crate::core::state::Deliveries;
use crate::core::{Delivery, Policy};

pub(crate) use words::kinds;

pub(crate) struct Bench {
    driver: Option<TaskDriver<Delivery>>,
    before: Vec<Event>,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
}

pub(crate) fn account_key() -> AccountKey {
    AccountKey { tenant: "acme".into(), account: "main".into() }
}

pub(crate) fn account(channel: Channel) -> Account {
    Account {
        channel,
        route: Route::default(),
        schedule_ms: None,
        order_hold_max_ms: None,
        when_unknown: WhenUnknown::SendAgain,
        app_id: None,
        token_expires_at: None,
    }
}

pub(crate) fn message_id(n: i64) -> MessageId {
    MessageId::derive(&[&n.to_string()])
}

/// Message `n` to a customer; its channel becomes that of the bench's account.
pub(crate) fn asked(n: i64, customer: &str) -> Asked {
    let added = MessageAdded {
        message_id: message_id(n),
        direction: Direction::Outbound,
        sender: Sender { kind: SenderKind::Agent, id: Some("eva".into()) },
        content: Content::text(format!("message {n}")),
        customer: Some(Customer { id: customer.into(), ..Customer::default() }),
        ..MessageAdded::default()
    };
    Asked {
        topic: "conversation.events".into(),
        partition: 0,
        offset: n,
        timestamp: Timestamp::from_ms(n),
        event_id: schemas::ids::EventId::default(),
        tenant: "acme".into(),
        occurred_at: 0,
        recorded_at: 0,
        conversation_id: schemas::ids::ConversationId::default(),
        stint_id: None,
        seq: n,
        channel: Channel::Unknown,
        account_id: "main".into(),
        customer_key: CustomerKey::derive(&KeySecret::new("s"), &"acme".into(), "open", &"main".into(), customer),
        added,
        notice: None,
        replay_of: None,
    }
}

impl Bench {
    pub(crate) fn with(account: Account) -> Self {
        let configured = Event::Configured(account_key(), Some(Box::new(account)));
        Self { driver: None, before: vec![configured], policy: Policy::default(), now: Timestamp::from_ms(1_000_000) }
    }

    fn driver(&mut self) -> &mut TaskDriver<Delivery> {
        let (policy, now) = (self.policy, self.now);
        let before = std::mem::take(&mut self.before);
        self.driver.get_or_insert_with(|| {
            let mut driver = TaskDriver::new(Delivery { policy });
            for event in before {
                driver.apply(event, now);
            }
            driver
        })
    }

    pub(crate) fn apply(&mut self, event: Event) -> Vec<Effect> {
        let now = self.now;
        self.driver().apply(event, now)
    }

    pub(crate) fn configure(&mut self, account: Account) -> Vec<Effect> {
        self.apply(Event::Configured(account_key(), Some(Box::new(account))))
    }

    pub(crate) fn ask(&mut self, mut asked: Asked) -> Vec<Effect> {
        let account = self.driver().state().account(&account_key()).cloned().unwrap();
        if asked.channel == Channel::Unknown {
            asked.channel = account.channel;
        }
        self.apply(Event::Asked(Box::new(asked)))
    }

    /// The current attempt of message `n` ends.
    pub(crate) fn called(&mut self, n: i64, outcome: Outcome) -> Vec<Effect> {
        let attempt_no = self.driver().state().message(message_id(n)).map_or(1, |message| message.attempts);
        self.called_attempt(n, attempt_no, outcome)
    }

    pub(crate) fn called_attempt(&mut self, n: i64, attempt_no: i64, outcome: Outcome) -> Vec<Effect> {
        let (at, open) = (self.now, self.driver().state().message(message_id(n)));
        let part_no = open.map_or(1, |message| message.part_no());
        self.apply(Event::Called(CallEnded { message_id: message_id(n), attempt_no, part_no, at, outcome }))
    }

    pub(crate) fn receipt_of(&self, n: i64, status: ReceiptStatus) -> Receipt {
        Receipt {
            account: account_key(),
            customer_key: None,
            message_id: Some(message_id(n)),
            provider_message_id: None,
            status,
            watermark: None,
            at: self.now.as_ms(),
            provider_code: None,
            detail: None,
        }
    }

    pub(crate) fn receipt(&mut self, n: i64, status: ReceiptStatus) -> Vec<Effect> {
        let receipt = self.receipt_of(n, status);
        self.apply(Event::Receipt(receipt))
    }

    pub(crate) fn advance(&mut self, ms: i64) -> Vec<Effect> {
        self.now = self.now.plus_ms(ms);
        let now = self.now;
        self.driver().advance_to(now)
    }

    pub(crate) fn driver_state(&mut self) -> &Deliveries {
        self.driver().state()
    }

    pub(crate) fn is_claimed(&mut self, n: i64) -> bool {
        self.driver_state().message(message_id(n)).is_some_and(|message| message.phase == Phase::Claimed)
    }

    /// The number of a claimed message, by its offset.
    pub(crate) fn first_claimed(&mut self) -> Option<i64> {
        let claimed = self.driver_state().messages().find(|(_, message)| message.phase == Phase::Claimed);
        claimed.map(|(_, message)| message.asked.offset)
    }

    /// Whether nothing is open, kept early or due, receipts of settled messages aside.
    pub(crate) fn is_empty(&mut self) -> bool {
        self.advance(9 * 86_400_000);
        let open = self.driver_state().messages().count();
        open == 0 && self.driver_state().next_deadline().is_none()
    }

    pub(crate) fn sends(effects: &[Effect]) -> impl Iterator<Item = &Send> {
        effects.iter().filter_map(|effect| match effect {
            Effect::Send(send) => Some(&**send),
            Effect::Event(_)
            | Effect::Copy(_)
            | Effect::Quiet(_)
            | Effect::Signal(_)
            | Effect::CallBot(_)
            | Effect::Turned(_)
            | Effect::Account(_)
            | Effect::DeadLetter(_)
            | Effect::Foreign(..)
            | Effect::OptedOut(_)
            | Effect::Ignored(_) => None,
        })
    }
}
