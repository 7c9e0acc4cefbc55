//! Kafka as far as the machines can see it: topics of partitions of records, in order of time.

use schemas::codec::Codec;
use schemas::records::Record;
use schemas::topics::{Partitions, TOPICS};
use std::collections::BTreeMap;
use stream::{Output, Timestamp};

/// Partitions of customer-keyed topics.
pub(crate) const CUSTOMER_PARTITIONS: usize = 3;
/// Partitions of domain-keyed topics.
pub(crate) const DOMAIN_PARTITIONS: usize = 1;

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Vec<u8>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) at: Timestamp,
}

/// Every topic.
#[derive(Default)]
pub(crate) struct Log {
    partitions: BTreeMap<(String, usize), Vec<Entry>>,
}

impl Log {
    /// Appends a record at a time that never goes back.
    pub(crate) fn append(&mut self, output: Output, at: Timestamp) {
        let topic = output.topic.into_owned();
        let partition = partition_of(&topic, &output.key);
        let entry = Entry { key: output.key, payload: output.payload, at };
        self.partitions.entry((topic, partition)).or_default().push(entry);
    }

    pub(crate) fn get(&self, topic: &str, partition: usize, offset: usize) -> Option<&Entry> {
        self.partitions.get(&(topic.to_owned(), partition))?.get(offset)
    }

    /// The records of a topic, partition by partition.
    pub(crate) fn entries<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.partitions.iter().filter(move |((name, _), _)| name == topic).flat_map(|(_, entries)| entries)
    }

    /// The decoded records of a topic, tombstones left out.
    pub(crate) fn records<R: Record>(&self, codec: &Codec, topic: &str) -> Vec<R> {
        let payloads = self.entries(topic).filter_map(|entry| entry.payload.as_deref());
        payloads.map(|bytes| codec.decode(bytes).unwrap()).collect()
    }

    /// The latest payload of each key of a compacted topic.
    pub(crate) fn latest<R: Record>(&self, codec: &Codec, topic: &str) -> BTreeMap<Vec<u8>, R> {
        let mut latest = BTreeMap::new();
        for entry in self.entries(topic) {
            match &entry.payload {
                Some(bytes) => drop(latest.insert(entry.key.clone(), bytes)),
                None => drop(latest.remove(&entry.key)),
            }
        }
        latest.into_iter().map(|(key, bytes)| (key, codec.decode(bytes).unwrap())).collect()
    }

    /// Names of topics with dead letters.
    pub(crate) fn dead_letters(&self) -> Vec<String> {
        self.partitions.keys().map(|(topic, _)| topic.clone()).filter(|topic| topic.ends_with(".dlq")).collect()
    }

    /// A fingerprint of everything ever said.
    pub(crate) fn digest(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        for (at, entries) in &self.partitions {
            at.hash(&mut hasher);
            for entry in entries {
                (&entry.key, &entry.payload, entry.at).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}

/// How many partitions a topic has.
pub(crate) fn partitions_of(topic: &str) -> usize {
    let source = topic.strip_suffix(".dlq").unwrap_or(topic);
    let known = TOPICS.iter().find(|known| known.name == source).unwrap_or_else(|| panic!("unknown topic {topic}"));
    match known.partitions {
        Partitions::Customer => CUSTOMER_PARTITIONS,
        Partitions::Domain => DOMAIN_PARTITIONS,
        Partitions::One => 1,
    }
}

/// Any function of the key will do, as long as equal keys of co-partitioned topics meet.
fn partition_of(topic: &str, key: &[u8]) -> usize {
    let sum = key.iter().fold(7usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    sum % partitions_of(topic)
}
