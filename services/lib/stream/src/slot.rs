//! One loop: its thread, its consumer, its producer, its tasks. The exactly-once turn.
//!
//! The loop never polls while a transaction is open. So the rebalance callback, which only polling
//! can run, never meets open work, and a transaction never spans a rebalance.
//!
//! With a backlog, a batch is written and committed while the next one, read before, is worked: the
//! state knows which changes are sealed in the transaction, and both are taken back if it fails.

use crate::Reject;
use crate::clock::{self, Stamp};
use crate::commit::Ended;
use crate::committer::{Carried, Committer};
use crate::faults::Point;
use crate::journal::Journal;
use crate::kafka::consumer::{Member, Probe, Reader, Rebalance};
use crate::kafka::{Fault, Record};
use crate::lane::{Failure, Lane, Poison};
use crate::metrics::{Metrics, Phase};
use crate::planted::Planted;
use crate::progress::Tracked;
use crate::reply::Returned;
use crate::run::Shared;
use crate::station::{Performer, Station};
use crate::worker::{Worked, Worker};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

/// The longest wait for anything; so often a quiet loop looks around.
const QUIET: Duration = Duration::from_millis(100);
/// How soon a blocked head is looked at again.
const BLOCKED: Duration = Duration::from_millis(10);
pub(crate) type Way<T> = (Sender<T>, Receiver<T>);

/// One loop.
pub(crate) struct Slot<S: Station, P: Performer<S>> {
    pub(crate) id: String,
    pub(crate) shared: Arc<Shared<S, P>>,
    pub(crate) tracked: Tracked,
    pub(crate) member: Member,
    pub(crate) probe: Probe,
    pub(crate) config: Option<Reader>,
    pub(crate) lanes: Vec<Lane<S>>,
    pub(crate) renewed_ms: Arc<AtomicI64>,
    /// Whether the configuration topics were read to where they ended at the assignment.
    pub(crate) configured: bool,
    pub(crate) committer: Committer<S, P>,
    /// Worked and sealed; written while the next batch is worked.
    pub(crate) pending: Option<Carried<S::Request>>,
    pub(crate) journal: Journal,
    pub(crate) wake: Way<()>,
    pub(crate) outcomes: Way<Returned<S::Outcome>>,
    pub(crate) open: Arc<AtomicUsize>,
    pub(crate) poison: Option<Poison>,
    pub(crate) alone: usize,
    pub(crate) aborts: u32,
    turns: usize,
    pub(crate) watermarks_at: Stamp,
    pub(crate) gauges_at: Stamp,
    pub(crate) drift_at: Stamp,
    /// Positions past markers are due for a commit of their own.
    pub(crate) drifting: bool,
}

impl<S: Station, P: Performer<S>> Slot<S, P> {
    /// Connects everything; fences a former holder of the slot.
    pub(crate) fn connect(shared: Arc<Shared<S, P>>, number: u32) -> Result<Self, Fault> {
        let id = shared.service.slot_id(number);
        let tracked = shared.progress.track(id.clone());
        tracked.waits_for("its producer");
        let wake = bounded(1);
        let settings = &shared.settings;
        let committer = Committer::connect(&shared, &id)?;
        let inputs = &shared.inputs;
        let config = (!inputs.config.is_empty())
            .then(|| Reader::new(settings, &id, &inputs.config, Some(wake.0.clone())))
            .transpose()?;
        let member = Member::join(settings, &shared.service, number, &inputs.group, wake.0.clone())?;
        tracked.waits_for("an assignment");
        let now = Stamp::now();
        Ok(Self {
            tracked,
            member,
            probe: Probe::new(settings, &id)?,
            config,
            lanes: Vec::new(),
            configured: true,
            renewed_ms: Arc::new(AtomicI64::new(clock::now().as_ms())),
            committer,
            pending: None,
            wake,
            outcomes: unbounded(),
            open: Arc::default(),
            journal: Journal::open(shared.settings.state_dir.as_deref(), &id)?,
            poison: None,
            alone: 0,
            aborts: 0,
            turns: 0,
            watermarks_at: now,
            gauges_at: now,
            drift_at: now,
            drifting: false,
            id,
            shared,
        })
    }

    /// Turns until shutdown is asked for; leaves in order.
    pub(crate) fn run(mut self) -> Result<(), Fault> {
        while !self.shared.shutdown.requested() {
            self.turn()?;
        }
        if let Some(pending) = self.pending.take() {
            let ended = self.committer.transact(&pending, &self.member);
            self.settle(pending, ended)?;
        }
        self.digest("left");
        let Self { committer: Committer { watchdog, producer, .. }, member, lanes, id, .. } = self;
        lanes.iter().for_each(|lane| lane.lease.end());
        watchdog.watch("close", Duration::from_secs(7), || drop((member, producer)));
        tracing::info!(slot = id, "finished");
        Ok(())
    }

