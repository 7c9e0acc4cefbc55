//! The raw loop: reads, writes a given shape, commits; no decoding, no state, no rules.

use std::time::Duration;

use anyhow::{Context, ensure};
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use stream::clock::Stamp;

use crate::cluster::{Cluster, drain, send};
use crate::proc;
use crate::shape::Shape;

/// As the runtime's defaults.
const BATCH_RECORDS_MAX: u64 = 5_000;
const COMMIT_INTERVAL: Duration = Duration::from_millis(50);
const CALL: Duration = Duration::from_secs(30);
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How results become final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One transactional producer.
    Transactional,
    /// Two transactional producers, every other transaction each.
    Alternating,
    /// Offsets are committed after the outputs, without a transaction.
    AtLeastOnce,
}

/// What a stretch of work took.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// Records read.
    pub records: u64,
    /// Wall clock.
    pub seconds: f64,
    /// CPU of the process that worked.
    pub cpu_s: f64,
    /// CPU of the broker, where its process is known.
    pub broker_s: Option<f64>,
}

impl Measured {
    /// Records a second.
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }

    /// CPU of the worker for each record, microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.cpu_s * 1e6 / self.records as f64
    }

    /// CPU of the broker for each record, microseconds.
    pub fn broker_us(&self) -> Option<f64> {
        self.broker_s.map(|seconds| seconds * 1e6 / self.records as f64)
    }
}

/// Reads of the clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    at: Stamp,
    cpu_s: f64,
    broker_s: Option<f64>,
    records: u64,
}

impl Mark {
    /// Now, with `records` done, of the process `worker`.
    ///
    /// # Errors
    /// If that process is gone.
    pub fn now(worker: u32, broker: Option<u32>, records: u64) -> anyhow::Result<Self> {
        let broker_s = broker.map(proc::cpu_s).transpose()?;
        Ok(Self { at: Stamp::now(), cpu_s: proc::cpu_s(worker)?, broker_s, records })
    }

    /// From `earlier` to this one.
    pub fn since(&self, earlier: &Self) -> Measured {
        Measured {
            records: self.records - earlier.records,
            seconds: self.at.since(earlier.at).as_secs_f64(),
            cpu_s: self.cpu_s - earlier.cpu_s,
            broker_s: self.broker_s.zip(earlier.broker_s).map(|(now, then)| now - then),
        }
    }
}

/// A loop about to run.
pub struct RawLoop<'a> {
    /// Where.
    pub cluster: &'a Cluster,
    /// What is read, from its beginning.
    pub input: &'a str,
    /// What is written for it.
    pub shape: &'a Shape,
    /// How it becomes final.
    pub mode: Mode,
    /// The broker's process, where known.
    pub broker: Option<u32>,
}

impl RawLoop<'_> {
    /// Works off `records` records under a group of that name; measured from the first commit on.
    ///
    /// # Errors
    /// If anything fails; the raw loop recovers from nothing.
    pub fn run(&self, group: &str, records: u64) -> anyhow::Result<Measured> {
        let consumer = self.cluster.consumer(group, "read_committed")?;
        consumer.subscribe(&[self.input])?;
        let producers = match self.mode {
            Mode::AtLeastOnce => vec![self.cluster.producer()?],
            Mode::Transactional => vec![self.cluster.transactional(&format!("{group}.0"))?],
            Mode::Alternating => {
                vec![
                    self.cluster.transactional(&format!("{group}.0"))?,
                    self.cluster.transactional(&format!("{group}.1"))?,
                ]
            }
        };
        let mut writer = Writer::new(self.shape);
        let mut first = None;
        let (mut done, mut turn) = (0, 0);
        let mark = |done| Mark::now(std::process::id(), self.broker, done);
        while done < records {
            let producer = &producers[turn % producers.len()];
            turn += 1;
            done += self.turn(&consumer, producer, &mut writer)?;
            if first.is_none() {
                first = Some(mark(done)?);
            }
        }
        let last = mark(done)?;
        Ok(last.since(&first.context("there was nothing to read")?))
    }

    /// One transaction, or batch.
    fn turn(&self, consumer: &BaseConsumer, producer: &BaseProducer, writer: &mut Writer<'_>) -> anyhow::Result<u64> {
        let transactional = self.mode != Mode::AtLeastOnce;
        let mut offsets = Offsets::default();
        let mut began = Stamp::now();
        let mut count = 0;
        while count < BATCH_RECORDS_MAX {
            let Some(message) = consumer.poll(Duration::from_millis(5)) else {
                if count > 0 {
                    break;
                }
                ensure!(began.elapsed() < SILENCE_MAX, "nothing came to read");
                continue;
            };
            let message = message?;
            if count == 0 {
                began = Stamp::now();
                if transactional {
                    producer.begin_transaction()?;
                }
            }
            count += 1;
            writer.write(producer, message.partition())?;
            offsets.note(message.partition(), message.offset() + 1);
            if count % 64 == 0 && began.elapsed() >= COMMIT_INTERVAL {
                break;
            }
        }
        drain(producer)?;
        let list = offsets.list(self.input)?;
        if transactional {
            let group = consumer.group_metadata().context("a member has metadata")?;
            producer.send_offsets_to_transaction(&list, &group, CALL)?;
            producer.commit_transaction(CALL)?;
        } else {
            consumer.commit(&list, CommitMode::Async)?;
        }
        Ok(count)
    }
}

/// The next offset of each partition.
#[derive(Default)]
struct Offsets(Vec<Option<i64>>);

impl Offsets {
    fn note(&mut self, partition: i32, next: i64) {
        let at = usize::try_from(partition).unwrap_or(0);
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        self.0[at] = Some(next);
    }

    fn list(&self, topic: &str) -> anyhow::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (partition, next) in (0i32..).zip(&self.0) {
            if let Some(next) = next {
                list.add_partition_offset(topic, partition, Offset::Offset(*next))?;
            }
        }
        Ok(list)
    }
}

/// Writes a shape, record by record.
struct Writer<'a> {
    shape: &'a Shape,
    owed: Vec<f64>,
    next: Vec<usize>,
}

impl<'a> Writer<'a> {
    fn new(shape: &'a Shape) -> Self {
        let strands = shape.strands.len();
        Self { shape, owed: vec![0.0; strands], next: vec![0; strands] }
    }

    /// What one record read leads to.
    fn write(&mut self, producer: &BaseProducer, partition: i32) -> anyhow::Result<()> {
        for (at, strand) in self.shape.strands.iter().enumerate() {
            self.owed[at] += strand.per_record;
            while self.owed[at] >= 1.0 {
                self.owed[at] -= 1.0;
                let sample = &strand.samples[self.next[at] % strand.samples.len()];
                self.next[at] += 1;
                let mut record = BaseRecord::<[u8], [u8]>::to(&strand.topic).key(sample.key.as_slice());
                record.payload = sample.payload.as_deref();
                record.partition = strand.same_partition.then_some(partition);
                send(producer, record)?;
            }
        }
        Ok(())
    }
}
