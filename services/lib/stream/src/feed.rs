//! The inputs of one task, merged by time. Pure; knows no Kafka calls.
//!
//! A backlog must give the same answers as a live run: a record is handed on only once no other
//! input can still show an earlier one. While live, nobody waits for anybody.

use crate::Timestamp;
use crate::journal::Span;
use crate::kafka::{Record, Spot};
use std::collections::VecDeque;

/// One input partition of a task.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) spot: Spot,
    /// Read without the group; its position lives in the state.
    pub(crate) config: bool,
    pub(crate) paused: bool,
    buffer: VecDeque<Record>,
    /// Handed on and not committed, the sealed ones first.
    taken: Vec<Record>,
    /// So many of them are on their way in a transaction, which takes the position to `sealed_to`.
    sealed: usize,
    sealed_to: i64,
    next: i64,
    committed: i64,
    fetched: i64,
    read_to: i64,
    last: Timestamp,
    high: Option<High>,
    /// Read once to where it ended, since it was assigned.
    caught_up: bool,
}

/// A high watermark and the clock's time before it was asked for.
#[derive(Clone, Copy, Debug)]
struct High {
    offset: i64,
    asked: Timestamp,
}

impl Feed {
    pub(crate) fn new(spot: Spot, start: i64, config: bool) -> Self {
        Self {
            spot,
            config,
            paused: false,
            buffer: VecDeque::new(),
            taken: Vec::new(),
            sealed: 0,
            sealed_to: start,
            next: start,
            committed: start,
            fetched: start,
            read_to: start,
            last: Timestamp::ZERO,
            high: None,
            caught_up: false,
        }
    }

    /// Takes a record in; one seen before is dropped.
    pub(crate) fn push(&mut self, record: Record) {
        if record.offset >= self.fetched {
            self.fetched = record.offset + 1;
            self.read_to = self.read_to.max(self.fetched);
            self.last = self.last.max(record.timestamp);
            self.buffer.push_back(record);
            self.look();
        }
    }

    /// Reading has passed everything below this offset, markers included.
    pub(crate) fn passed(&mut self, position: i64) {
        self.read_to = self.read_to.max(position);
        self.look();
    }

    /// The high watermark as it was at `asked` or later.
    pub(crate) fn saw_high(&mut self, offset: i64, asked: Timestamp) {
        self.high = Some(High { offset, asked });
        self.look();
    }

    fn look(&mut self) {
        self.caught_up |= self.high.is_some_and(|high| self.read_to >= high.offset);
    }

    /// Whether it was read, and worked, once to where it ended at the assignment.
    pub(crate) fn done(&self) -> bool {
        self.caught_up && self.buffer.is_empty()
    }

    /// What is here to be worked.
    pub(crate) fn span(&self) -> Option<Span> {
        let (first, last) = (self.buffer.front()?.offset, self.buffer.back()?.offset);
        Some(Span { spot: self.spot.clone(), first, last })
    }

    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    pub(crate) fn head(&self) -> Option<&Record> {
        self.buffer.front()
    }

    /// Hands the head on; it is kept until the commit.
    pub(crate) fn take(&mut self) -> Option<&Record> {
        let record = self.buffer.pop_front()?;
        self.next = record.offset + 1;
        self.taken.push(record);
        self.taken.last()
    }

    /// What was taken so far goes into one transaction; what is taken from here does not.
    pub(crate) fn seal(&mut self) {
        self.sealed = self.taken.len();
        self.sealed_to = self.position();
        self.next = self.sealed_to;
    }

    /// What was sealed is done.
    pub(crate) fn commit(&mut self) {
        self.taken.drain(..self.sealed);
        self.sealed = 0;
        self.committed = self.sealed_to;
    }

    /// What was taken and is not done comes again, sealed or not.
    pub(crate) fn rollback(&mut self) {
        while let Some(record) = self.taken.pop() {
            self.buffer.push_front(record);
        }
        self.sealed = 0;
        self.sealed_to = self.committed;
        self.next = self.committed;
    }

    /// The next offset to commit: past markers once everything before them is done.
    pub(crate) fn position(&self) -> i64 {
        if self.buffer.is_empty() { self.next.max(self.read_to) } else { self.next }
    }

    /// Records taken since the last seal.
    pub(crate) fn taken(&self) -> usize {
        self.taken.len() - self.sealed
    }

    /// Whether the position has moved since the last seal, be it past markers only.
    pub(crate) fn drifted(&self) -> bool {
        self.position() > self.sealed_to
    }

    /// Offsets between the position and the last known high watermark, and the age of the head.
    pub(crate) fn lag(&self, clock: Timestamp) -> (i64, i64) {
        let records = self.high.map_or(0, |high| (high.offset - self.position()).max(0));
        (records, self.head().map_or(0, |head| clock.ms_since(head.timestamp).max(0)))
    }

    /// Offsets between what could be read and the last known high watermark; lasting ones are an
    /// open or hanging transaction, or records not fetched yet.
    pub(crate) fn gap(&self) -> i64 {
        self.high.map_or(0, |high| (high.offset - self.read_to).max(0))
    }

    /// The earliest time at which a record not yet handed on can stand.
    fn bound(&self, slack_ms: i64) -> Timestamp {
        if let Some(head) = self.head() {
            return head.timestamp;
        }
        let known = self.high.filter(|high| self.read_to >= high.offset);
        known.map_or(self.last, |high| self.last.max(high.asked.plus_ms(1 - slack_ms)))
    }
}

