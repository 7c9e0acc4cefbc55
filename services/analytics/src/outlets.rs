//! Rows → ClickHouse. One batch is one insert per fact table, each under the batch's token, so that
//! a repeated batch is dropped by the database.

use std::time::Duration;

use clickhouse::error::Error;
use clickhouse::{Client, Row, RowOwned, RowWrite};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use stream::{SinkFault, clock};

use crate::config::ClickHouseSettings;
use crate::core::Facts;
use crate::metrics::Metrics;

/// Below the runtime's bound of 30 s for one insert.
const INSERT_TIMEOUT: Duration = Duration::from_secs(25);
/// Part of the token: rows of another shape are another batch.
const SHAPE: u32 = 1;
/// Server errors that time heals: too many parts, queries, memory; time-outs; network; read-only.
const HEALING_CODES: [&str; 8] = ["252", "202", "241", "159", "209", "210", "242", "164"];

/// Writes batches.
pub struct ClickHouse {
    client: Client,
    runtime: tokio::runtime::Handle,
    metrics: Metrics,
}

/// How far a source partition has been read.
#[derive(Row, Serialize, Deserialize)]
struct ProgressRow {
    src_topic: String,
    src_partition: i32,
    next_offset: i64,
    complete_until: i64,
}

/// Where a batch ends.
#[derive(Debug, Clone, Copy)]
pub struct BatchEnd<'a> {
    /// Source topic.
    pub topic: &'a str,
    /// Source partition.
    pub partition: i32,
    /// First offset behind the batch.
    pub next_offset: i64,
}

impl ClickHouse {
    /// A writer; nothing is asked yet. Calls block on `runtime`, off its own threads.
    pub fn new(settings: &ClickHouseSettings, runtime: tokio::runtime::Handle, metrics: Metrics) -> Self {
        let mut client = Client::default()
            .with_url(&settings.url)
            .with_database("weft_raw")
            .with_validation(false)
            .with_setting("async_insert", "0")
            .with_setting("insert_deduplicate", "1")
            .with_setting("wait_end_of_query", "1");
        if !settings.username.is_empty() {
            client = client.with_user(&settings.username).with_password(settings.password.expose_secret());
        }
        Self { client, runtime, metrics }
    }

    /// Writes the rows of one batch into every fact table, then how far it goes.
    pub fn write(&self, facts: &Facts, end: BatchEnd<'_>, token: &str) -> Result<(), SinkFault> {
        let began = facts.recorded_at();
        self.runtime.block_on(self.write_all(facts, end, token)).map_err(fault)?;
        if let Some((oldest, _)) = began {
            let age_ms = clock::now().as_ms() - oldest;
            self.metrics.freshness_seconds.set(age_ms as f64 / 1000.0);
        }
        Ok(())
    }

    async fn write_all(&self, facts: &Facts, end: BatchEnd<'_>, token: &str) -> Result<(), Error> {
        self.insert("messages", &facts.messages, token).await?;
        self.insert("conversation_changes", &facts.conversation_changes, token).await?;
        self.insert("turns", &facts.turns, token).await?;
        self.insert("deliveries", &facts.deliveries, token).await?;
        self.insert("entities", &facts.entities, token).await?;
        self.insert("queue_entries", &facts.queue_entries, token).await?;
        self.insert("queue_visits", &facts.queue_visits, token).await?;
        self.insert("parts", &facts.parts, token).await?;
        self.insert("segments", &facts.segments, token).await?;
        self.insert("service_levels", &facts.service_levels, token).await?;
        self.insert("work_changes", &facts.work_changes, token).await?;
        self.insert("agent_changes", &facts.agent_changes, token).await?;
        let Some((_, newest)) = facts.recorded_at() else { return Ok(()) };
        let progress = ProgressRow {
            src_topic: end.topic.into(),
            src_partition: end.partition,
            next_offset: end.next_offset,
            complete_until: newest,
        };
        self.insert("progress", &[progress], token).await
    }

    async fn insert<R>(&self, table: &str, rows: &[R], token: &str) -> Result<(), Error>
    where
        R: RowOwned + RowWrite + Sync,
    {
        if rows.is_empty() {
            return Ok(());
        }
        let timer = self.metrics.insert_seconds.with_label_values(&[table]).start_timer();
        let mut insert = self
            .client
            .insert::<R>(table)
            .await?
            .with_timeouts(Some(INSERT_TIMEOUT), Some(INSERT_TIMEOUT))
            .with_setting("insert_deduplication_token", format!("{token}:{SHAPE}"));
        for row in rows {
            insert.write(row).await?;
        }
        insert.end().await?;
        timer.observe_duration();
        self.metrics.rows.with_label_values(&[table]).inc_by(rows.len() as u64);
        Ok(())
    }

    /// The first offset that is not in the facts yet, if anything of the partition is.
    pub fn next_offset(&self, topic: &str, partition: i32) -> Result<Option<i64>, SinkFault> {
        let asked = async {
            self.client
                .query("SELECT max(next_offset) FROM progress WHERE src_topic = ? AND src_partition = ?")
                .bind(topic)
                .bind(partition)
                .fetch_one::<i64>()
                .await
        };
        let next = self.runtime.block_on(asked).map_err(fault)?;
        Ok((next > 0).then_some(next))
    }
}

/// The world's fault waits; a batch that the database will never take ends the process.
fn fault(error: Error) -> SinkFault {
    let text = error.to_string();
    if text.contains("UNKNOWN_TABLE") || text.contains("UNKNOWN_DATABASE") {
        return SinkFault::Wait(format!("{text}; run `weft migrate`"));
    }
    if matches!(error, Error::Network(_) | Error::TimedOut | Error::NotEnoughData) || heals(&text) {
        return SinkFault::Wait(text);
    }
    SinkFault::Die(text)
}

fn heals(text: &str) -> bool {
    HEALING_CODES.iter().any(|code| text.contains(&format!("Code: {code}.")))
}
