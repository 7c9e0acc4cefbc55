//! D2: a customer's messages leave one after the other; a later one waits until the earlier is
//! settled, but not for ever.

use schemas::ids::CustomerKey;
use schemas::records::{DeliveryEventKind, Exhausted};
use stream::Timestamp;

use crate::core::effect::{Effect, Exhaustion};
use crate::core::event::{Account, Refusal};
use crate::core::rows::{Lane, Message, Past, Phase};
use crate::core::rules::{capabilities, claim, consent, replies, schedule};
use crate::core::step::{About, Step, failed};

/// What is next for the head of a lane.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It is given up; the one behind it is next.
    Over(End),
    /// A call is out.
    Called,
    /// Nothing before this.
    Wait(Timestamp),
    /// It could leave; if the account does not let it, something is due then.
    Ready(Timestamp),
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Failed(&'static str),
    Refused(Refusal),
    Exhausted(&'static str),
}

/// Finds a lane's next step and its next deadline, and takes it.
pub(crate) fn turn(step: &mut Step<'_>, customer: CustomerKey) {
    let Some(mut lane) = step.state.lane(customer).cloned() else { return };
    lane.settling = lane.settling.filter(|(_, until)| *until > step.now);
    lane.wake_at = lane.settling.map(|(_, until)| until);
    let ready_since = lane.ready_since.take();
    loop {
        let head = step.state.lane_messages(customer).next();
        if lane.head != head {
            lane.head = head;
            lane.head_since = step.now;
        }
        let Some(message) = head.and_then(|id| step.state.message(id).cloned()) else { break };
        match next(step, &lane, &message) {
            Next::Over(end) => finish(step, &message, end),
            Next::Called => {
                lane.wake_at = None;
                break;
            }
            Next::Wait(at) => {
                lane.wake_at = Some(at);
                break;
            }
            Next::Ready(at) => {
                lane.wake_at = Some(at);
                lane.ready_since = Some(ready_since.unwrap_or(step.now));
                break;
            }
        }
    }
    let account = lane.account.clone();
    let is_over = lane.head.is_none() && lane.settling.is_none();
    step.state.set_lane(customer, (!is_over).then_some(lane));
    claim::admit(step, &account);
}

fn next(step: &Step<'_>, lane: &Lane, message: &Message) -> Next {
    let Some(account) = step.state.account(&lane.account) else {
        return if message.phase == Phase::Claimed { Next::Called } else { Next::Over(End::Failed("unknown_account")) };
    };
    let waits_until = match message.phase {
        Phase::Claimed => return Next::Called,
        Phase::Held(until) if until <= step.now => return Next::Over(End::Failed("ambiguous")),
        Phase::Held(until) => until,
        Phase::Waiting(not_before) => lane.settling.map_or(not_before, |(_, until)| not_before.max(until)),
    };
    let limits = [
        (message.asked.added.expires_at.map(Timestamp::from_ms), End::Refused(Refusal::Expired)),
        (order_limit(step, message.asked.customer_key, lane, account), End::Failed("order_expired")),
        (give_up_at(lane, message, account), End::Exhausted("account_unavailable")),
    ];
    let mut due = Timestamp::MAX;
    for (at, end) in limits.into_iter().filter_map(|(at, end)| at.map(|at| (at, end))) {
        if at <= step.now {
            return Next::Over(end);
        }
        due = due.min(at);
    }
    if let Some(refusal) = consent::refusal(step, message) {
        return Next::Over(End::Refused(refusal));
    }
    if replies::is_over(step, message.asked.customer_key, message) {
        return Next::Over(End::Refused(Refusal::ReplyLimit));
    }
    if waits_until > step.now { Next::Wait(waits_until.min(due)) } else { Next::Ready(due) }
}

/// When the one behind has waited long enough; counted from when it became the next.
fn order_limit(step: &Step<'_>, customer: CustomerKey, lane: &Lane, account: &Account) -> Option<Timestamp> {
    let behind = step.state.lane_messages(customer).nth(1)?;
    let waits_since = step.state.message(behind)?.accepted_at.max(lane.head_since);
    Some(waits_since.plus_ms(order_hold_max_ms(account)))
}

fn order_hold_max_ms(account: &Account) -> i64 {
    account.order_hold_max_ms.unwrap_or_else(|| capabilities::order_hold_max_ms(account.channel, schedule::of(account)))
}

/// When a message that its account does not let go is given up: an hour after its whole schedule.
fn give_up_at(lane: &Lane, message: &Message, account: &Account) -> Option<Timestamp> {
    const SLACK_MS: i64 = 3_600_000;
    match message.phase {
        Phase::Waiting(_) => Some(lane.head_since.plus_ms(schedule::of(account).iter().sum::<i64>() + SLACK_MS)),
        Phase::Claimed | Phase::Held(_) => None,
    }
}

fn finish(step: &mut Step<'_>, message: &Message, end: End) {
    let at = step.now.as_ms();
    match end {
        End::Failed(reason) => step.fail(message, at, failed(reason)),
        End::Refused(refusal) => step.refuse(message, at, refusal),
        End::Exhausted(reason) => exhaust(step, message, reason),
    }
}

/// D3: given up after the whole schedule; the record that asked is laid aside.
pub(crate) fn exhaust(step: &mut Step<'_>, message: &Message, reason: &str) {
    let (at, attempts) = (step.now.as_ms(), message.attempts);
    let exhausted = Exhausted { attempts, reason: reason.into() };
    step.say(About::message(message), at, DeliveryEventKind::Exhausted(exhausted));
    if message.asked.replay_of.is_none() {
        let exhaustion = Exhaustion { asked: message.asked.clone(), attempts, reason: reason.into(), at };
        step.effects.push(Effect::DeadLetter(Box::new(exhaustion)));
    }
    step.settle(message, Past::failed(message.sent.clone(), message.parts));
}

#[cfg(test)]
mod tests {
    use crate::core::event::Outcome;
    use crate::core::rules::support::{Bench, account, asked, kinds};
    use schemas::records::{Channel, ReceiptStatus};

    fn accepted() -> Outcome {
        Outcome::Accepted { provider_message_id: None, rest_ms: 0 }
    }

    #[test]
    fn a_later_message_waits_until_the_earlier_is_sent() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.ask(asked(1, "ada"));
        assert!(bench.ask(asked(2, "ada")).is_empty());
        assert_eq!(kinds(&bench.ask(asked(3, "bob"))), ["claimed", "send"], "other customers do not wait");
        assert_eq!(kinds(&bench.called(1, accepted())), ["sent", "claimed", "send"]);
    }

    #[test]
    fn whatsapp_keeps_no_order_so_the_first_receipt_is_waited_for_a_little() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        bench.ask(asked(2, "ada"));
        assert_eq!(kinds(&bench.called(1, accepted())), ["sent"]);
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Sent)), ["ignored", "claimed", "send"]);
        bench.ask(asked(3, "ada"));
        assert_eq!(kinds(&bench.called(2, accepted())), ["sent"]);
        assert!(bench.advance(2_999).is_empty());
        assert_eq!(kinds(&bench.advance(1)), ["claimed", "send"]);
    }

    #[test]
    fn the_earlier_fails_when_a_later_has_waited_too_long_and_each_gets_its_own_time() {
        let mut held = account(Channel::Whatsapp);
        held.order_hold_max_ms = Some(20_000);
        let mut bench = Bench::with(held);
        for n in 1..=3 {
            bench.ask(asked(n, "ada"));
        }
        bench.called(1, Outcome::NotSent { reason: "no_connection" });
        assert_eq!(kinds(&bench.advance(5_000)), ["claimed", "send"]);
        assert_eq!(kinds(&bench.called(1, Outcome::NotSent { reason: "no_connection" })), ["retrying no_connection"]);
        assert_eq!(kinds(&bench.advance(15_000)), ["failed order_expired", "claimed", "send"]);
        assert!(bench.is_claimed(2));
        bench.called(2, Outcome::NotSent { reason: "no_connection" });
        assert_eq!(kinds(&bench.advance(5_000)), ["claimed", "send"], "the third's wait counts anew");
    }

    #[test]
    fn a_message_whose_time_is_over_is_refused_in_its_turn() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.ask(asked(1, "ada"));
        let mut late = asked(2, "ada");
        late.added.expires_at = Some(bench.now.as_ms() + 1_000);
        bench.ask(late);
        bench.advance(2_000);
        assert_eq!(kinds(&bench.called(1, accepted())), ["sent", "refused expired"]);
    }
}
