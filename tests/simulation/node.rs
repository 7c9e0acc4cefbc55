//! One service at work on the log: a task per partition, driven as the runtime drives it. Any step
//! may be aborted first, and any task may lose its memory and get it back from its changelog.

use crate::dice::Dice;
use crate::log::{Log, partitions_of};
use std::collections::BTreeMap;
use stream::testing::TaskDriver;
use stream::{InputRecord, Machine, Outbox, Station, Timestamp};

/// A service.
pub(crate) struct Node<S: Station> {
    pub(crate) station: S,
    pub(crate) tasks: Vec<Task<S>>,
    group: Vec<&'static str>,
    config: &'static str,
}

/// One of its partitions.
pub(crate) struct Task<S: Station> {
    pub(crate) driver: TaskDriver<S::Machine>,
    /// Requests handed out after their commit; they die with the process.
    pub(crate) requests: Vec<S::Request>,
    next: BTreeMap<&'static str, usize>,
}

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stepped {
    /// One record was taken, or deadlines were looked at.
    Worked,
    /// There is no record to take.
    CaughtUp,
}

impl<S: Station> Node<S>
where
    S::Machine: Clone,
    S::Request: Clone,
{
    /// A service that reads these topics, the first of them deciding the number of tasks.
    pub(crate) fn new(station: S, group: &[&'static str], config: &'static str) -> Self {
        let count = partitions_of(group[0]);
        let task = |_| Task {
            driver: TaskDriver::new(station.machine().clone()),
            requests: Vec::new(),
            next: BTreeMap::new(),
        };
        Self { tasks: (0..count).map(task).collect(), station, group: group.to_vec(), config }
    }

    /// Takes the oldest record of a task's inputs, or lets its time pass.
    pub(crate) fn step(&mut self, partition: usize, log: &mut Log, now: Timestamp, dice: &mut Dice) -> Stepped {
        let task = &mut self.tasks[partition];
        let topics = std::iter::once((self.config, 0)).chain(self.group.iter().map(|topic| (*topic, partition)));
        let heads = topics.filter_map(|(topic, partition)| {
            let offset = task.next.get(topic).copied().unwrap_or(0);
            Some((log.get(topic, partition, offset)?.clone(), topic, partition, offset))
        });
        let Some((entry, topic, source, offset)) = heads.min_by_key(|(entry, ..)| entry.at) else {
            let effects = task.driver.advance_to(now);
            self.speak(partition, effects, log, now);
            return Stepped::CaughtUp;
        };
        task.next.insert(topic, offset + 1);
        let record = InputRecord {
            topic,
            partition: i32::try_from(source).unwrap(),
            offset: i64::try_from(offset).unwrap(),
            timestamp: entry.at,
            key: Some(&entry.key),
            payload: entry.payload.as_deref(),
            headers: &[],
        };
        let intake = || self.station.intake(&record).unwrap_or_else(|reject| panic!("{topic}: {reject}"));
        if let Some(event) = intake() {
            if dice.chance(5) {
                task.driver.apply_aborted(event, entry.at);
            }
            let event = intake().expect("the same record gives the same event");
            let effects = task.driver.apply(event, entry.at);
            self.speak(partition, effects, log, now);
        }
        Stepped::Worked
    }

    /// Applies an event that is not from a record.
    pub(crate) fn apply(
        &mut self,
        partition: usize,
        event: <S::Machine as Machine>::Event,
        log: &mut Log,
        now: Timestamp,
    ) {
        let at = self.tasks[partition].driver.now();
        let effects = self.tasks[partition].driver.apply(event, at);
        self.speak(partition, effects, log, now);
    }

    /// The task's process dies; its successor restores the state. Gives the requests that died.
    pub(crate) fn crash(&mut self, partition: usize) -> Vec<S::Request> {
        let task = &mut self.tasks[partition];
        task.driver.crash_and_restore();
        std::mem::take(&mut task.requests)
    }

    fn speak(
        &mut self,
        partition: usize,
        effects: Vec<<S::Machine as Machine>::Effect>,
        log: &mut Log,
        now: Timestamp,
    ) {
        let mut out = Outbox::new();
        for effect in effects {
            self.station.outlet(effect, &mut out);
        }
        for output in out.records() {
            log.append(output.clone(), now);
        }
        self.tasks[partition].requests.extend_from_slice(out.requests());
    }
}
