//! What ingest is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use network::PortSettings;
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
    /// What its public port allows.
    pub public_port: PortSettings,
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
    /// Signed requests a second of one endpoint; more are asked to come again.
    pub endpoint_requests_per_s_max: u32,
    /// Requests a second of one API client, unless its configuration says otherwise.
    pub client_requests_per_s_max: u32,
    /// Requests worked on at one time; more are asked to come again.
    pub requests_max: usize,
    /// Time for Kafka to acknowledge, milliseconds; then the sender is asked to come again.
    pub ack_timeout_ms: u64,
    /// The folder of the spool; empty: none, and without Kafka every request is refused.
    pub spool_directory: PathBuf,
    /// Kafka has this long to acknowledge before the spool is used, milliseconds.
    pub spool_after_ms: u64,
    /// Bytes on disk; with more, requests are refused until Kafka is back.
    pub spool_bytes_max: u64,
    /// Age of the oldest record on disk, seconds; with an older one, requests are refused.
    pub spool_age_max_s: u64,
    /// A secret behind a reference is read again after this many seconds.
    pub secret_refresh_s: u64,
}
