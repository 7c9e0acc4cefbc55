//! C6: where a channel allows so many messages for each of the customer's, they are counted from
//! the customer's last word.

use schemas::ids::CustomerKey;

use crate::core::event::{Asked, Heard};
use crate::core::rows::{Message, Replies};
use crate::core::rules::{capabilities, order, window};
use crate::core::step::Step;

/// How long a count is kept of a customer who does not write.
const KEEP_MS: i64 = 30 * 86_400_000;

/// Whether the whole message is more than the customer may be told now. A message that has begun
/// goes on.
pub(crate) fn is_over(step: &Step<'_>, customer: CustomerKey, message: &Message) -> bool {
    let max = capabilities::of(message.asked.channel).and_then(|table| table.replies_max);
    let is_new = message.sent.is_empty() && message.tries == 0;
    max.is_some_and(|max| is_new && step.state.replies(customer) + message.parts > max)
}

/// Counts one message of the channel.
pub(crate) fn count(step: &mut Step<'_>, asked: &Asked) {
    if capabilities::of(asked.channel).is_some_and(|table| table.replies_max.is_some()) {
        let count = step.state.replies(asked.customer_key) + 1;
        let replies = Replies { count, forget_at: step.now.plus_ms(KEEP_MS) };
        step.state.set_replies(asked.customer_key, Some(replies));
    }
}

/// A customer did something: their window opens anew, and what they wrote may be replied to.
pub(crate) fn heard(step: &mut Step<'_>, heard: Heard) {
    if heard.wrote {
        step.state.set_replies(heard.customer_key, None);
    }
    if let Some(mut lane) = step.state.lane(heard.customer_key).cloned() {
        lane.window_ends_at = window::latest(lane.window_ends_at, heard.window_ends_at);
        step.state.set_lane(heard.customer_key, Some(lane));
        order::turn(step, heard.customer_key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Event, Outcome};
    use crate::core::rules::support::{Bench, account, asked, kinds};
    use schemas::records::Channel;

    #[test]
    fn x_allows_five_messages_for_each_of_the_customers() {
        let mut bench = Bench::with(account(Channel::Twitter));
        let accepted = || Outcome::Accepted { provider_message_id: None, rest_ms: 0 };
        for n in 1..=5 {
            assert_eq!(kinds(&bench.ask(asked(n, "ada"))), ["claimed", "send"]);
            bench.called(n, accepted());
        }
        assert_eq!(kinds(&bench.ask(asked(6, "ada"))), ["refused reply_limit"]);
        assert_eq!(kinds(&bench.ask(asked(7, "bob"))), ["claimed", "send"], "others are counted apart");
        let customer_key = asked(8, "ada").customer_key;
        bench.apply(Event::Heard(Heard { customer_key, window_ends_at: None, wrote: false }));
        assert_eq!(kinds(&bench.ask(asked(8, "ada"))), ["refused reply_limit"], "typing is no message");
        bench.apply(Event::Heard(Heard { customer_key, window_ends_at: None, wrote: true }));
        assert_eq!(kinds(&bench.ask(asked(9, "ada"))), ["claimed", "send"]);
    }

    #[test]
    fn an_attempt_made_again_counts_once() {
        let mut bench = Bench::with(account(Channel::Twitter));
        bench.ask(asked(1, "ada"));
        bench.called(1, Outcome::NotSent { reason: "no_connection" });
        bench.advance(5_000);
        assert_eq!(bench.driver_state().replies(asked(1, "ada").customer_key), 1);
    }
}
