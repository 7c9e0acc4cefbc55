//! Records as an operator sees them: decoded, with their place and their cause.

use schemas::codec::Codec;
use schemas::config::{Entity, EntityKind};
use schemas::records::{ConfigEntity, Record};
use schemas::topics::{self, TOPICS, Topic};
use serde_json::Value as Json;
use stream::InputRecord;

use crate::Failure;
use crate::reach::Reach;

/// One record.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) topic: String,
    /// `topic-partition@offset`.
    pub(crate) coordinates: String,
    pub(crate) timestamp_ms: i64,
    pub(crate) key: String,
    /// Coordinates of the record that caused it.
    pub(crate) cause: Option<String>,
    /// Null for a tombstone; a text when the value cannot be read.
    pub(crate) value: Json,
}

impl Entry {
    pub(crate) fn of(codec: &Codec, record: &InputRecord<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let value = record.payload.map_or(Json::Null, |payload| {
            codec.decode_json(payload).unwrap_or_else(|error| Json::String(error.to_string()))
        });
        Self {
            topic: record.topic.to_owned(),
            coordinates: record.coordinates(),
            timestamp_ms: record.timestamp.as_ms(),
            key: record.key.map(text).unwrap_or_default(),
            cause: record.header(stream::SOURCE_HEADER).map(text),
            value,
        }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.value[field].as_str().unwrap_or_default()
    }

    /// The kind of a record of several shapes; empty for the others.
    pub(crate) fn kind(&self) -> &str {
        self.text("kind")
    }

    /// The shape that is set.
    pub(crate) fn shape(&self) -> &Json {
        &self.value[self.kind()]
    }

    /// All of it, for programs; fields that are null are left out.
    pub(crate) fn json(&self) -> Json {
        serde_json::json!({
            "topic": self.topic,
            "coordinates": self.coordinates,
            "timestamp_ms": self.timestamp_ms,
            "key": self.key,
            "cause": self.cause,
            "value": without_nulls(&self.value),
        })
    }
}

/// The value without fields that are null.
pub(crate) fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            let set = fields.iter().filter(|(_, value)| !value.is_null());
            set.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        Json::Array(items) => items.iter().map(without_nulls).collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => value.clone(),
    }
}

/// A topic that carries our records, dead-letter topics included.
pub(crate) fn topic_named(name: &str) -> Result<Topic, Failure> {
    let source = name.strip_suffix(".dlq").unwrap_or(name);
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name == source && (source == name || topic.dead_letters)) {
        return Ok(*topic);
    }
    let known: Vec<_> = TOPICS.iter().map(|topic| topic.name).collect();
    let near = crate::output::nearest(name, known.iter().copied());
    let hint =
        near.map_or_else(|| format!("expected one of {}", known.join(", ")), |near| format!("did you mean {near}?"));
    Err(Failure::Usage(format!("unknown topic {name}, {hint}")))
}

/// One entity on `config.entities`, by its key.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) entity: ConfigEntity,
}

impl Applied {
    /// The entity, if this build knows its kind.
    pub(crate) fn entity(&self) -> Option<Entity> {
        Entity::from_json(EntityKind::from_name(&self.entity.kind)?, &self.entity.body).ok()
    }

    pub(crate) fn spec(&self) -> Json {
        serde_json::from_str(&self.entity.body).unwrap_or(Json::Null)
    }
}

/// What stands on `config.entities`, by key.
pub(crate) fn applied(reach: &Reach, codec: &Codec) -> Result<std::collections::BTreeMap<String, Applied>, Failure> {
    let mut entities = std::collections::BTreeMap::new();
    let mut unreadable = None;
    reach.read(&[topics::CONFIG_ENTITIES.name], |record| {
        let key = String::from_utf8_lossy(record.key.unwrap_or_default()).into_owned();
        match record.payload.map(|payload| codec.decode::<ConfigEntity>(payload)) {
            None => drop(entities.remove(&key)),
            Some(Ok(entity)) => drop(entities.insert(key, Applied { entity })),
            Some(Err(error)) => unreadable = Some(format!("{}: {error}", record.coordinates())),
        }
    })?;
    match unreadable {
        Some(text) => Err(Failure::Wrong(format!("cannot read a {}: {text}", ConfigEntity::NAME))),
        None => Ok(entities),
    }
}
