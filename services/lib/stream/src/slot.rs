//! One loop: its thread, its consumer, its producer, its tasks. The exactly-once turn.
//!
//! The loop never polls while a transaction is open. So the rebalance callback, which only polling
//! can run, never meets open work, and a transaction never spans a rebalance.

use crate::batch::Batch;
use crate::clock::{self, Stamp};
use crate::kafka::consumer::{GroupStamp, Member, Probe, Reader, Rebalance};
use crate::kafka::producer::{Outgoing, TxnProducer};
use crate::kafka::{Fault, Record, Spot};
use crate::lane::{Budget, Failure, Lane, Moment, Poison};
use crate::metrics::{Metrics, Phase};
use crate::progress::Tracked;
use crate::reply::{Place, Returned};
use crate::run::Shared;
use crate::station::{Performer, Station};
use crate::table::Change;
use crate::watchdog::Watchdog;
use crate::{Reply, Timestamp, faults};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

/// Aborted transactions in a row after which the process starts afresh.
const ABORTS_MAX: u32 = 10;
/// The longest wait for anything; so often a quiet loop looks around.
const QUIET: Duration = Duration::from_millis(100);
/// How soon a blocked head is looked at again.
const BLOCKED: Duration = Duration::from_millis(10);
/// Positions past markers are committed this often even without records.
pub(crate) const DRIFT_EVERY: Duration = Duration::from_secs(60);

type Way<T> = (Sender<T>, Receiver<T>);

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
    producer: TxnProducer,
    watchdog: Watchdog,
    wake: Way<()>,
    outcomes: Way<Returned<S::Outcome>>,
    open: Arc<AtomicUsize>,
    poison: Option<Poison>,
    alone: usize,
    aborts: u32,
    transactions: u64,
    turns: usize,
    started: Timestamp,
    pub(crate) watermarks_at: Stamp,
    pub(crate) gauges_at: Stamp,
    pub(crate) drift_at: Stamp,
}

