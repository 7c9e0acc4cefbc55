//! Bots.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;

/// A program that talks to customers before, or in place of, people (F4).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bot {
    /// What people call it.
    pub name: String,
    /// Where turns are posted.
    pub url: String,
    /// Which language it speaks.
    #[serde(default)]
    pub dialect: BotDialect,
    /// Live signing secrets (Standard Webhooks, `whsec_…`); all of them sign.
    pub secrets: Vec<SecretRef>,
    /// What it wants as bearer token beside the signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<SecretRef>,
    /// Genesys Bot Connector: the bot's id there; null: this document's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_id: Option<String>,
    /// Genesys Bot Connector: the bot's version there; null: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bot_version: Option<String>,
    /// The endpoint (platform `bot`) by which it may answer later; null: it answers at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// How long its answer to one turn is worth something, milliseconds; then the customer is handed over.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: i64,
    /// Turns of one stint; then the customer is handed over.
    #[serde(default = "fifty")]
    pub turns_max: i64,
}

fn ten_seconds() -> i64 {
    10_000
}

fn fifty() -> i64 {
    50
}

/// How a bot is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BotDialect {
    /// Our own.
    #[default]
    Weft,
    /// Genesys Bot Connector, version 1.
    GenesysBotConnector,
}
