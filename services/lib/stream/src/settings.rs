//! What every service is told about Kafka: the section `[kafka]`.

use crate::faults::Faults;
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Connection, security and rhythm of a service's Kafka clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaSettings {
    /// Brokers to start from, `host:port` separated by commas.
    pub bootstrap: String,
    /// How the connection is protected.
    pub security_protocol: SecurityProtocol,
    /// Certificate authorities, PEM; the system's if not given.
    pub tls_ca_file: Option<PathBuf>,
    /// Client certificate, PEM.
    pub tls_certificate_file: Option<PathBuf>,
    /// Client key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// Password of the client key.
    pub tls_key_password: Option<SecretString>,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub sasl_mechanism: Option<String>,
    /// SASL user.
    pub sasl_username: Option<String>,
    /// SASL password.
    pub sasl_password: Option<SecretString>,
    /// librdkafka properties passed through; those that would break a guarantee are refused.
    pub client: BTreeMap<String, String>,
    /// Number of this process among the replicas of its service, from 0 and stable across
    /// restarts (a StatefulSet's ordinal).
    pub instance: u32,
    /// Loops in this process, each with its own thread, consumer and producer.
    pub slots: u32,
    /// A transaction is committed at the latest after this long.
    pub commit_interval_ms: u64,
    /// A sink's batch is written at the latest after this long.
    pub sink_interval_ms: u64,
    /// A transaction is committed once nothing new has come for this long.
    pub linger_ms: u64,
    /// Records in one transaction.
    pub batch_records_max: usize,
    /// Bytes of input in one transaction.
    pub batch_bytes_max: usize,
    /// A record younger than this is not held back for other inputs; deadlines wait this long.
    pub merge_slack_ms: i64,
    /// Records of one input partition read ahead; beyond it the partition is paused.
    pub merge_buffer_max: usize,
    /// A record held back for another input longer than this raises an alarm.
    pub input_wait_max_ms: u64,
    /// Requests to the outside world open at one time in a loop; beyond it reading stops.
    pub requests_max: usize,
    /// A restore that makes no progress for this long ends the process.
    pub restore_wait_max_ms: u64,
    /// The group's session: a dead process's partitions move after this long.
    pub session_timeout_ms: u64,
    /// The broker aborts a transaction left open for this long.
    pub transaction_timeout_ms: u64,
    /// A record published without a transaction is given up after this long.
    pub publish_timeout_ms: u64,
    /// Records published without a transaction under way at one time.
    pub publish_records_max: u32,
    /// Positions past markers are committed this often even without records.
    pub idle_commit_ms: u64,
    /// Where each loop keeps its crash journal; none: records that kill the process are not
    /// recognised.
    pub state_dir: Option<PathBuf>,
    /// Shows a fingerprint of every table when a task is restored and when it leaves; reads every
    /// row.
    pub state_digests: bool,
    /// Fault points to arm, in test builds only: [`crate::faults`].
    pub faults: String,
    /// Bugs to switch on, in test builds only: [`crate::planted`].
    pub planted: String,
}

/// How a connection to Kafka is protected.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum SecurityProtocol {
    /// Not at all: for one machine.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without TLS.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            bootstrap: "127.0.0.1:19092".to_owned(),
            security_protocol: SecurityProtocol::Plaintext,
            tls_ca_file: None,
            tls_certificate_file: None,
            tls_key_file: None,
            tls_key_password: None,
            sasl_mechanism: None,
            sasl_username: None,
            sasl_password: None,
            client: BTreeMap::new(),
            instance: 0,
            slots: 1,
            commit_interval_ms: 50,
            sink_interval_ms: 1_000,
            linger_ms: 5,
            batch_records_max: 5_000,
            batch_bytes_max: 8 << 20,
            merge_slack_ms: 250,
            merge_buffer_max: 20_000,
            input_wait_max_ms: 30_000,
            requests_max: 10_000,
            restore_wait_max_ms: 120_000,
            session_timeout_ms: 10_000,
            transaction_timeout_ms: 10_000,
            publish_timeout_ms: 5_000,
            publish_records_max: 10_000,
            idle_commit_ms: 60_000,
            state_dir: None,
            state_digests: false,
            faults: String::new(),
            planted: String::new(),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("kafka.{key}: {detail}")]
