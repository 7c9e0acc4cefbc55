//! What ingest is told.

use std::net::SocketAddr;

use schemas::codec::RegistrySettings;
use secrecy::SecretString;
use serde::Deserialize;
use stream::KafkaSettings;
use telemetry::LogSettings;

/// The sections that ingest reads.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// Makes customer keys.
    pub key_secret: SecretString,
    /// Signs bearer tokens.
    pub token_secret: SecretString,
    /// How to log.
    pub log: LogSettings,
    /// Where Kafka is.
    pub kafka: KafkaSettings,
    /// Where the schema registry is.
    pub schema_registry: RegistrySettings,
    /// Its own section.
    pub ingest: IngestSettings,
}

/// The section `[ingest]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestSettings {
    /// Address of the public port.
    pub listen: SocketAddr,
    /// Address of the admin port.
    pub admin_listen: SocketAddr,
    /// Bytes of one request body.
    pub body_bytes_max: usize,
    /// Time a client has to send its body, milliseconds.
    pub body_timeout_ms: u64,
    /// Requests worked on at one time; more are asked to come again.
    pub requests_max: usize,
    /// Time for Kafka to acknowledge, milliseconds; then the sender is asked to come again.
    pub ack_timeout_ms: u64,
    /// A secret behind a reference is read again after this many seconds.
    pub secret_refresh_s: u64,
}
