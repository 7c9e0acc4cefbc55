//! Reading: as a member of the group, without one, and asking for watermarks.

use super::client::{self, log};
use super::{Fault, Record, Spot, passes};
use crate::{KafkaSettings, ServiceName};
use crossbeam_channel::Sender;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, ConsumerGroupMetadata};
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// What the group decided since it was last asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rebalance {
    /// These partitions are ours; nothing is fetched before [`Member::assign`].
    Assigned(Vec<(String, i32)>),
    /// Nothing is ours any more.
    Revoked,
}

/// The callback side: does what the protocol demands and otherwise only records a value.
#[derive(Debug, Default)]
struct Membership(Mutex<Option<Rebalance>>);

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka consumer");
    }
}

impl ConsumerContext for Membership {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assigned = err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let result = if assigned {
            // Acknowledged with nothing to fetch: the start offsets are chosen after the restore.
            // (Assigning at the end, paused, and again at the start offsets sometimes left a
            // partition that never fetched.)
            consumer.assign(&TopicPartitionList::new())
        } else {
            consumer.unassign()
        };
        if let Err(error) = result {
            tracing::error!(%error, "cannot follow a rebalance");
        }
        let spots = partitions.elements();
        let spots = spots.iter().map(|spot| (spot.topic().to_owned(), spot.partition())).collect();
        let event = if assigned { Rebalance::Assigned(spots) } else { Rebalance::Revoked };
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(event);
    }
}

/// Group and generation as they were at one moment: what offsets are committed with.
pub(crate) struct GroupStamp(pub(super) ConsumerGroupMetadata);

/// A member of the service's group.
pub(crate) struct Member {
    consumer: BaseConsumer<Membership>,
    topics: Vec<Arc<str>>,
}

impl Member {
    /// Subscribes; `wake` gets a word whenever there is something to poll.
    pub(crate) fn join(
        settings: &KafkaSettings,
        service: &ServiceName,
        slot: u32,
        topics: &[Arc<str>],
        wake: Sender<()>,
    ) -> Result<Self, Fault> {
        let config = client::member(settings, service, slot);
        let fault = |error: KafkaError| Fault::of("joining the group", &error);
        let mut consumer: BaseConsumer<Membership> =
            config.create_with_context(Membership::default()).map_err(fault)?;
        consumer.set_nonempty_callback(move || {
            let _ = wake.try_send(());
        });
        let names: Vec<&str> = topics.iter().map(|topic| &**topic).collect();
        consumer.subscribe(&names).map_err(fault)?;
        Ok(Self { consumer, topics: topics.to_vec() })
    }

    /// The next record that is here already.
    pub(crate) fn poll(&self) -> Result<Option<Record>, Fault> {
        poll(&self.consumer, &self.topics, Duration::ZERO)
    }

    /// What the group decided since the last call; the latest decision stands.
    pub(crate) fn rebalance(&self) -> Option<Rebalance> {
        let context = self.consumer.context();
        context.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
    }

    /// Whether the group has decided something since the last call of [`Member::rebalance`].
    pub(crate) fn rebalancing(&self) -> bool {
        let context = self.consumer.context();
        context.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_some()
    }

    /// Whether the group has given our partitions away without asking.
    pub(crate) fn lost(&self) -> bool {
        self.consumer.assignment_lost()
    }

    pub(crate) fn stamp(&self) -> Option<GroupStamp> {
        self.consumer.group_metadata().map(GroupStamp)
    }

    /// Takes up reading at these offsets; whatever was fetched before is dropped.
    pub(crate) fn assign(&self, positions: &[(Spot, i64)]) -> Result<(), Fault> {
        let list = offsets(positions)?;
        let fault = |error: KafkaError| Fault::of("taking up partitions", &error);
        self.consumer.assign(&list).map_err(fault)
    }

    pub(crate) fn pause(&self, spots: &[Spot]) -> Result<(), Fault> {
        let result = self.consumer.pause(&partitions(spots));
        result.map_err(|error| Fault::of("pausing partitions", &error))
    }

    pub(crate) fn resume(&self, spots: &[Spot]) -> Result<(), Fault> {
        let result = self.consumer.resume(&partitions(spots));
        result.map_err(|error| Fault::of("resuming partitions", &error))
    }

