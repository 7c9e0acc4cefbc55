//! C6: outside the reply window nothing free-form is sent; checked by the wall clock in the moment
//! before the call.

use schemas::records::{ContentKind, Millis};

use crate::core::effect::Send;
use crate::core::event::{Heard, Refusal};
use crate::core::step::Step;

/// Why this send is too late at `wall_ms`, if it is.
pub fn refusal(send: &Send, wall_ms: Millis) -> Option<Refusal> {
    if send.expires_at.is_some_and(|at| at <= wall_ms) {
        return Some(Refusal::Expired);
    }
    let needs_window = send.content.content_kind != ContentKind::Template;
    let is_closed = send.window_ends_at.is_some_and(|at| at <= wall_ms);
    (needs_window && is_closed).then_some(Refusal::WindowClosed)
}

/// The later of two ends; none if the channel has no window.
pub fn latest(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    one.max(other)
}

/// A customer who writes while answers wait opens their window anew.
pub(crate) fn heard(step: &mut Step<'_>, heard: Heard) {
    if let Some(mut lane) = step.state.lane(heard.customer_key).cloned() {
        lane.window_ends_at = latest(lane.window_ends_at, Some(heard.window_ends_at));
        step.state.set_lane(heard.customer_key, Some(lane));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Event, Outcome};
    use crate::core::rules::support::{Bench, account, asked};
    use schemas::records::Channel;

    fn send(window_ends_at: Option<Millis>, expires_at: Option<Millis>, kind: ContentKind) -> Send {
        let mut bench = Bench::with(account(Channel::Open));
        let effects = bench.ask(asked(1, "ada"));
        let mut send = Bench::sends(&effects).next().unwrap().clone();
        send.window_ends_at = window_ends_at;
        send.expires_at = expires_at;
        send.content.content_kind = kind;
        send
    }

    #[test]
    fn a_send_is_refused_when_its_window_or_its_time_is_over() {
        for (window, expires, kind, expected) in [
            (None, None, ContentKind::Text, None),
            (Some(1_001), None, ContentKind::Text, None),
            (Some(1_000), None, ContentKind::Text, Some(Refusal::WindowClosed)),
            (Some(1_000), None, ContentKind::Template, None),
            (Some(9_000), Some(1_000), ContentKind::Text, Some(Refusal::Expired)),
            (Some(9_000), Some(1_001), ContentKind::Text, None),
        ] {
            assert_eq!(refusal(&send(window, expires, kind), 1_000), expected, "{window:?} {expires:?} {kind}");
        }
    }

    #[test]
    fn a_message_that_waits_takes_the_window_of_what_the_customer_wrote_meanwhile() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        let mut message = asked(1, "ada");
        message.added.window_ends_at = Some(1_000);
        let customer_key = message.customer_key;
        bench.ask(message);
        bench.called(1, Outcome::NotSent { reason: "no_connection" });
        bench.apply(Event::Heard(Heard { customer_key, window_ends_at: 5_000 }));
        let effects = bench.advance(5_000);
        assert_eq!(Bench::sends(&effects).next().unwrap().window_ends_at, Some(5_000));
    }
}
