//! The platforms on the other side: they take messages, lose answers, fail, and send receipts.

use crate::dice::Dice;
use delivery::core::effect::Send;
use delivery::core::event::{Answer, CallEnded, Outcome, Refusal};
use schemas::ids::MessageId;
use std::collections::BTreeMap;
use stream::Timestamp;

/// Every platform.
#[derive(Default)]
pub(crate) struct Provider {
    /// How often each message arrived.
    pub(crate) arrived: BTreeMap<MessageId, i64>,
    calls: Vec<Call>,
}

struct Call {
    partition: usize,
    due: Timestamp,
    ended: CallEnded,
}

impl Provider {
    /// Takes a call; its end comes later. Gives the provider's id if the message arrived.
    pub(crate) fn call(&mut self, partition: usize, send: &Send, now: Timestamp, dice: &mut Dice) -> Option<String> {
        let due = now.plus_ms([3, 40, 700, 9_000][dice.roll(4)]);
        let id = format!("p.{}.{}", send.message_id, send.attempt_no);
        let late = send.window_ends_at.is_some_and(|end| end <= now.as_ms());
        let (outcome, arrives) = match dice.roll(20) {
            _ if late => (Outcome::Refused(Refusal::WindowClosed), false),
            0 => (Outcome::Unknown { reason: "timeout" }, true),
            1 => (Outcome::Unknown { reason: "timeout" }, false),
            2 => (Outcome::Answered(Answer { status: 500, ..Answer::default() }), false),
            3 => (Outcome::NotSent { reason: "no_connection" }, false),
            _ => (Outcome::Accepted { provider_message_id: Some(id.clone()), rest_ms: 0 }, true),
        };
        let Send { message_id, attempt_no, part_no, .. } = *send;
        let ended = CallEnded { message_id, attempt_no, part_no, at: due, outcome };
        self.calls.push(Call { partition, due, ended });
        if arrives {
            *self.arrived.entry(send.message_id).or_insert(0) += 1;
        }
        arrives.then_some(id)
    }

    /// Calls that have ended by now.
    pub(crate) fn ended(&mut self, now: Timestamp) -> Vec<(usize, CallEnded)> {
        let (ended, open) = std::mem::take(&mut self.calls).into_iter().partition(|call| call.due <= now);
        self.calls = open;
        let ended: Vec<Call> = ended;
        ended.into_iter().map(|call| (call.partition, call.ended)).collect()
    }

    /// The process that waited for these calls has died.
    pub(crate) fn forget(&mut self, partition: usize) {
        self.calls.retain(|call| call.partition != partition);
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }
}
