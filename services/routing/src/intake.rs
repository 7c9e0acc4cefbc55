//! Bytes to events: routing commands and configuration. What cannot be used is refused with one
//! of [`REASONS`].

use schemas::codec::{Codec, CodecError};
use schemas::config::{Entity, EntityKind};
use schemas::ids::{EventId, TenantId};
use schemas::records::{ConfigEntity, Record, RoutingCommand, RoutingCommandKind};
use schemas::topics::{CONFIG_ENTITIES, ROUTING_COMMANDS};
use stream::{InputRecord, Reject};

use crate::core::event::{Configured, Event};

/// Every reason for which routing refuses a record.
pub const REASONS: &[&str] = &[
    "not_framed",
    "unknown_schema",
    "undecodable",
    "no_payload",
    "wrong_key",
    "incomplete",
    "unknown_kind",
    "bad_configuration",
];

/// Reads one record.
///
/// # Errors
/// The record's own fault, with one of [`REASONS`].
pub fn read(codec: &Codec, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
    if record.topic == CONFIG_ENTITIES.name {
        configuration(codec, record)
    } else if record.topic == ROUTING_COMMANDS.name {
        command(record, decode(codec, record)?)
    } else {
        unreachable!("the station reads no other topic")
    }
}

/// Why the record cannot be read just now.
pub fn waits(codec: &Codec, record: &InputRecord<'_>) -> Option<&'static str> {
    let error = codec.knows_writer(record.payload?).err()?;
    error.is_registry_away().then(|| error.reason())
}

fn decode<R: Record>(codec: &Codec, record: &InputRecord<'_>) -> Result<R, Reject> {
    let bytes = record.payload.ok_or_else(|| Reject::new("no_payload", "expected a record, found a tombstone"))?;
    codec.decode(bytes).map_err(|error: CodecError| Reject::new(error.reason(), error.to_string()))
}

/// A tenant's state is kept where the key leads: until divisions exist, its id.
fn command(record: &InputRecord<'_>, command: RoutingCommand) -> Result<Option<Event>, Reject> {
    if record.key != Some(command.tenant.as_str().as_bytes()) {
        let found = record.key.map_or_else(|| "none".into(), String::from_utf8_lossy);
        return Err(Reject::new("wrong_key", format!("expected key {}, found {found}", command.tenant)));
    }
    let is_about_work = matches!(
        command.kind,
        RoutingCommandKind::WorkArrived(_) | RoutingCommandKind::Spoke(_) | RoutingCommandKind::CustomerLeft(_)
    );
    let (conversation, stint, customer) = (command.conversation_id, command.stint_id, command.customer_key);
    if is_about_work && (conversation.is_none() || stint.is_none() || customer.is_none()) {
        let detail = format!("expected {} with conversation, stint and customer key", command.kind.name());
        return Err(Reject::new("incomplete", detail));
    }
    if let RoutingCommandKind::Unknown(kind) = &command.kind {
        return Err(Reject::new("unknown_kind", format!("expected a kind this build knows, found {kind}")));
    }
    Ok(Some(Event::Command(Box::new(command))))
}

/// The key `tenant/Kind/id` says what it is about; without a payload it was removed.
fn configuration(codec: &Codec, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
    let key = record.key.and_then(|key| std::str::from_utf8(key).ok()).unwrap_or_default();
    let mut parts = key.splitn(3, '/');
    let (Some(tenant), Some(kind), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Reject::new("wrong_key", format!("expected tenant/Kind/id, found {key:?}")));
    };
    let mut configured = Configured {
        event_id: EventId::derive(&["removed", &record.coordinates()]),
        tenant: TenantId::new(tenant),
        kind: kind.to_owned(),
        id: id.to_owned(),
        version: None,
        entity: None,
    };
    if record.payload.is_some() {
        let applied: ConfigEntity = decode(codec, record)?;
        configured.event_id = applied.event_id;
        configured.version = Some(applied.version);
        let read = |kind| Entity::from_json(kind, &applied.body);
        let entity = EntityKind::from_name(kind).map(read).transpose();
        configured.entity = entity.map_err(|error| Reject::new("bad_configuration", format!("{kind}: {error}")))?;
    }
    Ok(Some(Event::Configured(Box::new(configured))))
}

#[cfg(test)]
mod tests {
    use schemas::ids::{CommandId, ConversationId};
    use schemas::records::{AgentAsk, CustomerLeft};
    use stream::Timestamp;

    use super::*;

    fn codec() -> Codec {
        Codec::offline(&crate::TOPICS)
    }

    fn record<'a>(topic: &'a str, key: &'a str, payload: Option<&'a [u8]>) -> InputRecord<'a> {
        let timestamp = Timestamp::from_ms(1);
        let key = Some(key.as_bytes());
        InputRecord { topic, partition: 0, offset: 7, timestamp, key, payload, headers: &[] }
    }

    fn asked(kind: RoutingCommandKind) -> RoutingCommand {
        RoutingCommand {
            event_id: EventId::derive(&["e"]),
            tenant: "acme".into(),
            occurred_at: 1,
            recorded_at: 1,
            command_id: CommandId::derive(&["c"]),
            conversation_id: Some(ConversationId::derive(&["c1"])),
            stint_id: None,
            customer_key: None,
            kind,
        }
    }

    #[test]
    fn a_command_is_read_under_its_tenants_key_alone() {
        let codec = codec();
        let accept = asked(RoutingCommandKind::Accept(AgentAsk::default()));
        let bytes = codec.encode(ROUTING_COMMANDS.name, &accept).unwrap();
        let read_as = |key| read(&codec, &record(ROUTING_COMMANDS.name, key, Some(&bytes)));
        assert!(matches!(read_as("acme"), Ok(Some(Event::Command(command))) if *command == accept));
        assert_eq!(read_as("other").unwrap_err().reason, "wrong_key");
    }

    #[test]
    fn what_threading_tells_has_to_be_complete() {
        let codec = codec();
        let left = asked(RoutingCommandKind::CustomerLeft(CustomerLeft::default()));
        let bytes = codec.encode(ROUTING_COMMANDS.name, &left).unwrap();
        let error = read(&codec, &record(ROUTING_COMMANDS.name, "acme", Some(&bytes))).unwrap_err();
        assert_eq!(error.reason, "incomplete");
    }

    #[test]
    fn a_document_that_cannot_be_read_is_refused_and_a_missing_one_is_a_removal() {
        let codec = codec();
        let entity = |body: &str| ConfigEntity { version: 3, body: body.into(), ..ConfigEntity::default() };
        for (body, expected) in [(r#"{"name": "Ada"}"#, Ok(())), (r#"{"nam": "Ada"}"#, Err("bad_configuration"))] {
            let bytes = codec.encode(CONFIG_ENTITIES.name, &entity(body)).unwrap();
            let found = read(&codec, &record(CONFIG_ENTITIES.name, "acme/Agent/ada", Some(&bytes)));
            assert_eq!(found.map(drop).map_err(|error| error.reason), expected);
        }
        let removed = read(&codec, &record(CONFIG_ENTITIES.name, "acme/Agent/ada", None)).unwrap();
        assert!(matches!(removed, Some(Event::Configured(gone)) if gone.version.is_none() && gone.id == "ada"));
        let odd = read(&codec, &record(CONFIG_ENTITIES.name, "acme", None)).unwrap_err();
        assert_eq!(odd.reason, "wrong_key");
    }
}
