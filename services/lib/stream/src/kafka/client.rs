//! Settings of every client, by its role.

use crate::planted::Planted;
use crate::{KafkaSettings, ServiceName};
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use secrecy::ExposeSecret;

/// Connection, security and pass-through; the guarded properties come on top of it.
fn base(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    for (key, value) in &settings.client {
        config.set(key, value);
    }
    config
        .set("bootstrap.servers", &settings.bootstrap)
        .set("client.id", client_id)
        .set("security.protocol", settings.security_protocol.as_str())
        .set("retry.backoff.max.ms", "1000");
    if !settings.client.contains_key("reconnect.backoff.max.ms") {
        config.set("reconnect.backoff.max.ms", "2000");
    }
    let files = [
        ("ssl.ca.location", &settings.tls_ca_file),
        ("ssl.certificate.location", &settings.tls_certificate_file),
        ("ssl.key.location", &settings.tls_key_file),
    ];
    for (key, path) in files {
        if let Some(path) = path {
            config.set(key, path.display().to_string());
        }
    }
    for (key, text) in [("sasl.mechanism", &settings.sasl_mechanism), ("sasl.username", &settings.sasl_username)] {
        if let Some(text) = text {
            config.set(key, text);
        }
    }
    let secrets = [("ssl.key.password", &settings.tls_key_password), ("sasl.password", &settings.sasl_password)];
    for (key, secret) in secrets {
        if let Some(secret) = secret {
            config.set(key, secret.expose_secret());
        }
    }
    config
}

/// The admin client, and the client that only asks for watermarks.
pub(super) fn plain(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    base(settings, client_id)
}

/// A client that sees aborted and open work too: for end offsets alone.
pub(super) fn probe(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = base(settings, client_id);
    config.set("isolation.level", "read_uncommitted");
    config
}

fn reading(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = base(settings, client_id);
    let tunable =
        [("fetch.wait.max.ms", "100"), ("fetch.queue.backoff.ms", "10"), ("queued.max.messages.kbytes", "16384")];
    for (key, value) in tunable {
        if !settings.client.contains_key(key) {
            config.set(key, value);
        }
    }
    config
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("allow.auto.create.topics", "false");
    config
}

/// A member of the service's group: static, classic range assignment.
pub(super) fn member(settings: &KafkaSettings, service: &ServiceName, slot: u32) -> ClientConfig {
    let id = service.slot_id(slot);
    let mut config = reading(settings, &id);
    config
        .set("group.id", service.group())
        .set("group.instance.id", &id)
        .set("partition.assignment.strategy", "range")
        .set("session.timeout.ms", settings.session_timeout_ms.to_string())
        .set("max.poll.interval.ms", "60000")
        .set("auto.offset.reset", "error");
    if settings.plants(Planted::ReadUncommitted) {
        config.set("isolation.level", "read_uncommitted");
    }
    config
}

/// A reader of given partitions without membership. librdkafka wants a group's name even so; it
/// is never joined and nothing is committed to it.
pub(super) fn reader(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = reading(settings, client_id);
    config.set("group.id", format!("{client_id}.reader")).set("auto.offset.reset", "earliest");
    config
}

/// A reader that sees aborted and open work too.
pub(super) fn uncommitted_reader(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = reader(settings, client_id);
    config.set("isolation.level", "read_uncommitted");
    config
}

fn writing(settings: &KafkaSettings, client_id: &str) -> ClientConfig {
    let mut config = base(settings, client_id);
    let tunable = [("linger.ms", "5"), ("compression.type", "lz4"), ("queue.buffering.max.kbytes", "262144")];
    for (key, value) in tunable {
        if !settings.client.contains_key(key) {
            config.set(key, value);
        }
    }
    config
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("retry.backoff.ms", "5");
    config
}

/// The transactional producer of a slot.
pub(super) fn transactional(settings: &KafkaSettings, id: &str) -> ClientConfig {
    let timeout = settings.transaction_timeout_ms;
    let mut config = writing(settings, id);
    config
        .set("transactional.id", id)
        .set("transaction.timeout.ms", timeout.to_string())
        .set("message.timeout.ms", (timeout * 9 / 10).to_string())
        .set("delivery.report.only.error", "true");
    config
}

/// An idempotent producer without transactions; a message is given up after `timeout_ms`.
///
/// One request under way at a time: a broker that knows nothing yet of a producer takes any first
/// sequence number. When the first batch for a young partition fails and is sent again, a second
/// one under way already may have been taken, and the first is then answered as a duplicate:
/// acknowledged and lost. Seen on Kafka 4.3.1 with five requests under way.
pub(super) fn idempotent(settings: &KafkaSettings, client_id: &str, timeout_ms: u64) -> ClientConfig {
    let mut config = writing(settings, client_id);
    config.set("message.timeout.ms", timeout_ms.to_string()).set("max.in.flight.requests.per.connection", "1");
    if !settings.client.contains_key("linger.ms") {
        config.set("linger.ms", "1");
    }
    config
}

/// librdkafka's own lines, one level lower than it thinks of them: what matters comes as an error.
pub(super) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::warn!(facility, "{message}")
        }
        RDKafkaLogLevel::Warning => tracing::info!(facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, "{message}");
        }
    }
}