pub struct SettingsError {
    /// The key under `[kafka]`.
    pub key: String,
    /// What was expected and what came.
    pub detail: String,
}

/// Properties that a guarantee rests on, each with what holds instead.
const GUARDED: [(&str, &str); 22] = [
    ("acks", "all in-sync replicas acknowledge"),
    ("auto.offset.reset", "the runtime chooses every start offset itself"),
    ("bootstrap.servers", "use kafka.bootstrap"),
    ("delivery.report.only.error", "the runtime counts on it"),
    ("delivery.timeout.ms", "follows from kafka.transaction_timeout_ms"),
    ("enable.auto.commit", "offsets are committed with their results"),
    ("enable.auto.offset.store", "offsets are committed with their results"),
    ("enable.idempotence", "producers are idempotent"),
    ("enable.partition.eof", "the runtime counts on it"),
    ("group.id", "weft.<service>"),
    ("group.instance.id", "weft.<service>.<slot>"),
    ("group.protocol", "the classic protocol with static members"),
    ("isolation.level", "aborted work must stay invisible"),
    ("max.in.flight", "order depends on it"),
    ("max.in.flight.requests.per.connection", "order depends on it"),
    ("message.timeout.ms", "follows from kafka.transaction_timeout_ms"),
    ("metadata.broker.list", "use kafka.bootstrap"),
    ("partition.assignment.strategy", "range, so that a task gets the same partition everywhere"),
    ("partitioner", "murmur2_random, as Java clients"),
    ("request.required.acks", "all in-sync replicas acknowledge"),
    ("transaction.timeout.ms", "use kafka.transaction_timeout_ms"),
    ("transactional.id", "weft.<service>.<slot>"),
];

impl KafkaSettings {
    /// Refuses values that cannot work and properties that would break a guarantee.
    pub fn check(&self) -> Result<(), SettingsError> {
        let refuse = |key: &str, detail: String| Err(SettingsError { key: key.to_owned(), detail });
        if self.bootstrap.trim().is_empty() {
            return refuse("bootstrap", "expected host:port, got nothing".to_owned());
        }
        for key in self.client.keys() {
            if let Some((_, instead)) = GUARDED.iter().find(|(name, _)| name == key) {
                let key = format!("client.\"{key}\"");
                return refuse(&key, format!("would break a guarantee ({instead})"));
            }
        }
        for (key, value) in [
            ("slots", self.slots as usize),
            ("batch_records_max", self.batch_records_max),
            ("batch_bytes_max", self.batch_bytes_max),
            ("merge_buffer_max", self.merge_buffer_max),
            ("requests_max", self.requests_max),
        ] {
            if value == 0 {
                return refuse(key, "expected at least 1, got 0".to_owned());
            }
        }
        if let Some(name) = self.unknown_planted() {
            return refuse("planted", format!("this build has no planted bug named {name}"));
        }
        self.armed().map(drop)
    }

    /// The fault points of one loop or publisher; each process counts for itself.
    pub(crate) fn armed(&self) -> Result<Faults, SettingsError> {
        Faults::parse(&self.faults).map_err(|detail| SettingsError { key: "faults".to_owned(), detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_property_that_would_break_a_guarantee_is_refused_by_name() {
        let mut settings = KafkaSettings::default();
        settings.client.insert("isolation.level".to_owned(), "read_uncommitted".to_owned());
        let error = settings.check().unwrap_err().to_string();
        assert!(error.starts_with("kafka.client.\"isolation.level\": would break"), "{error}");
        settings.client.clear();
        settings.client.insert("fetch.min.bytes".to_owned(), "1".to_owned());
        settings.check().unwrap();
    }
}
