//! A message enters its customer's lane, unless it is clear already that it cannot be sent.

use schemas::records::{Channel, DeliveryEventKind, SendRefused, Sent};

use crate::core::effect::Ignored;
use crate::core::event::Asked;
use crate::core::rendering::{self, PARTS_MAX};
use crate::core::rows::{Lane, Message, Past, Phase, Progress, SentPart};
use crate::core::rules::{consent, order};
use crate::core::step::{About, Step, failed};

/// Messages of one customer that may wait at one time.
const LANE_MAX: u64 = 1_000;

/// What became of a message before it is sent once more.
#[derive(Debug, Default)]
pub(crate) struct Former {
    /// Its parts that were sent.
    pub(crate) sent: Vec<SentPart>,
    /// Attempts made.
    pub(crate) attempts: i64,
}

/// Takes one message.
pub(crate) fn asked(step: &mut Step<'_>, asked: Asked) {
    again(step, asked, Former::default());
}

/// Takes one message that was given up before.
pub(crate) fn again(step: &mut Step<'_>, asked: Asked, former: Former) {
    let id = asked.added.message_id;
    if step.state.message(id).is_some() || step.state.sent(id).is_some() {
        return step.ignore(Ignored::Repeated);
    }
    if asked.channel == Channel::Web {
        return served_by_gateway(step, &asked);
    }
    let parts = match parts(step, &asked) {
        Ok(parts) => parts,
        Err(reason) => {
            step.say(
                About::asked(&asked, former.attempts),
                step.now.as_ms(),
                DeliveryEventKind::Failed(failed(reason)),
            );
            return step.remember(&asked, former.attempts, Past::failed(Vec::new(), 1));
        }
    };
    let customer = asked.customer_key;
    let mut lane = step.state.lane(customer).cloned().unwrap_or_else(|| Lane {
        account: asked.account(),
        next_no: 0,
        head: None,
        head_since: step.now,
        settling: None,
        window_ends_at: None,
        wake_at: None,
        ready_since: None,
    });
    let message = Message {
        asked,
        no: lane.next_no,
        accepted_at: step.now,
        attempts: former.attempts,
        tries: 0,
        parts,
        sent: former.sent,
        last_reason: String::new(),
        phase: Phase::Waiting(step.now),
    };
    lane.next_no += 1;
    step.state.set_message(id, message);
    step.state.set_lane(customer, Some(lane));
    order::turn(step, customer);
}

/// The gateway shows web messages from the conversation's events (C10), those that consent decides about once it
/// is said here that they are sent.
fn served_by_gateway(step: &mut Step<'_>, asked: &Asked) {
    if let Some(refusal) = consent::refusal_of(step, asked) {
        let refused = SendRefused { reason: refusal.as_str().into() };
        step.say(About::asked(asked, 0), step.now.as_ms(), DeliveryEventKind::Refused(refused));
        return step.remember(asked, 0, Past::failed(Vec::new(), 1));
    }
    let sent = Sent { provider_message_id: None, offered_choices: rendering::offered(&asked.added.content) };
    step.say(About::asked(asked, 0), step.now.as_ms(), DeliveryEventKind::Sent(sent));
    let part = SentPart { provider_message_id: None, progress: Progress::Sent };
    step.remember(asked, 0, Past::of(vec![part], 1));
}

/// How many messages of the channel it becomes, or why it cannot be sent.
fn parts(step: &Step<'_>, asked: &Asked) -> Result<i64, &'static str> {
    let account = step.state.account(&asked.account());
    if account.is_none_or(|account| account.channel != asked.channel) {
        return Err("unknown_account");
    }
    if asked.customer().is_none_or(|customer| customer.id.is_empty()) {
        return Err("no_recipient");
    }
    let lane = step.state.lane(asked.customer_key);
    let first = step.state.lane_messages(asked.customer_key).next().and_then(|id| step.state.message(id));
    if let (Some(lane), Some(first)) = (lane, first)
        && lane.next_no - first.no >= LANE_MAX
    {
        return Err("too_many_waiting");
    }
    let parts = rendering::of(asked)?.parts.len();
    Ok(i64::try_from(parts.min(PARTS_MAX)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use crate::core::rules::support::{Bench, account, asked, kinds};
    use schemas::records::Channel;

    #[test]
    fn a_message_is_claimed_at_once_when_nothing_is_before_it() {
        let mut bench = Bench::with(account(Channel::Open));
        assert_eq!(kinds(&bench.ask(asked(1, "ada"))), ["claimed", "send"]);
    }

    #[test]
    fn the_same_message_asked_twice_is_sent_once() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.ask(asked(1, "ada"));
        assert_eq!(kinds(&bench.ask(asked(1, "ada"))), ["ignored"]);
    }

    #[test]
    fn what_cannot_be_sent_fails_at_once_with_its_reason() {
        let mut no_customer = asked(1, "ada");
        no_customer.added.customer = None;
        let mut other_account = asked(2, "ada");
        other_account.account_id = "other".into();
        let mut too_long = asked(3, "ada");
        too_long.channel = Channel::Whatsapp;
        too_long.added.content.text = Some("x ".repeat(4_096 * 31));
        for (asked, reason) in
            [(no_customer, "no_recipient"), (other_account, "unknown_account"), (too_long, "too_long")]
        {
            let mut bench = Bench::with(account(Channel::Whatsapp));
            let effects = bench.ask(asked);
            assert_eq!(kinds(&effects), [format!("failed {reason}")]);
        }
    }

    #[test]
    fn a_web_message_is_sent_by_being_there() {
        let mut bench = Bench::with(account(Channel::Open));
        let mut web = asked(1, "ada");
        web.channel = Channel::Web;
        assert_eq!(kinds(&bench.ask(web)), ["sent"]);
    }
}
