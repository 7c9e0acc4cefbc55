//! The rooms joined for the runtime's sink.

use schemas::codec::Codec;
use schemas::records::Unread;
use schemas::topics::dead_letter_topic;
use stream::{DeadLetter, InputRecord, Reject, SinkBatch, SinkFault, SinkStation};

use crate::core::{self, Facts};
use crate::intake::{self, Reading, TOPICS};
use crate::outlets::{BatchEnd, ClickHouse};

/// Reads events, writes rows.
pub struct AnalyticsStation {
    codec: Codec,
    clickhouse: ClickHouse,
}

impl AnalyticsStation {
    /// From a codec made for [`TOPICS`] and a writer.
    pub fn new(codec: Codec, clickhouse: ClickHouse) -> Self {
        Self { codec, clickhouse }
    }
}

impl SinkStation for AnalyticsStation {
    type Row = Facts;

    fn topics(&self) -> Vec<String> {
        TOPICS.iter().map(|topic| topic.name.into()).collect()
    }

    fn rows(&self, record: &InputRecord<'_>) -> Result<Vec<Facts>, Reject> {
        let facts = match intake::read(&self.codec, record)? {
            Reading::Event(source, event) => core::facts(&source, &event),
            Reading::Removed => Facts::default(),
        };
        Ok(if facts.is_empty() { Vec::new() } else { vec![facts] })
    }

    fn waits(&self, record: &InputRecord<'_>) -> Option<&'static str> {
        intake::waits(&self.codec, record)
    }

    fn insert(&self, batch: &SinkBatch<Facts>, token: &str) -> Result<(), SinkFault> {
        let mut all = Facts::default();
        for facts in &batch.rows {
            all.append(facts.clone());
        }
        let end = BatchEnd { topic: &batch.topic, partition: batch.partition, next_offset: batch.last + 1 };
        self.clickhouse.write(&all, end, token)
    }

    fn resume(&self, topic: &str, partition: i32) -> Result<Option<i64>, SinkFault> {
        self.clickhouse.next_offset(topic, partition)
    }

    fn dead_letter(&self, letter: &DeadLetter<'_>) -> Vec<u8> {
        let record = letter.record;
        let unread = Unread {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp.as_ms(),
            key: record.key,
            value: record.payload,
            headers: record.headers,
        };
        let mut dead = schemas::records::DeadLetter::of(&unread, "analytics");
        dead.reason = letter.reason.into();
        dead.detail = letter.detail.into();
        dead.attempt = i32::try_from(letter.attempt).unwrap_or(i32::MAX);
        self.codec
            .encode(&dead_letter_topic(record.topic), &dead)
            .expect("a dead letter fits its schema; tests/schemas.rs")
    }
}
