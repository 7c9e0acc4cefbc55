//! R4: who waits before whom.
//!
//! Score = minutes waited + priority; highest first. As all scores grow alike with time, the
//! order is that of arrival moved back by the priority's minutes, and never has to be recomputed.
//! Arrival is that of the stint, so that coming back to a queue costs nobody their place.

use schemas::records::Millis;

use crate::core::state::WorkRow;

/// Lowest first; equal ranks are told apart by conversation id.
pub type Rank = Millis;

const MINUTE_MS: Millis = 60_000;

/// A waiting conversation's rank.
pub fn rank(row: &WorkRow) -> Rank {
    rank_of(row.arrived_at, row.visit.priority)
}

fn rank_of(arrived_at: Millis, priority: i64) -> Rank {
    arrived_at.saturating_sub(priority.saturating_mul(MINUTE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_of_priority_counts_like_a_minute_waited() {
        let at = |minute: i64| minute * MINUTE_MS;
        for (first, second) in
            [((at(0), 0), (at(1), 0)), ((at(5), 10), (at(0), 4)), ((at(5), 6), (at(0), 0)), ((at(0), 0), (at(5), 4))]
        {
            assert!(rank_of(first.0, first.1) < rank_of(second.0, second.1), "{first:?} before {second:?}");
        }
        assert_eq!(rank_of(at(5), 5), rank_of(at(0), 0));
    }
}
