//! What analytics is told.

use std::net::SocketAddr;

use schemas::codec::RegistrySettings;
use secrecy::SecretString;
use serde::Deserialize;
use stream::KafkaSettings;
use telemetry::LogSettings;

/// All that analytics wants to know.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// Logging.
    pub log: LogSettings,
    /// Kafka.
    pub kafka: KafkaSettings,
    /// The schema registry.
    pub schema_registry: RegistrySettings,
    /// ClickHouse.
    pub clickhouse: ClickHouseSettings,
    /// Its own section.
    pub analytics: AnalyticsSettings,
}

/// The section `[clickhouse]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClickHouseSettings {
    /// HTTP address.
    pub url: String,
    /// User; empty: the server's default.
    pub username: String,
    /// Password of that user.
    pub password: SecretString,
}

/// The section `[analytics]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalyticsSettings {
    /// Where probes and metrics are answered.
    pub admin_listen: SocketAddr,
}
