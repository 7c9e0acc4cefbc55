//! Bytes to events: messages to be sent, receipts and echoes of them, customers' actions that open
//! a window, configuration, how accounts are. What is not delivery's passes by; what cannot be used is refused with
//! one of [`REASONS`].

mod accounts;
pub mod configuration;
mod inbound;
mod messages;
mod requests;

use schemas::codec::{Codec, CodecError};
use schemas::ids::{CustomerKey, KeySecret};
use schemas::records::Record;
use schemas::topics::{CHANNEL_INBOUND, CONFIG_ENTITIES, CONVERSATION_EVENTS, DELIVERY_ACCOUNTS, DELIVERY_REQUESTS};
use stream::{InputRecord, Reject};

use crate::core::event::Event;

/// Every reason for which delivery refuses a record.
pub const REASONS: &[&str] = &[
    "not_framed",
    "unknown_schema",
    "undecodable",
    "no_payload",
    "wrong_key",
    "no_account",
    "bad_configuration",
    "unsupported_request",
];

/// Reads one record; `None`: not for delivery.
///
/// # Errors
/// The record's own fault, with one of [`REASONS`].
pub fn read(codec: &Codec, secret: &KeySecret, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
    if record.topic == CONFIG_ENTITIES.name {
        configuration::read(codec, record)
    } else if record.topic == DELIVERY_ACCOUNTS.name {
        accounts::read(codec, record)
    } else if record.topic == CONVERSATION_EVENTS.name {
        messages::read(record, decode(codec, record)?)
    } else if record.topic == CHANNEL_INBOUND.name {
        inbound::read(secret, decode(codec, record)?)
    } else if record.topic == DELIVERY_REQUESTS.name {
        requests::read(codec, record, decode(codec, record)?)
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

/// A customer's lane is where the key leads; a message elsewhere would overtake the others.
fn expect_key(record: &InputRecord<'_>, customer: CustomerKey) -> Result<(), Reject> {
    if record.key == Some(customer.to_string().as_bytes()) {
        return Ok(());
    }
    let found = record.key.map_or_else(|| "none".into(), String::from_utf8_lossy);
    Err(Reject::new("wrong_key", format!("expected key {customer}, found {found}")))
}

#[cfg(test)]
mod tests;
