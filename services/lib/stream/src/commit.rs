//! The second half of a turn: what was worked in memory becomes a transaction, or is taken back.

use crate::batch::Batch;
use crate::clock::Stamp;
use crate::faults::Point;
use crate::kafka::consumer::GroupStamp;
use crate::kafka::producer::{Outgoing, TxnProducer};
use crate::kafka::{Fault, Spot};
use crate::lane::Lane;
use crate::metrics::Phase;
use crate::planted::Planted;
use crate::reply::{Place, Reply};
use crate::slot::Slot;
use crate::station::{Performer, Station};
use crate::table::Change;
use crate::task::TASK_TABLE;
use std::sync::Arc;
use std::time::Duration;

/// Aborted transactions in a row after which the process starts afresh.
const ABORTS_MAX: u32 = 10;

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

impl<S: Station, P: Performer<S>> Slot<S, P> {
    /// Commits what the turn has done, or takes it back.
    pub(crate) fn finish(&mut self, batch: Batch<S::Request>, stamp: Option<&GroupStamp>) -> Result<(), Fault> {
        let mut carried = self.carry(batch);
        if carried.is_empty() {
            return self.merge(&carried);
        }
        let Some(stamp) = stamp else {
            self.roll_back();
            return Ok(());
        };
        if self.plants(Planted::RequestsBeforeCommit) {
            self.perform(std::mem::take(&mut carried.batch.requests));
        }
        let began = Stamp::now();
        let committed = self.transact(&carried, stamp);
        let outcome = if committed.is_ok() { "committed" } else { "aborted" };
        self.metrics().transaction(outcome, began.elapsed().as_secs_f64());
        match committed {
            Ok(()) => self.aborts = 0,
            Err(Fault::Abort(reason)) => return self.abort(&reason),
            Err(fault) => return Err(fault),
        }
        self.hit(Point::AfterCommit)?;
        self.merge(&carried)?;
        self.hit(Point::AfterMerge)?;
        self.count(&carried.batch);
        self.perform(carried.batch.requests);
        self.hit(Point::AfterWake)
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
        let mut positions = Vec::new();
        if moved || has_outputs || !rows.is_empty() || std::mem::take(&mut self.drifting) {
            let drifted = feeds().filter(|feed| feed.drifted());
            positions.extend(drifted.map(|feed| (feed.spot.clone(), feed.position())));
            self.drift_at = Stamp::now();
        }
        if self.plants(Planted::LastRowDropped) {
            let last = rows.iter_mut().rfind(|(_, table, _)| *table != TASK_TABLE);
            last.and_then(|(_, _, rows)| rows.pop());
        }
        if self.plants(Planted::DeadlineRowsDropped) && batch.records == 0 {
            rows.clear();
        }
        Carried { batch, rows, positions }
    }

    fn transact(&mut self, carried: &Carried<S::Request>, stamp: &GroupStamp) -> Result<(), Fault> {
        self.hit(Point::BeforeBegin)?;
        if self.producer.in_doubt() {
            self.renew_producer()?;
        }
        self.transactions += 1;
        let began = Stamp::now();
        self.producer.begin()?;
        self.hit(Point::AfterBegin)?;
        self.produce(carried)?;
        let produced = Stamp::now();
        self.metrics().spent(Phase::Produce, produced.since(began).as_secs_f64());
        if self.member.lost() {
            return Err(Fault::Abort("the group has given our partitions away".to_owned()));
        }
        self.send_offsets(&carried.positions, stamp)?;
        self.hit(Point::AfterOffsets)?;
        self.watched_commit()?;
        self.metrics().spent(Phase::Commit, produced.elapsed().as_secs_f64());
        Ok(())
    }

