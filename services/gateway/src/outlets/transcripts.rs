//! Older messages, from ClickHouse.

use std::time::Duration;

use clickhouse::Client;
use schemas::ids::{ConversationId, MessageId, TenantId};
use schemas::records::{ContentKind, Direction, Millis, SenderKind};
use secrecy::ExposeSecret;
use serde::Deserialize;
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
    ///
    /// # Errors
    /// ClickHouse cannot be asked.
    pub async fn older(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
        before: Option<i64>,
    ) -> Result<Vec<Value>, TranscriptError> {
        let rows = self.rows(tenant, conversation, Span::Before(before.unwrap_or(i64::MAX)), ROWS_MAX).await?;
        Ok(rows.iter().map(shown).collect())
    }

    /// The messages of a span, oldest first: of those before a message the latest, of those after one
    /// the earliest.
    ///
    /// # Errors
    /// ClickHouse cannot be asked.
    pub async fn rows(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
        span: Span,
        max: u32,
    ) -> Result<Vec<Row>, TranscriptError> {
        let asked = self.ask(tenant, conversation, span, max);
        tokio::time::timeout(self.wait, asked).await.map_err(|_| TranscriptError::Late(self.wait.as_millis()))?
    }

    async fn ask(
        &self,
        tenant: &TenantId,
        conversation: ConversationId,
        span: Span,
        max: u32,
    ) -> Result<Vec<Row>, TranscriptError> {
        const COLUMNS: &str = "SELECT seq, toUnixTimestamp64Milli(occurred_utc) AS occurred_at, message_id, direction, \
             sender_kind, sender_id, content_kind, text, delivery_state \
             FROM report_transcript(tenant = ?, conversation = ?)";
        let (which, seq) = match span {
            Span::Before(seq) => ("seq < ? ORDER BY seq DESC", seq),
            Span::After(seq) => ("seq > ? ORDER BY seq", seq),
        };
        let query = format!("{COLUMNS} WHERE {which} LIMIT ? SETTINGS output_format_json_quote_64bit_integers = 0");
        let query = self.client.query(&query).bind(tenant.as_str()).bind(conversation.to_string()).bind(seq).bind(max);
        let bytes = query.fetch_bytes("JSONEachRow")?.collect().await?;
        let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let rows: Result<Vec<Row>, serde_json::Error> = lines.map(serde_json::from_slice).collect();
        let mut rows = rows?;
        rows.sort_unstable_by_key(|row| row.seq);
        Ok(rows)
    }
}

/// Which messages of a conversation.
#[derive(Debug, Clone, Copy)]
pub enum Span {
    /// Those with a lower sequence number.
    Before(i64),
    /// Those with a higher one.
    After(i64),
}

/// One message as `report_transcript` tells it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the columns of the view, which explains them")]
pub struct Row {
    pub seq: i64,
    pub occurred_at: Millis,
    pub message_id: MessageId,
    pub direction: Direction,
    pub sender_kind: SenderKind,
    pub sender_id: Option<String>,
    pub content_kind: ContentKind,
    pub text: String,
    pub delivery_state: Option<String>,
}

fn shown(row: &Row) -> Value {
    serde_json::json!({
        "seq": row.seq,
        "direction": row.direction,
        "sender": { "kind": row.sender_kind, "id": row.sender_id },
        "content": { "content_kind": row.content_kind, "text": row.text },
        "occurred_at": row.occurred_at,
        "delivery_state": row.delivery_state,
    })
}
