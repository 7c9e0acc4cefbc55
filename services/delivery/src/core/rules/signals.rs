//! Typing, read marks and reactions out, where the channel can show them: one call beside the lane,
//! without claim or second attempt, since late they would be wrong.

use schemas::ids::{AttemptId, MessageId};
use schemas::records::Millis;

use crate::core::effect::{Effect, Send};
use crate::core::event::Signalled;
use crate::core::rendering::Part;
use crate::core::rows::Breaker;
use crate::core::rules::capabilities;
use crate::core::step::Step;

/// The number of a call that is no part of a message.
pub const NO_PART: i64 = 0;
/// How long typing is worth showing, and the others, milliseconds.
const TYPING_MS: Millis = 5_000;
const MARK_MS: Millis = 60_000;

/// Our side types, has read or reacts.
pub(crate) fn signalled(step: &mut Step<'_>, told: Signalled) {
    let can = capabilities::of(told.channel).is_some_and(|table| table.signals.contains(&told.signal.signal.as_str()));
    let account = step.state.account(&told.account).filter(|account| account.channel == told.channel);
    let health = step.state.health(&told.account);
    let is_open = health.until.is_none() && health.breaker == Breaker::Closed && !health.paused;
    let is_silent = step.state.consent(told.customer_key).is_some_and(|consent| consent.is_silent);
    let (Some(route), Some(customer), Some(_)) =
        (account.map(|account| &account.route), &told.signal.customer, &told.signal.provider_message_id)
    else {
        return;
    };
    if !can || !is_open || is_silent || route.messages_only {
        return;
    }
    let id = MessageId::derive(&["signal", &told.event_id.to_string()]);
    let lives_ms = if told.signal.signal == "typing" { TYPING_MS } else { MARK_MS };
    let send = Send {
        message_id: id,
        known_as: id,
        attempt_id: AttemptId::derive(&[&id.to_string()]),
        attempt_no: 0,
        channel: told.channel,
        account: told.account,
        customer_key: told.customer_key,
        customer: customer.clone(),
        sender: told.signal.sender.kind,
        part_no: NO_PART,
        quotes: None,
        occurred_at: told.at,
        window_ends_at: None,
        expires_at: Some(told.at.saturating_add(lives_ms)),
        route: route.clone(),
        part: Part::Signal(Box::new(told.signal)),
    };
    step.effects.push(Effect::Signal(Box::new(send)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Consented, Event, Outcome};
    use crate::core::rules::support::{Bench, account, account_key, asked, kinds};
    use schemas::ids::EventId;
    use schemas::records::{Channel, Customer, Signal};

    fn told(channel: Channel, signal: &str) -> Event {
        let signal = Signal {
            signal: signal.into(),
            provider_message_id: Some("m1".into()),
            customer: Some(Customer { id: "ada".into(), ..Customer::default() }),
            ..Signal::default()
        };
        let customer_key = asked(1, "ada").customer_key;
        let (event_id, account) = (EventId::default(), account_key());
        Event::Signalled(Box::new(Signalled { event_id, account, channel, customer_key, signal, at: 1_000_000 }))
    }

    #[test]
    fn a_signal_leaves_at_once_where_the_channel_can_show_it() {
        for (channel, signal, leaves) in [
            (Channel::Whatsapp, "typing", true),
            (Channel::Facebook, "read", true),
            (Channel::Instagram, "reaction", true),
            (Channel::Open, "typing", true),
            (Channel::Twitter, "typing", false),
            (Channel::Whatsapp, "later", false),
        ] {
            let mut bench = Bench::with(account(channel));
            let found = kinds(&bench.apply(told(channel, signal)));
            assert_eq!(!found.is_empty(), leaves, "{channel} {signal}");
        }
    }

    #[test]
    fn it_neither_waits_nor_disturbs_the_lane() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        assert_eq!(kinds(&bench.apply(told(Channel::Whatsapp, "typing"))), ["signal"]);
        bench.called(1, Outcome::NotSent { reason: "no_connection" });
        assert!(bench.advance(60_000).iter().all(|effect| !matches!(effect, Effect::Signal(_))));
    }

    #[test]
    fn whoever_said_stop_is_shown_nothing() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        let stop = Consented { purpose: "all".into(), granted: false, at: 1 };
        bench.apply(Event::Consented(asked(1, "ada").customer_key, stop));
        assert!(bench.apply(told(Channel::Whatsapp, "typing")).is_empty());
    }
}
