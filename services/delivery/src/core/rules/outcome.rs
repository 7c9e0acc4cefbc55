//! What the end of a call means for the message, its account and the ones behind it.

use schemas::ids::MessageId;
use schemas::records::{DeliveryEventKind, Failed, Retrying, Sent};
use stream::Timestamp;

use crate::core::effect::Ignored;
use crate::core::event::{Answer, CallEnded, Outcome};
use crate::core::rows::{Message, Phase, Progress};
use crate::core::rules::breaker::{self, Sign};
use crate::core::rules::failures::{self, Verdict};
use crate::core::rules::{ambiguous, capabilities, early, order, schedule};
use crate::core::step::{About, Step};

/// Takes the outcome of one attempt.
pub(crate) fn called(step: &mut Step<'_>, ended: CallEnded) {
    let CallEnded { message_id, attempt_no, at, outcome } = ended;
    let at = at.max(step.now);
    let open = step.state.message(message_id).cloned();
    let is_current = |message: &Message| message.phase == Phase::Claimed && message.attempts == attempt_no;
    match open {
        Some(message) if is_current(&message) => current(step, message, outcome, at),
        Some(message) => late(step, message, outcome, at),
        None => join(step, message_id, outcome),
    }
}

fn current(step: &mut Step<'_>, message: Message, outcome: Outcome, at: Timestamp) {
    let (account, customer) = (message.asked.account(), message.asked.customer_key);
    let sign = sign(&message, &outcome);
    let health = breaker::after(step.state.health(&account), sign, at);
    step.set_health(&account, health);
    match outcome {
        Outcome::Accepted { provider_message_id } => accepted(step, &message, provider_message_id, at),
        Outcome::Answered(answer) => answered(step, message, answer, at),
        Outcome::NotSent { reason } | Outcome::Unconfigured { reason } => {
            retry(step, message, at, Again { reason, least_ms: 0 });
        }
        Outcome::Refused(refusal) => step.refuse(&message, at.as_ms(), refusal),
        Outcome::NotOurs => retry(step, message, at, Again { reason: "lease", least_ms: 0 }),
        Outcome::Unknown { reason } => ambiguous::unknown(step, message, at, reason),
        Outcome::Lost => ambiguous::unknown(step, message, at, "process_ended"),
    }
    order::turn(step, customer);
}

fn sign<'a>(message: &Message, outcome: &'a Outcome) -> Sign<'a> {
    match outcome {
        Outcome::Accepted { .. } => Sign::Well,
        Outcome::Answered(answer) => match failures::verdict(message.asked.channel, answer) {
            Verdict::Permanent(_) | Verdict::Wait(..) => Sign::Well,
            Verdict::Retry(reason) | Verdict::Unclear(reason) => Sign::Failing(reason),
            Verdict::Throttled(wait_ms) => Sign::Throttled(wait_ms, "throttled"),
            Verdict::Credentials => Sign::Locked("credentials"),
        },
        Outcome::NotOurs | Outcome::Lost | Outcome::Refused(_) => Sign::Silent,
        Outcome::NotSent { reason } | Outcome::Unknown { reason } => Sign::Failing(reason),
        Outcome::Unconfigured { reason } => Sign::Locked(reason),
    }
}

fn answered(step: &mut Step<'_>, message: Message, answer: Answer, at: Timestamp) {
    match failures::verdict(message.asked.channel, &answer) {
        Verdict::Permanent(reason) => {
            let provider_code = answer.code.map(|code| code.to_string());
            let provider_code = provider_code.or_else(|| Some(answer.status.to_string()));
            step.fail(&message, at.as_ms(), Failed { reason: reason.into(), provider_code, detail: answer.detail });
        }
        Verdict::Retry(reason) => retry(step, message, at, Again { reason, least_ms: 0 }),
        Verdict::Wait(least_ms, reason) => retry(step, message, at, Again { reason, least_ms }),
        Verdict::Throttled(least_ms) => retry(step, message, at, Again { reason: "throttled", least_ms }),
        Verdict::Credentials => retry(step, message, at, Again { reason: "credentials", least_ms: 0 }),
        Verdict::Unclear(reason) => ambiguous::unknown(step, message, at, reason),
    }
}

/// Another attempt, and why.
pub(crate) struct Again<'a> {
    pub(crate) reason: &'a str,
    /// Not sooner than this many milliseconds.
    pub(crate) least_ms: i64,
}

/// Puts a message back in its turn until the next attempt, or gives it up.
pub(crate) fn retry(step: &mut Step<'_>, mut message: Message, at: Timestamp, again: Again<'_>) {
    let account = step.state.account(&message.asked.account());
    let wait_ms =
        account.and_then(|account| schedule::next_wait_ms(schedule::of(account), message.attempts, again.least_ms));
    let Some(wait_ms) = wait_ms else {
        return order::exhaust(step, &message, again.reason);
    };
    let next = at.plus_ms(wait_ms);
    let retrying = Retrying { at: next.as_ms(), reason: again.reason.into() };
    step.say(About::message(&message), at.as_ms(), DeliveryEventKind::Retrying(retrying));
    message.last_reason = again.reason.into();
    message.phase = Phase::Waiting(next);
    step.state.set_message(message.asked.added.message_id, message);
}

