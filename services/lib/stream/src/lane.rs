//! One task at work inside a loop: its feeds, its waiting outcomes, its brake.

use crate::batch::{Batch, Cause};
use crate::brake::Brake;
use crate::clock::Stamp;
use crate::feed::{self, Feed, Next};
use crate::journal::Journal;
use crate::kafka::Record;
use crate::reply::{Lease, Returned};
use crate::station::{DeadLetter, EffectOf, EventOf, Outbox, Output, Station};
use crate::task::{Broken, Task};
use crate::{Reject, Timestamp};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A record is dead-lettered after it has panicked, or killed its process, this often.
pub(crate) const TRIES_MAX: u32 = 3;

/// Time as a turn sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) clock: Timestamp,
    pub(crate) slack_ms: i64,
}

/// The record that panicked last or killed the last process, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Poison {
    pub(crate) coordinates: String,
    pub(crate) tries: u32,
    pub(crate) reject: Reject,
}

/// Why a turn's work cannot be committed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The record's fault, perhaps: it is tried again alone.
    Panic { coordinates: String, detail: String },
    /// Ours: the process ends.
    Fatal(String),
}

/// One task at work.
pub(crate) struct Lane<S: Station> {
    pub(crate) partition: i32,
    pub(crate) task: Task<S::Machine>,
    pub(crate) feeds: Vec<Feed>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) outcomes: VecDeque<Returned<S::Outcome>>,
    /// Worked and not committed, the sealed ones first.
    taken: Vec<Returned<S::Outcome>>,
    /// Claims whose outcome died with the last process are told with the first commit.
    restarted: bool,
    touched: bool,
    sealed: Sealed,
    pub(crate) waits_for: Option<&'static str>,
    pub(crate) blocked: bool,
    unblocked: Stamp,
    brake: Brake,
}

/// What of a lane's work is on its way in a transaction.
#[derive(Debug, Default)]
struct Sealed {
    outcomes: usize,
    restarted: bool,
    touched: bool,
}

impl<S: Station> Lane<S> {
    pub(crate) fn new(partition: i32, task: Task<S::Machine>, feeds: Vec<Feed>, lease: Arc<Lease>) -> Self {
        Self {
            partition,
            task,
            feeds,
            lease,
            outcomes: VecDeque::new(),
            taken: Vec::new(),
            restarted: true,
            touched: false,
            sealed: Sealed::default(),
            waits_for: None,
            blocked: false,
            unblocked: Stamp::now(),
            brake: Brake::default(),
        }
    }

    /// Whether too many records were refused.
    pub(crate) fn stopped(&self) -> bool {
        self.brake.stopped()
    }

    /// Works off what may be worked off: at most `quota` records, then deadlines, then outcomes.
    pub(crate) fn work(
        &mut self,
        station: &S,
        moment: Moment,
        budget: &Budget<'_>,
        batch: &mut Batch<S::Request>,
    ) -> Result<(), Failure> {
        self.waits_for = None;
        self.blocked = false;
        if self.restarted {
            for event in guard(None, || Ok(station.lost(self.task.state())))? {
                self.event(station, event, (Timestamp::ZERO, Cause::Restart), batch)?;
            }
        }
        for _ in 0..budget.records {
            if self.stopped() || !self.record(station, moment, budget, batch)? {
                break;
            }
        }
        if !self.blocked {
            self.unblocked = Stamp::now();
        }
        let settled = feed::settled(&self.feeds, moment.clock, moment.slack_ms);
        if budget.records > 0 && !self.stopped() {
            self.deadlines(station, moment, settled, batch)?;
        }
        while let Some(returned) = self.outcomes.pop_front() {
            if Arc::ptr_eq(&returned.lease, &self.lease) {
                let event = guard(None, || Ok(station.outcome(&returned.outcome)))?;
                self.taken.push(returned);
                self.event(station, event, (settled, Cause::Outcome), batch)?;
            }
        }
        Ok(())
    }

