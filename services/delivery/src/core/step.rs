//! One `apply` under way: the state, the time, and what was decided so far.

use schemas::ids::{AccountId, ConversationId, CustomerKey, EventId, MessageId, TenantId};
use schemas::records::{AccountState, Channel, DeliveryEvent, DeliveryEventKind, Failed, Millis, SendRefused};
use stream::Timestamp;

use super::Policy;
use super::effect::{Effect, Ignored, OptedOut};
use super::event::{AccountKey, Asked, Refusal};
use super::media::{CopyKey, Wanted};
use super::rows::{Health, Message, Past, Sent};
use super::rules::consent;
use super::state::Deliveries;

/// How long receipts of a settled message are awaited: as long as `channel.inbound` tells the
/// same thing twice apart (C4), 8 days.
const SENT_KEEP_MS: i64 = 8 * 86_400_000;

/// The reason of failures that end an opt-in.
const OPTED_OUT: &str = "opted_out";

pub(crate) struct Step<'a> {
    pub(crate) state: &'a mut Deliveries,
    pub(crate) policy: Policy,
    pub(crate) now: Timestamp,
    pub(crate) effects: Vec<Effect>,
}

/// Which message an event is about.
pub(crate) struct About {
    pub(crate) message_id: MessageId,
    pub(crate) attempt_no: i64,
    part: Option<(i64, i64)>,
    /// Of a copy: which attachment, in which round of tries.
    copy: Option<(i64, i64)>,
    is_quiet: bool,
    tenant: TenantId,
    account_id: AccountId,
    conversation_id: ConversationId,
    customer_key: CustomerKey,
    channel: Channel,
}

impl About {
    pub(crate) fn asked(asked: &Asked, attempt_no: i64) -> Self {
        Self {
            message_id: asked.added.message_id,
            attempt_no,
            part: None,
            copy: None,
            is_quiet: asked.is_quiet(),
            tenant: asked.tenant.clone(),
            account_id: asked.account_id.clone(),
            conversation_id: asked.conversation_id,
            customer_key: asked.customer_key,
            channel: asked.channel,
        }
    }

    /// The present part of an open message.
    pub(crate) fn message(message: &Message) -> Self {
        let part = (message.parts > 1).then(|| (message.part_no(), message.parts));
        Self { part, ..Self::asked(&message.asked, message.attempts) }
    }

    /// An open message as a whole.
    pub(crate) fn whole(message: &Message) -> Self {
        Self::asked(&message.asked, message.attempts)
    }

    /// A copy of one of a message's attachments.
    pub(crate) fn copy((message_id, no): CopyKey, wanted: &Wanted) -> Self {
        Self {
            message_id,
            attempt_no: wanted.tries,
            part: None,
            copy: Some((no, wanted.round)),
            is_quiet: false,
            tenant: wanted.account.tenant.clone(),
            account_id: wanted.account.account.clone(),
            conversation_id: wanted.conversation_id,
            customer_key: wanted.customer_key,
            channel: wanted.channel,
        }
    }

    pub(crate) fn sent(message_id: MessageId, sent: &Sent) -> Self {
        Self {
            message_id,
            attempt_no: sent.attempt_no,
            part: None,
            copy: None,
            is_quiet: false,
            tenant: sent.account.tenant.clone(),
            account_id: sent.account.account.clone(),
            conversation_id: sent.conversation_id,
            customer_key: sent.customer_key,
            channel: sent.channel,
        }
    }
}

impl About {
    fn opted_out(&self, at: Millis) -> OptedOut {
        OptedOut {
            message_id: self.message_id,
            account: AccountKey { tenant: self.tenant.clone(), account: self.account_id.clone() },
            channel: self.channel,
            customer_key: self.customer_key,
            purpose: consent::purpose_of(self.channel),
            at,
        }
    }
}