    fn turn(&mut self) -> Result<(), Fault> {
        self.tracked.moved();
        self.renewed_ms.store(clock::now().as_ms(), Ordering::Release);
        self.turns += 1;
        if let Some(rebalance) = self.member.rebalance() {
            self.follow(rebalance)?;
        }
        let mut stamp = self.member.stamp();
        let full = self.collect()?;
        if self.member.rebalancing() || self.member.lost() {
            return Ok(());
        }
        self.hit(Point::AfterCollect)?;
        match self.work()? {
            None => {}
            Some(Ok(batch)) => {
                self.hit(Point::AfterApply)?;
                let mut decided = None;
                if self.plants(Planted::BatchAcrossRebalance) {
                    decided = self.wait_rebalance_out()?;
                    stamp = self.member.stamp();
                }
                let more = full || self.lanes.iter().any(Lane::ready);
                self.finish(batch, stamp, more && decided.is_none())?;
                if let Some(rebalance) = decided {
                    self.follow(rebalance)?;
                }
            }
            Some(Err(failure)) => self.recover(failure)?,
        }
        self.look_around()
    }

    /// Works what is here, while what is pending is committed; `None` if both were taken back.
    fn work(&mut self) -> Result<Option<Worked<S::Request>>, Fault> {
        while let Ok(returned) = self.outcomes.1.try_recv() {
            let lane = self.lanes.iter_mut().find(|lane| lane.partition == returned.partition);
            if let Some(lane) = lane {
                lane.outcomes.push_back(returned);
            }
        }
        let limit = match (self.crowded(), self.alone) {
            (true, _) => 0,
            (false, 0) if !self.journal.is_careful() => self.shared.settings.batch_records_max,
            (false, _) => 1,
        };
        let pending = self.pending.take();
        let Self { committer, member, lanes, shared, journal, poison, turns, .. } = self;
        let mut worker = Worker { lanes, shared, journal, poison: poison.as_ref(), limit, turn: *turns };
        let Some(pending) = pending else { return worker.work().map(Some) };
        let member: &Member = member;
        let (pending, ended, worked) = std::thread::scope(|scope| {
            let commit = move || {
                let ended = committer.transact(&pending, member);
                (pending, ended)
            };
            let thread = std::thread::Builder::new().name("commit".to_owned());
            let committing = thread.spawn_scoped(scope, commit).map_err(|error| Fault::Fatal(error.to_string()))?;
            let worked = worker.work();
            let (pending, ended) = committing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok((pending, ended, worked))
        })?;
        self.metrics().overlapped();
        match self.settle(pending, ended)? {
            Ended::Committed => worked.map(Some),
            Ended::TakenBack => Ok(None),
        }
    }

    /// What is pending can no longer be committed.
    fn give_up_pending(&mut self) {
        if self.pending.take().is_some() {
            self.roll_back();
        }
    }

    /// What the group has decided.
    fn follow(&mut self, rebalance: Rebalance) -> Result<(), Fault> {
        self.metrics().rebalanced();
        if !self.plants(Planted::LeaseNeverEnds) {
            self.lanes.iter().for_each(|lane| lane.lease.end());
        }
        self.give_up_pending();
        self.digest("left");
        self.lanes.clear();
        self.poison = None;
        self.alone = 0;
        self.configured = true;
        match rebalance {
            Rebalance::Revoked => {
                tracing::info!(slot = self.id, "partitions revoked");
                self.tracked.waits_for("an assignment");
                self.hit(Point::AfterRevoke)
            }
            Rebalance::Assigned(spots) => {
                tracing::info!(slot = self.id, partitions = ?spots, "partitions assigned");
                self.tracked.waits_for("its state");
                self.restore(&spots)
            }
        }
    }

    /// Fills the feeds: small and quick when quiet, large when busy. Whether more is likely to be there.
    fn collect(&mut self) -> Result<bool, Fault> {
        let settings = &self.shared.settings;
        // What could be worked on already is not added to: reading runs a batch ahead, not twenty.
        let ready: usize = self.lanes.iter().filter(|lane| lane.ready()).map(Lane::buffered).sum();
        let records_max = settings.batch_records_max.saturating_sub(ready).max(1);
        let bytes_max = settings.batch_bytes_max;
        let interval = Duration::from_millis(settings.commit_interval_ms);
        let linger = Duration::from_millis(settings.linger_ms);
        let began = Stamp::now();
        let (mut records, mut bytes, mut waited) = (0, 0, Duration::ZERO);
        let mut full = false;
        let mut last = began;
        while records < records_max && bytes < bytes_max {
            if let Some(record) = self.member.poll()? {
                (records, bytes) = (records + 1, bytes + record.size());
                self.deliver(record)?;
                last = Stamp::now();
                full = last.since(began) >= interval;
                if full {
                    break;
                }
                continue;
            }
            records += self.collect_config()?;
            let limit = match (&self.pending, records) {
                (Some(_), _) => Duration::ZERO,
                (None, 0) => self.quiet(),
                (None, _) => linger,
            };
            let left = limit.saturating_sub(last.elapsed());
            let over = began.elapsed() >= interval && records > 0;
            if left.is_zero() || over || self.interrupted() {
                break;
            }
            let wait = Stamp::now();
            let woken = self.wake.1.recv_timeout(left).is_ok();
            waited += wait.elapsed();
            if !woken {
                break;
            }
        }
        let busy = began.elapsed().saturating_sub(waited);
        self.metrics().spent(Phase::Collect, busy.as_secs_f64());
        self.metrics().spent(Phase::Idle, waited.as_secs_f64());
        Ok(full || records >= records_max || bytes >= bytes_max)
    }

