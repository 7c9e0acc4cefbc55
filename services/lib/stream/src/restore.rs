//! Before a task may process: where its inputs stand, and its state from the changelog.

use crate::Reject;
use crate::clock::{self, Stamp};
use crate::faults::Point;
use crate::feed::Feed;
use crate::kafka::consumer::Reader;
use crate::kafka::{Fault, Spot};
use crate::lane::{Lane, Poison};
use crate::patience::Patience;
use crate::planted::Planted;
use crate::reply::Lease;
use crate::run::Shared;
use crate::slot::Slot;
use crate::station::{Performer, Station};
use crate::task::Task;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Changelog rows read between two looks at the group.
const ROWS_BETWEEN_POLLS: usize = 10_000;
const READ_WAIT: Duration = Duration::from_millis(20);
/// Brokers that cannot answer just now are asked again for this long.
const ASK_LIMIT: Duration = Duration::from_secs(20);

/// The tables of one partition, each with how far its changelog must be read.
struct Open<S: Station> {
    task: Task<S::Machine>,
    partition: i32,
}

impl<S: Station, P: Performer<S>> Slot<S, P> {
    /// Builds the tasks of newly assigned partitions; gives up quietly when the group decides
    /// anew meanwhile.
    ///
    /// The committed offsets are asked for first: stable ones, so that the former owner's open
    /// transaction has ended. The other order could miss its last batch.
    pub(crate) fn restore(&mut self, assigned: &[(String, i32)]) -> Result<(), Fault> {
        let began = Stamp::now();
        let partitions: BTreeSet<i32> = assigned.iter().map(|(_, partition)| *partition).collect();
        let spots = spots(&self.shared.inputs.group, &partitions);
        self.hit(Point::BeforeCommittedOffsets)?;
        let Some(committed) = self.ask(|slot| slot.member.committed(&spots))? else {
            return Ok(());
        };
        self.hit(Point::AfterCommittedOffsets)?;
        let Some(tasks) = self.read_changelogs(&partitions)? else { return Ok(()) };
        self.hit(Point::AfterChangelog)?;
        let Some(starts) = self.ask(|slot| slot.probe.starts(&spots))? else { return Ok(()) };
        let config = spots_of_config(&self.shared);
        let Some(config_starts) = self.ask(|slot| slot.probe.starts(&config))? else {
            return Ok(());
        };
        let known = spots.into_iter().zip(committed.into_iter().map(|(offset, _)| offset));
        let known: BTreeMap<Spot, (Option<i64>, i64)> =
            known.zip(starts).map(|((spot, offset), start)| (spot, (offset, start))).collect();
        let renewed = &self.renewed_ms;
        renewed.store(clock::now().as_ms(), Ordering::Release);
        let valid_ms = match self.plants(Planted::LeaseNeverEnds) {
            true => i64::MAX,
            false => i64::try_from(self.shared.settings.session_timeout_ms / 2).unwrap_or(0),
        };
        for Open { task, partition } in tasks {
            let group = known.iter().filter(|((_, p), _)| *p == partition);
            let group = group.map(|(spot, (committed, first))| {
                let start = committed.or_else(|| task.offset(&spot.0)).unwrap_or(*first);
                Feed::new(spot.clone(), start, false)
            });
            let config = config.iter().zip(&config_starts).map(|(spot, first)| {
                let start = task.offset(&spot.0).unwrap_or(*first).max(*first);
                Feed::new(spot.clone(), start, true)
            });
            let mut feeds: Vec<Feed> = config.chain(group).collect();
            let order = &self.shared.inputs;
            feeds.sort_by_key(|feed| order.position(&feed.spot.0));
            let lease = Lease::new(Arc::clone(renewed), valid_ms);
            self.lanes.push(Lane::new(partition, task, feeds, lease));
        }
        self.take_up()?;
        self.shared.metrics.restored(began.elapsed().as_secs_f64());
        let rows: usize = self.lanes.iter_mut().flat_map(|lane| lane.task.row_counts()).map(|(_, n)| n).sum();
        let ms = began.elapsed_ms();
        tracing::info!(slot = self.id, tasks = self.lanes.len(), rows, ms, "state restored");
        self.digest("restored");
        self.journal.keep(|(_, partition)| partitions.contains(partition))?;
        let reject = || Reject::new("crash", "the process died working it each time");
        let condemned = self.journal.condemned();
        self.poison = condemned.map(|(coordinates, tries)| Poison { coordinates, tries, reject: reject() });
        self.configured = false;
        self.tracked.waits_for("the configuration that stands");
        self.hit(Point::AfterTakeUp)
    }

