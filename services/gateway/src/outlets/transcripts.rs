//! Older messages, from ClickHouse.

use std::time::Duration;

use clickhouse::Client;
use schemas::ids::{ConversationId, TenantId};
use secrecy::ExposeSecret;
use serde_json::Value;

use crate::config::ClickHouseSettings;

/// Rows of one transcript.
const ROWS_MAX: u32 = 10_000;

/// Why older messages are missing.
#[derive(Debug, thiserror::Error)]
pub enum TranscriptError {
    /// ClickHouse did not answer in time.
    #[error("ClickHouse did not answer within {0} ms")]
    Late(u128),
    /// ClickHouse refused or could not be reached.
    #[error("ClickHouse cannot be asked: {0}")]
    Away(#[from] clickhouse::error::Error),
    /// The answer is not what the view promises.
    #[error("ClickHouse answered what is not a transcript: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// Asks the view `report_transcript`.
#[derive(Clone)]
pub struct Transcripts {
    client: Client,
    wait: Duration,
}

impl Transcripts {
    /// A client; nothing is asked yet.
    pub fn new(settings: &ClickHouseSettings, wait: Duration) -> Self {
        let mut client = Client::default().with_url(&settings.url).with_database("weft");
        if let Some(username) = &settings.username {
            client = client.with_user(username);
        }
        if let Some(password) = &settings.password {
            client = client.with_password(password.expose_secret());
        }
        Self { client, wait }
    }

    /// The messages with a sequence number below `before` (all if none), oldest first, as JSON
    /// objects in the shape of [`crate::hub::frames::Line`].
    pub async fn older(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
        before: Option<i64>,
    ) -> Result<Vec<Value>, TranscriptError> {
        let asked = self.ask(tenant, conversation, before);
        tokio::time::timeout(self.wait, asked).await.map_err(|_| TranscriptError::Late(self.wait.as_millis()))?
    }

    async fn ask(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
        before: Option<i64>,
    ) -> Result<Vec<Value>, TranscriptError> {
        let query = self
            .client
            .query(
                "SELECT seq, toUnixTimestamp64Milli(occurred_utc) AS occurred_at, direction, sender_kind, sender_id, \
                 content_kind, text, delivery_state \
                 FROM report_transcript(tenant = ?, conversation = ?) WHERE seq < ? ORDER BY seq DESC LIMIT ? \
                 SETTINGS output_format_json_quote_64bit_integers = 0",
            )
            .bind(tenant.as_str())
            .bind(conversation.to_string())
            .bind(before.unwrap_or(i64::MAX))
            .bind(ROWS_MAX);
        let bytes = query.fetch_bytes("JSONEachRow")?.collect().await?;
        let rows = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let rows: Result<Vec<Value>, serde_json::Error> =
            rows.map(|line| serde_json::from_slice(line).map(|row| shown(&row))).collect();
        let mut rows = rows?;
        rows.reverse();
        Ok(rows)
    }
}

fn shown(row: &Value) -> Value {
    serde_json::json!({
        "seq": row["seq"],
        "direction": row["direction"],
        "sender": { "kind": row["sender_kind"], "id": row["sender_id"] },
        "content": { "content_kind": row["content_kind"], "text": row["text"] },
        "occurred_at": row["occurred_at"],
        "delivery_state": row["delivery_state"],
    })
}
