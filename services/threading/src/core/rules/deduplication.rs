//! C4: the same thing received twice counts once, for at least 8 days; the same command for at
//! least 24 hours.
//!
//! Tenant, channel and account are in the customer key; what remains is the kind and the
//! provider's id, which carries its discriminator (status, edit number) already.

use crate::core::desk::Desk;
use crate::core::event::Once;
use schemas::ids::EventId;

/// Whether this came before; remembers it if not.
pub(crate) fn came_before(desk: &mut Desk<'_>, once: &Once) -> bool {
    let (customer, now) = (desk.context.customer_key, desk.now);
    match once {
        Once::Inbound { kind, provider_event_id } => {
            let id = low_half(EventId::derive(&[kind, provider_event_id]).as_u128());
            desk.state.seen.came_before(customer, id, now)
        }
        Once::Command(command) => desk.state.commands.came_before(customer, low_half(command.as_u128()), now),
        Once::Always => false,
    }
}

/// 64 of an id's bits tell one customer's few ids of a week apart.
fn low_half(id: u128) -> u64 {
    u64::try_from(id & u128::from(u64::MAX)).expect("masked to 64 bits")
}

#[cfg(test)]
mod tests {
    use crate::core::effect::{Effect, Ignored};
    use crate::core::testing::*;

    const REPEAT: &[Effect] = &[Effect::Ignored(Ignored::Repeat)];

    #[test]
    fn the_same_message_counts_once_for_eight_days() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        for later in [0, HOUR, DAY, 7 * DAY, 8 * DAY] {
            assert_eq!(driver.apply(message(ADA, "m1"), at(later)), REPEAT, "after {later} ms");
        }
    }

    #[test]
    fn messages_of_many_days_are_all_known_from_the_newest_page() {
        let mut driver = driver();
        let days = [0, 1, 4, 5, 8];
        for day in days {
            for n in 0..70 {
                driver.apply(message(ADA, &format!("m{day} {n}")), at(day * DAY + n));
            }
        }
        for day in days {
            for n in [0, 69] {
                assert_eq!(driver.apply(message(ADA, &format!("m{day} {n}")), at(8 * DAY + HOUR)), REPEAT, "{day} {n}");
            }
        }
    }

    #[test]
    fn ids_are_forgotten_after_ten_days_and_the_table_is_empty_then() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(message(BOB, "m1"), at(0));
        driver.advance_to(at(10 * DAY));
        assert_eq!(driver.next_deadline(), None);
        assert_ne!(driver.apply(message(ADA, "m1"), at(10 * DAY)), REPEAT);
    }

    #[test]
    fn another_customer_another_id_and_another_kind_are_not_repeats() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        for event in [message(BOB, "m1"), message(ADA, "m2"), deletion(ADA, "m1")] {
            assert_ne!(driver.apply(event, at(1)), REPEAT);
        }
    }

    #[test]
    fn a_flood_of_one_customer_is_remembered_whole() {
        let mut driver = driver();
        for n in 0..500 {
            driver.apply(message(ADA, &format!("m{n}")), at(n));
        }
        for n in 0..500 {
            assert_eq!(driver.apply(message(ADA, &format!("m{n}")), at(DAY)), REPEAT);
        }
    }

    #[test]
    fn the_same_command_counts_once_for_a_day() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        assert_eq!(added(&driver.apply(send(ADA, "c1", "alan", 1), at(2))), [2]);
        assert_eq!(driver.apply(send(ADA, "c1", "alan", 1), at(DAY)), REPEAT);
    }
}
