//! C6: outside the reply window nothing free-form is sent; checked by the wall clock in the moment
//! before the call.

use schemas::records::{Millis, SenderKind};

use crate::core::effect::Send;
use crate::core::event::{Asked, Refusal};
use crate::core::rendering::Part;
use crate::core::rules::capabilities::{self, Window};

/// By what right a message leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// The window is open, or there is none.
    Free,
    /// The window is over, and a person answers (Meta's HUMAN_AGENT).
    Person,
}

/// By what right this send leaves at `wall_ms`.
///
/// # Errors
/// Why it is too late.
pub fn right(send: &Send, wall_ms: Millis) -> Result<Right, Refusal> {
    if send.expires_at.is_some_and(|at| at <= wall_ms) {
        return Err(Refusal::Expired);
    }
    let Some(ended_at) = send.window_ends_at.filter(|at| *at <= wall_ms) else { return Ok(Right::Free) };
    let window = capabilities::of(send.channel).map_or(Window::ThenTemplates, |table| table.window);
    match window {
        Window::None => Ok(Right::Free),
        Window::ThenTemplates if matches!(send.part, Part::Template(_)) => Ok(Right::Free),
        Window::ThenPeople(ms) if is_of_person(send) && wall_ms < ended_at.saturating_add(ms) => Ok(Right::Person),
        Window::ThenTemplates | Window::ThenPeople(_) => Err(Refusal::WindowClosed),
    }
}

fn is_of_person(send: &Send) -> bool {
    send.route.human_agent && send.sender == SenderKind::Agent
}

/// The window of somebody whom we write to first: it has never been open.
pub fn never_open(asked: &Asked) -> Option<Millis> {
    asked.is_of_our_own().then_some(0)
}

/// The later of two ends; none if the channel has no window.
pub fn latest(one: Option<Millis>, other: Option<Millis>) -> Option<Millis> {
    one.max(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Consented, Event, Heard, Outcome};
    use crate::core::rendering::Template;
    use crate::core::rules::support::{Bench, account, asked};
    use schemas::records::Channel;

    const DAY: i64 = 86_400_000;

    fn send(channel: Channel, window_ends_at: Option<Millis>) -> Send {
        let mut bench = Bench::with(account(channel));
        let effects = bench.ask(asked(1, "ada"));
        let send = Bench::sends(&effects).next().unwrap().clone();
        Send { window_ends_at, ..send }
    }

    #[test]
    fn free_words_need_an_open_window_and_templates_do_not() {
        let text = |ends_at| send(Channel::Whatsapp, ends_at);
        let template = Send { part: Part::Template(Template::default()), ..text(Some(1_000)) };
        for (send, expected) in [
            (text(None), Ok(Right::Free)),
            (text(Some(1_001)), Ok(Right::Free)),
            (text(Some(1_000)), Err(Refusal::WindowClosed)),
            (template, Ok(Right::Free)),
            (Send { expires_at: Some(1_000), ..text(Some(9_000)) }, Err(Refusal::Expired)),
            (Send { expires_at: Some(1_001), ..text(Some(9_000)) }, Ok(Right::Free)),
            (send(Channel::Open, Some(1_000)), Ok(Right::Free)),
        ] {
            assert_eq!(right(&send, 1_000), expected, "{send:?}");
        }
    }

    #[test]
    fn whoever_never_wrote_gets_templates_alone_where_a_window_is_needed() {
        for (channel, expected) in [(Channel::Whatsapp, Err(Refusal::WindowClosed)), (Channel::Open, Ok(Right::Free))] {
            let mut bench = Bench::with(account(channel));
            let mut message = asked(1, "ada");
            message.added.sender.kind = SenderKind::Api;
            let told = Consented { purpose: "messages".into(), granted: true, at: 0 };
            bench.apply(Event::Consented(message.customer_key, told));
            let effects = bench.ask(message);
            assert_eq!(right(Bench::sends(&effects).next().unwrap(), 1_000), expected, "{channel}");
        }
    }

    #[test]
    fn people_may_answer_for_seven_days_where_the_provider_granted_it() {
        for (granted, sender, at, expected) in [
            (true, SenderKind::Agent, DAY - 1, Ok(Right::Free)),
            (true, SenderKind::Agent, DAY, Ok(Right::Person)),
            (true, SenderKind::Agent, 7 * DAY - 1, Ok(Right::Person)),
            (true, SenderKind::Agent, 7 * DAY, Err(Refusal::WindowClosed)),
            (true, SenderKind::Bot, DAY, Err(Refusal::WindowClosed)),
            (false, SenderKind::Agent, DAY, Err(Refusal::WindowClosed)),
        ] {
            let mut send = Send { sender, ..send(Channel::Instagram, Some(DAY)) };
            send.route.human_agent = granted;
            assert_eq!(right(&send, at), expected, "{sender} at {at}");
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
        bench.apply(Event::Heard(Heard { customer_key, window_ends_at: Some(5_000), wrote: true }));
        let effects = bench.advance(5_000);
        assert_eq!(Bench::sends(&effects).next().unwrap().window_ends_at, Some(5_000));
    }
}
