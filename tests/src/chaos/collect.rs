//! Gathers the evidence of a run: topics twice, groups, changelogs, providers, ClickHouse.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use schemas::codec::Codec;
use schemas::records::{
    ConversationCommandKind, ConversationEvent, ConversationEventKind, ConversationView, DeadLetter, DeliveryEvent,
    DeliveryEventKind, Direction, InboundEvent, InboundKind, RoutingEvent, RoutingEventKind,
};
use schemas::topics;
use stream::{Admin, Follow, InputRecord, KafkaSettings};

use super::evidence::{Detail, Evidence, Part, Place, Record, RowSeen, Threaded};

const CLIENT: &str = "weft-chaos-checker";
/// Topics with outputs of transactions, or whose records cause some.
const READ: [&str; 10] = [
    topics::CHANNEL_INBOUND.name,
    topics::CONVERSATION_COMMANDS.name,
    topics::CONVERSATION_EVENTS.name,
    topics::CONVERSATION_VIEWS.name,
    topics::CUSTOMER_ALIASES.name,
    topics::ROUTING_COMMANDS.name,
    topics::ROUTING_EVENTS.name,
    topics::ROUTING_VIEWS.name,
    topics::DELIVERY_EVENTS.name,
    topics::DELIVERY_ACCOUNTS.name,
];
/// Their dead letters.
const LETTERS: [&str; 6] = [
    "channel.inbound.dlq",
    "conversation.commands.dlq",
    "conversation.events.dlq",
    "routing.commands.dlq",
    "routing.events.dlq",
    "delivery.events.dlq",
];
/// Services with state, and what they read as a group.
pub const GROUPS: [(&str, &[&str]); 4] = [
    ("threading", &[topics::CHANNEL_INBOUND.name, topics::CONVERSATION_COMMANDS.name]),
    ("routing", &[topics::ROUTING_COMMANDS.name]),
    ("delivery", &[topics::CONVERSATION_EVENTS.name, topics::CHANNEL_INBOUND.name]),
    ("analytics", &[topics::CONVERSATION_EVENTS.name, topics::ROUTING_EVENTS.name, topics::DELIVERY_EVENTS.name]),
];
/// Fact tables and the topic each is made from.
pub const TABLES: [&str; 11] = [
    "messages",
    "conversation_changes",
    "turns",
    "deliveries",
    "queue_entries",
    "queue_visits",
    "parts",
    "segments",
    "service_levels",
    "work_changes",
    "agent_changes",
];

/// Reads everything that Kafka shows; blocks.
///
/// # Errors
/// If a topic cannot be read to its end.
pub fn topics(settings: &KafkaSettings, codec: &Codec) -> anyhow::Result<Evidence> {
    let mut evidence = Evidence::default();
    let mut transactions = HashMap::new();
    let mut committed: BTreeMap<(&'static str, i32), Vec<i64>> = BTreeMap::new();
    let all = || READ.iter().chain(&LETTERS).copied();
    let mut trouble = None;
    Follow::new(all()).to_end(settings, CLIENT, |record| match read(codec, &record, &mut transactions) {
        Ok(read) => {
            committed.entry((read.place.topic, read.place.partition)).or_default().push(read.place.offset);
            evidence.records.push(read);
        }
        Err(error) => trouble = Some(error),
    })?;
    if let Some(error) = trouble {
        return Err(error);
    }
    Follow::new(all()).uncommitted().to_end(settings, CLIENT, |record| {
        let Some(topic) = name(record.topic) else { return };
        let place = Place { topic, partition: record.partition, offset: record.offset };
        let known = committed.get(&(topic, place.partition));
        if known.is_none_or(|offsets| offsets.binary_search(&place.offset).is_err()) {
            evidence.aborted.insert(place);
        }
    })?;
    let mut names: Vec<(String, usize)> = Vec::from_iter(transactions);
    names.sort_by_key(|(_, no)| *no);
    evidence.transactions = names.into_iter().map(|(name, _)| name).collect();
    groups(settings, &mut evidence)?;
    changelogs(settings, &mut evidence)?;
    Ok(evidence)
}

fn groups(settings: &KafkaSettings, evidence: &mut Evidence) -> anyhow::Result<()> {
    let admin = Admin::new(settings)?;
    for (service, topics) in GROUPS {
        let topics: Vec<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        evidence.groups.insert(service, admin.group(&format!("weft.{service}"), &topics)?);
    }
    Ok(())
}

fn changelogs(settings: &KafkaSettings, evidence: &mut Evidence) -> anyhow::Result<()> {
    for (service, _) in GROUPS.into_iter().filter(|(service, _)| *service != "analytics") {
        let topic = topics::changelog(service, "task");
        Follow::new([topic]).to_end(settings, CLIENT, |record| {
            let row = (record.key.and_then(plain::<String>), record.payload.and_then(plain::<i64>));
            if let (Some(key), Some(next)) = row
                && let Some(topic) = key.strip_prefix("offset/")
            {
                evidence.positions.insert((service, record.partition, topic.to_owned()), next);
            }
        })?;
    }
    Follow::new([topics::changelog("threading", "customers")]).to_end(settings, CLIENT, |record| {
        let key = record.key.and_then(plain::<String>).and_then(|key| u128::from_str_radix(&key, 16).ok());
        let row = record.payload.and_then(plain::<serde_json::Value>);
        if let (Some(key), Some(seq)) = (key, row.and_then(|row| row["seq"].as_i64())) {
            evidence.numbers.insert(key, seq);
        }
    })?;
    Ok(())
}

/// A row of a changelog: one version byte, then MessagePack.
fn plain<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    rmp_serde::from_slice(bytes.get(1..)?).ok()
}

