//! Topics and groups, as operators see them. Deletes nothing.

use super::client;
use super::consumer::{Isolation, Probe, Reader};
use super::{Fault, Spot};
use crate::patience::Patience;
use crate::{KafkaSettings, Timestamp};
use rdkafka::TopicPartitionList;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
/// For looking at the records at some offsets, all together, and at one go.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);
/// For finding out why no broker answered.
const WHY_TIMEOUT: Duration = Duration::from_secs(3);

/// A topic as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPlan {
    /// Name.
    pub name: String,
    /// Partition count.
    pub partitions: i32,
    /// Replicas of each partition.
    pub replication: i32,
    /// Topic settings.
    pub config: BTreeMap<String, String>,
}

/// How far a group has come in one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupOffset {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Next offset, if the group has committed one.
    pub committed: Option<i64>,
    /// High watermark.
    pub end: i64,
}

/// The administrator's client.
pub struct Admin {
    admin: AdminClient<DefaultClientContext>,
    settings: KafkaSettings,
}

impl Admin {
    /// Makes the client; connects at its first use.
    pub fn new(settings: &KafkaSettings) -> Result<Self, Fault> {
        let admin = client::plain(settings, "weft-admin").create();
        let admin = admin.map_err(|error| Fault::of("making an admin client", &error))?;
        Ok(Self { admin, settings: settings.clone() })
    }

    /// Partition counts of all topics but Kafka's own, or an error when no broker answers.
    pub fn partitions(&self) -> Result<BTreeMap<String, i32>, Fault> {
        let metadata = self.admin.inner().fetch_metadata(None, TIMEOUT);
        let metadata = metadata.map_err(|error| {
            let brokers = &self.settings.bootstrap;
            let why = why_unreachable(&self.settings).map(|why| format!(" ({why})")).unwrap_or_default();
            Fault::of(&format!("asking {brokers} for its topics{why}"), &error)
        })?;
        let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let topics = metadata.topics().iter().filter(|topic| !topic.name().starts_with("__"));
        Ok(topics.map(|t| (t.name().to_owned(), count(t.partitions().len()))).collect())
    }

    /// Creates topics and waits until they are seen; one that is there already is left alone.
    pub async fn create(&self, plans: &[TopicPlan]) -> Result<(), Fault> {
        let topics: Vec<NewTopic<'_>> = plans
            .iter()
            .map(|plan| {
                let replicas = TopicReplication::Fixed(plan.replication);
                let topic = NewTopic::new(&plan.name, plan.partitions, replicas);
                plan.config.iter().fold(topic, |topic, (key, value)| topic.set(key, value))
            })
            .collect();
        let results = self.admin.create_topics(&topics, &options()).await;
        for result in results.map_err(|error| Fault::of("creating topics", &error))? {
            if let Err((name, code)) = result
                && code != RDKafkaErrorCode::TopicAlreadyExists
            {
                return Err(Fault::Fatal(format!("creating topic {name}: {code}")));
            }
        }
        let counts = |plan: &TopicPlan| (plan.name.clone(), 1);
        self.wait_for_partitions(&plans.iter().map(counts).collect::<Vec<_>>())
    }

    /// Waits until the cluster's metadata show these topics with at least so many partitions.
    fn wait_for_partitions(&self, wanted: &[(String, i32)]) -> Result<(), Fault> {
        let patience = Patience::of(TIMEOUT);
        loop {
            let there = self.partitions()?;
            let seen = |(name, count): &(String, i32)| there.get(name).is_some_and(|n| n >= count);
            let Some((missing, _)) = wanted.iter().find(|topic| !seen(topic)) else {
                return Ok(());
            };
            if !patience.pause() {
                return Err(Fault::Fatal(format!("topic {missing} was made but is not seen")));
            }
        }
    }

    /// Raises a topic's partition count and waits until that is seen.
    pub async fn grow(&self, topic: &str, partitions: i32) -> Result<(), Fault> {
        let count = usize::try_from(partitions).unwrap_or(0);
        let grown = [NewPartitions::new(topic, count)];
        let results = self.admin.create_partitions(&grown, &options()).await;
        for result in results.map_err(|error| Fault::of("adding partitions", &error))? {
            result.map_err(|(name, code)| Fault::Fatal(format!("adding partitions to {name}: {code}")))?;
        }
        Ok(())
    }

    /// Settings of topics, defaults included.
    pub async fn configs(&self, topics: &[String]) -> Result<BTreeMap<String, BTreeMap<String, String>>, Fault> {
        let asked: Vec<_> = topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let results = self.admin.describe_configs(&asked, &options()).await;
        let results = results.map_err(|error| Fault::of("reading topic settings", &error))?;
        let mut found = BTreeMap::new();
        for (topic, result) in topics.iter().zip(results) {
            let described = result.map_err(|code| Fault::Fatal(format!("reading the settings of {topic}: {code}")))?;
            let entries = described.entries.into_iter();
            let entries = entries.filter_map(|entry| Some((entry.name, entry.value?)));
            found.insert(topic.clone(), entries.collect());
        }
        Ok(found)
    }