    /// Hands outputs and rows to the client and waits until all are acknowledged.
    fn produce(&mut self, carried: &Carried<S::Request>) -> Result<(), Fault> {
        for output in &carried.batch.outputs {
            self.producer.send(&Outgoing::of(output))?;
            self.hit(Point::AfterOutput)?;
        }
        if self.plants(Planted::OutputsApart) {
            self.drain()?;
            self.watched_commit()?;
            self.producer.begin()?;
        }
        for (partition, table, rows) in &carried.rows {
            let topic = self.shared.changelog(table);
            for (key, payload) in rows {
                let payload = payload.as_deref();
                let partition = Some(*partition);
                self.producer.send(&Outgoing { topic, partition, key, payload, headers: &[] })?;
                self.hit(Point::AfterRow)?;
            }
        }
        self.drain()
    }

    fn drain(&mut self) -> Result<(), Fault> {
        let timeout = self.producer.timeout();
        let producer = &mut self.producer;
        self.watchdog.watch("flush", timeout * 2, || producer.drain())
    }

    fn send_offsets(&mut self, positions: &[(Spot, i64)], stamp: &GroupStamp) -> Result<(), Fault> {
        let fresh = self.plants(Planted::StampAtCommit).then(|| self.member.stamp()).flatten();
        let stamp = fresh.as_ref().unwrap_or(stamp);
        let timeout = self.producer.timeout();
        let (shared, producer, id) = (&self.shared, &mut self.producer, &self.id);
        let outside = shared.settings.plants(Planted::OffsetsOutside);
        let member = &self.member;
        self.watchdog.watch("send_offsets", timeout, || {
            shared.faults.hit(id, Point::AfterDrain)?;
            if outside {
                let entries = positions.iter().map(|(spot, at)| (spot.clone(), *at, String::new()));
                return member.commit(&entries.collect::<Vec<_>>());
            }
            if positions.is_empty() { Ok(()) } else { producer.offsets(positions, stamp) }
        })
    }

    fn watched_commit(&mut self) -> Result<(), Fault> {
        let timeout = self.producer.timeout();
        let producer = &mut self.producer;
        self.watchdog.watch("commit", timeout, || producer.commit())
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
        self.hit(Point::BeforeAbort)?;
        let timeout = self.producer.timeout();
        let producer = &mut self.producer;
        self.watchdog.watch("abort", timeout * 3, || producer.abort())?;
        self.hit(Point::AfterAbort)?;
        if self.plants(Planted::AbortIgnored) {
            self.commit_lanes();
            return Ok(());
        }
        self.roll_back();
        self.hit(Point::AfterRollback)
    }

    /// Everything since the last commit comes again.
    pub(crate) fn roll_back(&mut self) {
        if self.plants(Planted::OverlayKept) {
            self.lanes.iter_mut().for_each(|lane| lane.task.commit());
        }
        self.lanes.iter_mut().for_each(Lane::rollback);
        if self.plants(Planted::SeekShort) {
            self.lanes.iter_mut().flat_map(|lane| &mut lane.feeds).for_each(|feed| drop(feed.take().cloned()));
        }
    }

    /// Everything since the last commit is final.
    fn merge(&mut self, carried: &Carried<S::Request>) -> Result<(), Fault> {
        self.alone = self.alone.saturating_sub(carried.batch.records);
        if carried.is_empty() {
            self.lanes.iter_mut().for_each(Lane::settle);
        } else {
            self.commit_lanes();
        }
        for (spot, next) in &carried.positions {
            self.journal.passed(spot, *next)?;
        }
        Ok(())
    }

    fn commit_lanes(&mut self) {
        self.lanes.iter_mut().for_each(Lane::commit);
    }

    fn count(&self, batch: &Batch<S::Request>) {
        let metrics = self.metrics();
        for (topic, count) in &batch.read {
            metrics.record_in(topic, *count);
        }
        for (topic, count) in batch.written() {
            metrics.record_out(topic, count);
        }
        for (topic, reason) in &batch.letters {
            metrics.dead_letter(topic, reason);
        }
    }

    /// Hands the requests to the outside world.
    fn perform(&self, requests: Vec<(i32, S::Request)>) {
        for (partition, request) in requests {
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
}