    /// Takes one record, if one may be taken.
    fn record(
        &mut self,
        station: &S,
        moment: Moment,
        budget: &Budget<'_>,
        batch: &mut Batch<S::Request>,
    ) -> Result<bool, Failure> {
        let chosen = match feed::next(&self.feeds, moment.clock, moment.slack_ms) {
            Next::Take(chosen) => chosen,
            Next::Blocked => {
                self.blocked = true;
                return Ok(false);
            }
            Next::Empty => return Ok(false),
        };
        let feed = &mut self.feeds[chosen];
        let head = feed.head().expect("the merge chose a feed with a head");
        self.waits_for = station.waits(&head.view());
        if self.waits_for.is_some() {
            return Ok(false);
        }
        let record = feed.take().expect("the merge chose a feed with a head");
        batch.count(&record.topic);
        self.touched = true;
        let work = Work { station, task: &mut self.task, partition: self.partition };
        let poison = budget.poison.filter(|poison| poison.tries >= TRIES_MAX);
        let refused = match poison.filter(|poison| record.view().coordinates() == poison.coordinates) {
            Some(poison) => Some((poison.reject.clone(), poison.tries)),
            None => {
                if let Some(journal) = budget.journal {
                    journal.alone(record).map_err(|fault| Failure::Fatal(fault.to_string()))?;
                }
                work.record(record, batch)?.map(|reject| (reject, 1))
            }
        };
        if let Some((reject, attempt)) = &refused {
            let letter = dead_letter(station, record, reject, *attempt);
            batch.take(self.partition, letter, &Cause::Record(record));
            batch.letters.push((Arc::clone(&record.topic), reject.reason));
        }
        self.brake.count(refused.is_some());
        self.task.advance_offset(&record.topic, record.offset + 1);
        Ok(true)
    }

    fn deadlines(
        &mut self,
        station: &S,
        moment: Moment,
        settled: Timestamp,
        batch: &mut Batch<S::Request>,
    ) -> Result<(), Failure> {
        let machine = station.machine();
        let Some(due) = self.task.next_deadline(machine) else { return Ok(()) };
        if due > settled {
            self.blocked |= due <= moment.clock.plus_ms(-moment.slack_ms);
            return Ok(());
        }
        self.touched = true;
        let effects = guard(None, || self.task.fire(machine, settled))?;
        let out = guard(None, || Ok(speak(station, effects)))?;
        batch.take(self.partition, out, &Cause::Deadline);
        Ok(())
    }

    /// Applies an event that comes from no record.
    fn event(
        &mut self,
        station: &S,
        event: EventOf<S>,
        (at, cause): (Timestamp, Cause<'_>),
        batch: &mut Batch<S::Request>,
    ) -> Result<(), Failure> {
        self.touched = true;
        let effects = guard(None, || self.task.apply(station.machine(), event, at))?;
        let out = guard(None, || Ok(speak(station, effects)))?;
        batch.take(self.partition, out, &cause);
        Ok(())
    }

    /// How long the head has been held back for another input.
    pub(crate) fn blocked_ms(&self) -> i64 {
        i64::try_from(self.unblocked.elapsed_ms()).unwrap_or(i64::MAX)
    }

    /// Whether a record may be taken at once.
    pub(crate) fn ready(&self) -> bool {
        let held = self.stopped() || self.blocked || self.waits_for.is_some();
        !held && self.feeds.iter().any(|feed| feed.buffered() > 0)
    }

    /// Records read and not yet taken.
    pub(crate) fn buffered(&self) -> usize {
        self.feeds.iter().map(Feed::buffered).sum()
    }

    /// Records taken since the last seal.
    pub(crate) fn taken(&self) -> usize {
        self.feeds.iter().map(Feed::taken).sum()
    }

    /// Whether anything happened here since the last seal.
    pub(crate) fn touched(&self) -> bool {
        self.touched
    }

    /// What was worked so far goes into one transaction; what is worked from here does not.
    pub(crate) fn seal(&mut self) {
        self.feeds.iter_mut().for_each(Feed::seal);
        self.seal_work();
    }

    fn seal_work(&mut self) {
        self.task.seal();
        self.sealed = Sealed { outcomes: self.taken.len(), restarted: self.restarted, touched: self.touched };
        self.restarted = false;
        self.touched = false;
    }

    /// What was sealed is final, the positions of the inputs too.
    pub(crate) fn commit(&mut self) {
        self.feeds.iter_mut().for_each(Feed::commit);
        self.commit_work();
    }

    fn commit_work(&mut self) {
        self.task.commit();
        self.taken.drain(..self.sealed.outcomes);
        self.sealed = Sealed::default();
    }

    /// A turn that had nothing to commit is over: positions past markers are not committed yet.
    pub(crate) fn settle(&mut self) {
        self.seal_work();
        self.commit_work();
    }

    /// The planted bug: the state stays as it is, whatever becomes of the transaction.
    pub(crate) fn keep_state(&mut self) {
        self.task.commit();
        self.task.seal();
        self.task.commit();
    }

    /// Everything that is not final comes again.
    pub(crate) fn rollback(&mut self) {
        self.feeds.iter_mut().for_each(Feed::rollback);
        if self.touched || self.sealed.touched {
            self.task.rollback();
            while let Some(returned) = self.taken.pop() {
                self.outcomes.push_front(returned);
            }
            self.restarted |= self.sealed.restarted;
            self.touched = false;
            self.sealed = Sealed::default();
        }
    }
}

/// What a lane may take in a turn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget<'a> {
    pub(crate) records: usize,
    pub(crate) poison: Option<&'a Poison>,
    /// Given while records are worked one by one: each is written down by itself.
    pub(crate) journal: Option<&'a Journal>,
}

