//! Typing, reading, reacting: passed on while a stint is live, remembered nowhere. Whom it is for is
//! said here; which message it is about, by whoever shows the messages (T11).

use crate::core::desk::Desk;
use crate::core::effect::Ignored;
use schemas::records::{ConversationEventKind, Sender, SenderKind, Signal};

/// The customer types.
pub(crate) fn customer_types(desk: &mut Desk<'_>) {
    let sender = Sender { kind: SenderKind::Customer, id: None };
    pass_on(desk, Signal { signal: "typing".to_owned(), sender, ..Signal::default() });
}

/// Our side types, has read or reacts.
pub(crate) fn we_signal(desk: &mut Desk<'_>, mut signal: Signal) {
    signal.customer = desk.live_stint().map(|stint| stint.customer.clone());
    pass_on(desk, signal);
}

fn pass_on(desk: &mut Desk<'_>, signal: Signal) {
    match desk.live_stint().map(|stint| stint.stint_id) {
        Some(stint_id) => desk.say(Some(stint_id), ConversationEventKind::Signalled(Box::new(signal))),
        None => desk.ignore(Ignored::NotLive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::effect::Effect;
    use crate::core::testing::*;

    fn signalled(effects: &[Effect]) -> Signal {
        let kinds = kinds(effects);
        let [ConversationEventKind::Signalled(signal)] = &kinds[..] else { panic!("{kinds:?}") };
        signal.as_ref().clone()
    }

    #[test]
    fn what_we_signal_names_the_customer_and_what_the_customer_signals_nobody() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        let reaction = signalled(&driver.apply(signal(ADA, "s1", "reaction", Some("m1")), at(1)));
        assert_eq!(reaction.provider_message_id.as_deref(), Some("m1"));
        assert_eq!(reaction.customer.map(|customer| customer.id).as_deref(), Some(ADA));
        assert_eq!(signalled(&driver.apply(typing(ADA), at(2))).customer, None);
    }

    #[test]
    fn outside_a_live_stint_nobody_is_told() {
        assert_eq!(driver().apply(signal(ADA, "s1", "typing", None), at(0)), [Effect::Ignored(Ignored::NotLive)]);
    }
}