    /// The group's stable committed offsets with their metadata, in the order asked for.
    pub(crate) fn committed(&self, spots: &[Spot]) -> Result<Vec<(Option<i64>, String)>, Fault> {
        let fault = |error: KafkaError| Fault::of("reading committed offsets", &error);
        let list = self.consumer.committed_offsets(partitions(spots), ASK_TIMEOUT);
        let list = list.map_err(fault)?;
        let mut found = Vec::with_capacity(spots.len());
        for (topic, partition) in spots {
            let spot = list.find_partition(topic, *partition);
            let spot = spot.ok_or_else(|| Fault::Fatal(format!("committed offsets lack {topic}-{partition}")))?;
            spot.error().map_err(fault)?;
            found.push((number(spot.offset()), spot.metadata().to_owned()));
        }
        Ok(found)
    }

    /// Commits offsets with metadata outside any transaction. [`Fault::Abort`]: the group has
    /// decided anew, the partitions may be somebody else's.
    pub(crate) fn commit(&self, entries: &[(Spot, i64, String)]) -> Result<(), Fault> {
        let positions: Vec<_> = entries.iter().map(|(spot, at, _)| (spot.clone(), *at)).collect();
        let list = offsets(&positions)?;
        for ((topic, partition), _, metadata) in entries {
            let entry = list.find_partition(topic, *partition);
            entry.expect("the list was made with it").set_metadata(metadata);
        }
        let moved = [
            RDKafkaErrorCode::IllegalGeneration,
            RDKafkaErrorCode::RebalanceInProgress,
            RDKafkaErrorCode::UnknownMemberId,
            RDKafkaErrorCode::AssignmentLost,
        ];
        self.consumer.commit(&list, CommitMode::Sync).map_err(|error| match error.rdkafka_error_code() {
            Some(code) if moved.contains(&code) => Fault::Abort(error.to_string()),
            Some(_) | None => Fault::of("committing offsets", &error),
        })
    }

    /// Where reading stands, markers included; `None` until something was seen.
    pub(crate) fn position(&self, spot: &Spot) -> Option<i64> {
        position(&self.consumer, spot)
    }

    /// Last stable offsets: where a planted bug ends a restore.
    pub(crate) fn stable_ends(&self, spots: &[Spot]) -> Result<Vec<i64>, Fault> {
        edges(&self.consumer, spots, Offset::End)
    }
}

/// Whose records a reader sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// Committed transactions only.
    Committed,
    /// Aborted and open ones too.
    Uncommitted,
}

/// A reader of given partitions, without membership.
pub(crate) struct Reader {
    consumer: BaseConsumer,
    topics: Vec<Arc<str>>,
}

impl Reader {
    /// `wake` gets a word whenever there is something to poll.
    pub(crate) fn new(
        settings: &KafkaSettings,
        client_id: &str,
        topics: &[Arc<str>],
        wake: Option<Sender<()>>,
    ) -> Result<Self, Fault> {
        let consumer = client::reader(settings, client_id).create();
        let mut consumer: BaseConsumer = consumer.map_err(|error| Fault::of("making a reader", &error))?;
        if let Some(wake) = wake {
            consumer.set_nonempty_callback(move || {
                let _ = wake.try_send(());
            });
        }
        Ok(Self { consumer, topics: topics.to_vec() })
    }

    /// Reads at the given isolation, nobody to be woken.
    pub(crate) fn following(
        settings: &KafkaSettings,
        client_id: &str,
        topics: &[Arc<str>],
        isolation: Isolation,
    ) -> Result<Self, Fault> {
        match isolation {
            Isolation::Committed => Self::new(settings, client_id, topics, None),
            Isolation::Uncommitted => {
                let consumer = client::uncommitted_reader(settings, client_id).create();
                let consumer = consumer.map_err(|error| Fault::of("making a reader", &error))?;
                Ok(Self { consumer, topics: topics.to_vec() })
            }
        }
    }

    pub(crate) fn assign(&self, positions: &[(Spot, i64)]) -> Result<(), Fault> {
        let result = self.consumer.assign(&offsets(positions)?);
        result.map_err(|error| Fault::of("assigning a reader", &error))
    }