struct Work<'a, S: Station> {
    station: &'a S,
    task: &'a mut Task<S::Machine>,
    partition: i32,
}

impl<S: Station> Work<'_, S> {
    /// Intake, rules and outlets for one record; the reject if it was refused.
    fn record(self, record: &Record, batch: &mut Batch<S::Request>) -> Result<Option<Reject>, Failure> {
        let done = guard(Some(record), || {
            let event = match self.station.intake(&record.view()) {
                Ok(event) => event,
                Err(reject) => return Ok(Err(reject)),
            };
            let machine = self.station.machine();
            let effects = match event {
                Some(event) => self.task.apply(machine, event, record.timestamp)?,
                None => Vec::new(),
            };
            Ok(Ok(speak(self.station, effects)))
        })?;
        match done {
            Ok(out) => {
                batch.take(self.partition, out, &Cause::Record(record));
                Ok(None)
            }
            Err(reject) => Ok(Some(reject)),
        }
    }
}

fn speak<S: Station>(station: &S, effects: Vec<EffectOf<S>>) -> Outbox<S::Request> {
    let mut out = Outbox::new();
    for effect in effects {
        station.outlet(effect, &mut out);
    }
    out
}

fn dead_letter<S: Station>(station: &S, record: &Record, reject: &Reject, attempt: u32) -> Outbox<S::Request> {
    let view = record.view();
    let letter = DeadLetter { record: &view, reason: reject.reason, detail: &reject.detail, attempt };
    let payload = station.dead_letter(&letter);
    let key = record.key.as_deref().unwrap_or_default();
    let mut out = Outbox::new();
    out.record(Output::new(dead_letter_topic(&record.topic), key, payload));
    out
}

/// Where the dead letters of a topic go.
pub(crate) fn dead_letter_topic(topic: &str) -> String {
    format!("{topic}.dlq")
}

/// Runs the service's code: a panic is caught, a broken invariant ends the process.
fn guard<T>(record: Option<&Record>, work: impl FnOnce() -> Result<T, Broken>) -> Result<T, Failure> {
    let coordinates = || record.map(|record| record.view().coordinates());
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(broken)) => Err(Failure::Fatal(match coordinates() {
            Some(coordinates) => format!("{broken} (record {coordinates})"),
            None => broken.to_string(),
        })),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            let detail = text.unwrap_or_else(|| "no message".to_owned());
            Err(match coordinates() {
                Some(coordinates) => Failure::Panic { coordinates, detail },
                None => Failure::Fatal(format!("panic without a record: {detail}")),
            })
        }
    }
}