fn name(topic: &str) -> Option<&'static str> {
    READ.iter().chain(&LETTERS).find(|known| **known == topic).copied()
}

fn read(codec: &Codec, record: &InputRecord<'_>, known: &mut HashMap<String, usize>) -> anyhow::Result<Record> {
    let topic = name(record.topic).with_context(|| format!("nobody asked for {}", record.topic))?;
    let place = Place { topic, partition: record.partition, offset: record.offset };
    let header = |name: &str| record.header(name).and_then(|value| std::str::from_utf8(value).ok());
    let number = header(stream::NUMBER_HEADER).and_then(|text| text.split_once('/'));
    let part = match (header(stream::TRANSACTION_HEADER), number) {
        (Some(name), Some((no, of))) => {
            let next = known.len();
            let transaction = *known.entry(name.to_owned()).or_insert(next);
            Some(Part { transaction, no: no.parse()?, of: of.parse()? })
        }
        (Some(_), None) | (None, _) => None,
    };
    let source = header(stream::SOURCE_HEADER).and_then(coordinates);
    let (kind, detail) = detail(codec, topic, record).with_context(|| format!("the checker cannot read {place}"))?;
    Ok(Record { place, at_ms: record.timestamp.as_ms(), source, part, kind, detail })
}

fn coordinates(text: &str) -> Option<Place> {
    let (spot, offset) = text.rsplit_once('@')?;
    let (topic, partition) = spot.rsplit_once('-')?;
    Some(Place { topic: name(topic)?, partition: partition.parse().ok()?, offset: offset.parse().ok()? })
}

fn detail(codec: &Codec, topic: &str, record: &InputRecord<'_>) -> anyhow::Result<(&'static str, Detail)> {
    let Some(bytes) = record.payload else {
        return Ok(("tombstone", gone(topic, record)));
    };
    if LETTERS.contains(&topic) {
        let letter: DeadLetter = codec.decode(bytes)?;
        return Ok(("dead letter", Detail::Letter { why: format!("{letter:?}").chars().take(400).collect() }));
    }
    if topic == topics::CHANNEL_INBOUND.name {
        return Ok(inbound(codec.decode(bytes)?));
    }
    if topic == topics::CONVERSATION_COMMANDS.name {
        let command: schemas::records::ConversationCommand = codec.decode(bytes)?;
        return Ok((named(ConversationCommandKind::NAMES, command.kind.name()), Detail::Plain));
    }
    if topic == topics::CONVERSATION_EVENTS.name {
        return Ok(threaded(codec.decode(bytes)?));
    }
    if topic == topics::DELIVERY_EVENTS.name {
        let event: DeliveryEvent = codec.decode(bytes)?;
        let kind = named(DeliveryEventKind::NAMES, event.kind.name());
        return Ok((kind, Detail::Attempt { message: event.message_id.as_u128() }));
    }
    if topic == topics::ROUTING_EVENTS.name {
        return Ok(routed(&codec.decode(bytes)?));
    }
    if topic == topics::CONVERSATION_VIEWS.name {
        let view: ConversationView = codec.decode(bytes)?;
        let shown = Some((view.last_seq, view.owner_epoch));
        return Ok(("view", Detail::View { customer: view.customer_key.as_u128(), shown }));
    }
    Ok(("record", Detail::Plain))
}

