use super::*;
use crate::core::event::{Clock, EntryRule, Happened, Once, Setting, SettingKey};
use crate::station::TOPICS;
use schemas::ids::{CommandId, EventId, StintId};
use schemas::records::{
    Cause, Channel, ConfigEntity, Connect, Content, ConversationCommand, ConversationCommandKind, Customer,
    InboundEvent, InboundKind, InboundMessage, InboundPostback, InboundPresence, InboundReceipt, InboundTyping,
    PresenceKind,
};
use stream::Timestamp;

fn key() -> CustomerKey {
    "00112233445566778899aabbccddeeff".parse().unwrap()
}

fn record<'a>(topic: &'a str, key: &'a str, payload: Option<&'a [u8]>) -> InputRecord<'a> {
    InputRecord {
        topic,
        partition: 0,
        offset: 7,
        timestamp: Timestamp::from_ms(1),
        key: Some(key.as_bytes()),
        payload,
        headers: &[],
    }
}

fn inbound(kind: InboundKind) -> InboundEvent {
    InboundEvent {
        event_id: EventId::derive(&["e"]),
        tenant: "acme".into(),
        occurred_at: 5,
        recorded_at: 6,
        channel: Some(Channel::Whatsapp),
        account_id: Some("main".into()),
        customer_key: Some(key()),
        customer: Some(Customer { id: "1650".into(), ..Customer::default() }),
        provider_event_id: "wamid.1".into(),
        received_at: 6,
        window_ends_at: Some(9),
        kind,
    }
}

fn read_inbound(event: &InboundEvent) -> Result<Option<Event>, Reject> {
    let codec = Codec::offline(&TOPICS);
    let bytes = codec.encode(CHANNEL_INBOUND.name, event).unwrap();
    read(&codec, &record(CHANNEL_INBOUND.name, &key().to_string(), Some(&bytes)))
}

fn what(event: Result<Option<Event>, Reject>) -> Option<Happened> {
    match event.unwrap()? {
        Event::Concerns(concern) => Some(concern.what),
        Event::Tick | Event::Configured(_) => None,
    }
}

fn message() -> InboundKind {
    InboundKind::Message(Box::new(InboundMessage { content: Content::text("hi") }))
}

#[test]
fn a_message_is_read_with_its_context_and_what_makes_it_a_repeat() {
    let Some(Event::Concerns(concern)) = read_inbound(&inbound(message())).unwrap() else { panic!() };
    assert_eq!(concern.context.customer_key, key());
    assert_eq!(concern.context.occurred_at, 5);
    assert!(
        matches!(&concern.once, Once::Inbound { kind, provider_event_id } if kind == "message" && provider_event_id == "wamid.1")
    );
    assert!(matches!(&concern.what, Happened::Message(heard) if heard.window_ends_at == Some(9)));
}

#[test]
fn each_kind_finds_its_event_or_passes_by() {
    let pressed = InboundPostback { title: Some("Yes".into()), payload: Some("yes".into()), referral: None };
    let heard = what(read_inbound(&inbound(InboundKind::Postback(pressed))));
    assert!(matches!(heard, Some(Happened::Message(heard)) if heard.content.payload.as_deref() == Some("yes")));
    for (presence, cause) in [
        (PresenceKind::Disconnect, Some(Cause::CustomerLeft)),
        (PresenceKind::Clear, Some(Cause::CustomerCleared)),
        (PresenceKind::Join, None),
    ] {
        let left = match what(read_inbound(&inbound(InboundKind::Presence(InboundPresence { presence })))) {
            Some(Happened::Left(cause)) => Some(cause),
            _ => None,
        };
        assert_eq!(left, cause);
    }
    let typing = |on| InboundKind::Typing(InboundTyping { on, duration_ms: None });
    assert!(matches!(what(read_inbound(&inbound(typing(true)))), Some(Happened::CustomerTyping)));
    assert!(what(read_inbound(&inbound(typing(false)))).is_none());
    assert!(what(read_inbound(&inbound(InboundKind::Receipt(InboundReceipt::default())))).is_none());
    assert!(what(read_inbound(&inbound(InboundKind::Unknown("later".into())))).is_none());
}

