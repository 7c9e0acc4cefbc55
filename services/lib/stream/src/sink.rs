//! The stateless loop: from topics into a database, each record's rows once.
//!
//! A batch is one partition's contiguous range of offsets. The range is written into the commit's
//! metadata before the insert, so that after a crash exactly this range is inserted again, under
//! the same token, and the database drops what it has already.

use crate::clock::{self, Stamp};
use crate::faults::{Faults, Point};
use crate::kafka::consumer::{Member, Probe, Rebalance};
use crate::kafka::producer::PlainProducer;
use crate::kafka::{Fault, Record, Spot};
use crate::lane::dead_letter_topic;
use crate::metrics::{Metrics, Phase};
use crate::patience::Patience;
use crate::pile::{Pile, Plan};
use crate::planted::Planted;
use crate::progress::Tracked;
use crate::run::{RunError, Setup, check_sink_topics};
use crate::station::{DeadLetter, InputRecord, Output, Reject};
use crate::{KafkaSettings, Shutdown};
use crossbeam_channel::{Receiver, bounded};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// The longest wait for a record.
const QUIET: Duration = Duration::from_millis(100);
/// Between two tries while the database is away.
const WAIT_FOR_DATABASE: Duration = Duration::from_millis(500);
const GAUGES_EVERY: Duration = Duration::from_secs(5);
/// Brokers that cannot answer just now are asked again for this long.
const ASK_LIMIT: Duration = Duration::from_secs(20);