/// What the merge says about the next record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Take the head of this feed.
    Take(usize),
    /// A head is there, but another input may still show an earlier record.
    Blocked,
    /// Nothing is here.
    Empty,
}

/// Which record comes next: the earliest head, once it is certain that it is the earliest. A young one
/// waits for nobody but, after an assignment, the configuration that stood by then.
pub(crate) fn next(feeds: &[Feed], clock: Timestamp, slack_ms: i64) -> Next {
    let heads = feeds.iter().enumerate().filter_map(|(i, feed)| Some((feed.head()?.timestamp, i)));
    let Some((at, first)) = heads.min() else { return Next::Empty };
    let is_configured = feeds.iter().all(|feed| feed.caught_up || !feed.config);
    if is_configured && clock.ms_since(at) < slack_ms {
        return Next::Take(first);
    }
    let certain = feeds.iter().enumerate().all(|(i, feed)| i == first || (feed.bound(slack_ms), i) > (at, first));
    if certain { Next::Take(first) } else { Next::Blocked }
}

/// The latest time up to which deadlines may fire: nothing earlier is unread, and the slack has
/// passed.
pub(crate) fn settled(feeds: &[Feed], clock: Timestamp, slack_ms: i64) -> Timestamp {
    let bounds = feeds.iter().map(|feed| feed.bound(slack_ms).plus_ms(-1));
    bounds.fold(clock.plus_ms(-slack_ms), Timestamp::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    const SLACK: i64 = 250;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn feed(name: &str) -> Feed {
        Feed::new((Arc::from(name), 0), 0, false)
    }

    fn record(feed: &Feed, offset: i64, ms: i64) -> Record {
        Record {
            topic: Arc::clone(&feed.spot.0),
            partition: 0,
            offset,
            timestamp: at(ms),
            key: None,
            payload: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn an_old_head_waits_until_the_other_input_is_read_to_its_high_watermark() {
        let mut feeds = [feed("a"), feed("b")];
        feeds[0].push(record(&feeds[0], 0, 1000));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Blocked);
        feeds[1].saw_high(2, at(99_990));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Blocked, "two records are unread");
        feeds[1].push(record(&feeds[1], 0, 500));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Take(1), "an earlier one was there");
        feeds[1].take();
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Blocked);
        feeds[1].passed(2);
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Take(0), "a marker closed the gap");
    }

    #[test]
    fn a_young_head_never_waits() {
        let mut feeds = [feed("a"), feed("b")];
        feeds[0].push(record(&feeds[0], 0, 99_900));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Take(0));
    }

    #[test]
    fn a_young_head_waits_for_the_configuration_that_stood_at_the_start_and_never_again() {
        let mut feeds = [feed("a"), Feed::new((Arc::from("config"), 0), 0, true)];
        feeds[0].push(record(&feeds[0], 0, 99_900));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Blocked, "nobody knows yet what stands there");
        feeds[1].saw_high(1, at(99_950));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Blocked);
        feeds[1].push(record(&feeds[1], 0, 1000));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Take(1));
        feeds[1].take();
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Take(0));
        feeds[1].saw_high(2, at(100_000));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Take(0), "live, nobody waits");
    }

    #[test]
    fn equal_times_are_taken_in_the_order_of_inputs() {
        let mut feeds = [feed("a"), feed("b")];
        feeds[0].push(record(&feeds[0], 0, 1000));
        feeds[1].push(record(&feeds[1], 0, 1000));
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Take(0));
        feeds[0].take();
        assert_eq!(next(&feeds, at(100_000), SLACK), Next::Blocked, "a may show 1000 again");
    }

    #[test]
    fn deadlines_wait_for_unread_records_and_for_the_slack() {
        let mut feeds = [feed("a")];
        assert_eq!(settled(&feeds, at(100_000), SLACK), at(-1));
        feeds[0].saw_high(0, at(100_000));
        assert_eq!(settled(&feeds, at(100_000), SLACK), at(99_750));
        feeds[0].push(record(&feeds[0], 0, 99_000));
        assert_eq!(settled(&feeds, at(100_000), SLACK), at(98_999));
    }

    #[test]
    fn an_abort_hands_the_same_records_on_again() {
        let mut feed = feed("a");
        for offset in 0..3 {
            feed.push(record(&feed, offset, 1000 + offset));
        }
        feed.take();
        feed.take();
        feed.rollback();
        assert_eq!((feed.head().map(|r| r.offset), feed.position()), (Some(0), 0));
        feed.take();
        feed.seal();
        feed.commit();
        assert_eq!((feed.head().map(|r| r.offset), feed.position()), (Some(1), 1));
    }

    #[test]
    fn what_is_sealed_is_final_or_comes_again_with_all_that_was_taken_after_it() {
        let filled = || {
            let mut feed = feed("a");
            for offset in 0..4 {
                feed.push(record(&feed, offset, 1000 + offset));
            }
            feed.take();
            feed.take();
            feed.seal();
            feed.take();
            assert_eq!((feed.taken(), feed.position(), feed.drifted()), (1, 3, true));
            feed
        };
        let mut done = filled();
        done.commit();
        assert_eq!((done.taken(), done.position()), (1, 3));
        done.rollback();
        assert_eq!((done.head().map(|r| r.offset), done.position(), done.drifted()), (Some(2), 2, false));
        let mut back = filled();
        back.rollback();
        assert_eq!((back.head().map(|r| r.offset), back.position()), (Some(0), 0));
    }
}
