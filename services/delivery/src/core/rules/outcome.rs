//! What the end of a call means for the message, its account and the ones behind it.

use schemas::ids::MessageId;
use schemas::records::{Channel, DeliveryEventKind, Failed, PartSent, Retrying, Sent};
use stream::Timestamp;

use crate::core::effect::Ignored;
use crate::core::event::{Answer, CallEnded, Outcome};
use crate::core::rendering;
use crate::core::rows::{Message, Past, Phase, Progress, SentPart, part_id};
use crate::core::rules::breaker::{self, Sign};
use crate::core::rules::failures::{self, Verdict};
use crate::core::rules::signals::NO_PART;
use crate::core::rules::{ambiguous, capabilities, early, order, receipts, schedule};
use crate::core::step::{About, Step};

/// Takes the outcome of one attempt.
pub(crate) fn called(step: &mut Step<'_>, ended: CallEnded) {
    let CallEnded { message_id, attempt_no, part_no, at, outcome } = ended;
    if part_no == NO_PART {
        return;
    }
    let at = at.max(step.now);
    let open = step.state.message(message_id).cloned();
    let is_current = |message: &Message| message.phase == Phase::Claimed && message.attempts == attempt_no;
    match (open, outcome) {
        (Some(message), outcome) if is_current(&message) => current(step, message, outcome, at),
        (Some(message), Outcome::Accepted { provider_message_id, .. }) if message.part_no() == part_no => {
            accepted(step, &message, provider_message_id, at);
            order::turn(step, message.asked.customer_key);
        }
        (_, Outcome::Accepted { provider_message_id: Some(provider), .. }) => name(step, message_id, part_no, provider),
        _ => step.ignore(Ignored::Stale),
    }
}

fn current(step: &mut Step<'_>, message: Message, outcome: Outcome, at: Timestamp) {
    let (account, customer) = (message.asked.account(), message.asked.customer_key);
    let sign = sign(&message, &outcome);
    let mut health = breaker::after(step.state.health(&account), sign, at);
    if message.asked.channel == Channel::Open && matches!(sign, Sign::Failing(_)) {
        health = breaker::disabled(health, at);
    }
    step.set_health(&account, health);
    match outcome {
        Outcome::Accepted { provider_message_id, .. } => accepted(step, &message, provider_message_id, at),
        Outcome::Answered(answer) => answered(step, message, answer, at),
        Outcome::NotSent { reason } | Outcome::Unconfigured { reason } => {
            retry(step, message, at, Again { reason, least_ms: 0 });
        }
        Outcome::Refused(refusal) => step.refuse(&message, at.as_ms(), refusal),
        Outcome::Paced { wait_ms } => paced(step, message, at.plus_ms(wait_ms)),
        Outcome::NotOurs => retry(step, message, at, Again { reason: "lease", least_ms: 0 }),
        Outcome::Unknown { reason } => ambiguous::unknown(step, message, at, reason),
        Outcome::Lost => ambiguous::unknown(step, message, at, "process_ended"),
    }
    order::turn(step, customer);
}

fn sign<'a>(message: &Message, outcome: &'a Outcome) -> Sign<'a> {
    match outcome {
        Outcome::Accepted { rest_ms: 0, .. } => Sign::Well,
        Outcome::Accepted { rest_ms, .. } => Sign::Throttled(*rest_ms, "rate_used_up"),
        Outcome::Answered(answer) => match failures::verdict(message.asked.channel, answer) {
            Verdict::Permanent(_) | Verdict::Wait(..) => Sign::Well,
            Verdict::Retry(reason) | Verdict::Unclear(reason) => Sign::Failing(reason),
            Verdict::Probably(_) => Sign::Silent,
            Verdict::Throttled(wait_ms) => Sign::Throttled(wait_ms, "throttled"),
            Verdict::Credentials => Sign::Locked("credentials"),
        },
        Outcome::Paced { wait_ms } => Sign::Throttled(*wait_ms, "paced"),
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
        Verdict::Probably(reason) => ambiguous::probably(step, message, at, reason),
    }
}

/// Another attempt, and why.
pub(crate) struct Again<'a> {
    pub(crate) reason: &'a str,
    /// Not sooner than this many milliseconds.
    pub(crate) least_ms: i64,
}

