//! What a loop tells its gauges now and then.

use crate::clock;
use crate::slot::Slot;
use crate::station::{Performer, Station};
use std::collections::BTreeMap;

impl<S: Station, P: Performer<S>> Slot<S, P> {
    /// Lag, waits and rows; alarms for what stands still.
    pub(crate) fn gauges(&mut self) {
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
