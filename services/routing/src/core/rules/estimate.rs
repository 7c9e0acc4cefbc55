//! R12: position in queue and estimated wait.
//!
//! The estimate is the mean of the queue's last [`WAITS_MAX`] answered waits, whatever stands in
//! the queue now; null until one was answered.

use schemas::ids::ConversationId;
use schemas::records::Millis;

use super::order::{self, Rank};
use crate::core::index::Count;
use crate::core::state::{QueueKey, QueueRow, Stage, State, WorkRow};
use crate::core::turn::Turn;

/// How many waits the estimate is made of.
pub const WAITS_MAX: usize = 20;

/// Place in the queue's order, counted from 1; null when not waiting.
///
/// Counted from both ends at once: cheap where it is asked for, at the head and at the tail.
pub fn position(state: &State, row: &WorkRow) -> Option<i64> {
    if row.stage != Stage::Waiting {
        return None;
    }
    let queue = (row.facts.tenant.clone(), row.queue.clone());
    let first = (queue.clone(), Rank::MIN, ConversationId::default());
    let last = (queue.clone(), Rank::MAX, ConversationId::from_u128(u128::MAX));
    let own = (queue.clone(), order::rank(row), row.facts.conversation);
    let mut before = state.index.line.range(first..own.clone());
    let mut after = state.index.line.range(own..=last);
    let mut steps = 0;
    loop {
        if before.next().is_none() {
            return Some(steps + 1);
        }
        if after.next().is_none() {
            return Some(state.index.counts.get(&Count::Waiting(queue)) - steps + 1);
        }
        steps += 1;
    }
}

/// Estimated wait of the queue, milliseconds.
pub fn wait_ms(state: &State, queue: &QueueKey) -> Option<Millis> {
    let waits = &state.queues.get(queue)?.waits;
    let count = i64::try_from(waits.len()).ok().filter(|count| *count > 0)?;
    Some(waits.iter().sum::<i64>() / count)
}

/// Remembers a wait that ended with an agent.
pub fn learn(turn: &mut Turn<'_>, queue: QueueKey, wait_ms: Millis) {
    let mut row = turn.state.queues.get(&queue).cloned().unwrap_or(QueueRow { waits: Vec::new() });
    if row.waits.len() >= WAITS_MAX {
        row.waits.remove(0);
    }
    row.waits.push(wait_ms);
    turn.state.queues.put(queue, row);
}

#[cfg(test)]
mod tests {
    use crate::core::testing::{Bench, secs};

    #[test]
    fn position_counts_those_before_by_priority_and_arrival() {
        let mut bench = Bench::simple();
        for n in 0..7 {
            bench.arrive_at(&format!("c{n}"), secs(n));
        }
        for n in 0..7 {
            assert_eq!(bench.position(&format!("c{n}")), Some(n + 1));
        }
        bench.on_queue("ada");
        assert_eq!(bench.position("c0"), None);
    }

    #[test]
    fn the_estimate_is_the_mean_of_the_answered_waits() {
        let mut bench = Bench::simple();
        bench.arrive_at("c1", secs(0)).arrive_at("c2", secs(10));
        assert_eq!(bench.estimate("sales"), None);
        bench.advance(secs(20)).on_queue("ada").accept("c1", "ada").accept("c2", "ada");
        assert_eq!(bench.estimate("sales"), Some(15_000));
    }
}
