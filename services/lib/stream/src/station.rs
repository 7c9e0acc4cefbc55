//! What a service hands the runtime: where its records come from, how they are read, and how its
//! effects are spoken.

use crate::machine::Machine;
use crate::{Reply, Timestamp};
use std::borrow::Cow;
use std::fmt;

/// The shell around a machine: bytes in, bytes out. One value serves all partitions.
pub trait Station: Send + Sync + 'static {
    /// The rules.
    type Machine: Machine;
    /// Work for the outside world, performed after the commit; [`std::convert::Infallible`]
    /// where there is none.
    type Request: Send + 'static;
    /// What came of a request; kept by the runtime until it is committed.
    type Outcome: Send + 'static;

    /// The machine.
    fn machine(&self) -> &Self::Machine;

    /// The topics this service reads.
    fn inputs(&self) -> Inputs;

    /// Reads one record. `None`: nothing for the machine. Runs on the loop's thread.
    fn intake(&self, record: &InputRecord<'_>) -> Result<Option<EventOf<Self>>, Reject>;

    /// Why this record cannot be read just now (an unknown schema id while the registry is away);
    /// its partition then waits, visibly. Asked before [`Station::intake`].
    fn waits(&self, record: &InputRecord<'_>) -> Option<&'static str> {
        let _ = record;
        None
    }

    /// Speaks one effect: records of the same transaction, requests for after it.
    fn outlet(&self, effect: EffectOf<Self>, out: &mut Outbox<Self::Request>);

    /// Reads what a performer reports.
    fn outcome(&self, outcome: &Self::Outcome) -> EventOf<Self>;

    /// After a restore: one event for each open claim whose result died with the last process.
    fn lost(&self, state: &StateOf<Self>) -> Vec<EventOf<Self>> {
        let _ = state;
        Vec::new()
    }

    /// Told now and then what the tasks of one loop remember, for gauges that follow from state.
    fn observe(&self, slot: &str, states: &[&StateOf<Self>]) {
        let _ = (slot, states);
    }

    /// Encodes a dead letter; it goes to `<source topic>.dlq` under the source's key.
    fn dead_letter(&self, letter: &DeadLetter<'_>) -> Vec<u8>;
}

/// The events of a station's machine.
pub type EventOf<S> = <<S as Station>::Machine as Machine>::Event;
/// The effects of a station's machine.
pub type EffectOf<S> = <<S as Station>::Machine as Machine>::Effect;
/// The state of a station's machine.
pub type StateOf<S> = <<S as Station>::Machine as Machine>::State;

/// Performs requests in the outside world, after their transaction is committed.
///
/// Called on the loop's thread: it hands over and returns at once. The runtime bounds the number
/// of open requests (`requests_max`) and stops reading at the limit.
pub trait Performer<S: Station>: Send + Sync + 'static {
    /// Takes one request of one partition; the outcome goes back through `reply`.
    fn perform(&self, partition: i32, request: S::Request, reply: Reply<S::Outcome>);
}

/// The performer of stations without requests.
#[derive(Clone, Copy, Debug)]
pub struct NoPerformer;

impl<S: Station<Request = std::convert::Infallible>> Performer<S> for NoPerformer {
    fn perform(&self, _: i32, request: S::Request, _: Reply<S::Outcome>) {
        match request {}
    }
}

/// The name of a service: part of its group, transactional ids and changelogs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName(String);

impl ServiceName {
    /// A name of lower-case letters, digits and dashes.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// As given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The consumer group: `weft.<service>`.
    pub fn group(&self) -> String {
        format!("weft.{}", self.0)
    }

    /// The transactional and group instance id of a slot: `weft.<service>.<slot>`.
    pub fn slot_id(&self, slot: u32) -> String {
        format!("weft.{}.{slot}", self.0)
    }

    /// The topic of a state table: `weft-<service>-<table>-changelog`.
    pub fn changelog(&self, table: &str) -> String {
        format!("weft-{}-{table}-changelog", self.0)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The topics a station reads.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    pub(crate) group: Vec<String>,
    pub(crate) config: Vec<String>,
}

impl Inputs {
    /// Co-partitioned topics, read with the group: task `p` gets partition `p` of each.
    pub fn new<T: Into<String>>(topics: impl IntoIterator<Item = T>) -> Self {
        Self { group: topics.into_iter().map(Into::into).collect(), config: Vec::new() }
    }

    /// One-partition topics that every task reads as an input of its own, without the group.
    #[must_use]
    pub fn config<T: Into<String>>(mut self, topics: impl IntoIterator<Item = T>) -> Self {
        self.config.extend(topics.into_iter().map(Into::into));
        self
    }
}

/// One record as it was read.
#[derive(Clone, Copy, Debug)]
pub struct InputRecord<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// When the broker appended it.
    pub timestamp: Timestamp,
    /// Key, if any.
    pub key: Option<&'a [u8]>,
    /// Payload; none is a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Headers in order.
    pub headers: &'a [(String, Vec<u8>)],
}

impl<'a> InputRecord<'a> {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// `topic-partition@offset`, as in the header `weft-src`.
    pub fn coordinates(&self) -> String {
        format!("{}-{}@{}", self.topic, self.partition, self.offset)
    }
}

/// The record's own fault: it becomes a dead letter and the offset moves on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Reject {
    /// One of a closed set; a metric label.
    pub reason: &'static str,
    /// What was expected and what came, without personal data.
    pub detail: String,
}

impl Reject {
    /// A reject.
    pub fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// What a dead letter is made of.
#[derive(Clone, Copy, Debug)]
pub struct DeadLetter<'a> {
    /// The record as it came.
    pub record: &'a InputRecord<'a>,
    /// Why: one of the service's reasons, or `panic` or `crash`.
    pub reason: &'static str,
    /// What was expected and what came.
    pub detail: &'a str,
    /// How often it was tried.
    pub attempt: u32,
}

/// One record to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Topic.
    pub topic: Cow<'static, str>,
    /// Key; chooses the partition (murmur2) unless one is given.
    pub key: Vec<u8>,
    /// Payload; none is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// An explicit partition.
    pub partition: Option<i32>,
    /// Headers beside those of the runtime.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

impl Output {
    /// A record whose partition follows from its key.
    pub fn new(topic: impl Into<Cow<'static, str>>, key: impl Into<Vec<u8>>, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            topic: topic.into(),
            key: key.into(),
            payload: Some(payload.into()),
            partition: None,
            headers: Vec::new(),
        }
    }

    /// A deletion in a compacted topic.
    pub fn tombstone(topic: impl Into<Cow<'static, str>>, key: impl Into<Vec<u8>>) -> Self {
        Self { payload: None, ..Self::new(topic, key, Vec::new()) }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// Where a station puts what its effects mean.
#[derive(Debug)]
pub struct Outbox<R> {
    pub(crate) records: Vec<Output>,
    pub(crate) requests: Vec<R>,
}

impl<R> Outbox<R> {
    /// An empty one, as tests of outlets need it.
    pub const fn new() -> Self {
        Self { records: Vec::new(), requests: Vec::new() }
    }

    /// Writes a record in the transaction.
    pub fn record(&mut self, output: Output) {
        self.records.push(output);
    }

    /// Asks the outside world for something, after the commit.
    pub fn request(&mut self, request: R) {
        self.requests.push(request);
    }

    /// The records so far.
    pub fn records(&self) -> &[Output] {
        &self.records
    }

    /// The requests so far.
    pub fn requests(&self) -> &[R] {
        &self.requests
    }
}

impl<R> Default for Outbox<R> {
    fn default() -> Self {
        Self::new()
    }
}
