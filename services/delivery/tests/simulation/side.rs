//! What goes on beside messages: copies of attachments, turns of bots. Its laws: no more copies at a time than
//! allowed and never two of one file, every file stored or given up; every turn ends once and is told once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use delivery::core::bots::{Bot, BotCall, BotCallEnded, BotOutcome, CalledBack, TurnAsked, TurnFinished, TurnPhase};
use delivery::core::event::{AccountKey, Event};
use delivery::core::media::{Copy, CopyAsked, CopyEnded, CopyKey, CopyOutcome, CopyPhase, Received, Stored};
use delivery::core::state::Deliveries;
use schemas::ids::{ConversationId, CustomerKey, MessageId};
use schemas::records::{Attachment, Channel};
use stream::Timestamp;

use super::Dice;

/// Media fetched at one time.
pub(crate) const COPIES_MAX: usize = 3;
const TENANT: &str = "acme";
const BOT: &str = "helper";

/// What is under way, and what is known of what was.
#[derive(Default)]
pub(crate) struct Side {
    copies: VecDeque<Copy>,
    calls: VecDeque<BotCall>,
    files: BTreeSet<CopyKey>,
    turns: BTreeMap<MessageId, bool>,
    asked: u64,
}

/// The bot, as it is configured.
pub(crate) fn configured() -> Event {
    let bot = Bot { url: "https://bot.example/".into(), endpoint: Some("bots".into()), ..Bot::default() };
    Event::BotConfigured((TENANT.into(), BOT.into()), Some(Box::new(bot)))
}

impl Side {
    /// Something happens; none: nothing could.
    pub(crate) fn happens(&mut self, dice: &mut Dice, account: AccountKey, now: Timestamp) -> Option<Event> {
        match dice.roll(6) {
            0 => Some(self.received(dice, account)),
            1 => self.copied(dice, now),
            2 => {
                let known: Vec<CopyKey> = self.files.iter().copied().collect();
                let key = *known.get(usize::try_from(dice.roll(known.len().max(1) as u64)).unwrap())?;
                Some(Event::CopyAsked(CopyAsked { tenant: TENANT.into(), key }))
            }
            3 => Some(self.turn_asked(account)),
            4 => self.bot_called(dice, now),
            _ => {
                let known: Vec<MessageId> = self.turns.keys().copied().collect();
                let turn_id = *known.get(usize::try_from(dice.roll(known.len().max(1) as u64)).unwrap())?;
                let body = (dice.roll(3) > 0).then(|| r#"{"messages":[]}"#.to_owned());
                Some(Event::CalledBack(CalledBack { tenant: TENANT.into(), turn_id, body }))
            }
        }
    }

    fn received(&mut self, dice: &mut Dice, account: AccountKey) -> Event {
        self.asked += 1;
        let message_id = MessageId::derive(&["picture", &self.asked.to_string()]);
        let count = 1 + dice.roll(3);
        let file = |n| Attachment {
            attachment_type: "image".into(),
            url: Some(format!("https://files.example/{n}")),
            ..Attachment::default()
        };
        let attachments: Vec<Attachment> = (0..count).map(file).collect();
        self.files.extend((0..).zip(&attachments).map(|(no, _)| (message_id, no)));
        Event::Received(Box::new(Received {
            account,
            channel: Channel::Open,
            customer_key: CustomerKey::default(),
            conversation_id: ConversationId::default(),
            message_id,
            wrote: true,
            attachments,
        }))
    }

    /// A try to copy something ends.
    fn copied(&mut self, dice: &mut Dice, at: Timestamp) -> Option<Event> {
        let Copy { key, attempt_no, .. } = self.copies.pop_front()?;
        let stored =
            Stored { reference: "acme/a".into(), size_bytes: 1, mime: "image/png".into(), sha256: String::new() };
        let outcome = match dice.roll(4) {
            0 => CopyOutcome::Refused { reason: "gone" },
            1 => CopyOutcome::Failed { reason: "timeout", retry_after_ms: (dice.roll(2) == 0).then_some(9_000) },
            _ => CopyOutcome::Stored(stored),
        };
        Some(Event::Copied(CopyEnded { key, attempt_no, at, outcome }))
    }

    fn turn_asked(&mut self, account: AccountKey) -> Event {
        self.asked += 1;
        let turn_id = MessageId::derive(&["turn", &self.asked.to_string()]);
        self.turns.insert(turn_id, false);
        Event::TurnAsked(Box::new(TurnAsked {
            turn_id,
            tenant: account.tenant,
            routing_domain: TENANT.into(),
            customer_key: CustomerKey::default(),
            conversation_id: None,
            stint_id: None,
            account_id: Some(account.account),
            bot: BOT.into(),
            body: "{}".into(),
            timeout_ms: 8_000,
        }))
    }

    /// A call of the bot ends.
    fn bot_called(&mut self, dice: &mut Dice, at: Timestamp) -> Option<Event> {
        let call = self.calls.pop_front()?;
        let outcome = match dice.roll(4) {
            0 => BotOutcome::Later,
            1 => BotOutcome::Refused { reason: "bad_answer" },
            2 => BotOutcome::Failed { reason: "no_connection" },
            _ => BotOutcome::Answered(r#"{"messages":[]}"#.to_owned()),
        };
        Some(Event::BotCalled(BotCallEnded { turn_id: call.asked.turn_id, try_no: call.try_no, at, outcome }))
    }

    pub(crate) fn copy(&mut self, copy: Copy) {
        assert!(self.copies.iter().all(|other| other.key != copy.key), "{:?} is fetched twice at once", copy.key);
        self.copies.push_back(copy);
        assert!(self.copies.len() <= COPIES_MAX, "{} copies at one time", self.copies.len());
    }

    pub(crate) fn call(&mut self, call: BotCall) {
        assert_eq!(self.turns.get(&call.asked.turn_id), Some(&false), "a turn that is over is asked");
        self.calls.push_back(call);
    }

    pub(crate) fn turned(&mut self, turned: &TurnFinished) {
        let before = self.turns.insert(turned.asked.turn_id, true);
        assert_eq!(before, Some(false), "a turn ended twice, or was never asked");
    }

    /// The process died: what was under way is lost.
    pub(crate) fn lost(&mut self, state: &Deliveries, at: Timestamp) -> Vec<Event> {
        self.copies.clear();
        self.calls.clear();
        let copies = state.all_wanted().filter(|(_, wanted)| wanted.phase == CopyPhase::Out);
        let copies = copies.map(|(key, wanted)| {
            Event::Copied(CopyEnded { key: *key, attempt_no: wanted.tries, at, outcome: CopyOutcome::Lost })
        });
        let turns = state.all_turns().filter(|(_, turn)| turn.phase == TurnPhase::Out);
        let turns = turns.map(|(turn_id, turn)| {
            let outcome = BotOutcome::Failed { reason: "restarted" };
            Event::BotCalled(BotCallEnded { turn_id: *turn_id, try_no: turn.tries, at, outcome })
        });
        copies.chain(turns).collect()
    }

    /// The next end of something under way.
    pub(crate) fn ends(&mut self, dice: &mut Dice, now: Timestamp) -> Option<Event> {
        self.copied(dice, now).or_else(|| self.bot_called(dice, now))
    }

    /// Nothing is left open.
    pub(crate) fn is_settled(&self, state: &Deliveries) {
        assert!(self.turns.values().all(|is_over| *is_over), "a turn never ended");
        let open = state.all_wanted().find(|(_, wanted)| !matches!(wanted.phase, CopyPhase::GivenUp(_)));
        assert!(open.is_none(), "a file is neither stored nor given up: {open:?}");
    }
}
