//! Effects to records, and claimed sends to calls.

pub mod address;
pub mod bots;
pub mod channels;
pub mod media;
pub mod pace;
pub mod performer;
pub mod preview;
pub mod secrets;
mod signing;
pub mod stored;

use schemas::codec::Codec;
use schemas::ids::{CommandId, EventId};
use schemas::records::{
    ConversationCommand, ConversationCommandKind, ConversationEvent, ConversationEventKind, DeadLetter, DeliveryEvent,
    DeliveryEventKind, OutsideResult, Record, RoutingCommand, RoutingCommandKind, RoutingTurnResult, SendMessage,
    Sender, SenderKind, SetConsent, Unread,
};
use schemas::topics::{
    CONVERSATION_COMMANDS, CONVERSATION_EVENTS, DELIVERY_ACCOUNTS, DELIVERY_EVENTS, ROUTING_COMMANDS, Topic,
    dead_letter_topic,
};
use stream::{Outbox, Output};

use crate::core::bots::TurnFinished;
use crate::core::effect::{Effect, Errand, Exhaustion, OptedOut};
use crate::core::event::{Asked, Echo};

pub use performer::{Calls, Performer};

/// Writes what the machine wants said and hands out what it wants sent. Counts are not records.
pub fn speak(codec: &Codec, effect: Effect, out: &mut Outbox<Errand>) {
    match effect {
        Effect::Event(event) => out.record(output(codec, DELIVERY_EVENTS, event.customer_key.to_string(), &*event)),
        Effect::Account(state) => {
            let key = format!("{}/{}", state.tenant, state.account_id);
            out.record(output(codec, DELIVERY_ACCOUNTS, key, &*state));
        }
        Effect::Send(send) | Effect::Signal(send) => out.request(Errand::Send(send)),
        Effect::Copy(copy) => out.request(Errand::Copy(copy)),
        Effect::CallBot(call) => out.request(Errand::Bot(call)),
        Effect::Turned(turned) => self::turned(codec, *turned, out),
        Effect::DeadLetter(exhaustion) => out.record(exhausted(codec, *exhaustion)),
        Effect::Foreign(echo, at) => {
            let command = foreign(*echo, at);
            out.record(output(codec, CONVERSATION_COMMANDS, command.customer_key.to_string(), &command));
        }
        Effect::OptedOut(opted_out) => {
            let command = opt_out(*opted_out);
            out.record(output(codec, CONVERSATION_COMMANDS, command.customer_key.to_string(), &command));
        }
        Effect::Quiet(_) | Effect::Ignored(_) => {}
    }
}

/// What the provider knows of a customer's wish, for threading to say.
fn opt_out(told: OptedOut) -> ConversationCommand {
    let causes = ["opted out", &told.message_id.to_string()];
    let (purpose, source) = (told.purpose.to_owned(), "provider".to_owned());
    ConversationCommand {
        event_id: EventId::derive(&causes),
        command_id: CommandId::derive(&causes),
        tenant: told.account.tenant,
        occurred_at: told.at,
        recorded_at: told.at,
        channel: told.channel,
        account_id: told.account.account,
        customer_key: told.customer_key,
        customer: None,
        conversation_id: None,
        kind: ConversationCommandKind::SetConsent(SetConsent { purpose, granted: false, source, proof: None }),
    }
}

/// How a bot's turn ended: for whoever watches, and for routing, which asked.
fn turned(codec: &Codec, turned: TurnFinished, out: &mut Outbox<Errand>) {
    let TurnFinished { asked, channel, tries, at, outcome, body } = turned;
    let (turn_id, at) = (asked.turn_id.to_string(), at.as_ms());
    let (body, outcome) = (Some(body), outcome.to_owned());
    let event = DeliveryEvent {
        event_id: EventId::derive(&["bot turn finished", &turn_id]),
        tenant: asked.tenant.clone(),
        occurred_at: at,
        recorded_at: at,
        message_id: asked.turn_id,
        conversation_id: asked.conversation_id,
        customer_key: asked.customer_key,
        attempt_no: tries,
        channel,
        account_id: asked.account_id.unwrap_or_default(),
        part_no: None,
        parts: None,
        kind: DeliveryEventKind::BotTurnFinished(OutsideResult {
            turn_id: turn_id.clone(),
            outcome: outcome.clone(),
            body: body.clone(),
        }),
    };
    out.record(output(codec, DELIVERY_EVENTS, event.customer_key.to_string(), &event));
    let causes = ["bot turn finished", &turn_id, "command"];
    let command = RoutingCommand {
        event_id: EventId::derive(&causes),
        tenant: asked.tenant,
        occurred_at: at,
        recorded_at: at,
        command_id: CommandId::derive(&causes),
        conversation_id: asked.conversation_id,
        stint_id: asked.stint_id,
        customer_key: Some(asked.customer_key),
        kind: RoutingCommandKind::BotTurnFinished(RoutingTurnResult { turn_id, outcome, body }),
    };
    out.record(output(codec, ROUTING_COMMANDS, asked.routing_domain.to_string(), &command));
}

