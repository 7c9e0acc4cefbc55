//! T5: threading is the only writer of a conversation; every accepted message, in or out, gets
//! the next sequence number, and nothing else does.

use super::session;
use crate::core::desk::Desk;
use schemas::ids::StintId;
use schemas::records::{ConversationEventKind, MessageAdded};

/// Adds a message to the conversation that counts; gives its sequence number.
pub(crate) fn add(desk: &mut Desk<'_>, stint_id: Option<StintId>, message: MessageAdded) -> u32 {
    let mut thread = desk.thread_or_new();
    thread.seq += 1;
    desk.put_thread(thread);
    session::spoke(desk);
    desk.say(stint_id, ConversationEventKind::MessageAdded(Box::new(message)));
    thread.seq
}

#[cfg(test)]
mod tests {
    use crate::core::testing::*;

    #[test]
    fn messages_in_and_out_are_numbered_without_gaps_and_nothing_else_is() {
        let mut driver = driver();
        let mut numbers = Vec::new();
        for (n, event) in [
            message(ADA, "m1"),
            connect(ADA, 1, 1, agent("alan")),
            send(ADA, "c1", "alan", 1),
            send(ADA, "c2", "eve", 1),
            deletion(ADA, "m1"),
            message(ADA, "m2"),
            disconnect(ADA, 1, 1, 3),
            message(ADA, "m3"),
        ]
        .into_iter()
        .enumerate()
        {
            numbers.extend(added(&driver.apply(event, at(i64::try_from(n).unwrap()))));
        }
        assert_eq!(numbers, [1, 2, 3, 4]);
    }

    #[test]
    fn a_new_conversation_counts_from_one_again() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(disconnect(ADA, 1, 0, 1), at(1));
        assert_eq!(added(&driver.apply(message(ADA, "m2"), at(10 * DAY))), [1]);
    }
}
