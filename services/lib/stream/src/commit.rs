//! The second half of a turn: what was worked in memory becomes a transaction, at once or beside the
//! next turn's work, or is taken back.

use crate::batch::Batch;
use crate::clock::Stamp;
use crate::committer::Carried;
use crate::faults::Point;
use crate::kafka::Fault;
use crate::kafka::consumer::GroupStamp;
use crate::lane::Lane;
use crate::planted::Planted;
use crate::reply::{Place, Reply};
use crate::slot::Slot;
use crate::station::{Performer, Station};
use crate::task::TASK_TABLE;
use std::sync::Arc;

/// Aborted transactions in a row after which the process starts afresh.
const ABORTS_MAX: u32 = 10;

/// Whether a transaction became final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Committed,
    /// Everything that was not final is taken back, what was worked meanwhile too.
    TakenBack,
}

impl<S: Station, P: Performer<S>> Slot<S, P> {
    /// Commits what the turn has done: beside the next turn's work where there is `more` to do.
    pub(crate) fn finish(
        &mut self,
        batch: Batch<S::Request>,
        stamp: Option<GroupStamp>,
        more: bool,
    ) -> Result<(), Fault> {
        let Some(stamp) = stamp else {
            self.roll_back();
            return Ok(());
        };
        let mut carried = self.carry(batch, stamp);
        if carried.batch.outputs.is_empty() && carried.rows.is_empty() && carried.positions.is_empty() {
            self.alone = self.alone.saturating_sub(carried.batch.records);
            self.lanes.iter_mut().for_each(Lane::settle);
            return Ok(());
        }
        if self.plants(Planted::RequestsBeforeCommit) {
            self.perform(std::mem::take(&mut carried.batch.requests));
        }
        self.lanes.iter_mut().for_each(Lane::seal);
        // Requests are for after the commit, and who works record by record wants to know of each.
        if more && self.alone == 0 && !self.journal.is_careful() && carried.batch.requests.is_empty() {
            self.pending = Some(carried);
            return Ok(());
        }
        let ended = self.committer.transact(&carried, &self.member);
        self.settle(carried, ended).map(drop)
    }

    /// Everything the transaction is to carry.
    fn carry(&mut self, batch: Batch<S::Request>, stamp: GroupStamp) -> Carried<S::Request> {
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
        Carried { batch, rows, positions, stamp }
    }

    /// What comes of a transaction's end.
    pub(crate) fn settle(&mut self, carried: Carried<S::Request>, ended: Result<(), Fault>) -> Result<Ended, Fault> {
        match ended {
            Ok(()) => self.aborts = 0,
            Err(Fault::Abort(reason)) => {
                self.abort(&reason)?;
                return Ok(Ended::TakenBack);
            }
            Err(fault) => return Err(fault),
        }
        self.hit(Point::AfterCommit)?;
        self.alone = self.alone.saturating_sub(carried.batch.records);
        self.lanes.iter_mut().for_each(Lane::commit);
        for (spot, next) in &carried.positions {
            self.journal.passed(spot, *next)?;
        }
        self.hit(Point::AfterMerge)?;
        self.count(&carried.batch);
        self.perform(carried.batch.requests);
        self.hit(Point::AfterWake)?;
        Ok(Ended::Committed)
    }

    fn abort(&mut self, reason: &str) -> Result<(), Fault> {
        self.aborts += 1;
        tracing::warn!(slot = self.id, reason, in_row = self.aborts, "transaction aborted");
        if self.aborts >= ABORTS_MAX {
            return Err(Fault::Fatal(format!("{ABORTS_MAX} aborts in a row, the last: {reason}")));
        }
        self.hit(Point::BeforeAbort)?;
        self.committer.abort()?;
        self.hit(Point::AfterAbort)?;
        if self.plants(Planted::AbortIgnored) {
            self.lanes.iter_mut().for_each(Lane::commit);
            return Ok(());
        }
        self.roll_back();
        self.hit(Point::AfterRollback)
    }

    /// Everything that is not final comes again.
    pub(crate) fn roll_back(&mut self) {
        if self.plants(Planted::OverlayKept) {
            self.lanes.iter_mut().for_each(Lane::keep_state);
        }
        self.lanes.iter_mut().for_each(Lane::rollback);
        if self.plants(Planted::SeekShort) {
            self.lanes.iter_mut().flat_map(|lane| &mut lane.feeds).for_each(|feed| drop(feed.take().cloned()));
        }
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
