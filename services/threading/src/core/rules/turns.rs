//! Turns: the side that waits does so from the first message the other had not answered. An
//! agent's turn ends with the reply, the customer's with their next message; the first reply of a
//! stint by an agent is its first response. Bots answer too; notices, programs and echoes do not.

use crate::core::desk::{Desk, HeldBy};
use crate::core::state::{Phase, Turn};
use schemas::records::{ConversationEventKind, SenderKind, TurnEnded, TurnOf};
use stream::Timestamp;

/// The customer wrote.
pub(crate) fn customer_spoke(desk: &mut Desk<'_>, seq: u32) {
    let now = desk.now;
    let Some(stint) = desk.stint_mut() else { return };
    stint.customer_seq = seq;
    match stint.turn {
        Turn::Ours(_) => {}
        Turn::Nobody => stint.turn = Turn::Ours(now),
        Turn::Customers(since) => {
            stint.turn = Turn::Ours(now);
            ended(desk, TurnOf::Customer, since, IsFirst::No);
        }
    }
}

/// Somebody on our side wrote.
pub(crate) fn we_spoke(desk: &mut Desk<'_>, who: SenderKind) {
    let turn_of = match who {
        SenderKind::Agent => TurnOf::Agent,
        SenderKind::Bot => TurnOf::Bot,
        SenderKind::Customer | SenderKind::System | SenderKind::Api | SenderKind::External | SenderKind::Unknown => {
            return;
        }
    };
    let now = desk.now;
    let Some(stint) = desk.stint_mut() else { return };
    let first = if who == SenderKind::Agent && !stint.is_answered { IsFirst::Yes } else { IsFirst::No };
    stint.is_answered |= who == SenderKind::Agent;
    match stint.turn {
        Turn::Customers(_) => {}
        Turn::Nobody => stint.turn = Turn::Customers(now),
        Turn::Ours(since) => {
            stint.turn = Turn::Customers(now);
            ended(desk, turn_of, since, first);
        }
    }
}

/// An agent wrote before the customer did: it is the customer's turn, and nothing was answered.
pub(crate) fn we_wrote_first(desk: &mut Desk<'_>) {
    let now = desk.now;
    if let Some(stint) = desk.stint_mut() {
        stint.turn = Turn::Customers(now);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum IsFirst {
    Yes,
    No,
}

fn ended(desk: &mut Desk<'_>, who: TurnOf, since: Timestamp, first: IsFirst) {
    let Some(stint) = desk.stint() else { return };
    let held = match stint.phase {
        Phase::Live => HeldBy::of(stint),
        Phase::AfterCall { .. } => HeldBy::default(),
    };
    let stint_id = stint.stint_id;
    let turn = TurnEnded {
        who,
        started_at: since.as_ms(),
        ended_at: desk.now.as_ms(),
        business_ms: None,
        queue_id: held.queue_id,
        agent_id: held.agent_id,
        part_id: held.part_id,
        is_first_response: first == IsFirst::Yes,
    };
    desk.say(Some(stint_id), ConversationEventKind::TurnEnded(turn));
}

#[cfg(test)]
mod tests {
    use crate::core::testing::*;
    use schemas::records::{ConversationEventKind, TurnOf};

    #[test]
    fn each_side_waits_from_the_first_unanswered_message() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(5));
        let mut turns = Vec::new();
        for (ms, event) in [
            (10, message(ADA, "m2")),
            (20, send(ADA, "c1", "alan", 1)),
            (30, send(ADA, "c2", "alan", 1)),
            (40, message(ADA, "m3")),
            (50, message(ADA, "m4")),
            (60, send(ADA, "c3", "alan", 1)),
        ] {
            for kind in kinds(&driver.apply(event, at(ms))) {
                if let ConversationEventKind::TurnEnded(turn) = kind {
                    assert_eq!(turn.agent_id, Some("alan".into()));
                    turns.push((turn.who, turn.started_at - START, turn.ended_at - START, turn.is_first_response));
                }
            }
        }
        assert_eq!(
            turns,
            [(TurnOf::Agent, 0, 20, true), (TurnOf::Customer, 20, 40, false), (TurnOf::Agent, 40, 60, false),]
        );
    }

    #[test]
    fn an_agent_after_a_bot_still_gives_the_first_response() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, flow("hello")), at(1));
        driver.apply(bot_send(ADA, "b1", 1), at(2));
        driver.apply(message(ADA, "m2"), at(3));
        driver.apply(connect(ADA, 1, 2, agent("alan")), at(4));
        let effects = driver.apply(send(ADA, "c1", "alan", 2), at(5));
        assert!(kinds(&effects).iter().any(|kind| matches!(
            kind,
            ConversationEventKind::TurnEnded(turn) if turn.is_first_response && turn.started_at == START + 3
        )));
    }
}
