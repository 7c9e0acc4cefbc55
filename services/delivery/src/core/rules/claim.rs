//! D1, D5: the attempt is committed before the call; an account has so many calls out and no more,
//! and none while it is paused or its circuit open.

use schemas::ids::{AttemptId, CustomerKey};
use schemas::records::{Claimed, DeliveryEventKind};

use crate::core::effect::{Effect, Send};
use crate::core::event::AccountKey;
use crate::core::rendering;
use crate::core::rows::{Breaker, Message, Phase};
use crate::core::rules::{breaker, order, replies, window};
use crate::core::step::{About, Step, failed};

/// Lets the lanes that wait for this account go, longest first, as long as it admits them.
pub(crate) fn admit(step: &mut Step<'_>, account: &AccountKey) {
    while let Some(customer) = step.state.first_ready(account) {
        let mut health = breaker::resume(step.state.health(account), step.now);
        let max = step.policy.account_claims_max;
        let admitted = breaker::admits(&health) && step.state.claims(account, max) < max;
        if admitted && health.breaker == Breaker::HalfOpen {
            health.probe = step.state.lane(customer).and_then(|lane| lane.head);
        }
        step.set_health(account, health);
        if !admitted {
            return;
        }
        claim(step, customer);
    }
}

fn claim(step: &mut Step<'_>, customer: CustomerKey) {
    let Some(mut lane) = step.state.lane(customer).cloned() else { return };
    lane.ready_since = None;
    lane.wake_at = None;
    let head = lane.head.and_then(|id| step.state.message(id).cloned());
    let route = step.state.account(&lane.account).map(|account| account.route.clone());
    let window_ends_at = lane.window_ends_at;
    step.state.set_lane(customer, Some(lane));
    let (Some(mut message), Some(route)) = (head, route) else { return };
    let id = message.asked.added.message_id;
    let Some(part) = part(&message) else {
        step.fail(&message, step.now.as_ms(), failed("rendering_changed"));
        return order::turn(step, customer);
    };
    if message.tries == 0 {
        replies::count(step, &message.asked);
    }
    message.attempts += 1;
    message.tries += 1;
    message.phase = Phase::Claimed;
    let attempt_id = AttemptId::derive(&[&id.to_string(), &message.attempts.to_string()]);
    step.say(About::message(&message), step.now.as_ms(), DeliveryEventKind::Claimed(Claimed { attempt_id }));
    let added = &message.asked.added;
    let send = Send {
        message_id: id,
        known_as: message.asked.replay_of.unwrap_or(id),
        attempt_id,
        attempt_no: message.attempts,
        channel: message.asked.channel,
        account: message.asked.account(),
        customer_key: customer,
        customer: message.asked.customer().cloned().unwrap_or_default(),
        sender: added.sender.kind,
        part,
        part_no: message.part_no(),
        quotes: added.content.reply_to.clone().filter(|_| message.part_no() == 1),
        occurred_at: message.asked.occurred_at,
        window_ends_at: window::latest(added.window_ends_at, window_ends_at)
            .or_else(|| window::never_open(&message.asked)),
        expires_at: added.expires_at,
        route,
    };
    step.state.set_message(id, message);
    step.effects.push(Effect::Send(Box::new(send)));
}

/// The message of the channel whose turn it is; none if this build renders fewer than the one that
/// accepted it.
fn part(message: &Message) -> Option<rendering::Part> {
    let rendering = rendering::of(&message.asked).ok()?;
    rendering.parts.into_iter().nth(message.sent.len())
}

#[cfg(test)]
mod tests {
    use crate::core::Policy;
    use crate::core::event::Outcome;
    use crate::core::rules::support::{Bench, account, asked, kinds};
    use schemas::records::Channel;

    #[test]
    fn an_account_has_only_so_many_calls_out_and_the_longest_waiting_goes_next() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.policy = Policy { account_claims_max: 2, ..Policy::default() };
        assert_eq!(kinds(&bench.ask(asked(1, "ada"))), ["claimed", "send"]);
        assert_eq!(kinds(&bench.ask(asked(2, "bob"))), ["claimed", "send"]);
        assert!(bench.ask(asked(3, "cyd")).is_empty());
        assert!(bench.ask(asked(4, "dan")).is_empty());
        let effects = bench.called(1, Outcome::Accepted { provider_message_id: None, rest_ms: 0 });
        assert_eq!(kinds(&effects), ["sent", "claimed", "send"]);
        assert!(bench.is_claimed(3));
    }

    #[test]
    fn a_claim_names_its_attempt() {
        let mut bench = Bench::with(account(Channel::Open));
        let first = bench.ask(asked(1, "ada"));
        bench.called(1, Outcome::NotSent { reason: "no_connection" });
        let second = bench.advance(5_000);
        let numbers: Vec<i64> = Bench::sends(&first).chain(Bench::sends(&second)).map(|send| send.attempt_no).collect();
        assert_eq!(numbers, [1, 2]);
    }
}