/// Puts a message back in its turn until the next attempt, or gives it up.
pub(crate) fn retry(step: &mut Step<'_>, message: Message, at: Timestamp, again: Again<'_>) {
    let account = step.state.account(&message.asked.account());
    let wait_ms =
        account.and_then(|account| schedule::next_wait_ms(schedule::of(account), message.tries, again.least_ms));
    let Some(wait_ms) = wait_ms else {
        return order::exhaust(step, &message, again.reason);
    };
    wait(step, message, (at, at.plus_ms(wait_ms)), again.reason);
}

/// Our own rate made it wait: no call was made, and none of the schedule is used up.
fn paced(step: &mut Step<'_>, mut message: Message, next: Timestamp) {
    message.tries -= 1;
    wait(step, message, (step.now, next), "paced");
}

fn wait(step: &mut Step<'_>, mut message: Message, (at, next): (Timestamp, Timestamp), reason: &str) {
    let retrying = Retrying { at: next.as_ms(), reason: reason.into() };
    step.say(About::message(&message), at.as_ms(), DeliveryEventKind::Retrying(retrying));
    message.last_reason = reason.into();
    message.phase = Phase::Waiting(next);
    step.state.set_message(message.asked.added.message_id, message);
}

/// The provider took the present part: the next one follows, or the message is sent; receipts that
/// came before are joined.
pub(crate) fn accepted(step: &mut Step<'_>, message: &Message, provider: Option<String>, at: Timestamp) {
    let (id, part_no, is_last) =
        (message.asked.added.message_id, message.part_no(), message.part_no() == message.parts);
    let mut message = message.clone();
    if is_last {
        let offered_choices = rendering::offered(&message.asked.added.content);
        let sent = Sent { provider_message_id: provider.clone(), offered_choices };
        step.say(About::message(&message), at.as_ms(), DeliveryEventKind::Sent(sent));
    } else {
        let sent = PartSent { provider_message_id: provider.clone() };
        step.say(About::message(&message), at.as_ms(), DeliveryEventKind::PartSent(sent));
    }
    message.sent.push(SentPart { provider_message_id: provider.clone(), progress: Progress::Sent });
    settling(step, &message, part_id(id, part_no), at);
    if is_last {
        let past = Past::of(message.sent.clone(), message.parts);
        receipts::say_if_failed(step, &message, &past, at);
        step.settle(&message, past);
    } else {
        message.tries = 0;
        message.phase = Phase::Waiting(at);
        step.state.set_message(id, message);
    }
    early::join(step, id, part_no);
}

/// Where the platform keeps no order, the next one waits a little for the first receipt.
fn settling(step: &mut Step<'_>, message: &Message, part: MessageId, at: Timestamp) {
    let (customer, settle_ms) = (message.asked.customer_key, capabilities::settle_ms(message.asked.channel));
    if let Some(mut lane) = step.state.lane(customer).cloned().filter(|_| settle_ms > 0) {
        lane.settling = Some((part, at.plus_ms(settle_ms)));
        step.state.set_lane(customer, Some(lane));
    }
}

/// The answer to a part that a receipt or an echo has settled: its provider's id is noted.
fn name(step: &mut Step<'_>, id: MessageId, part_no: i64, provider: String) {
    let place = usize::try_from(part_no - 1).unwrap_or_default();
    let is_nameless = |part: &SentPart| part.provider_message_id.is_none();
    if let Some(mut message) = step.state.message(id).cloned()
        && let Some(part) = message.sent.get_mut(place).filter(|part| is_nameless(part))
    {
        part.provider_message_id = Some(provider);
        step.state.set_message(id, message);
    } else if let Some(mut sent) = step.state.sent(id).cloned()
        && let Some(part) = sent.past.parts.get_mut(place).filter(|part| is_nameless(part))
    {
        part.provider_message_id = Some(provider);
        step.state.set_sent(id, sent);
    } else {
        return step.ignore(Ignored::Stale);
    }
    early::join(step, id, part_no);
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
            (Outcome::Accepted { provider_message_id: Some("wamid.1".into()), rest_ms: 0 }, vec!["sent"]),
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
        let yes = Outcome::Accepted { provider_message_id: None, rest_ms: 0 };
        assert_eq!(kinds(&bench.called_attempt(1, 1, yes.clone())), ["sent"]);
        assert_eq!(kinds(&bench.called_attempt(1, 2, yes)), ["ignored"]);
    }
}
