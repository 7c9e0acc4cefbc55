//! The only place a topic is named: name, key, record, partitions, cleanup and retention.
//! Everything that lists topics (`weft topics`, `weft schemas`, the services' start-up checks) is
//! made from here.

use crate::records::{
    AccountState, AuditEvent, ConfigEntity, ConversationCommand, ConversationEvent, ConversationView, CustomerAlias,
    DeadLetter, DeliveryEvent, DeliveryRequest, GuestView, InboundEvent, RawRequest, Record, RoutingCommand,
    RoutingEvent, RoutingView,
};

const DAY_MS: i64 = 86_400_000;
/// The largest record on `channel.raw` and the dead-letter topics, bytes.
pub const LARGE_RECORD_BYTES_MAX: i64 = 8 << 20;

/// How many partitions: co-partitioned topics share one count, fixed for life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitions {
    /// The count of all customer-keyed topics.
    Customer,
    /// The count of all domain-keyed topics.
    Domain,
    /// Exactly one.
    One,
}

/// What happens to old records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// Deleted after so many milliseconds.
    Delete(i64),
    /// Never deleted.
    Keep,
    /// The latest of each key is kept; earlier ones at least so many milliseconds.
    Compact(i64),
}

/// One topic.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// Its name on the broker.
    pub name: &'static str,
    /// What the key is, for people.
    pub key: &'static str,
    /// The record's name.
    pub record: &'static str,
    /// The text of the record's `.avsc`.
    pub schema: &'static str,
    /// How many partitions.
    pub partitions: Partitions,
    /// Cleanup and retention.
    pub cleanup: Cleanup,
    /// Who writes it → who reads it, for people.
    pub flow: &'static str,
    /// Services whose undecodable or unusable records of this topic go to `<name>.dlq`; empty: none.
    pub dead_letters: bool,
}

impl Topic {
    /// The subject of the schema registry.
    pub fn subject(&self) -> String {
        format!("{}-value", self.name)
    }
}

const fn topic<R: Record>(name: &'static str, key: &'static str, partitions: Partitions, cleanup: Cleanup) -> Topic {
    Topic { name, key, record: R::NAME, schema: R::SCHEMA, partitions, cleanup, flow: "", dead_letters: false }
}

impl Topic {
    const fn flow(mut self, flow: &'static str) -> Self {
        self.flow = flow;
        self
    }

    const fn with_dead_letters(mut self) -> Self {
        self.dead_letters = true;
        self
    }
}

/// Webhook requests as they came.
pub const CHANNEL_RAW: Topic =
    topic::<RawRequest>("channel.raw", "endpoint id", Partitions::Customer, Cleanup::Delete(14 * DAY_MS))
        .flow("ingest → replay tools")
        .with_dead_letters();
/// What customers and platforms sent, normalized.
pub const CHANNEL_INBOUND: Topic =
    topic::<InboundEvent>("channel.inbound", "customer key", Partitions::Customer, Cleanup::Delete(14 * DAY_MS))
        .flow("ingest, gateway → threading, delivery")
        .with_dead_letters();
/// What is asked of conversations.
pub const CONVERSATION_COMMANDS: Topic = topic::<ConversationCommand>(
    "conversation.commands",
    "customer key",
    Partitions::Customer,
    Cleanup::Delete(14 * DAY_MS),
)
.flow("gateway, routing, delivery, ingest → threading")
.with_dead_letters();
/// What became of conversations.
pub const CONVERSATION_EVENTS: Topic = topic::<ConversationEvent>(
    "conversation.events",
    "customer key",
    Partitions::Customer,
    Cleanup::Delete(30 * DAY_MS),
)
.flow("threading → delivery, gateway, analytics")
.with_dead_letters();
/// Present state of live conversations.
pub const CONVERSATION_VIEWS: Topic =
    topic::<ConversationView>("conversation.views", "customer key", Partitions::Customer, Cleanup::Compact(0))
        .flow("threading → gateway");
