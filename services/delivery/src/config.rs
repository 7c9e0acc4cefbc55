//! What delivery is told.

use std::net::SocketAddr;

use network::Place;
use objects::MediaSettings;
use schemas::codec::RegistrySettings;
use secrecy::SecretString;
use serde::Deserialize;
use stream::KafkaSettings;
use telemetry::LogSettings;

/// All that delivery wants to know.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// Signs addresses of media.
    pub token_secret: SecretString,
    /// Where media lie.
    pub media: MediaSettings,
    /// Signs the ids that leave the house.
    pub key_secret: SecretString,
    /// Logging.
    pub log: LogSettings,
    /// Kafka.
    pub kafka: KafkaSettings,
    /// The schema registry.
    pub schema_registry: RegistrySettings,
    /// Its own section.
    pub delivery: DeliverySettings,
}

/// The section `[delivery]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySettings {
    /// Where probes and metrics are answered.
    pub admin_listen: SocketAddr,
    /// Calls of one account that may be out at one time, per partition.
    pub account_calls_max: usize,
    /// This process's share of every account's rate, 0 to 1: one divided by the processes.
    pub account_rate_share: f64,
    /// Longest time to connect to a provider or webhook, milliseconds.
    pub connect_timeout_ms: u64,
    /// Ports that may be called on public hosts.
    pub ports: Vec<u16>,
    /// Where providers' APIs, webhooks and bots may be called at private addresses: hosts and single addresses
    /// without TLS and on any port, ranges under names with TLS on the ports above.
    pub internal_hosts: Vec<Place>,
    /// The same for media, where an account's `media_hosts` name the host too.
    pub media_internal_hosts: Vec<Place>,
    /// What is never called, whatever else is said.
    pub denied_hosts: Vec<Place>,
    /// Media fetched at one time.
    pub media_fetches_max: usize,
    /// Longest time of one fetch, milliseconds.
    pub media_timeout_ms: u64,
}
