//! Bytes to events: inbound events, conversation commands, configuration. What is not threading's
//! (receipts and echoes are delivery's, account events the operator's) passes by; what cannot be
//! used is refused with one of [`REASONS`].

mod commands;
mod configuration;
mod inbound;

use schemas::codec::{Codec, CodecError};
use schemas::ids::CustomerKey;
use schemas::records::Record;
use schemas::topics::{CHANNEL_INBOUND, CONFIG_ENTITIES, CONVERSATION_COMMANDS};
use stream::{InputRecord, Reject};

use crate::core::event::Event;

/// Every reason for which threading refuses a record.
pub const REASONS: &[&str] = &[
    "not_framed",
    "unknown_schema",
    "undecodable",
    "no_payload",
    "wrong_key",
    "no_customer",
    "no_provider_id",
    "bad_configuration",
];

/// Reads one record; `None`: not for threading.
///
/// # Errors
/// The record's own fault, with one of [`REASONS`].
pub fn read(codec: &Codec, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
    if record.topic == CONFIG_ENTITIES.name {
        configuration::read(codec, record)
    } else if record.topic == CHANNEL_INBOUND.name {
        inbound::read(record, decode(codec, record)?)
    } else if record.topic == CONVERSATION_COMMANDS.name {
        commands::read(record, decode(codec, record)?)
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

/// State is kept where the key leads; a record elsewhere would begin a second conversation.
fn expect_key(record: &InputRecord<'_>, customer: CustomerKey) -> Result<(), Reject> {
    if record.key == Some(customer.to_string().as_bytes()) {
        return Ok(());
    }
    let found = record.key.map_or_else(|| "none".into(), String::from_utf8_lossy);
    Err(Reject::new("wrong_key", format!("expected key {customer}, found {found}")))
}

#[cfg(test)]
mod tests;
