//! What the gateway is told.

use std::net::SocketAddr;

use network::PortSettings;
use objects::MediaSettings;
use schemas::codec::RegistrySettings;
use secrecy::SecretString;
use serde::Deserialize;
use stream::KafkaSettings;
use telemetry::LogSettings;

/// The sections that the gateway reads.
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
    /// Where transcripts are.
    pub clickhouse: ClickHouseSettings,
    /// Where media lie.
    pub media: MediaSettings,
    /// What its public port allows.
    pub public_port: PortSettings,
    /// Its own section.
    pub gateway: GatewaySettings,
    /// What guests may do.
    pub guests: GuestSettings,
}

/// The section `[clickhouse]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClickHouseSettings {
    /// HTTP address.
    pub url: String,
    /// User; none: the server's default user.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<SecretString>,
}

/// The section `[gateway]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewaySettings {
    /// Address of the public port.
    pub listen: SocketAddr,
    /// Address of the admin port.
    pub admin_listen: SocketAddr,
    /// Sockets of one agent.
    pub sockets_per_agent_max: usize,
    /// Sockets of this process.
    pub sockets_max: usize,
    /// Bytes of one frame or request body.
    pub frame_bytes_max: usize,
    /// Frames that wait for a slow socket before it is closed.
    pub send_queue_max: usize,
    /// Commands of one socket that wait to be published.
    pub commands_queued_max: usize,
    /// Time between pings, seconds; a socket silent for three of them is closed.
    pub ping_s: u64,
    /// Characters of one message.
    pub text_chars_max: usize,
    /// Attachments of one message.
    pub attachments_max: usize,
    /// How long a command waits for the event that decides it, milliseconds.
    pub command_wait_ms: u64,
    /// How long ClickHouse may take for a transcript, milliseconds.
    pub transcript_wait_ms: u64,
    /// Latest messages kept of each conversation.
    pub messages_kept_max: usize,
    /// Conversations without a live stint that are kept.
    pub ended_kept_max: usize,
    /// Outcomes kept for commands asked twice.
    pub outcomes_kept_max: usize,
}

/// The section `[guests]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuestSettings {
    /// Connections of one guest; the oldest is closed for one more.
    pub connections_max: usize,
    /// New connections of one deployment in a minute.
    pub connections_per_min_max: u32,
    /// Requests of one connection in a minute.
    pub requests_per_min_max: u32,
    /// Messages of one guest in a second.
    pub messages_per_s_max: u32,
    /// Looks of one guest at the history in a minute.
    pub history_per_min_max: u32,
    /// Echoes of one connection in a minute.
    pub echoes_per_min_max: u32,
    /// Typing of one connection is told once in so many milliseconds.
    pub typing_every_ms: i64,
    /// Bytes of one text.
    pub text_bytes_max: usize,
    /// Bytes of all custom attributes of a message.
    pub attributes_bytes_max: usize,
    /// Missed messages told to who comes back; the rest is history.
    pub missed_max: usize,
    /// Latest messages kept of each guest.
    pub messages_kept_max: usize,
    /// Guests whose messages are kept.
    pub guests_kept_max: usize,
    /// A connection without a session is closed after so many seconds.
    pub configure_wait_s: u64,
    /// The longest life of one session, whatever is said in it, days.
    pub session_days_max: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_be_read() {
        let config: Config = settings::defaults().unwrap();
        assert!(config.gateway.send_queue_max > config.guests.missed_max && config.clickhouse.username.is_none());
    }
}
