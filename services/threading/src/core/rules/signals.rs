//! Typing and reading: passed on while a stint is live, remembered nowhere.

use crate::core::desk::Desk;
use crate::core::effect::Ignored;
use schemas::records::{ConversationEventKind, Sender, SenderKind, Signal};

/// The customer types.
pub(crate) fn customer_types(desk: &mut Desk<'_>) {
    we_signal(desk, "typing".to_owned(), Sender { kind: SenderKind::Customer, id: None });
}

/// Our side types or has read.
pub(crate) fn we_signal(desk: &mut Desk<'_>, signal: String, sender: Sender) {
    match desk.live_stint().map(|stint| stint.stint_id) {
        Some(stint_id) => desk.say(
            Some(stint_id),
            ConversationEventKind::Signalled(Box::new(Signal { signal, sender, ..Signal::default() })),
        ),
        None => desk.ignore(Ignored::NotLive),
    }
}

#[cfg(test)]
mod tests {
    use crate::core::effect::{Effect, Ignored};
    use crate::core::testing::*;

    #[test]
    fn typing_is_passed_on_while_the_stint_is_live() {
        let mut driver = driver();
        assert_eq!(driver.apply(typing(ADA), at(0)), [Effect::Ignored(Ignored::NotLive)]);
        driver.apply(message(ADA, "m1"), at(1));
        assert_eq!(said(&driver.apply(typing(ADA), at(2))), ["signalled 1"]);
        assert_eq!(said(&driver.apply(typing(ADA), at(3))), ["signalled 1"]);
    }
}