/// Other spellings of customers' ids.
pub const CUSTOMER_ALIASES: Topic = topic::<CustomerAlias>(
    "customer.aliases",
    "tenant/channel/account/alias hash",
    Partitions::Customer,
    Cleanup::Compact(0),
)
.flow("threading → ingest");
/// What routing is told.
pub const ROUTING_COMMANDS: Topic =
    topic::<RoutingCommand>("routing.commands", "routing domain", Partitions::Domain, Cleanup::Delete(14 * DAY_MS))
        .flow("threading, gateway, delivery → routing")
        .with_dead_letters();
/// What routing decided.
pub const ROUTING_EVENTS: Topic =
    topic::<RoutingEvent>("routing.events", "routing domain", Partitions::Domain, Cleanup::Delete(30 * DAY_MS))
        .flow("routing → gateway, analytics")
        .with_dead_letters();
/// Present state of agents, open work and queues.
pub const ROUTING_VIEWS: Topic =
    topic::<RoutingView>("routing.views", "tenant/kind/id", Partitions::Domain, Cleanup::Compact(0))
        .flow("routing → gateway");
/// Sessions of web guests.
pub const GUEST_VIEWS: Topic =
    topic::<GuestView>("guest.views", "tenant/kind/id", Partitions::Customer, Cleanup::Compact(0))
        .flow("gateway → gateway");
/// What delivery is asked beside messages.
pub const DELIVERY_REQUESTS: Topic =
    topic::<DeliveryRequest>("delivery.requests", "customer key", Partitions::Customer, Cleanup::Delete(14 * DAY_MS))
        .flow("routing, threading, weft → delivery")
        .with_dead_letters();
/// What became of each send.
pub const DELIVERY_EVENTS: Topic =
    topic::<DeliveryEvent>("delivery.events", "customer key", Partitions::Customer, Cleanup::Delete(30 * DAY_MS))
        .flow("delivery → gateway, analytics")
        .with_dead_letters();
/// Health of channel accounts.
pub const DELIVERY_ACCOUNTS: Topic =
    topic::<AccountState>("delivery.accounts", "tenant/account", Partitions::One, Cleanup::Compact(0))
        .flow("delivery → delivery, gateway")
        .with_dead_letters();
/// Business configuration in force.
pub const CONFIG_ENTITIES: Topic =
    topic::<ConfigEntity>("config.entities", "tenant/kind/id", Partitions::One, Cleanup::Compact(30 * DAY_MS))
        .flow("weft apply → all")
        .with_dead_letters();
/// Every configuration that ever was.
pub const CONFIG_HISTORY: Topic =
    topic::<ConfigEntity>("config.history", "tenant/kind/id", Partitions::One, Cleanup::Keep)
        .flow("weft apply → people");
/// Who did what to the system.
pub const AUDIT_EVENTS: Topic =
    topic::<AuditEvent>("audit.events", "tenant", Partitions::Domain, Cleanup::Delete(30 * DAY_MS))
        .flow("all → analytics")
        .with_dead_letters();

/// Every topic that carries records, in the order data flows.
pub const TOPICS: &[Topic] = &[
    CHANNEL_RAW,
    CHANNEL_INBOUND,
    CONVERSATION_COMMANDS,
    CONVERSATION_EVENTS,
    CONVERSATION_VIEWS,
    CUSTOMER_ALIASES,
    ROUTING_COMMANDS,
    ROUTING_EVENTS,
    ROUTING_VIEWS,
    GUEST_VIEWS,
    DELIVERY_REQUESTS,
    DELIVERY_EVENTS,
    DELIVERY_ACCOUNTS,
    CONFIG_ENTITIES,
    CONFIG_HISTORY,
    AUDIT_EVENTS,
];