    /// How long to wait for a first record.
    fn quiet(&self) -> Duration {
        let crowded = self.crowded();
        if self.alone > 0 || (!crowded && self.lanes.iter().any(Lane::ready)) {
            return Duration::ZERO;
        }
        if crowded || self.lanes.iter().any(|lane| lane.blocked) {
            return BLOCKED;
        }
        let machine = self.shared.station.machine();
        let moving = self.lanes.iter().filter(|lane| !lane.stopped());
        let due = moving.filter_map(|lane| lane.task.next_deadline(machine)).min();
        let slack = self.shared.settings.merge_slack_ms;
        let due_in = due.map(|due| due.plus_ms(slack).ms_since(clock::now()));
        let due_in = due_in.map(|ms| Duration::from_millis(u64::try_from(ms).unwrap_or(0)));
        due_in.map_or(QUIET, |due_in| due_in.min(QUIET))
    }

    fn interrupted(&self) -> bool {
        self.member.rebalancing() || self.shared.shutdown.requested() || !self.outcomes.1.is_empty()
    }

    /// Whether too many requests are open to take on more work.
    fn crowded(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.shared.settings.requests_max
    }

    fn deliver(&mut self, record: Record) -> Result<(), Fault> {
        let limit = self.shared.settings.merge_buffer_max;
        let lane = self.lanes.iter_mut().find(|lane| lane.partition == record.partition);
        let mut feeds = lane.into_iter().flat_map(|lane| lane.feeds.iter_mut());
        let feed = feeds.find(|feed| !feed.config && *feed.spot.0 == *record.topic);
        let Some(feed) = feed else { return Ok(()) };
        feed.push(record);
        if feed.buffered() >= limit && !feed.paused {
            feed.paused = true;
            self.member.pause(std::slice::from_ref(&feed.spot))?;
        }
        Ok(())
    }

    /// Gives what came on the configuration topics to every task.
    fn collect_config(&mut self) -> Result<usize, Fault> {
        let Some(reader) = &self.config else { return Ok(0) };
        let mut records = 0;
        while let Some(record) = reader.poll(Duration::ZERO)? {
            records += 1;
            let feeds = self.lanes.iter_mut().flat_map(|lane| lane.feeds.iter_mut());
            for feed in feeds.filter(|feed| feed.config && *feed.spot.0 == *record.topic) {
                feed.push(record.clone());
            }
        }
        Ok(records)
    }

    /// A turn whose work panicked: nothing was sent. The same records come again, one by one.
    fn recover(&mut self, failure: Failure) -> Result<(), Fault> {
        let (coordinates, detail) = match failure {
            Failure::Fatal(detail) => return Err(Fault::Fatal(detail)),
            Failure::Panic { coordinates, detail } => (coordinates, detail),
        };
        let same = self.poison.take().filter(|poison| poison.coordinates == coordinates);
        let tries = same.map_or(1, |poison| poison.tries + 1);
        tracing::error!(slot = self.id, record = coordinates, tries, detail, "processing panicked");
        let taken: usize = self.lanes.iter().map(Lane::taken).sum();
        self.alone = self.alone.max(taken);
        let reject = Reject::new("panic", "processing panicked each time");
        self.poison = Some(Poison { coordinates, tries, reject });
        self.roll_back();
        Ok(())
    }

    /// The planted bug: goes on with a worked batch once the group has decided anew. What it has
    /// decided, to be followed after.
    fn wait_rebalance_out(&mut self) -> Result<Option<Rebalance>, Fault> {
        self.collect()?;
        loop {
            let decided = self.member.rebalance();
            if decided != Some(Rebalance::Revoked) {
                return Ok(decided);
            }
            while !self.interrupted() {
                self.member.poll()?;
            }
        }
    }

    pub(crate) fn hit(&self, point: Point) -> Result<(), Fault> {
        self.shared.faults.hit(&self.id, point)
    }

    pub(crate) fn plants(&self, bug: Planted) -> bool {
        self.shared.settings.plants(bug)
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn open_requests(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}
