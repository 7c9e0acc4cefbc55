//! T9: the customer may end the conversation on every channel that can say so. Routing ends the
//! stint; threading only passes it on.

use crate::core::desk::Desk;
use crate::core::effect::Ignored;
use schemas::records::{Cause, CustomerLeft, RoutingCommandKind};

/// The customer left.
pub(crate) fn customer_left(desk: &mut Desk<'_>, cause: Cause) {
    let (Some(thread), Some(stint)) = (desk.thread(), desk.live_stint()) else {
        return desk.ignore(Ignored::NoConversation);
    };
    let stint_id = stint.stint_id;
    desk.tell(stint_id, RoutingCommandKind::CustomerLeft(CustomerLeft { cause, seq: i64::from(thread.seq) }));
}

#[cfg(test)]
mod tests {
    use crate::core::effect::{Effect, Ignored};
    use crate::core::testing::*;
    use schemas::records::{Cause, RoutingCommandKind};

    #[test]
    fn routing_hears_of_a_customer_who_left_a_live_stint_and_of_no_other() {
        let mut driver = driver();
        let nothing = [Effect::Ignored(Ignored::NoConversation)];
        assert_eq!(driver.apply(left(ADA, "l1"), at(0)), nothing);
        driver.apply(message(ADA, "m1"), at(1));
        let effects = driver.apply(left(ADA, "l2"), at(2));
        assert!(matches!(
            told(&effects).as_slice(),
            [RoutingCommandKind::CustomerLeft(left)] if left.cause == Cause::CustomerLeft && left.seq == 1
        ));
        driver.apply(disconnect(ADA, 1, 0, 1), at(3));
        assert_eq!(driver.apply(left(ADA, "l3"), at(4)), nothing);
    }
}