    pub(crate) fn poll(&self, wait: Duration) -> Result<Option<Record>, Fault> {
        poll(&self.consumer, &self.topics, wait)
    }

    pub(crate) fn position(&self, spot: &Spot) -> Option<i64> {
        position(&self.consumer, spot)
    }
}

/// Asks for watermarks in one request for all partitions of a broker.
pub(crate) struct Probe(BaseConsumer);

impl Probe {
    /// Sees everything: `ends` are high watermarks.
    pub(crate) fn new(settings: &KafkaSettings, client_id: &str) -> Result<Self, Fault> {
        let consumer = client::probe(settings, client_id).create();
        consumer.map(Self).map_err(|error| Fault::of("making a probe", &error))
    }

    /// The offset after the last record, in the order asked for.
    pub(crate) fn ends(&self, spots: &[Spot]) -> Result<Vec<i64>, Fault> {
        self.list(spots, Offset::End)
    }

    /// The first offset still there, in the order asked for.
    pub(crate) fn starts(&self, spots: &[Spot]) -> Result<Vec<i64>, Fault> {
        self.list(spots, Offset::Beginning)
    }

    fn list(&self, spots: &[Spot], which: Offset) -> Result<Vec<i64>, Fault> {
        edges(&self.0, spots, which)
    }
}

/// First or last offsets as this consumer may see them, in the order asked for.
fn edges<C: ConsumerContext>(consumer: &BaseConsumer<C>, spots: &[Spot], which: Offset) -> Result<Vec<i64>, Fault> {
    let fault = |error: KafkaError| Fault::of("asking for watermarks", &error);
    let mut list = partitions(spots);
    list.set_all_offsets(which).map_err(fault)?;
    let list = consumer.offsets_for_times(list, ASK_TIMEOUT).map_err(fault)?;
    let mut found = Vec::with_capacity(spots.len());
    for (topic, partition) in spots {
        let spot = list.find_partition(topic, *partition);
        let offset = spot.map(|spot| spot.error().map(|()| spot.offset())).transpose();
        let offset = offset.map_err(fault)?.and_then(number);
        found.push(offset.ok_or_else(|| Fault::Retriable(format!("no watermark of {topic}-{partition} came back")))?);
    }
    Ok(found)
}

fn poll<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topics: &[Arc<str>],
    wait: Duration,
) -> Result<Option<Record>, Fault> {
    let Some(polled) = consumer.poll(wait) else { return Ok(None) };
    let error = match polled {
        Ok(message) => return Ok(Some(Record::copy(&message, topics))),
        Err(error) => error,
    };
    let code = error.rdkafka_error_code();
    if code == Some(RDKafkaErrorCode::PollExceeded) || code.is_some_and(passes) {
        tracing::warn!(%error, "reading");
        return Ok(None);
    }
    if code == Some(RDKafkaErrorCode::AutoOffsetReset) {
        return Err(Fault::Fatal(format!(
            "the log does not have the offset we stand at (truncated, or emptied by retention): {error}"
        )));
    }
    Err(Fault::of("reading", &error))
}

fn position<C: ConsumerContext>(consumer: &BaseConsumer<C>, spot: &Spot) -> Option<i64> {
    let list = consumer.position().ok()?;
    number(list.find_partition(&spot.0, spot.1)?.offset())
}

fn number(offset: Offset) -> Option<i64> {
    match offset {
        Offset::Offset(offset) => Some(offset),
        Offset::Beginning | Offset::End | Offset::Stored | Offset::Invalid | Offset::OffsetTail(_) => None,
    }
}

fn partitions(spots: &[Spot]) -> TopicPartitionList {
    let mut list = TopicPartitionList::with_capacity(spots.len());
    for (topic, partition) in spots {
        list.add_partition(topic, *partition);
    }
    list
}

pub(super) fn offsets(positions: &[(Spot, i64)]) -> Result<TopicPartitionList, Fault> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for ((topic, partition), offset) in positions {
        let added = list.add_partition_offset(topic, *partition, Offset::Offset(*offset));
        added.map_err(|error| Fault::of("listing offsets", &error))?;
    }
    Ok(list)
}