/// What a sink makes of records and where it puts them.
pub trait SinkStation: Send + Sync + 'static {
    /// One row, with the coordinates of its record in it.
    type Row: Send;

    /// The topics it reads, with the service's group.
    fn topics(&self) -> Vec<String>;

    /// The rows of one record; the same record gives the same rows, always.
    fn rows(&self, record: &InputRecord<'_>) -> Result<Vec<Self::Row>, Reject>;

    /// Why this record cannot be read just now; its partition then waits, visibly.
    fn waits(&self, record: &InputRecord<'_>) -> Option<&'static str> {
        let _ = record;
        None
    }

    /// Writes a batch durably; blocks, for less than 30 s. `token` is
    /// `topic:partition:first-last`, the same for the same batch however often it comes.
    fn insert(&self, batch: &SinkBatch<Self::Row>, token: &str) -> Result<(), SinkFault>;

    /// The next offset according to the database, for a group that has forgotten (empty groups
    /// expire after seven days).
    fn resume(&self, topic: &str, partition: i32) -> Result<Option<i64>, SinkFault> {
        let _ = (topic, partition);
        Ok(None)
    }

    /// Encodes a dead letter; it goes to `<source topic>.dlq` under the source's key.
    fn dead_letter(&self, letter: &DeadLetter<'_>) -> Vec<u8>;
}

/// One partition's contiguous range of offsets, as rows.
#[derive(Debug)]
pub struct SinkBatch<R> {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// First offset of the range.
    pub first: i64,
    /// Last offset of the range.
    pub last: i64,
    /// The rows of its records, in order.
    pub rows: Vec<R>,
}

/// A batch, and which of its records were refused.
struct Made<R> {
    batch: SinkBatch<R>,
    refused: Vec<bool>,
}

/// Why a batch could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkFault {
    /// The database is away or busy: the same batch is tried again, reading waits.
    #[error("{0}")]
    Wait(String),
    /// It will never take this: the process ends.
    #[error("{0}")]
    Die(String),
}

/// Runs a sink until shutdown is asked for or something fails. Blocks.
pub fn run_sink<S: SinkStation>(setup: Setup, station: S) -> Result<(), RunError> {
    setup.settings.check()?;
    let topics = station.topics();
    check_sink_topics(&setup, &topics)?;
    let metrics = Metrics::register(&setup.registry, setup.service.as_str());
    let metrics = metrics.map_err(|error| RunError::Start(error.to_string()))?;
    let topics: Vec<Arc<str>> = topics.iter().map(|topic| Arc::from(topic.as_str())).collect();
    let slot = setup.settings.instance;
    let id = setup.service.slot_id(slot);
    let (wake, woken) = bounded(1);
    let settings = &setup.settings;
    let timeout = Duration::from_millis(settings.publish_timeout_ms);
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let sink = Sink {
        member: Member::join(settings, &setup.service, slot, &topics, wake)?,
        probe: Probe::new(settings, &id)?,
        letters: PlainProducer::connect(settings, &id, timeout)?,
        tokio: tokio.map_err(|error| RunError::Start(error.to_string()))?,
        tracked: setup.progress.track(id.clone()),
        shutdown: setup.shutdown.clone(),
        faults: settings.armed()?,
        settings: setup.settings.clone(),
        piles: BTreeMap::new(),
        drift_at: Stamp::now(),
        gauges_at: Stamp::now(),
        station,
        metrics,
        woken,
        id,
    };
    sink.tracked.waits_for("an assignment");
    let ended = sink.run();
    if ended.is_err() {
        setup.shutdown.request();
    }
    Ok(ended?)
}

struct Sink<S: SinkStation> {
    id: String,
    station: S,
    settings: KafkaSettings,
    faults: Faults,
    shutdown: Shutdown,
    metrics: Metrics,
    tracked: Tracked,
    member: Member,
    probe: Probe,
    letters: PlainProducer,
    tokio: tokio::runtime::Runtime,
    woken: Receiver<()>,
    piles: BTreeMap<Spot, Pile>,
    drift_at: Stamp,
    gauges_at: Stamp,
}

impl<S: SinkStation> Sink<S> {
    fn run(mut self) -> Result<(), Fault> {
        while !self.shutdown.requested() {
            self.tracked.moved();
            if let Some(rebalance) = self.member.rebalance() {
                self.follow(rebalance)?;
            }
            self.collect()?;
            self.pass_markers();
            let due = self.due();
            if !due.is_empty() && !self.interrupted() {
                self.write(&due)?;
            }
            self.look_around()?;
        }
        tracing::info!(slot = self.id, "finished");
        Ok(())
    }

    fn follow(&mut self, rebalance: Rebalance) -> Result<(), Fault> {
        self.metrics.rebalanced();
        self.piles.clear();
        let Rebalance::Assigned(assigned) = rebalance else {
            self.tracked.waits_for("an assignment");
            return Ok(());
        };
        let spots: Vec<Spot> = assigned.iter().map(|(topic, p)| (Arc::from(topic.as_str()), *p)).collect();
        let Some(committed) = self.ask(|sink| sink.member.committed(&spots))? else {
            return Ok(());
        };
        let Some(starts) = self.ask(|sink| sink.probe.starts(&spots))? else { return Ok(()) };
        for ((spot, (offset, metadata)), first) in spots.into_iter().zip(committed).zip(starts) {
            let start = match offset {
                Some(offset) => offset,
                None => self.resume(&spot)?.map_or(first, |offset| offset.max(first)),
            };
            let plan = Plan::read(&metadata);
            if let Some(plan) = &plan {
                tracing::info!(slot = self.id, topic = &*spot.0, partition = spot.1, %plan, "unfinished batch");
            }
            self.piles.insert(spot, Pile::new(start, plan));
        }
        let positions: Vec<_> = self.piles.iter().map(|(s, pile)| (s.clone(), pile.next())).collect();
        if !positions.is_empty() {
            self.member.assign(&positions)?;
        }
        self.tracked.ready();
        Ok(())
    }

    fn resume(&mut self, spot: &Spot) -> Result<Option<i64>, Fault> {
        loop {
            match self.station.resume(&spot.0, spot.1) {
                Ok(offset) => return Ok(offset),
                Err(SinkFault::Die(error)) => return Err(Fault::Fatal(error)),
                Err(SinkFault::Wait(error)) => {
                    if self.wait_for_database(&error)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Reads until a batch is due or nothing more is here.
    fn collect(&mut self) -> Result<(), Fault> {
        let began = Stamp::now();
        let interval = Duration::from_millis(self.settings.sink_interval_ms);
        for _ in 0..self.settings.batch_records_max {
            let Some(record) = self.member.poll()? else {
                let wait = Stamp::now();
                let woken = self.woken.recv_timeout(QUIET.min(interval)).is_ok();
                self.metrics.spent(Phase::Idle, wait.elapsed().as_secs_f64());
                if woken && began.elapsed() < QUIET {
                    continue;
                }
                break;
            };
            let spot = (Arc::clone(&record.topic), record.partition);
            if let Some(pile) = self.piles.get_mut(&spot) {
                pile.push(record);
                if pile.records().len() >= self.settings.merge_buffer_max && !pile.paused {
                    pile.paused = true;
                    self.member.pause(&[spot])?;
                }
            }
        }
        Ok(())
    }

    /// The next batch of each partition that has one to write.
    fn due(&self) -> Vec<(Spot, Plan)> {
        let interval = Duration::from_millis(self.settings.sink_interval_ms);
        let (records, bytes) = (self.settings.batch_records_max, self.settings.batch_bytes_max);
        let plan = |pile: &Pile| pile.due(records, bytes, interval);
        self.piles.iter().filter_map(|(spot, pile)| Some((spot.clone(), plan(pile)?))).collect()
    }

    /// Plans, inserts, commits: for all due partitions together.
    fn write(&mut self, due: &[(Spot, Plan)]) -> Result<(), Fault> {
        let began = Stamp::now();
        let mut batches = Vec::new();
        for (spot, plan) in due {
            if let Some(made) = self.batch(spot, *plan)? {
                batches.push((spot.clone(), *plan, made));
            }
        }
        let plans: Vec<_> = batches.iter().map(|(s, plan, _)| (s.clone(), plan.first, plan.to_string())).collect();
        if plans.is_empty() {
            return Ok(());
        }
        self.faults.hit(&self.id, Point::BeforePlan)?;
        if !self.settings.plants(Planted::BatchWithoutPlan) && !self.commit(&plans)? {
            return Ok(());
        }
        self.faults.hit(&self.id, Point::AfterPlan)?;
        for (spot, _, Made { batch, .. }) in &batches {
            let (topic, partition) = (&batch.topic, spot.1);
            let mut token = format!("{topic}:{partition}:{}-{}", batch.first, batch.last);
            if self.settings.plants(Planted::TokenFromTime) {
                token = format!("{token}:{}", clock::now());
            }
            if !batch.rows.is_empty() && !self.insert(batch, &token)? {
                return Ok(());
            }
        }
        self.faults.hit(&self.id, Point::AfterInsert)?;
        let ends: Vec<_> = batches.iter().map(|(s, plan, _)| (s.clone(), plan.last + 1, String::new())).collect();
        if self.commit(&ends)? {
            self.faults.hit(&self.id, Point::AfterInsertCommit)?;
            for (spot, plan, made) in &batches {
                if let Some(pile) = self.piles.get_mut(spot) {
                    let records = pile.done(plan.last);
                    made.refused.iter().for_each(|refused| pile.brake.count(*refused));
                    self.metrics.record_in(&spot.0, records);
                }
            }
        }
        self.tracked.ready();
        self.metrics.transaction("committed", began.elapsed().as_secs_f64());
        Ok(())
    }

    /// The rows of a planned range; dead letters are durable before it. `None` while it waits.
    fn batch(&mut self, spot: &Spot, plan: Plan) -> Result<Option<Made<S::Row>>, Fault> {
        let Some(pile) = self.piles.get_mut(spot) else { return Ok(None) };
        let mut rows = Vec::new();
        let (mut letters, mut refused) = (Vec::new(), Vec::new());
        for record in pile.records().iter().take_while(|record| record.offset <= plan.last) {
            let view = record.view();
            if let Some(reason) = self.station.waits(&view) {
                pile.waits_for = Some(reason);
                return Ok(None);
            }
            let made = rows_of(&self.station, &view);
            refused.push(made.is_err());
            match made {
                Ok(made) => rows.extend(made),
                Err(reject) => letters.push((dead_letter(&self.station, record, &reject), reject)),
            }
        }
        pile.waits_for = None;
        let outputs: Vec<Output> = letters.iter().map(|(letter, _)| letter.clone()).collect();
        self.tokio.block_on(self.letters.publish(&outputs))?;
        for (_, reject) in &letters {
            self.metrics.dead_letter(&spot.0, reject.reason);
        }
        let (topic, partition) = (Arc::clone(&spot.0), spot.1);
        let Plan { first, last } = plan;
        Ok(Some(Made { batch: SinkBatch { topic, partition, first, last, rows }, refused }))
    }

    /// Inserts one batch, however long the database is away; false if the partitions are no
    /// longer ours.
    fn insert(&mut self, batch: &SinkBatch<S::Row>, token: &str) -> Result<bool, Fault> {
        loop {
            match self.station.insert(batch, token) {
                Ok(()) => return Ok(true),
                Err(SinkFault::Die(error)) => {
                    return Err(Fault::Fatal(format!("inserting {token}: {error}")));
                }
                Err(SinkFault::Wait(error)) => {
                    if self.wait_for_database(&error)? {
                        return Ok(false);
                    }
                }
            }
        }
    }

    /// Waits a little, serving the group meanwhile; true if partitions moved or the end was asked
    /// for.
    fn wait_for_database(&mut self, error: &str) -> Result<bool, Fault> {
        tracing::warn!(slot = self.id, error, "waiting for the database");
        self.tracked.waits_for("the database");
        let spots: Vec<Spot> = self.piles.keys().cloned().collect();
        self.member.pause(&spots)?;
        self.piles.values_mut().for_each(|pile| pile.paused = true);
        let until = Stamp::now().plus(WAIT_FOR_DATABASE);
        while !until.remaining().is_zero() && !self.interrupted() {
            self.tracked.moved();
            while let Some(record) = self.member.poll()? {
                let pile = self.piles.get_mut(&(Arc::clone(&record.topic), record.partition));
                if let Some(pile) = pile {
                    pile.push(record);
                }
            }
            let _ = self.woken.recv_timeout(until.remaining().min(QUIET));
        }
        Ok(self.interrupted())
    }

    fn interrupted(&self) -> bool {
        self.member.rebalancing() || self.shutdown.requested()
    }

    /// Commits offsets with metadata; false if the group refused since it has decided anew.
    fn commit(&self, offsets: &[(Spot, i64, String)]) -> Result<bool, Fault> {
        let began = Stamp::now();
        let patience = Patience::of(ASK_LIMIT);
        let committed = loop {
            match self.member.commit(offsets) {
                Ok(()) => break true,
                Err(Fault::Abort(reason)) => {
                    tracing::warn!(slot = self.id, reason, "commit refused: partitions have moved");
                    break false;
                }
                Err(Fault::Retriable(error)) if patience.pause() => {
                    tracing::warn!(slot = self.id, error, "committing again");
                }
                Err(fault) => return Err(fault),
            }
        };
        self.metrics.spent(Phase::Commit, began.elapsed().as_secs_f64());
        Ok(committed)
    }

    /// Where nothing is piled up, reading may have passed markers.
    fn pass_markers(&mut self) {
        for (spot, pile) in self.piles.iter_mut().filter(|(_, pile)| pile.records().is_empty()) {
            if let Some(position) = self.member.position(spot) {
                pile.passed(position);
            }
        }
    }

    fn look_around(&mut self) -> Result<(), Fault> {
        let half = self.settings.merge_buffer_max / 2;
        for (spot, pile) in &mut self.piles {
            if pile.paused && pile.records().len() <= half {
                pile.paused = false;
                self.member.resume(std::slice::from_ref(spot))?;
            }
        }
        if self.drift_at.elapsed_ms() >= self.settings.idle_commit_ms {
            self.drift_at = Stamp::now();
            let drifted =
                self.piles.iter_mut().filter_map(|(spot, pile)| Some((spot.clone(), pile.drifted()?, String::new())));
            let offsets: Vec<_> = drifted.collect();
            if !offsets.is_empty() {
                self.commit(&offsets)?;
            }
        }
        if self.gauges_at.elapsed() >= GAUGES_EVERY {
            self.gauges_at = Stamp::now();
            self.gauges();
        }
        Ok(())
    }

    fn gauges(&self) {
        let spots: Vec<Spot> = self.piles.keys().cloned().collect();
        if spots.is_empty() {
            return;
        }
        let ends = match self.probe.ends(&spots) {
            Ok(ends) => ends,
            Err(error) => {
                tracing::warn!(%error, "no watermarks");
                return;
            }
        };
        let clock = clock::now();
        for (((topic, partition), pile), end) in self.piles.iter().zip(ends) {
            let head = pile.records().front().map(|record| record.timestamp);
            let age_ms = head.map_or(0, |head| clock.ms_since(head));
            self.metrics.lag(topic, *partition, (end - pile.next()).max(0), age_ms);
            let waits = i64::from(pile.waits_for.is_some());
            self.metrics.waiting(topic, *partition).set(waits);
            let stopped = pile.brake.stopped();
            self.metrics.stopped(topic, *partition).set(i64::from(stopped));
            if stopped {
                tracing::error!(%topic, partition, "partition stopped: too many records were refused");
            }
        }
    }

    /// Asks the brokers, again if they are busy; `None` if the group decided anew meanwhile.
    fn ask<T>(&self, question: impl Fn(&Self) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let patience = Patience::of(ASK_LIMIT);
        loop {
            self.tracked.moved();
            while self.member.poll()?.is_some() {}
            if self.interrupted() {
                return Ok(None);
            }
            match question(self) {
                Ok(answer) => return Ok(Some(answer)),
                Err(Fault::Retriable(error)) if patience.pause() => {
                    tracing::warn!(slot = self.id, error, "asking again");
                }
                Err(fault) => return Err(fault),
            }
        }
    }
}

/// The rows of a record; a panic is the record's fault, for the same record gives the same.
fn rows_of<S: SinkStation>(station: &S, record: &InputRecord<'_>) -> Result<Vec<S::Row>, Reject> {
    let made = catch_unwind(AssertUnwindSafe(|| station.rows(record)));
    made.unwrap_or_else(|_| Err(Reject::new("panic", "making its rows panicked")))
}

fn dead_letter<S: SinkStation>(station: &S, record: &Record, reject: &Reject) -> Output {
    let view = record.view();
    let letter = DeadLetter { record: &view, reason: reject.reason, detail: &reject.detail, attempt: 1 };
    let key = record.key.as_deref().unwrap_or_default();
    Output::new(dead_letter_topic(&record.topic), key, station.dead_letter(&letter))
        .header(crate::SOURCE_HEADER, view.coordinates())
}