/// The provider took it: it is sent, and receipts that came before are joined.
pub(crate) fn accepted(step: &mut Step<'_>, message: &Message, provider: Option<String>, at: Timestamp) {
    let sent = Sent {
        provider_message_id: provider.clone(),
        offered_choices: capabilities::offered(&message.asked.added.content),
    };
    step.say(About::message(message), at.as_ms(), DeliveryEventKind::Sent(sent));
    step.settle(message, Progress::Sent, provider.clone());
    let customer = message.asked.customer_key;
    let settle_ms = capabilities::settle_ms(message.asked.channel);
    if let Some(mut lane) = step.state.lane(customer).cloned().filter(|_| settle_ms > 0) {
        lane.settling = Some((message.asked.added.message_id, at.plus_ms(settle_ms)));
        step.state.set_lane(customer, Some(lane));
    }
    early::join(step, message.asked.added.message_id);
}

/// An answer to an attempt that is not the current one any more: only its success counts.
fn late(step: &mut Step<'_>, message: Message, outcome: Outcome, at: Timestamp) {
    let Outcome::Accepted { provider_message_id } = outcome else {
        return step.ignore(Ignored::Stale);
    };
    accepted(step, &message, provider_message_id, at);
    order::turn(step, message.asked.customer_key);
}

/// The answer to a message that a receipt has settled: its provider's id is noted.
fn join(step: &mut Step<'_>, id: MessageId, outcome: Outcome) {
    let sent = step.state.sent(id).cloned();
    match (sent, outcome) {
        (Some(mut sent), Outcome::Accepted { provider_message_id: Some(provider) })
            if sent.provider_message_id.is_none() =>
        {
            sent.provider_message_id = Some(provider);
            step.state.set_sent(id, sent);
            early::join(step, id);
        }
        _ => step.ignore(Ignored::Stale),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rules::support::{Bench, account, asked, kinds};
    use schemas::records::Channel;

    fn answer(status: u16, code: Option<i64>) -> Outcome {
        Outcome::Answered(Answer { status, code, ..Answer::default() })
    }

    #[test]
    fn each_outcome_has_its_consequence() {
        for (outcome, expected) in [
            (Outcome::Accepted { provider_message_id: Some("wamid.1".into()) }, vec!["sent"]),
            (answer(400, Some(131_026)), vec!["failed undeliverable"]),
            (answer(500, None), vec!["retrying provider_error"]),
            (answer(504, None), vec!["ambiguous gateway", "retrying gateway"]),
            (answer(400, Some(131_056)), vec!["retrying pair_throttled"]),
            (Outcome::NotSent { reason: "no_connection" }, vec!["retrying no_connection"]),
            (Outcome::Refused(crate::core::event::Refusal::WindowClosed), vec!["refused window_closed"]),
            (Outcome::Unconfigured { reason: "no_token" }, vec!["account open paused", "retrying no_token"]),
        ] {
            let mut bench = Bench::with(account(Channel::Whatsapp));
            bench.ask(asked(1, "ada"));
            assert_eq!(kinds(&bench.called(1, outcome.clone())), expected, "{outcome:?}");
        }
    }

    #[test]
    fn a_message_is_given_up_after_its_whole_schedule_and_its_record_laid_aside() {
        let mut short = account(Channel::Open);
        short.schedule_ms = Some(vec![1_000, 2_000]);
        let mut bench = Bench::with(short);
        bench.ask(asked(1, "ada"));
        for wait_ms in [1_000, 2_000] {
            assert_eq!(kinds(&bench.called(1, answer(503, None))), ["retrying provider_error"]);
            bench.advance(wait_ms);
        }
        assert_eq!(kinds(&bench.called(1, answer(503, None))), ["exhausted provider_error", "dead letter"]);
        assert!(bench.is_empty());
    }

    #[test]
    fn the_answer_to_an_older_attempt_counts_only_if_it_was_yes() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.ask(asked(1, "ada"));
        bench.called(1, Outcome::Unknown { reason: "lost" });
        bench.advance(5_000);
        assert_eq!(kinds(&bench.called_attempt(1, 1, answer(400, None))), ["ignored"]);
        let yes = Outcome::Accepted { provider_message_id: None };
        assert_eq!(kinds(&bench.called_attempt(1, 1, yes.clone())), ["sent"]);
        assert_eq!(kinds(&bench.called_attempt(1, 2, yes)), ["ignored"]);
    }
}
