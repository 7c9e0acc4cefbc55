//! Effects to records.

use std::convert::Infallible;

use schemas::codec::Codec;
use schemas::ids::{CustomerKey, EventId, KeySecret};
use schemas::records::{CustomerAlias, DeadLetter, Record, Unread};
use schemas::topics::{
    CONVERSATION_EVENTS, CONVERSATION_VIEWS, CUSTOMER_ALIASES, ROUTING_COMMANDS, Topic, dead_letter_topic,
};
use stream::{Outbox, Output};

use crate::core::effect::{Effect, OtherName};

/// Writes what the machine wants said. Counts are not records.
pub fn speak(codec: &Codec, secret: &KeySecret, effect: Effect, out: &mut Outbox<Infallible>) {
    match effect {
        Effect::Said(event) => out.record(output(codec, CONVERSATION_EVENTS, event.customer_key.to_string(), &*event)),
        Effect::Shown(view) => out.record(output(codec, CONVERSATION_VIEWS, view.customer_key.to_string(), &*view)),
        Effect::Hidden(customer) => out.record(Output::tombstone(CONVERSATION_VIEWS.name, customer.to_string())),
        Effect::Told(command) => out.record(output(codec, ROUTING_COMMANDS, command.tenant.to_string(), &*command)),
        Effect::Named(name) => {
            let alias = alias(secret, *name);
            let at = (&alias.tenant, alias.channel, &alias.account_id, &alias.alias_hash);
            let key = format!("{}/{}/{}/{}", at.0, at.1, at.2, at.3);
            out.record(output(codec, CUSTOMER_ALIASES, key, &alias));
        }
        Effect::Ignored(_) => {}
    }
}

fn output<R: Record>(codec: &Codec, topic: Topic, key: String, record: &R) -> Output {
    let bytes = codec.encode(topic.name, record).expect("records fit their schemas; tests/schemas.rs");
    Output::new(topic.name, key, bytes)
}

fn alias(secret: &KeySecret, name: OtherName) -> CustomerAlias {
    let at = name.context;
    let hash = CustomerKey::derive(secret, &at.tenant, at.channel.as_str(), &at.account_id, &name.alias).to_string();
    CustomerAlias {
        event_id: EventId::derive(&[&at.cause.to_string(), CUSTOMER_ALIASES.name, &hash]),
        tenant: at.tenant,
        occurred_at: at.occurred_at,
        recorded_at: name.recorded_at,
        channel: at.channel,
        account_id: at.account_id,
        alias_hash: hash,
        canonical_id: name.canonical_id,
        customer_key: at.customer_key,
    }
}

/// The bytes of a dead letter. Its tenant is empty: it stands in what could not be read.
pub fn dead_letter(codec: &Codec, letter: &stream::DeadLetter<'_>) -> Vec<u8> {
    let source = letter.record;
    let unread = Unread {
        topic: source.topic,
        partition: source.partition,
        offset: source.offset,
        timestamp: source.timestamp.as_ms(),
        key: source.key,
        value: source.payload,
        headers: source.headers,
    };
    let dead = DeadLetter {
        reason: letter.reason.to_owned(),
        detail: letter.detail.to_owned(),
        attempt: i32::try_from(letter.attempt).unwrap_or(i32::MAX),
        ..DeadLetter::of(&unread, "threading")
    };
    codec.encode(&dead_letter_topic(source.topic), &dead).expect("a dead letter fits its schema; tests/schemas.rs")
}