/// What somebody answered in the platform's own app, for threading to number (C3).
fn foreign(echo: Echo, at: i64) -> ConversationCommand {
    let said = echo.provider_message_id.clone().unwrap_or_else(|| echo.at.to_string());
    let causes = ["echo", echo.account.tenant.as_str(), echo.account.account.as_str(), &said];
    let send = SendMessage {
        sender: Sender { kind: SenderKind::External, id: echo.app_id },
        content: echo.content,
        already_sent: true,
        ..SendMessage::default()
    };
    ConversationCommand {
        event_id: EventId::derive(&causes),
        command_id: CommandId::derive(&causes),
        tenant: echo.account.tenant,
        occurred_at: echo.at,
        recorded_at: at,
        channel: echo.channel,
        account_id: echo.account.account,
        customer_key: echo.customer_key,
        customer: echo.customer,
        conversation_id: None,
        kind: ConversationCommandKind::Send(Box::new(send)),
    }
}

fn output<R: Record>(codec: &Codec, topic: Topic, key: String, record: &R) -> Output {
    let bytes = codec.encode(topic.name, record).expect("records fit their schemas; tests/schemas.rs");
    Output::new(topic.name, key, bytes)
}

/// The dead letter of a message given up; its source is written again from what was kept of it,
/// the same record in this build's schema.
fn exhausted(codec: &Codec, exhaustion: Exhaustion) -> Output {
    let Exhaustion { asked, attempts, reason, at } = exhaustion;
    let key = asked.customer_key.to_string();
    let coordinates = format!("{}-{}@{}", asked.topic, asked.partition, asked.offset);
    // What an operator sent once more stood elsewhere before.
    let is_there = asked.topic == CONVERSATION_EVENTS.name;
    let dead = DeadLetter {
        event_id: EventId::derive(&["dead letter", "delivery", &coordinates]),
        tenant: asked.tenant.clone(),
        occurred_at: at,
        recorded_at: at,
        source_topic: CONVERSATION_EVENTS.name.to_owned(),
        source_partition: if is_there { asked.partition } else { -1 },
        source_offset: if is_there { asked.offset } else { -1 },
        source_key: Some(key.clone().into_bytes()),
        source_timestamp: asked.timestamp.as_ms(),
        reason: "exhausted".into(),
        detail: reason,
        service: "delivery".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        attempt: i32::try_from(attempts).unwrap_or(i32::MAX),
        source_value: Some(output(codec, CONVERSATION_EVENTS, key.clone(), &source(asked)).payload.unwrap_or_default()),
        ..DeadLetter::default()
    };
    let topic = dead_letter_topic(CONVERSATION_EVENTS.name);
    let bytes = codec.encode(&topic, &dead).expect("a dead letter fits its schema; tests/schemas.rs");
    Output::new(topic, key, bytes)
}

fn source(asked: Asked) -> ConversationEvent {
    let kind = match asked.notice {
        Some(notice) => notice.change.into_kind(),
        None => ConversationEventKind::MessageAdded(Box::new(asked.added)),
    };
    ConversationEvent {
        event_id: asked.event_id,
        tenant: asked.tenant,
        occurred_at: asked.occurred_at,
        recorded_at: asked.recorded_at,
        conversation_id: asked.conversation_id,
        stint_id: asked.stint_id,
        seq: asked.seq,
        channel: asked.channel,
        account_id: asked.account_id,
        customer_key: asked.customer_key,
        kind,
    }
}

/// The bytes of a refused record's dead letter. Its tenant is empty: it stands in what could not
/// be read.
pub fn refused(codec: &Codec, letter: &stream::DeadLetter<'_>) -> Vec<u8> {
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
        ..DeadLetter::of(&unread, "delivery")
    };
    codec.encode(&dead_letter_topic(source.topic), &dead).expect("a dead letter fits its schema; tests/schemas.rs")
}