/// State tables by service and the partitions of the service's tasks; the runtime's own table is
/// `task`. A service's tests check that its tables stand here.
pub const TABLES: &[(&str, Partitions, &[&str])] = &[
    (
        "threading",
        Partitions::Customer,
        &["task", "customers", "stints", "attributes", "names", "seen", "commands", "settings", "pending"],
    ),
    (
        "routing",
        Partitions::Domain,
        &["task", "settings", "tenants", "agents", "connections", "work", "parts", "queues", "commands"],
    ),
    (
        "delivery",
        Partitions::Customer,
        &[
            "task",
            "settings",
            "messages",
            "sent",
            "customers",
            "accounts",
            "receipts",
            "replies",
            "consents",
            "parties",
            "media",
            "bots",
            "turns",
        ],
    ),
];

/// The changelog topic of one state table.
pub fn changelog(service: &str, table: &str) -> String {
    format!("weft-{service}-{table}-changelog")
}

/// The dead-letter topic of a source topic.
pub fn dead_letter_topic(source: &str) -> String {
    format!("{source}.dlq")
}

/// A topic as it shall stand on the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedTopic {
    /// Its name.
    pub name: String,
    /// How many partitions.
    pub partitions: i32,
    /// Broker settings, sorted by key.
    pub settings: std::collections::BTreeMap<String, String>,
    /// The schema it carries under `<name>-value`, if any.
    pub schema: Option<&'static str>,
}

/// Everything that must exist on a broker, dead-letter topics and changelogs included.
pub fn plan(customer_partitions: i32, domain_partitions: i32) -> Vec<PlannedTopic> {
    let count = |partitions| match partitions {
        Partitions::Customer => customer_partitions,
        Partitions::Domain => domain_partitions,
        Partitions::One => 1,
    };
    let mut planned = Vec::new();
    for topic in TOPICS {
        let mut settings = cleanup_settings(topic.cleanup);
        if topic.name == CHANNEL_RAW.name {
            settings.insert("max.message.bytes".into(), LARGE_RECORD_BYTES_MAX.to_string());
        }
        planned.push(PlannedTopic {
            name: topic.name.into(),
            partitions: count(topic.partitions),
            settings,
            schema: Some(topic.schema),
        });
        if topic.dead_letters {
            let mut settings = cleanup_settings(Cleanup::Delete(30 * DAY_MS));
            settings.insert("max.message.bytes".into(), LARGE_RECORD_BYTES_MAX.to_string());
            planned.push(PlannedTopic {
                name: dead_letter_topic(topic.name),
                partitions: count(topic.partitions),
                settings,
                schema: Some(DeadLetter::SCHEMA),
            });
        }
    }
    for (service, partitions, tables) in TABLES {
        for table in *tables {
            planned.push(PlannedTopic {
                name: changelog(service, table),
                partitions: count(*partitions),
                settings: changelog_settings(),
                schema: None,
            });
        }
    }
    planned
}

fn cleanup_settings(cleanup: Cleanup) -> std::collections::BTreeMap<String, String> {
    let mut settings = std::collections::BTreeMap::from([("message.timestamp.type".into(), "LogAppendTime".into())]);
    match cleanup {
        Cleanup::Delete(retention_ms) => {
            settings.insert("cleanup.policy".into(), "delete".into());
            settings.insert("retention.ms".into(), retention_ms.to_string());
        }
        Cleanup::Keep => {
            settings.insert("cleanup.policy".into(), "delete".into());
            settings.insert("retention.ms".into(), "-1".into());
        }
        Cleanup::Compact(lag_ms) => {
            settings.insert("cleanup.policy".into(), "compact".into());
            settings.insert("min.compaction.lag.ms".into(), lag_ms.to_string());
        }
    }
    settings
}

fn changelog_settings() -> std::collections::BTreeMap<String, String> {
    let mut settings = cleanup_settings(Cleanup::Compact(0));
    settings.insert("segment.ms".into(), "3600000".into());
    settings.insert("min.cleanable.dirty.ratio".into(), "0.1".into());
    settings.insert("delete.retention.ms".into(), DAY_MS.to_string());
    settings
}