#[test]
fn what_cannot_be_used_is_refused_with_a_reason_of_the_closed_set() {
    let codec = Codec::offline(&TOPICS);
    let reason = |record: &InputRecord<'_>| match read(&codec, record) {
        Err(reject) => reject.reason,
        Ok(_) => "none",
    };
    let whole = codec.encode(CHANNEL_INBOUND.name, &inbound(message())).unwrap();
    let (topic, right) = (CHANNEL_INBOUND.name, key().to_string());
    let nobody = InboundEvent { customer: None, ..inbound(message()) };
    let nobody = codec.encode(topic, &nobody).unwrap();
    let nameless = InboundEvent { provider_event_id: String::new(), ..inbound(message()) };
    let nameless = codec.encode(topic, &nameless).unwrap();
    let broken = ConfigEntity { kind: "Queue".into(), body: "{\"nmae\":1}".into(), ..ConfigEntity::default() };
    let broken = codec.encode(CONFIG_ENTITIES.name, &broken).unwrap();
    for (record, expected) in [
        (record(topic, &right, None), "no_payload"),
        (record(topic, &right, Some(b"{}")), "not_framed"),
        (record(topic, &right, Some(&[0, 0, 0, 9, 9, 1])), "unknown_schema"),
        (record(topic, &right, Some(&whole[..whole.len() / 2])), "undecodable"),
        (record(topic, "acme", Some(&whole)), "wrong_key"),
        (record(topic, &right, Some(&nobody)), "no_customer"),
        (record(topic, &right, Some(&nameless)), "no_provider_id"),
        (record(CONFIG_ENTITIES.name, "acme/Queue/help", Some(&broken)), "bad_configuration"),
        (record(CONFIG_ENTITIES.name, "acme", None), "wrong_key"),
    ] {
        assert_eq!(reason(&record), expected);
        assert!(REASONS.contains(&expected));
    }
}

#[test]
fn commands_with_an_effect_of_their_own_count_once_and_those_with_an_epoch_guard_themselves() {
    let codec = Codec::offline(&TOPICS);
    let read = |kind| {
        let command = ConversationCommand {
            event_id: EventId::derive(&["e"]),
            tenant: "acme".into(),
            occurred_at: 5,
            recorded_at: 5,
            command_id: CommandId::derive(&["c"]),
            channel: Channel::Open,
            account_id: "shop".into(),
            customer_key: key(),
            customer: None,
            conversation_id: None,
            kind,
        };
        let bytes = codec.encode(CONVERSATION_COMMANDS.name, &command).unwrap();
        let record = record(CONVERSATION_COMMANDS.name, "00112233445566778899aabbccddeeff", Some(&bytes));
        match super::read(&codec, &record).unwrap() {
            Some(Event::Concerns(concern)) => concern,
            other => panic!("{other:?}"),
        }
    };
    let send = read(ConversationCommandKind::Send(Box::default()));
    assert!(matches!(send.once, Once::Command(id) if id == CommandId::derive(&["c"])));
    let stint_id = StintId::derive(&["s"]);
    let connect = read(ConversationCommandKind::Connect(Connect { stint_id, owner_epoch: 3, ..Connect::default() }));
    assert!(matches!(connect.once, Once::Always));
    assert!(matches!(connect.what, Happened::Connect(ask) if ask.stint_id == stint_id && ask.owner_epoch == 3));
}

#[test]
fn configuration_is_read_for_tenants_accounts_queues_and_entry_points_and_its_removal_too() {
    let codec = Codec::offline(&TOPICS);
    let setting = |key: &str, body: Option<&str>| {
        let bytes = body.map(|body| {
            let entity = ConfigEntity { body: body.into(), ..ConfigEntity::default() };
            codec.encode(CONFIG_ENTITIES.name, &entity).unwrap()
        });
        match read(&codec, &record(CONFIG_ENTITIES.name, key, bytes.as_deref())).unwrap() {
            Some(Event::Configured(change)) => Some((change.key, change.setting)),
            Some(Event::Tick | Event::Concerns(_)) | None => None,
        }
    };
    let tenant = r#"{"name":"Acme","window":{"minutes":60,"clock":"from_last_message","per_channel":{"open":5}}}"#;
    let expected = Setting {
        window_minutes: Some(60),
        window_clock: Some(Clock::FromLastMessage),
        per_channel: [(Channel::Open, 5)].into(),
        ..Setting::default()
    };
    assert_eq!(setting("acme/Tenant/acme", Some(tenant)), Some((SettingKey::Tenant("acme".into()), Some(expected))));
    let queue = r#"{"name":"Help","members":[],"window_minutes":7,"closing_grace_min":2}"#;
    let expected = Setting { window_minutes: Some(7), closing_grace_min: 2, ..Setting::default() };
    let help = SettingKey::Queue("acme".into(), "help".into());
    assert_eq!(setting("acme/Queue/help", Some(queue)), Some((help.clone(), Some(expected))));
    assert_eq!(setting("acme/Queue/help", None), Some((help, None)));
    let poster = r#"{"name":"Poster","account":"main","reference":"p7"}"#;
    let rule = EntryRule { account: "main".into(), reference: Some("p7".into()), text: None };
    let expected = Setting { entry_point: Some(rule), ..Setting::default() };
    let key = SettingKey::EntryPoint("acme".into(), "poster".into());
    assert_eq!(setting("acme/EntryPoint/poster", Some(poster)), Some((key, Some(expected))));
    assert_eq!(setting("acme/Agent/ann", Some("{}")), None);
    assert_eq!(setting("acme/Flow/later", Some("{}")), None);
}
