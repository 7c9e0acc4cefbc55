//! Edits, deletions and reactions: events of the conversation that counts. Which message they are
//! about is resolved where it is shown (T11), not here.

use crate::core::desk::Desk;
use crate::core::effect::Ignored;
use schemas::records::ConversationEventKind;

/// Says on what the customer changed.
pub(crate) fn pass_on(desk: &mut Desk<'_>, kind: ConversationEventKind) {
    if desk.thread().is_none() {
        return desk.ignore(Ignored::NoConversation);
    }
    let stint_id = desk.stint().map(|stint| stint.stint_id);
    desk.say(stint_id, kind);
}

#[cfg(test)]
mod tests {
    use crate::core::effect::{Effect, Ignored};
    use crate::core::testing::*;

    #[test]
    fn a_deletion_is_said_on_even_after_the_end_and_never_without_a_conversation() {
        let mut driver = driver();
        assert_eq!(driver.apply(deletion(ADA, "m0"), at(0)), [Effect::Ignored(Ignored::NoConversation)]);
        driver.apply(message(ADA, "m1"), at(1));
        assert_eq!(said(&driver.apply(deletion(ADA, "m1"), at(2))), ["message_deleted 1"]);
        driver.apply(disconnect(ADA, 1, 0, 1), at(3));
        assert_eq!(said(&driver.apply(deletion(ADA, "m2"), at(4))), ["message_deleted 1"]);
    }
}
