//! What threading is told.

use std::net::SocketAddr;

use schemas::codec::RegistrySettings;
use secrecy::SecretString;
use serde::Deserialize;
use stream::KafkaSettings;
use telemetry::LogSettings;

/// All that threading wants to know.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// Makes customer keys; here, the keys of aliases.
    pub key_secret: SecretString,
    /// Logging.
    pub log: LogSettings,
    /// Kafka.
    pub kafka: KafkaSettings,
    /// The schema registry.
    pub schema_registry: RegistrySettings,
    /// Its own section.
    pub threading: ThreadingSettings,
}

/// The section `[threading]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreadingSettings {
    /// Where probes and metrics are answered.
    pub admin_listen: SocketAddr,
}
