//! What a service writes for each record it reads: how many records of which bytes to which topics.
//! The raw loop writes the same.

use std::collections::BTreeMap;

use rdkafka::Message;
use rdkafka::message::Headers;
use schemas::topics::PlannedTopic;

use crate::cluster::Cluster;

/// Records kept of each topic, to be written again by the raw loop.
const SAMPLES_MAX: usize = 5_000;

/// One record without what Kafka adds.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its key.
    pub key: Vec<u8>,
    /// Its payload with the bytes of its headers behind; none: a deletion.
    pub payload: Option<Vec<u8>>,
}

/// What goes to one topic.
#[derive(Debug, Clone)]
pub struct Strand {
    /// The raw loop's topic.
    pub topic: String,
    /// Into the partition of the record that was read, rather than by key.
    pub same_partition: bool,
    /// Records for each one read.
    pub per_record: f64,
    /// Records as they were written.
    pub samples: Vec<Sample>,
}

/// Everything that is written.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// By topic.
    pub strands: Vec<Strand>,
    /// Bytes of keys, payloads and headers for each record read.
    pub bytes_per_record: f64,
}

impl Shape {
    /// The name of the raw loop's topic beside a real one.
    pub fn raw(topic: &str) -> String {
        format!("raw.{topic}")
    }

    /// As `records` records read have made it in these topics, changelogs told by their names.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn of(cluster: &Cluster, topics: &[PlannedTopic], records: u64) -> anyhow::Result<Self> {
        let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
        let mut found: BTreeMap<String, (u64, Vec<Sample>)> = BTreeMap::new();
        let mut bytes = 0;
        cluster.read(&names, |message| {
            if !found.contains_key(message.topic()) {
                found.insert(message.topic().to_owned(), (0, Vec::new()));
            }
            let Some((count, samples)) = found.get_mut(message.topic()) else { return Ok(()) };
            *count += 1;
            let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
            let headers: Vec<u8> =
                headers.flat_map(|h| [h.key.as_bytes(), h.value.unwrap_or_default()].concat()).collect();
            let key = message.key().unwrap_or_default();
            bytes += key.len() + message.payload_len() + headers.len();
            if samples.len() < SAMPLES_MAX {
                let payload = message.payload().map(|payload| [payload, &headers].concat());
                samples.push(Sample { key: key.to_vec(), payload });
            }
            Ok(())
        })?;
        let strands = found.into_iter().map(|(topic, (count, samples))| Strand {
            topic: Self::raw(&topic),
            same_partition: topic.ends_with("-changelog"),
            per_record: count as f64 / records as f64,
            samples,
        });
        Ok(Self { strands: strands.collect(), bytes_per_record: bytes as f64 / records as f64 })
    }

    /// Copies of what is read to so many topics.
    pub fn copies(samples: Vec<Sample>, topics: &[&str]) -> Self {
        let bytes: usize = samples.iter().map(|s| s.key.len() + s.payload.as_ref().map_or(0, Vec::len)).sum();
        let strand = |topic: &&str| Strand {
            topic: (*topic).to_owned(),
            same_partition: false,
            per_record: 1.0,
            samples: samples.clone(),
        };
        let bytes_per_record = bytes as f64 / samples.len().max(1) as f64 * topics.len() as f64;
        Self { strands: topics.iter().map(strand).collect(), bytes_per_record }
    }

    /// Records written for each one read.
    pub fn records_per_record(&self) -> f64 {
        self.strands.iter().map(|strand| strand.per_record).sum()
    }
}