fn gone(topic: &str, record: &InputRecord<'_>) -> Detail {
    let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
    match key.and_then(|key| u128::from_str_radix(key, 16).ok()) {
        Some(customer) if topic == topics::CONVERSATION_VIEWS.name => Detail::View { customer, shown: None },
        Some(_) | None => Detail::Plain,
    }
}

fn named(names: &'static [&'static str], name: &str) -> &'static str {
    names.iter().find(|known| **known == name).copied().unwrap_or("unknown")
}

fn inbound(event: InboundEvent) -> (&'static str, Detail) {
    let kind = named(InboundKind::NAMES, event.kind.name());
    match (kind, event.customer_key) {
        ("message", Some(customer)) => {
            (kind, Detail::Heard { customer: customer.as_u128(), id: event.provider_event_id })
        }
        _ => (kind, Detail::Plain),
    }
}

fn threaded(event: ConversationEvent) -> (&'static str, Detail) {
    let kind = named(ConversationEventKind::NAMES, event.kind.name());
    let (conversation, customer, seq) = (event.conversation_id.as_u128(), event.customer_key.as_u128(), event.seq);
    let what = if let ConversationEventKind::MessageAdded(message) = event.kind {
        if message.direction == Direction::Inbound {
            Threaded::In { id: message.provider_event_id.unwrap_or_default() }
        } else {
            let (message_id, text) = (message.message_id.as_u128(), message.content.text.unwrap_or_default());
            let command = message.command_id.map(|command| command.to_string());
            Threaded::Out { message: message_id, command, text }
        }
    } else if let ConversationEventKind::MessageRefused(refused) = event.kind {
        Threaded::Refused { command: refused.command_id.to_string() }
    } else if let ConversationEventKind::OwnerChanged(owner) = event.kind {
        Threaded::Owner { epoch: owner.owner_epoch }
    } else {
        Threaded::Other
    };
    (kind, Detail::Threaded { conversation, customer, seq, what })
}

fn routed(event: &RoutingEvent) -> (&'static str, Detail) {
    let kind = named(RoutingEventKind::NAMES, event.kind.name());
    let offer = if let RoutingEventKind::Offered(offered) = &event.kind {
        Some((offered.offer_no, Some(offered.expires_at)))
    } else if let RoutingEventKind::Accepted(accepted) = &event.kind {
        Some((accepted.offer_no, None))
    } else if let RoutingEventKind::Declined(ended)
    | RoutingEventKind::NotAnswered(ended)
    | RoutingEventKind::Withdrawn(ended) = &event.kind
    {
        Some((ended.offer_no, None))
    } else {
        None
    };
    match (offer, event.stint_id) {
        (Some((no, expires_at_ms)), Some(stint)) => (kind, Detail::Offer { stint: stint.as_u128(), no, expires_at_ms }),
        _ => (kind, Detail::Plain),
    }
}

/// The rows of every fact table, by coordinates.
///
/// # Errors
/// If ClickHouse does not answer.
pub async fn rows(url: &str) -> anyhow::Result<BTreeMap<String, Vec<RowSeen>>> {
    let http = reqwest::Client::new();
    let mut tables = BTreeMap::new();
    for table in TABLES {
        let ask = format!(
            "SELECT src_topic, src_partition, src_offset, ordinal, count() FROM weft_raw.{table} \
             GROUP BY src_topic, src_partition, src_offset, ordinal FORMAT TSV"
        );
        let answer = http.post(url).body(ask).send().await?.error_for_status()?.text().await?;
        let rows = answer.lines().map(row).collect::<anyhow::Result<Vec<_>>>();
        tables.insert(table.to_owned(), rows.with_context(|| format!("rows of {table}"))?);
    }
    Ok(tables)
}

fn row(line: &str) -> anyhow::Result<RowSeen> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [topic, partition, offset, ordinal, times] = fields[..] else {
        anyhow::bail!("expected 5 columns, found {line:?}");
    };
    let topic = name(topic).with_context(|| format!("a row of topic {topic}"))?;
    let source = Place { topic, partition: partition.parse()?, offset: offset.parse()? };
    Ok(RowSeen { source, ordinal: ordinal.parse()?, times: times.parse()? })
}