impl<S: Station, P: Performer<S>> Slot<S, P> {
    /// Connects everything; fences a former holder of the slot.
    pub(crate) fn connect(shared: Arc<Shared<S, P>>, number: u32) -> Result<Self, Fault> {
        let id = shared.service.slot_id(number);
        let tracked = shared.progress.track(id.clone());
        tracked.waits_for("its producer");
        let watchdog = Watchdog::start(id.clone()).map_err(|e| Fault::Fatal(e.to_string()))?;
        let wake = bounded(1);
        let settings = &shared.settings;
        let limit = Duration::from_millis(settings.transaction_timeout_ms * 18);
        let producer = watchdog.watch("init_transactions", limit, || TxnProducer::connect(settings, &id))?;
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
            renewed_ms: Arc::new(AtomicI64::new(clock::now().as_ms())),
            producer,
            watchdog,
            wake,
            outcomes: unbounded(),
            open: Arc::default(),
            poison: None,
            alone: 0,
            aborts: 0,
            transactions: 0,
            turns: 0,
            started: clock::now(),
            watermarks_at: now,
            gauges_at: now,
            drift_at: now,
            id,
            shared,
        })
    }

    /// Turns until shutdown is asked for; leaves in order.
    pub(crate) fn run(mut self) -> Result<(), Fault> {
        while !self.shared.shutdown.requested() {
            self.turn()?;
        }
        let Self { watchdog, member, producer, lanes, id, .. } = self;
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
        let stamp = self.member.stamp();
        self.collect()?;
        if self.member.rebalancing() || self.member.lost() {
            return Ok(());
        }
        let began = Stamp::now();
        let worked = self.work();
        self.metrics().spent(Phase::Process, began.elapsed().as_secs_f64());
        match worked {
            Ok(batch) => self.finish(batch, stamp.as_ref())?,
            Err(failure) => self.recover(failure)?,
        }
        self.look_around()
    }

    /// What the group has decided.
    fn follow(&mut self, rebalance: Rebalance) -> Result<(), Fault> {
        self.metrics().rebalanced();
        self.lanes.iter().for_each(|lane| lane.lease.end());
        self.lanes.clear();
        self.poison = None;
        self.alone = 0;
        match rebalance {
            Rebalance::Revoked => {
                tracing::info!(slot = self.id, "partitions revoked");
                self.tracked.waits_for("an assignment");
                Ok(())
            }
            Rebalance::Assigned(spots) => {
                tracing::info!(slot = self.id, partitions = ?spots, "partitions assigned");
                self.tracked.waits_for("its state");
                self.restore(&spots)
            }
        }
    }

    /// Fills the feeds: small and quick when quiet, large when busy.
    fn collect(&mut self) -> Result<(), Fault> {
        let settings = &self.shared.settings;
        let (records_max, bytes_max) = (settings.batch_records_max, settings.batch_bytes_max);
        let interval = Duration::from_millis(settings.commit_interval_ms);
        let linger = Duration::from_millis(settings.linger_ms);
        let began = Stamp::now();
        let (mut records, mut bytes, mut waited) = (0, 0, Duration::ZERO);
        let mut last = began;
        while records < records_max && bytes < bytes_max {
            if let Some(record) = self.member.poll()? {
                (records, bytes) = (records + 1, bytes + record.size());
                self.deliver(record)?;
                last = Stamp::now();
                if last.since(began) >= interval {
                    break;
                }
                continue;
            }
            records += self.collect_config()?;
            let limit = if records > 0 { linger } else { self.quiet() };
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
        Ok(())
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

    /// Intake, rules and outlets, in memory only.
    fn work(&mut self) -> Result<Batch<S::Request>, Failure> {
        while let Ok(returned) = self.outcomes.1.try_recv() {
            let lane = self.lanes.iter_mut().find(|lane| lane.partition == returned.partition);
            if let Some(lane) = lane {
                lane.outcomes.push_back(returned);
            }
        }
        let moment = Moment { clock: clock::now(), slack_ms: self.shared.settings.merge_slack_ms };
        let limit = match (self.crowded(), self.alone) {
            (true, _) => 0,
            (false, 0) => self.shared.settings.batch_records_max,
            (false, _) => 1,
        };
        let mut batch = Batch::new();
        let lanes = self.lanes.len();
        for i in 0..lanes {
            let left = limit.saturating_sub(batch.records);
            let fair = left.div_ceil(lanes - i);
            let budget = Budget { records: fair, poison: self.poison.as_ref() };
            let lane = &mut self.lanes[(self.turns + i) % lanes];
            lane.work(&self.shared.station, moment, &budget, &mut batch)?;
        }
        Ok(batch)
    }

    /// Commits what the turn has done, or takes it back.
    fn finish(&mut self, batch: Batch<S::Request>, stamp: Option<&GroupStamp>) -> Result<(), Fault> {
        let carried = self.carry(batch);
        let empty = carried.is_empty();
        if !empty {
            let Some(stamp) = stamp else {
                self.roll_back();
                return Ok(());
            };
            let began = Stamp::now();
            let committed = self.transact(&carried, stamp);
            let outcome = if committed.is_ok() { "committed" } else { "aborted" };
            self.metrics().transaction(outcome, began.elapsed().as_secs_f64());
            match committed {
                Ok(()) => self.aborts = 0,
                Err(Fault::Abort(reason)) => return self.abort(&reason),
                Err(fault) => return Err(fault),
            }
        }
        self.alone = self.alone.saturating_sub(carried.batch.records);
        self.lanes.iter_mut().for_each(Lane::commit);
        self.tell(carried.batch);
        Ok(())
    }

    /// Everything the transaction is to carry.
    fn carry(&mut self, mut batch: Batch<S::Request>) -> Carried<S::Request> {
        let started = self.started.as_ms();
        batch.number(&format!("{}/{started}/{}", self.id, self.transactions + 1));
        let has_outputs = !batch.outputs.is_empty() || !batch.requests.is_empty();
        let mut rows = Vec::new();
        for lane in self.lanes.iter_mut().filter(|lane| lane.touched()) {
            let changed = lane.task.changes(has_outputs);
            rows.extend(changed.into_iter().map(|(table, rows)| (lane.partition, table, rows)));
        }
        let feeds = || self.lanes.iter().flat_map(|lane| &lane.feeds).filter(|feed| !feed.config);
        let moved = feeds().any(|feed| feed.taken() > 0);
        let drifting = self.drift_at.elapsed() >= DRIFT_EVERY;
        let mut positions = Vec::new();
        if moved || has_outputs || !rows.is_empty() || drifting {
            let drifted = feeds().filter(|feed| feed.drifted());
            positions.extend(drifted.map(|feed| (feed.spot.clone(), feed.position())));
            self.drift_at = Stamp::now();
        }
        Carried { batch, rows, positions }
    }

    fn transact(&mut self, carried: &Carried<S::Request>, stamp: &GroupStamp) -> Result<(), Fault> {
        if self.producer.in_doubt() {
            self.renew_producer()?;
        }
        self.transactions += 1;
        let began = Stamp::now();
        self.producer.begin()?;
        for output in &carried.batch.outputs {
            self.producer.send(&Outgoing::of(output))?;
        }
        for (partition, table, rows) in &carried.rows {
            let topic = self.shared.changelog(table);
            for (key, payload) in rows {
                let payload = payload.as_deref();
                let partition = Some(*partition);
                self.producer.send(&Outgoing { topic, partition, key, payload, headers: &[] })?;
            }
        }
        let timeout = self.producer.timeout();
        let producer = &mut self.producer;
        self.watchdog.watch("flush", timeout * 2, || producer.drain())?;
        faults::hit(&self.id, "after_produce")?;
        let produced = Stamp::now();
        self.shared.metrics.spent(Phase::Produce, produced.since(began).as_secs_f64());
        if self.member.lost() {
            return Err(Fault::Abort("the group has given our partitions away".to_owned()));
        }
        if !carried.positions.is_empty() {
            let send = || producer.offsets(&carried.positions, stamp);
            self.watchdog.watch("send_offsets", timeout, send)?;
        }
        faults::hit(&self.id, "after_send_offsets")?;
        self.watchdog.watch("commit", timeout, || producer.commit())?;
        self.shared.metrics.spent(Phase::Commit, produced.elapsed().as_secs_f64());
        faults::hit(&self.id, "after_commit")
    }

    /// A new producer under the same id: fences whatever of the old one is still under way.
    fn renew_producer(&mut self) -> Result<(), Fault> {
        tracing::warn!(slot = self.id, "producer in doubt: making a new one");
        let settings = &self.shared.settings;
        let limit = Duration::from_millis(settings.transaction_timeout_ms * 18);
        let connect = || TxnProducer::connect(settings, &self.id);
        self.producer = self.watchdog.watch("init_transactions", limit, connect)?;
        Ok(())
    }

    fn abort(&mut self, reason: &str) -> Result<(), Fault> {
        self.aborts += 1;
        tracing::warn!(slot = self.id, reason, in_row = self.aborts, "transaction aborted");
        if self.aborts >= ABORTS_MAX {
            return Err(Fault::Fatal(format!("{ABORTS_MAX} aborts in a row, the last: {reason}")));
        }
        let timeout = self.producer.timeout();
        let producer = &mut self.producer;
        self.watchdog.watch("abort", timeout * 3, || producer.abort())?;
        self.roll_back();
        Ok(())
    }

    fn roll_back(&mut self) {
        self.lanes.iter_mut().for_each(Lane::rollback);
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
        self.poison = Some(Poison { coordinates, tries });
        self.roll_back();
        Ok(())
    }

    /// After the commit: counts, and the requests to the outside world.
    fn tell(&mut self, batch: Batch<S::Request>) {
        let metrics = &self.shared.metrics;
        for (topic, count) in &batch.read {
            metrics.record_in(topic, *count);
        }
        for output in &batch.outputs {
            metrics.record_out(&output.topic, 1);
        }
        for (topic, reason) in &batch.letters {
            metrics.dead_letter(topic, reason);
        }
        for (partition, request) in batch.requests {
            let lane = self.lanes.iter().find(|lane| lane.partition == partition);
            if let Some(lane) = lane {
                let reply = Reply {
                    partition,
                    lease: Arc::clone(&lane.lease),
                    place: Place::take(&self.open),
                    outcomes: self.outcomes.0.clone(),
                    wake: self.wake.0.clone(),
                };
                self.shared.performer.perform(partition, request, reply);
            }
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    pub(crate) fn open_requests(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// What one transaction carries: outputs, changed rows by partition and table, input positions.
struct Carried<R> {
    batch: Batch<R>,
    rows: Vec<(i32, &'static str, Vec<Change>)>,
    positions: Vec<(Spot, i64)>,
}

impl<R> Carried<R> {
    fn is_empty(&self) -> bool {
        self.batch.outputs.is_empty() && self.rows.is_empty() && self.positions.is_empty()
    }
}
