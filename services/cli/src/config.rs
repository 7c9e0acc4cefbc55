//! What the command is told: the same layers as the services', without a section of its own.

use std::path::Path;

use schemas::codec::RegistrySettings;
use schemas::ids::KeySecret;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use stream::KafkaSettings;

use crate::Failure;

/// Where everything is.
#[derive(Debug, Deserialize)]
pub(crate) struct Config {
    key_secret: Option<SecretString>,
    token_secret: Option<SecretString>,
    pub(crate) kafka: KafkaSettings,
    pub(crate) schema_registry: RegistrySettings,
    pub(crate) clickhouse: ClickHouseSettings,
    pub(crate) ingest: IngestSettings,
}

/// What this needs of the section `[ingest]`.
#[derive(Debug, Deserialize)]
pub(crate) struct IngestSettings {
    pub(crate) listen: String,
}

/// The section `[clickhouse]`.
#[derive(Debug, Deserialize)]
pub(crate) struct ClickHouseSettings {
    pub(crate) url: String,
    #[serde(default)]
    pub(crate) username: String,
    pub(crate) password: Option<SecretString>,
}

impl Config {
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, Failure> {
        settings::load_tool(file).map_err(|error| Failure::Usage(error.to_string()))
    }

    /// The secret that makes customer keys, if one is set.
    pub(crate) fn key_secret(&self) -> Option<KeySecret> {
        self.key_secret.as_ref().map(|secret| KeySecret::new(secret.expose_secret()))
    }

    pub(crate) fn need_key_secret(&self) -> Result<KeySecret, Failure> {
        self.key_secret().ok_or_else(|| missing("key_secret"))
    }

    pub(crate) fn need_token_secrets(&self) -> Result<access::TokenSecrets, Failure> {
        let secret = self.token_secret.as_ref().ok_or_else(|| missing("token_secret"))?;
        access::TokenSecrets::parse(secret.expose_secret()).map_err(|error| Failure::Usage(error.to_string()))
    }
}

fn missing(key: &str) -> Failure {
    let variable = key.to_uppercase();
    Failure::Usage(format!(
        "this needs {key}: set WEFT_{variable}, WEFT_{variable}_FILE, or {key} in the file of --config"
    ))
}
