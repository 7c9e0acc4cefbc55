//! Questions to ClickHouse, as an analyst asks them: over HTTP, against the views.

use anyhow::{Context, bail};
use serde_json::Value;
use stream::{Timestamp, clock};

use crate::stack::Stack;

/// One row by column.
pub type Row = serde_json::Map<String, Value>;

/// The reports of one tenant from a moment on.
#[derive(Debug, Clone)]
pub struct Reports {
    url: String,
    credentials: Vec<(&'static str, String)>,
    tenant: String,
    from: Timestamp,
    http: reqwest::Client,
}

impl Reports {
    /// What happened in a tenant since `from`.
    ///
    /// # Errors
    /// If the stack does not say where ClickHouse is.
    pub fn new(stack: &Stack, tenant: &str, from: Timestamp) -> anyhow::Result<Self> {
        let credential = |header, name: &str| Some((header, stack.variable(name).ok()?.to_owned()));
        Ok(Self {
            url: stack.variable("WEFT_CLICKHOUSE__URL")?.to_owned(),
            credentials: [
                credential("x-clickhouse-user", "WEFT_CLICKHOUSE__USERNAME"),
                credential("x-clickhouse-key", "WEFT_CLICKHOUSE__PASSWORD"),
            ]
            .into_iter()
            .flatten()
            .collect(),
            tenant: tenant.to_owned(),
            from,
            http: reqwest::Client::new(),
        })
    }

    /// The moment that the reports begin with.
    pub fn from(&self) -> Timestamp {
        self.from
    }

    /// A view that takes a span of time, as an expression to select from; `more` are its further
    /// parameters.
    pub fn view(&self, name: &str, more: &str) -> String {
        let (from, to) = (sql_time(self.from), sql_time(clock::now().plus_ms(60_000)));
        let tenant = &self.tenant;
        format!("weft.report_{name}(tenant = '{tenant}', from_time = '{from}', to_time = '{to}', tz = 'UTC'{more})")
    }

    /// Rows of Interaction Details of one customer, oldest first.
    ///
    /// # Errors
    /// If ClickHouse cannot be asked.
    pub async fn interactions_of(&self, customer_key: &str) -> anyhow::Result<Vec<Row>> {
        let view = self.view("interaction_details", ", time_field = 'completed'");
        self.ask(&format!("SELECT * FROM {view} WHERE customer_key = '{customer_key}' ORDER BY started_utc")).await
    }

    /// Queue Performance, one row per queue and channel over the whole time.
    ///
    /// # Errors
    /// If ClickHouse cannot be asked.
    pub async fn queues(&self) -> anyhow::Result<Vec<Row>> {
        let view = self.view("queue_performance", ", interval = 'all', basis = 'completion'");
        self.ask(&format!("SELECT * FROM {view}")).await
    }

    /// Agent Performance, one row per agent, queue and channel over the whole time.
    ///
    /// # Errors
    /// If ClickHouse cannot be asked.
    pub async fn agents(&self) -> anyhow::Result<Vec<Row>> {
        let view = self.view("agent_performance", ", interval = 'all', basis = 'completion'");
        self.ask(&format!("SELECT * FROM {view}")).await
    }

    /// The conversations of one customer, oldest first.
    ///
    /// # Errors
    /// If ClickHouse cannot be asked.
    pub async fn conversations_of(&self, customer_key: &str) -> anyhow::Result<Vec<Row>> {
        let view = self.view("conversations", "");
        self.ask(&format!("SELECT * FROM {view} WHERE customer_key = '{customer_key}' ORDER BY opened_utc")).await
    }

    /// The transcript of a conversation.
    ///
    /// # Errors
    /// If ClickHouse cannot be asked.
    pub async fn transcript(&self, conversation_id: &str) -> anyhow::Result<Vec<Row>> {
        let tenant = &self.tenant;
        let view = format!("weft.report_transcript(tenant = '{tenant}', conversation = '{conversation_id}')");
        self.ask(&format!("SELECT * FROM {view} ORDER BY seq")).await
    }

    /// Rows of any query.
    ///
    /// # Errors
    /// If ClickHouse cannot be reached or refuses; the error holds what it said.
    pub async fn ask(&self, sql: &str) -> anyhow::Result<Vec<Row>> {
        let mut request = self.http.post(&self.url).body(format!("{sql} FORMAT JSONEachRow"));
        for (name, value) in &self.credentials {
            request = request.header(*name, value);
        }
        let answer = request.send().await.context("ClickHouse does not answer")?;
        let (status, text) = (answer.status(), answer.text().await?);
        if !status.is_success() {
            bail!("ClickHouse refused ({status}): {}\n{sql}", text.trim());
        }
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }
}

/// A time as ClickHouse reads it.
fn sql_time(at: Timestamp) -> String {
    at.to_string().replace('T', " ").trim_end_matches('Z').to_owned()
}

/// A text column; empty when null.
pub fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_default()
}

/// A number; null stays none. ClickHouse writes 64-bit integers as texts when so configured.
pub fn number(row: &Row, column: &str) -> Option<f64> {
    match row.get(column)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A count; 0 when null.
pub fn count(row: &Row, column: &str) -> i64 {
    number(row, column).map_or(0, |number| number as i64)
}

/// A yes or no; no when null.
pub fn flag(row: &Row, column: &str) -> bool {
    match row.get(column) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Number(number)) => number.as_i64() == Some(1),
        Some(Value::Null | Value::String(_) | Value::Array(_) | Value::Object(_)) | None => false,
    }
}
