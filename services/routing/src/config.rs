//! What routing is told.

use std::net::SocketAddr;

use schemas::codec::RegistrySettings;
use serde::Deserialize;
use stream::KafkaSettings;
use telemetry::LogSettings;

/// All that routing wants to know.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// Logging.
    pub log: LogSettings,
    /// Kafka.
    pub kafka: KafkaSettings,
    /// The schema registry.
    pub schema_registry: RegistrySettings,
    /// Its own section.
    pub routing: RoutingSettings,
}

/// The section `[routing]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingSettings {
    /// Where probes and metrics are answered.
    pub admin_listen: SocketAddr,
}
