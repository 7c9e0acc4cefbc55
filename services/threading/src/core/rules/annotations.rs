//! Attributes, notes and links. Attributes stay with the conversation until it closes;
//! the others are only said on.

use super::changes;
use crate::core::desk::Desk;
use crate::core::effect::Ignored;
use crate::core::state::Standing;
use schemas::records::{ConversationEventKind, SetAttributes};

/// Adds or replaces attributes of an open conversation.
pub(crate) fn set_attributes(desk: &mut Desk<'_>, set: SetAttributes) {
    if desk.thread().is_none_or(|thread| thread.standing == Standing::Closed) {
        return desk.ignore(Ignored::NoConversation);
    }
    let customer = desk.context.customer_key;
    let mut attributes = desk.state.attributes.get(&customer).cloned().unwrap_or_default();
    attributes.extend(set.attributes.clone());
    desk.state.attributes.put(customer, attributes);
    changes::pass_on(desk, ConversationEventKind::AttributesChanged(set));
}

/// Says on a note or a link.
pub(crate) fn pass_on(desk: &mut Desk<'_>, kind: ConversationEventKind) {
    changes::pass_on(desk, kind);
}

#[cfg(test)]
mod tests {
    use crate::core::testing::*;
    use schemas::records::RoutingCommandKind;

    #[test]
    fn attributes_come_back_with_the_customer_and_end_with_the_conversation() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        let effects = driver.apply(attribute(ADA, "a1", "order", "17"), at(1));
        assert_eq!(said(&effects), ["attributes_changed 1"]);
        assert_eq!(shown(&effects).unwrap().attributes["order"], "17");
        driver.apply(disconnect(ADA, 1, 0, 1), at(2));
        let told = told(&driver.apply(message(ADA, "m2"), at(3)));
        let [RoutingCommandKind::WorkArrived(arrived)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(arrived.attributes["order"], "17");
        assert_eq!(driver.state().attributes.len(), 1);
        driver.apply(disconnect(ADA, 2, 0, 2), at(4));
        driver.advance_to(at(10 * DAY));
        assert!(driver.state().attributes.is_empty());
    }
}
