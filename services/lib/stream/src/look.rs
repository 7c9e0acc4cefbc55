//! What a loop looks at between its turns: watermarks, pauses, gauges.

use crate::clock::{self, Stamp};
use crate::feed::Feed;
use crate::kafka::{Fault, Spot};
use crate::planted::Planted;
use crate::slot::Slot;
use crate::station::{Performer, Station};
use std::collections::BTreeMap;
use std::time::Duration;

/// The least time between two requests for watermarks.
const WATERMARKS_EVERY: Duration = Duration::from_millis(50);
/// How often the gauges are set.
const GAUGES_EVERY: Duration = Duration::from_secs(5);

impl<S: Station, P: Performer<S>> Slot<S, P> {
    /// Watermarks for blocked heads and due deadlines, pauses, gauges.
    pub(crate) fn look_around(&mut self) -> Result<(), Fault> {
        let half = self.shared.settings.merge_buffer_max / 2;
        for feed in self.lanes.iter_mut().flat_map(|lane| lane.feeds.iter_mut()) {
            if feed.paused && feed.buffered() <= half {
                feed.paused = false;
                self.member.resume(std::slice::from_ref(&feed.spot))?;
            }
        }
        let drifting = self.drift_at.elapsed_ms() >= self.shared.settings.idle_commit_ms;
        let gauges = self.gauges_at.elapsed() >= GAUGES_EVERY;
        let blocked = self.lanes.iter().any(|lane| lane.blocked);
        let due = (blocked || !self.configured) && self.watermarks_at.elapsed() >= WATERMARKS_EVERY;
        if due || gauges || drifting {
            self.watermarks();
        }
        if drifting {
            self.drift_at = Stamp::now();
            self.drifting = true;
        }
        let mut config = self.lanes.iter().flat_map(|lane| &lane.feeds).filter(|feed| feed.config);
        if !self.configured && config.all(Feed::done) {
            self.configured = true;
            self.tracked.ready();
        }
        if gauges {
            self.gauges_at = Stamp::now();
            self.gauges();
        }
        Ok(())
    }

    /// Asks how far each input reaches and how far each is read.
    fn watermarks(&mut self) {
        let asked = clock::now();
        let feeds = || self.lanes.iter().flat_map(|lane| &lane.feeds);
        let spots: Vec<Spot> = feeds().map(|feed| feed.spot.clone()).collect();
        if spots.is_empty() {
            return;
        }
        self.watermarks_at = Stamp::now();
        let ends = match self.probe.ends(&spots) {
            Ok(ends) => ends,
            Err(error) => {
                tracing::warn!(%error, "no watermarks");
                return;
            }
        };
        let blind = self.plants(Planted::InputsNotWaitedFor);
        let feeds = self.lanes.iter_mut().flat_map(|lane| lane.feeds.iter_mut());
        for (feed, end) in feeds.zip(ends) {
            feed.saw_high(if blind { 0 } else { end }, asked);
            let config = self.config.as_ref().filter(|_| feed.config);
            let position = match config {
                Some(reader) => reader.position(&feed.spot),
                None => self.member.position(&feed.spot),
            };
            feed.passed(position.unwrap_or(0));
        }
    }

    /// Shows a fingerprint of every table, if the settings want it: what a task leaves behind is
    /// what the next restore must find.
    pub(crate) fn digest(&mut self, when: &'static str) {
        if !self.shared.settings.state_digests {
            return;
        }
        for lane in &mut self.lanes {
            let (partition, now) = (lane.partition, lane.task.now());
            for (table, rows, digest) in lane.task.digests() {
                tracing::info!(slot = self.id, when, partition, table, rows, digest, %now, "state digest");
                self.shared.metrics.digest(when, table, partition, digest);
            }
        }
    }

    /// Lag, waits and rows; alarms for what stands still.
    fn gauges(&mut self) {
        let metrics = &self.shared.metrics;
        let clock = clock::now();
        let mut rows: BTreeMap<&'static str, usize> = BTreeMap::new();
        for lane in &mut self.lanes {
            for (table, count) in lane.task.row_counts() {
                *rows.entry(table).or_default() += count;
            }
            let (stopped, waits) = (lane.stopped(), lane.waits_for);
            for feed in lane.feeds.iter().filter(|feed| !feed.config) {
                let (topic, partition) = (&*feed.spot.0, feed.spot.1);
                let (records, age_ms) = feed.lag(clock);
                metrics.lag(topic, partition, records, age_ms);
                metrics.lso_gap(topic, partition).set(feed.gap());
                metrics.waiting(topic, partition).set(i64::from(waits.is_some()));
                metrics.stopped(topic, partition).set(i64::from(stopped));
            }
            let partition = lane.partition;
            if stopped {
                tracing::error!(partition, "partition stopped: too many records were refused");
            }
            if let Some(reason) = waits {
                tracing::warn!(partition, reason, "partition waits");
            }
            let head = lane.feeds.iter().filter_map(|feed| Some(feed.head()?.timestamp)).min();
            let held_ms = head.map_or(0, |head| clock.ms_since(head));
            let limit = i64::try_from(self.shared.settings.input_wait_max_ms).unwrap_or(i64::MAX);
            if lane.blocked && lane.blocked_ms() > limit {
                tracing::error!(partition, held_ms, "partition waits for another input");
            }
        }
        for (table, count) in rows {
            metrics.state_rows(table).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        let states: Vec<_> = self.lanes.iter().map(|lane| lane.task.state()).collect();
        self.shared.station.observe(&self.id, &states);
        let open = i64::try_from(self.open_requests()).unwrap_or(i64::MAX);
        metrics.open_requests(&self.id).set(open);
    }
}
