//! Conversations that rest in their window, as rows of threading's changelogs: made by the rules for
//! some customers, and given to all others under keys of their own.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use rdkafka::producer::{BaseProducer, BaseRecord};
use schemas::codec::Codec;
use schemas::ids::{CustomerKey, EventId, KeySecret};
use schemas::records::Cause;
use schemas::topics::{CHANNEL_INBOUND, TOPICS, changelog};
use stream::{Change, Machine, State, Timestamp};
use threading::ThreadingStation;
use threading::core::Threading;
use threading::core::event::{Concern, Context as Where, Disconnect, Event, Happened, Once};
use threading::core::state::{Standing, Thread, Threads};
use threading::metrics::Metrics;

use crate::cluster::{drain, send};
use crate::corpus::{Corpus, mixed};
use crate::house::House;
use crate::kernels::Rooms;

/// Customers whose rows are made by the rules.
const PATTERNS: u64 = 1_000;
/// Customers whose rows are in memory at one time.
const CHUNK: u64 = 50_000;

/// Everything that is needed to make rows.
pub(super) struct Resting {
    patterns: Vec<Thread>,
    /// The names that the patterns refer to.
    names: Vec<Change>,
    now: Timestamp,
    remembered: u64,
    partitions: i32,
}

impl Resting {
    /// Lets the rules make the patterns: each customer writes, and routing ends the stint.
    ///
    /// # Errors
    /// If a rule refuses.
    pub(super) fn new(house: &House<'_>, corpus: &Corpus) -> anyhow::Result<Self> {
        let registry = telemetry::Admin::new("bench")?.registry;
        let codec = Codec::offline(TOPICS);
        let station =
            ThreadingStation::new(Codec::offline(TOPICS), KeySecret::new("bench"), Metrics::register(&registry)?);
        let mut rooms = Rooms::new(&station);
        let now = stream::clock::now();
        let mut patterns = Vec::new();
        let mut number = 0;
        while (patterns.len() as u64) < PATTERNS.min(corpus.customers()) {
            let message = corpus.message(number);
            let customer = message.customer_key.context("a message has a customer")?;
            number += 1;
            let bytes = codec.encode(CHANNEL_INBOUND.name, &message)?;
            let events = rooms.intake(&[(customer.to_string(), bytes)])?;
            for event in events {
                Threading.apply(rooms.state(), event, now);
            }
            let thread = *rooms.state().customers.get(&customer).context("whoever wrote has a thread")?;
            let at = Where {
                cause: EventId::derive(&["bench", &number.to_string()]),
                tenant: message.tenant.clone(),
                channel: message.channel.unwrap_or_default(),
                account_id: message.account_id.clone().unwrap_or_default(),
                customer_key: customer,
                occurred_at: now.as_ms(),
            };
            let what = Happened::Disconnect(Disconnect {
                stint_id: thread.stint_id(customer).context("whoever wrote has a stint")?,
                owner_epoch: 1,
                seen_seq: i64::from(thread.seq),
                cause: Cause::AgentDisconnect,
                acw_open: false,
            });
            let ended = Event::Concerns(Box::new(Concern { context: at, once: Once::Always, what }));
            Threading.apply(rooms.state(), ended, now);
            let thread = *rooms.state().customers.get(&customer).context("whoever wrote has a thread")?;
            ensure!(matches!(thread.standing, Standing::Resting { .. }), "the conversation does not rest");
            patterns.push(thread);
        }
        let names = rooms.changes().into_iter().find(|(table, _)| *table == "names").map(|(_, rows)| rows);
        Ok(Self {
            patterns,
            names: names.unwrap_or_default(),
            now,
            remembered: house.options.remembered,
            partitions: house.options.partitions,
        })
    }

    /// Writes the rows of `count` customers of the corpus to the changelogs; how many rows.
    ///
    /// # Errors
    /// If the brokers refuse.
    pub(super) fn write(&self, house: &House<'_>, corpus: &Corpus, count: u64) -> anyhow::Result<u64> {
        let producer = house.cluster.producer()?;
        let mut written = 0;
        for partition in 0..self.partitions {
            written += put(&producer, "names", partition, &self.names)?;
        }
        for first in (0..count).step_by(usize::try_from(CHUNK)?) {
            let mut states: BTreeMap<i32, Threads> = BTreeMap::new();
            for customer in first..(first + CHUNK).min(count) {
                let key = corpus.key(customer);
                let state = states.entry(partition_of(key, self.partitions)).or_default();
                let pattern = self.patterns[usize::try_from(customer % self.patterns.len() as u64)?];
                state.customers.put(key, pattern);
                for no in 0..self.remembered {
                    state.seen.came_before(key, mixed(customer ^ mixed(no)), self.now);
                }
            }
            for (partition, mut state) in states {
                for table in state.tables() {
                    let rows = table.drain_changes();
                    written += put(&producer, table.name(), partition, &rows)?;
                }
            }
            if first.is_multiple_of(CHUNK * 20) && first > 0 {
                house.say(&format!("{first} of {count} conversations written"));
            }
        }
        drain(&producer)?;
        Ok(written)
    }
}

fn put(producer: &BaseProducer, table: &str, partition: i32, rows: &[Change]) -> anyhow::Result<u64> {
    let topic = changelog("threading", table);
    for (key, value) in rows {
        let mut record = BaseRecord::<[u8], [u8]>::to(&topic).key(key.as_slice()).partition(partition);
        record.payload = value.as_deref();
        send(producer, record)?;
    }
    Ok(rows.len() as u64)
}

/// Where Kafka's own partitioner puts a customer: murmur2 of the key's text, as in
/// `org.apache.kafka.common.utils.Utils`.
fn partition_of(key: CustomerKey, partitions: i32) -> i32 {
    let hash = murmur2(key.to_string().as_bytes()) & 0x7fff_ffff;
    i32::try_from(hash).unwrap_or(0) % partitions
}

fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash: u32 = 0x9747_b28c ^ u32::try_from(data.len()).unwrap_or(0);
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word.iter().rev().fold(0u32, |k, byte| (k << 8) | u32::from(*byte));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0u32, |k, byte| (k << 8) | u32::from(*byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_hash_as_in_kafka_s_own_tests() {
        // Values of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
        for (text, hash) in [("21", -973_932_308), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536)]
        {
            assert_eq!(i32::from_ne_bytes(murmur2(text.as_bytes()).to_ne_bytes()), hash, "{text}");
        }
    }
}
