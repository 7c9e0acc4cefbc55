//! What a sink has read of one partition and not yet written. Pure.

use crate::brake::Brake;
use crate::clock::Stamp;
use crate::kafka::Record;
use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// A batch's range of offsets, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plan={}-{}", self.first, self.last)
    }
}

impl Plan {
    /// Reads a commit's metadata; `None` if it holds no plan.
    pub(crate) fn read(metadata: &str) -> Option<Self> {
        let (first, last) = metadata.strip_prefix("plan=")?.split_once('-')?;
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
    }
}

/// One partition's records in waiting.
#[derive(Debug)]
pub(crate) struct Pile {
    records: VecDeque<Record>,
    bytes: usize,
    next: i64,
    committed: i64,
    read_to: i64,
    since: Stamp,
    /// A batch whose insert may have happened already.
    unfinished: Option<Plan>,
    pub(crate) brake: Brake,
    pub(crate) paused: bool,
    pub(crate) waits_for: Option<&'static str>,
}

impl Pile {
    /// Starts at a committed offset; an unfinished plan starts there too.
    pub(crate) fn new(start: i64, unfinished: Option<Plan>) -> Self {
        Self {
            records: VecDeque::new(),
            bytes: 0,
            next: start,
            committed: start,
            read_to: start,
            since: Stamp::now(),
            unfinished: unfinished.filter(|plan| plan.first == start && plan.last >= start),
            brake: Brake::default(),
            paused: false,
            waits_for: None,
        }
    }

    /// Takes a record in; one seen before is dropped.
    pub(crate) fn push(&mut self, record: Record) {
        if record.offset >= self.read_to {
            if self.records.is_empty() {
                self.since = Stamp::now();
            }
            self.bytes += record.size();
            self.read_to = record.offset + 1;
            self.records.push_back(record);
        }
    }

    pub(crate) fn records(&self) -> &VecDeque<Record> {
        &self.records
    }

    /// The next offset to write.
    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// Reading has passed everything below this offset, markers included.
    pub(crate) fn passed(&mut self, position: i64) {
        self.read_to = self.read_to.max(position);
        if self.records.is_empty() && self.unfinished.is_none() {
            self.next = self.next.max(position);
        }
    }

    /// The next batch, once it is due: by size, by age, or because it was planned before.
    pub(crate) fn due(&self, records: usize, bytes: usize, interval: Duration) -> Option<Plan> {
        if let Some(plan) = self.unfinished {
            return (self.read_to > plan.last).then_some(plan);
        }
        if self.brake.stopped() {
            return None;
        }
        let full = self.records.len() >= records || self.bytes >= bytes;
        let old = self.since.elapsed() >= interval;
        let last = self.records.iter().take(records).next_back()?.offset;
        (full || old).then_some(Plan { first: self.next, last })
    }

    /// The range up to `last` is written and committed; the number of its records.
    pub(crate) fn done(&mut self, last: i64) -> u64 {
        let mut count = 0;
        while let Some(record) = self.records.pop_front_if(|record| record.offset <= last) {
            self.bytes -= record.size();
            count += 1;
        }
        self.unfinished = None;
        self.next = last + 1;
        self.committed = self.next;
        self.since = Stamp::now();
        count
    }

    /// A position past markers that is not committed yet; counts as committed from now on.
    pub(crate) fn drifted(&mut self) -> Option<i64> {
        let drifted = self.records.is_empty() && self.next > self.committed;
        drifted.then(|| {
            self.committed = self.next;
            self.next
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use std::sync::Arc;

    fn record(offset: i64) -> Record {
        Record {
            topic: Arc::from("t"),
            partition: 0,
            offset,
            timestamp: Timestamp::ZERO,
            key: None,
            payload: Some(Box::from([0; 10])),
            headers: Vec::new(),
        }
    }

    fn pile(start: i64, unfinished: Option<Plan>, offsets: &[i64]) -> Pile {
        let mut pile = Pile::new(start, unfinished);
        offsets.iter().for_each(|offset| pile.push(record(*offset)));
        pile
    }

    const LATER: Duration = Duration::from_secs(3600);

    #[test]
    fn a_batch_is_cut_by_records_bytes_or_age() {
        let pile = pile(5, None, &[5, 7, 8]);
        assert_eq!(pile.due(10, 1000, LATER), None);
        assert_eq!(pile.due(2, 1000, LATER), Some(Plan { first: 5, last: 7 }));
        assert_eq!(pile.due(10, 30, LATER), Some(Plan { first: 5, last: 8 }));
        assert_eq!(pile.due(10, 1000, Duration::ZERO), Some(Plan { first: 5, last: 8 }));
    }

    #[test]
    fn an_unfinished_plan_is_repeated_with_exactly_its_range() {
        let plan = Plan::read("plan=5-7");
        assert_eq!(plan, Some(Plan { first: 5, last: 7 }));
        assert_eq!(pile(5, plan, &[5]).due(1, 1, Duration::ZERO), None, "not read that far yet");
        let mut pile = pile(5, plan, &[5, 7, 8, 9]);
        assert_eq!(pile.due(1, 1, Duration::ZERO), plan);
        assert_eq!(pile.done(7), 2);
        assert_eq!(pile.due(9, 999, Duration::ZERO), Some(Plan { first: 8, last: 9 }));
    }

    #[test]
    fn a_position_past_markers_is_committed_once_and_never_over_records() {
        let mut pile = pile(5, None, &[5]);
        pile.passed(7);
        assert_eq!(pile.drifted(), None);
        pile.done(5);
        pile.passed(7);
        assert_eq!((pile.drifted(), pile.drifted()), (Some(7), None));
        assert_eq!(Plan::read(""), None);
    }
}