impl Step<'_> {
    /// Says what became of a message, at `at`.
    pub(crate) fn say(&mut self, about: About, at: Millis, kind: DeliveryEventKind) {
        let opted_out = matches!(&kind, DeliveryEventKind::Failed(failed) if failed.reason == OPTED_OUT);
        let opted_out = opted_out.then(|| about.opted_out(at));
        let (message, attempt) = (about.message_id.to_string(), about.attempt_no.to_string());
        let event_id = match about.copy {
            Some((no, round)) => {
                EventId::derive(&[&message, "attachment", &no.to_string(), &round.to_string(), &attempt, kind.name()])
            }
            None => EventId::derive(&[&message, &attempt, kind.name()]),
        };
        let event = DeliveryEvent {
            event_id,
            tenant: about.tenant,
            occurred_at: at,
            recorded_at: self.now.as_ms(),
            message_id: about.message_id,
            conversation_id: Some(about.conversation_id),
            customer_key: about.customer_key,
            attempt_no: about.attempt_no,
            channel: about.channel,
            account_id: about.account_id,
            part_no: about.part.map(|(no, _)| no),
            parts: about.part.map(|(_, of)| of),
            kind,
        };
        let event = Box::new(event);
        self.effects.push(if about.is_quiet { Effect::Quiet(event) } else { Effect::Event(event) });
        self.effects.extend(opted_out.map(|opted_out| Effect::OptedOut(Box::new(opted_out))));
    }

    pub(crate) fn ignore(&mut self, why: Ignored) {
        self.effects.push(Effect::Ignored(why));
    }

    /// Takes a message out of its lane and remembers how far it came.
    pub(crate) fn settle(&mut self, message: &Message, past: Past) {
        let (id, account) = (message.asked.added.message_id, message.asked.account());
        self.state.remove_message(id);
        let health = self.state.health(&account);
        if health.probe == Some(id) {
            self.set_health(&account, Health { probe: None, ..health });
        }
        self.remember(&message.asked, message.attempts, past);
    }

    /// Remembers how far a message came, for its receipts and repeats; replays for their repeats.
    pub(crate) fn remember(&mut self, asked: &Asked, attempt_no: i64, past: Past) {
        if asked.notice.is_some() && asked.replay_of.is_none() {
            return;
        }
        let sent = Sent {
            account: asked.account(),
            customer_key: asked.customer_key,
            conversation_id: asked.conversation_id,
            channel: asked.channel,
            attempt_no,
            at: self.now,
            past,
            forget_at: self.now.plus_ms(SENT_KEEP_MS),
        };
        self.state.set_sent(asked.added.message_id, sent);
    }

    /// Ends a message as failed.
    pub(crate) fn fail(&mut self, message: &Message, at: Millis, failed: Failed) {
        self.say(About::message(message), at, DeliveryEventKind::Failed(failed));
        self.settle(message, Past::failed(message.sent.clone(), message.parts));
    }

    /// Ends a message as refused.
    pub(crate) fn refuse(&mut self, message: &Message, at: Millis, refusal: Refusal) {
        let refused = SendRefused { reason: refusal.as_str().into() };
        self.say(About::message(message), at, DeliveryEventKind::Refused(refused));
        self.settle(message, Past::failed(message.sent.clone(), message.parts));
    }

    /// Notes an account's health; tells the others when what they can see of it changes.
    pub(crate) fn set_health(&mut self, key: &AccountKey, health: Health) {
        let old = self.state.health(key);
        if (old.paused, old.breaker, old.until) != (health.paused, health.breaker, health.until) {
            let now = self.now.as_ms();
            let state = AccountState {
                event_id: EventId::derive(&[
                    key.tenant.as_str(),
                    key.account.as_str(),
                    &now.to_string(),
                    health.breaker.as_str(),
                    &health.reason,
                ]),
                tenant: key.tenant.clone(),
                occurred_at: now,
                recorded_at: now,
                account_id: key.account.clone(),
                paused: health.paused,
                breaker: health.breaker.as_str().into(),
                until: health.until.map(Timestamp::as_ms),
                reason: (!health.reason.is_empty()).then(|| health.reason.clone()),
            };
            self.effects.push(Effect::Account(Box::new(state)));
        }
        self.state.set_health(key, health);
    }
}

/// A failure without the provider's words.
pub(crate) fn failed(reason: &str) -> Failed {
    Failed { reason: reason.into(), provider_code: None, detail: None }
}