    /// Starts reading at the positions of the feeds.
    fn take_up(&mut self) -> Result<(), Fault> {
        let feeds = || self.lanes.iter().flat_map(|lane| &lane.feeds);
        let of_group = feeds().filter(|feed| !feed.config);
        let positions: Vec<_> = of_group.map(|f| (f.spot.clone(), f.position())).collect();
        if !positions.is_empty() {
            self.member.assign(&positions)?;
        }
        if let Some(reader) = &self.config {
            let mut earliest: BTreeMap<Spot, i64> = BTreeMap::new();
            for feed in feeds().filter(|feed| feed.config) {
                let start = earliest.entry(feed.spot.clone()).or_insert(feed.position());
                *start = feed.position().min(*start);
            }
            reader.assign(&earliest.into_iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// Reads every table of these partitions to the end of its changelog, as it is now.
    fn read_changelogs(&mut self, partitions: &BTreeSet<i32>) -> Result<Option<Vec<Open<S>>>, Fault> {
        let open = partitions.iter().map(|p| Open { task: Task::new(), partition: *p });
        let mut open: Vec<Open<S>> = open.collect();
        let topics: Vec<Arc<str>> = self.shared.changelogs.values().cloned().collect();
        let tables: BTreeMap<Arc<str>, &str> =
            self.shared.changelogs.iter().map(|(table, topic)| (Arc::clone(topic), *table)).collect();
        let spots = spots(&topics, partitions);
        let Some(starts) = self.ask(|slot| slot.probe.starts(&spots))? else { return Ok(None) };
        let stable = self.plants(Planted::RestoreToStableEnd);
        let ends = self.ask(|slot| if stable { slot.member.stable_ends(&spots) } else { slot.probe.ends(&spots) })?;
        let Some(ends) = ends else { return Ok(None) };
        let positions: Vec<(Spot, i64)> = spots.iter().cloned().zip(starts).collect();
        let mut left: BTreeMap<Spot, (i64, i64)> = positions
            .iter()
            .zip(ends)
            .filter(|((_, start), end)| start < end)
            .map(|((spot, start), end)| (spot.clone(), (*start, end)))
            .collect();
        let reader = Reader::new(&self.shared.settings, &self.id, &topics, None)?;
        let wanted: Vec<_> = positions.into_iter().filter(|(s, _)| left.contains_key(s)).collect();
        if !wanted.is_empty() {
            reader.assign(&wanted)?;
        }
        let mut moved = Stamp::now();
        while !left.is_empty() {
            let rows = self.read_rows(&reader, &tables, &mut open, &mut left)?;
            if rows > 0 {
                moved = Stamp::now();
            } else if self.plants(Planted::RestoreToSilence) {
                break;
            }
            if moved.elapsed_ms() > self.shared.settings.restore_wait_max_ms {
                let (topic, partition) = left.keys().next().expect("something is left");
                return Err(Fault::Fatal(stuck(topic, *partition)));
            }
            if self.keep_polling()? {
                return Ok(None);
            }
        }
        for Open { task, .. } in &mut open {
            task.restored().map_err(|broken| Fault::Fatal(broken.to_string()))?;
        }
        Ok(Some(open))
    }

    /// Takes in what is there of the changelogs; the number of rows.
    fn read_rows(
        &self,
        reader: &Reader,
        tables: &BTreeMap<Arc<str>, &str>,
        open: &mut [Open<S>],
        left: &mut BTreeMap<Spot, (i64, i64)>,
    ) -> Result<usize, Fault> {
        let mut rows = 0;
        let wait = if self.plants(Planted::RestoreToSilence) { Duration::ZERO } else { READ_WAIT };
        while rows < ROWS_BETWEEN_POLLS {
            let Some(record) = reader.poll(wait)? else { break };
            rows += 1;
            let task = open.iter_mut().find(|open| open.partition == record.partition);
            let table = tables.get(&record.topic).filter(|table| !self.skips(table));
            if let (Some(Open { task, .. }), Some(table)) = (task, table) {
                let key = record.key.as_deref().unwrap_or_default();
                let restored = task.restore(table, key, record.payload.as_deref());
                restored.map_err(|error| Fault::Fatal(format!("{error} (record {})", record.view().coordinates())))?;
            }
            if let Some((position, _)) = left.get_mut(&(record.topic, record.partition)) {
                *position = record.offset + 1;
            }
            self.hit(Point::AmidChangelog)?;
        }
        left.retain(|spot, (position, end)| {
            *position = reader.position(spot).map_or(*position, |passed| passed.max(*position));
            *position < *end
        });
        Ok(rows)
    }

    /// The planted bug: a table that is not restored.
    fn skips(&self, table: &str) -> bool {
        self.plants(Planted::TableNotRestored) && Task::<S::Machine>::table_names().get(1) == Some(&table)
    }

    /// Serves the group while something else takes long; true if it decided anew or the end was
    /// asked for.
    fn keep_polling(&mut self) -> Result<bool, Fault> {
        self.tracked.moved();
        while self.member.poll()?.is_some() {}
        Ok(self.member.rebalancing() || self.shared.shutdown.requested())
    }

    /// Asks the brokers, again if they are busy; `None` if the group decided anew meanwhile.
    fn ask<T>(&mut self, question: impl Fn(&Self) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
        let patience = Patience::of(ASK_LIMIT);
        loop {
            if self.keep_polling()? {
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

/// Why a restore ends without its end: what it has read is not stable, and nobody is left to make it so.
fn stuck(topic: &str, partition: i32) -> String {
    format!(
        "restoring {topic}-{partition} makes no progress: most likely a transaction there hangs, which the broker \
         has forgotten to end (known of brokers of 4.3 and 4.4 that were killed: KAFKA-20734). \
         `kafka-transactions.sh find-hanging --topic {topic}` shows it; ARCHITECTURE.md says how to end it"
    )
}

fn spots(topics: &[Arc<str>], partitions: &BTreeSet<i32>) -> Vec<Spot> {
    let of = |topic: &Arc<str>| partitions.iter().map(|p| (Arc::clone(topic), *p)).collect::<Vec<_>>();
    topics.iter().flat_map(of).collect()
}

fn spots_of_config<S: Station, P: Performer<S>>(shared: &Shared<S, P>) -> Vec<Spot> {
    shared.inputs.config.iter().map(|topic| (Arc::clone(topic), 0)).collect()
}
