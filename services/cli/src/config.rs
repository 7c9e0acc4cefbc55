//! What the command is told: the same layers as the services', without a section of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use delivery::config::DeliverySettings;
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
    pub(crate) ingest: PublicPort,
    pub(crate) gateway: PublicPort,
    pub(crate) delivery: DeliverySettings,
}

/// What this needs of the sections `[ingest]` and `[gateway]`.
#[derive(Debug, Deserialize)]
pub(crate) struct PublicPort {
    pub(crate) listen: SocketAddr,
}

impl PublicPort {
    /// The base address by which it is reached from its own machine.
    pub(crate) fn url(&self) -> String {
        let mut at = self.listen;
        if at.ip().is_unspecified() {
            at.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{at}")
    }
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