    /// Sets the topic's settings to exactly these, beside the cluster's defaults.
    pub async fn alter(&self, plan: &TopicPlan) -> Result<(), Fault> {
        let altered = AlterConfig::new(ResourceSpecifier::Topic(&plan.name));
        let altered = plan.config.iter().fold(altered, |all, (key, value)| all.set(key, value));
        let results = self.admin.alter_configs([&altered], &options()).await;
        for result in results.map_err(|error| Fault::of("changing topic settings", &error))? {
            result.map_err(|(_, code)| Fault::Fatal(format!("changing the settings of {}: {code}", plan.name)))?;
        }
        Ok(())
    }

    /// Where a group stands in every partition of these topics.
    pub fn group(&self, group: &str, topics: &[String]) -> Result<Vec<GroupOffset>, Fault> {
        let counts = self.partitions()?;
        let spots: Vec<Spot> = topics
            .iter()
            .filter_map(|topic| counts.get(topic).map(|count| (topic, *count)))
            .flat_map(|(topic, count)| (0..count).map(move |p| (Arc::from(topic.as_str()), p)))
            .collect();
        if spots.is_empty() {
            return Ok(Vec::new());
        }
        let ends = Probe::new(&self.settings, "weft-admin")?.ends(&spots)?;
        let committed = self.committed(group, &spots)?;
        let rows = spots.into_iter().zip(ends).zip(committed);
        Ok(rows
            .map(|(((topic, partition), end), committed)| GroupOffset {
                topic: topic.to_string(),
                partition,
                committed,
                end,
            })
            .collect())
    }

    /// When the first record at or after each of these offsets was appended, committed or not; none
    /// where none comes, as behind a transaction's marker.
    pub fn appended_at(&self, places: &[(String, i32, i64)]) -> Result<Vec<Option<Timestamp>>, Fault> {
        let named =
            |(topic, partition, offset): &(String, i32, i64)| ((Arc::from(topic.as_str()), *partition), *offset);
        let positions: Vec<(Spot, i64)> = places.iter().map(named).collect();
        let topics: BTreeSet<Arc<str>> = positions.iter().map(|((topic, _), _)| Arc::clone(topic)).collect();
        if positions.is_empty() {
            return Ok(Vec::new());
        }
        let topics: Vec<_> = topics.into_iter().collect();
        let reader = Reader::following(&self.settings, "weft-admin", &topics, Isolation::Uncommitted)?;
        reader.assign(&positions)?;
        let (mut found, patience) = (BTreeMap::new(), Patience::of(LOOK_TIMEOUT));
        while found.len() < positions.len() && !patience.is_over() {
            if let Some(record) = reader.poll(LOOK)? {
                found.entry((record.topic, record.partition)).or_insert(record.timestamp);
            }
        }
        Ok(positions.iter().map(|(spot, _)| found.get(spot).copied()).collect())
    }

    fn committed(&self, group: &str, spots: &[Spot]) -> Result<Vec<Option<i64>>, Fault> {
        let fault = |error: KafkaError| Fault::of("reading a group's offsets", &error);
        let mut config = client::plain(&self.settings, "weft-admin");
        let consumer: BaseConsumer = config.set("group.id", group).create().map_err(fault)?;
        let mut list = TopicPartitionList::with_capacity(spots.len());
        for (topic, partition) in spots {
            list.add_partition(topic, *partition);
        }
        let list = consumer.committed_offsets(list, TIMEOUT).map_err(fault)?;
        Ok(spots
            .iter()
            .map(|(topic, partition)| list.find_partition(topic, *partition)?.offset().to_raw())
            .map(|raw| raw.filter(|offset| *offset >= 0))
            .collect())
    }
}

/// The client's first complaint: a refused password, an unknown authority. The calls themselves say
/// only that no broker could be reached, and an admin client keeps such complaints to itself.
#[derive(Default)]
struct FirstComplaint(OnceLock<String>);

impl ClientContext for FirstComplaint {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::AllBrokersDown) {
            self.0.get_or_init(|| reason.to_owned());
        }
    }
}

impl ConsumerContext for FirstComplaint {}

fn why_unreachable(settings: &KafkaSettings) -> Option<String> {
    let config = client::plain(settings, "weft-admin");
    let client: BaseConsumer<_> = config.create_with_context(FirstComplaint::default()).ok()?;
    let patience = Patience::of(WHY_TIMEOUT);
    while client.context().0.get().is_none() && patience.pause() {
        drop(client.poll(Duration::ZERO));
    }
    client.context().0.get().cloned()
}

fn options() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(TIMEOUT)).request_timeout(Some(TIMEOUT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_cannot_be_reached_is_named_with_the_reason() {
        let settings = KafkaSettings { bootstrap: "127.0.0.1:1".into(), ..KafkaSettings::default() };
        let fault = Admin::new(&settings).unwrap().partitions().unwrap_err().to_string();
        assert!(fault.contains("127.0.0.1:1") && fault.contains("Connection refused"), "{fault}");
    }
}
