//! Every metric of ingest, beside those of HTTP.

use schemas::ids::TenantId;

telemetry::metrics! {
    /// What ingest counts.
    pub struct Metrics {
        /// Requests by channel (`whatsapp`, `open`, or `meta` before the body is read) and outcome.
        webhooks: IntCounterVec = "webhooks_total" ["channel", "outcome"],
        /// Events found in requests, by channel and kind as on `channel.inbound`.
        events: IntCounterVec = "inbound_events_total" ["channel", "kind"],
        /// Records read.
        records_in: IntCounterVec = "records_in_total" ["service", "topic"],
        /// Records written and acknowledged.
        records_out: IntCounterVec = "records_out_total" ["service", "topic"],
        /// What could not be used, by the topic it came from and reason.
        dead_letters: IntCounterVec = "dead_letters_total" ["service", "topic", "reason"],
        /// Records that could not be read, by reason; another service of the topic keeps them as
        /// dead letters.
        unreadable: IntCounterVec = "ingest_unreadable_total" ["topic", "reason"],
        /// When each of an endpoint's secrets, counted from 1 among those that can be read, last signed a request;
        /// seconds since 1970. One that is not used any more can be taken out of service.
        secret_used: IntGaugeVec = "ingest_secret_used_timestamp_seconds" ["tenant", "endpoint", "secret"],
        /// Records on disk that wait for Kafka.
        spool_records: IntGauge = "spool_records" [],
        /// Bytes on disk that wait for Kafka.
        spool_bytes: IntGauge = "spool_bytes" [],
        /// Time for Kafka to acknowledge all records of a request, in seconds.
        acknowledge: HistogramVec = "ingest_acknowledge_seconds" ["outcome"]
            buckets [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0],
    }
}

/// The label `service`.
pub const SERVICE: &str = "ingest";

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Durable, and every event of it understood.
    Accepted,
    /// Durable, yet something in it became a dead letter.
    DeadLettered,
    /// Nobody we know signed it, or it came to no endpoint.
    Unauthorized,
    /// A caller of our API asked for what it may not have, or what does not exist.
    Refused,
    /// Too large or too slow.
    Limits,
    /// Kafka did not acknowledge in time, or too much is under way.
    Unavailable,
}

impl Outcome {
    /// The label `outcome`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::DeadLettered => "dead_lettered",
            Self::Unauthorized => "unauthorized",
            Self::Refused => "refused",
            Self::Limits => "limits",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Metrics {
    /// Counts a request.
    pub fn request(&self, channel: &str, outcome: Outcome) {
        self.webhooks.with_label_values(&[channel, outcome.as_str()]).inc();
    }

    /// Notes that one of an endpoint's secrets signed a request.
    pub fn secret_used(&self, tenant: &TenantId, endpoint: &str, no: usize) {
        let labels = [tenant.as_str(), endpoint, &no.to_string()];
        self.secret_used.with_label_values(&labels).set(stream::clock::now().as_ms().div_euclid(1_000));
    }

    /// Counts a dead letter.
    pub fn dead_letter(&self, topic: &str, reason: &str) {
        self.dead_letters.with_label_values(&[SERVICE, topic, reason]).inc();
    }
}
