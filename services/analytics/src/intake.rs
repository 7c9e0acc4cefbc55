//! Bytes → event, or a reject with its reason.

use schemas::codec::{Codec, CodecError};
use schemas::ids::EventId;
use schemas::topics::{CONFIG_ENTITIES, CONVERSATION_EVENTS, DELIVERY_EVENTS, ROUTING_EVENTS, Topic};
use stream::{InputRecord, Reject};

use crate::core::{Event, Source};

/// The topics that analytics reads.
pub const TOPICS: [Topic; 4] = [CONVERSATION_EVENTS, ROUTING_EVENTS, DELIVERY_EVENTS, CONFIG_ENTITIES];

/// What a record is.
pub(crate) enum Reading {
    /// An event and where it came from.
    Event(Source, Event),
    /// A configuration document was removed: reports keep its last name.
    Removed,
}

/// Reads one record of [`TOPICS`].
pub(crate) fn read(codec: &Codec, record: &InputRecord<'_>) -> Result<Reading, Reject> {
    let Some(bytes) = record.payload else {
        return Ok(Reading::Removed);
    };
    let (event, recorded_at, event_id) =
        decode(codec, record.topic, bytes).map_err(|error| Reject::new(error.reason(), error.to_string()))?;
    let source = Source {
        topic: record.topic.into(),
        partition: record.partition,
        offset: record.offset,
        recorded_at,
        event_id,
    };
    Ok(Reading::Event(source, event))
}

fn decode(codec: &Codec, topic: &str, bytes: &[u8]) -> Result<(Event, i64, EventId), CodecError> {
    if topic == CONVERSATION_EVENTS.name {
        let event: Box<schemas::records::ConversationEvent> = Box::new(codec.decode(bytes)?);
        let (at, id) = (event.recorded_at, event.event_id);
        Ok((Event::Conversation(event), at, id))
    } else if topic == ROUTING_EVENTS.name {
        let event: Box<schemas::records::RoutingEvent> = Box::new(codec.decode(bytes)?);
        let (at, id) = (event.recorded_at, event.event_id);
        Ok((Event::Routing(event), at, id))
    } else if topic == DELIVERY_EVENTS.name {
        let event: Box<schemas::records::DeliveryEvent> = Box::new(codec.decode(bytes)?);
        let (at, id) = (event.recorded_at, event.event_id);
        Ok((Event::Delivery(event), at, id))
    } else {
        let entity: Box<schemas::records::ConfigEntity> = Box::new(codec.decode(bytes)?);
        let (at, id) = (entity.recorded_at, entity.event_id);
        Ok((Event::Entity(entity), at, id))
    }
}

/// Whether the record's schema cannot be had just now; its partition then waits.
pub(crate) fn waits(codec: &Codec, record: &InputRecord<'_>) -> Option<&'static str> {
    let error = codec.knows_writer(record.payload?).err()?;
    error.is_registry_away().then(|| error.reason())
}
