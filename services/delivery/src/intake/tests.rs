use schemas::ids::{MessageId, OutwardId};
use schemas::records::{
    Channel, ConfigEntity, ConversationEvent, ConversationEventKind, Direction, InboundEvent, InboundKind,
    InboundMessage, InboundReceipt, InboundTyping, MessageAdded, ReceiptStatus,
};
use stream::Timestamp;

use super::*;
use crate::core::event::{SecretPlace, WhenUnknown};
use crate::station::TOPICS;

struct Desk {
    codec: Codec,
    secret: KeySecret,
}

impl Desk {
    fn new() -> Self {
        Self { codec: Codec::offline(&TOPICS), secret: KeySecret::new("secret") }
    }

    fn read_bytes(&self, topic: &str, key: &str, payload: Option<&[u8]>) -> Result<Option<Event>, Reject> {
        let record = InputRecord {
            topic,
            partition: 3,
            offset: 7,
            timestamp: Timestamp::from_ms(9),
            key: Some(key.as_bytes()),
            payload,
            headers: &[],
        };
        read(&self.codec, &self.secret, &record)
    }

    fn read<R: Record>(&self, topic: &str, key: &str, record: &R) -> Result<Option<Event>, Reject> {
        let bytes = self.codec.encode(topic, record).unwrap();
        self.read_bytes(topic, key, Some(&bytes))
    }
}

fn customer() -> CustomerKey {
    CustomerKey::derive(&KeySecret::new("secret"), &"acme".into(), "whatsapp", &"main".into(), "16505551234")
}

fn said(added: MessageAdded) -> ConversationEvent {
    ConversationEvent {
        event_id: Default::default(),
        tenant: "acme".into(),
        occurred_at: 1,
        recorded_at: 2,
        conversation_id: Default::default(),
        stint_id: None,
        seq: 4,
        channel: Channel::Whatsapp,
        account_id: "main".into(),
        customer_key: customer(),
        kind: ConversationEventKind::MessageAdded(Box::new(added)),
    }
}

fn heard(kind: InboundKind) -> InboundEvent {
    InboundEvent {
        event_id: Default::default(),
        tenant: "acme".into(),
        occurred_at: 5,
        recorded_at: 6,
        channel: Some(Channel::Whatsapp),
        account_id: Some("main".into()),
        customer_key: Some(customer()),
        customer: None,
        provider_event_id: "wamid.1:delivered".into(),
        received_at: 6,
        window_ends_at: Some(90),
        kind,
    }
}

#[test]
fn messages_of_ours_that_nobody_sent_yet_are_taken_and_the_customers_may_be_answered() {
    let desk = Desk::new();
    let key = customer().to_string();
    let ours = MessageAdded { direction: Direction::Outbound, ..MessageAdded::default() };
    let taken = desk.read(CONVERSATION_EVENTS.name, &key, &said(ours.clone())).unwrap();
    assert!(matches!(taken, Some(Event::Asked(asked)) if (asked.partition, asked.offset, asked.seq) == (3, 7, 4)));
    let sent = MessageAdded { already_sent: true, ..ours.clone() };
    assert_eq!(desk.read(CONVERSATION_EVENTS.name, &key, &said(sent)), Ok(None));
    let theirs = MessageAdded { direction: Direction::Inbound, ..MessageAdded::default() };
    assert_eq!(desk.read(CONVERSATION_EVENTS.name, &key, &said(theirs)), Ok(Some(Event::Wrote(customer()))));
    let misplaced = desk.read(CONVERSATION_EVENTS.name, "elsewhere", &said(ours));
    assert_eq!(misplaced.unwrap_err().reason, "wrong_key");
}

#[test]
fn a_receipt_names_our_message_only_if_the_id_is_ours_and_of_this_customer() {
    let desk = Desk::new();
    let id = MessageId::derive(&["m"]);
    let other = CustomerKey::derive(&desk.secret, &"acme".into(), "whatsapp", &"main".into(), "other");
    let text = |customer_key| Some(OutwardId { customer_key, id }.to_text(&desk.secret));
    for (callback_data, expected) in
        [(text(customer()), Some(id)), (text(other), None), (Some("forged".into()), None), (None, None)]
    {
        let receipt = InboundReceipt {
            status: ReceiptStatus::Delivered,
            provider_message_id: Some("wamid.1".into()),
            callback_data,
            ..InboundReceipt::default()
        };
        let read = desk.read(CHANNEL_INBOUND.name, "any", &heard(InboundKind::Receipt(receipt))).unwrap();
        let Some(Event::Receipt(receipt)) = read else { panic!("expected a receipt, found {read:?}") };
        assert_eq!((receipt.message_id, receipt.at), (expected, 5));
    }
}

#[test]
fn whatever_opens_a_window_is_heard() {
    let desk = Desk::new();
    let message = heard(InboundKind::Message(Box::<InboundMessage>::default()));
    let read = desk.read(CHANNEL_INBOUND.name, "any", &message).unwrap();
    assert!(matches!(read, Some(Event::Heard(heard)) if heard.window_ends_at == Some(90)));
    let without = InboundEvent { window_ends_at: None, ..message };
    let read = desk.read(CHANNEL_INBOUND.name, "any", &without).unwrap();
    assert!(matches!(read, Some(Event::Heard(heard)) if heard.wrote), "a message may be replied to anew");
    let typing = InboundEvent { kind: InboundKind::Typing(InboundTyping::default()), ..without };
    assert_eq!(desk.read(CHANNEL_INBOUND.name, "any", &typing), Ok(None));
}

#[test]
fn an_account_is_read_with_its_own_schedule_and_secrets_by_reference() {
    let desk = Desk::new();
    let body = r#"{"channel":"open","name":"Shop","queue":"q","outbound":{"webhook_url":"https://shop.example/hook",
        "webhook_secrets":[{"env":"HOOK"},{"file":"/run/hook"}],"retry_schedule_s":[0.5,3],
        "order_hold_max_s":60,"on_ambiguous":"at_most_once"}}"#;
    let entity =
        ConfigEntity { kind: "ChannelAccount".into(), id: "shop".into(), body: body.into(), ..Default::default() };
    let read = desk.read(CONFIG_ENTITIES.name, "acme/ChannelAccount/shop", &entity).unwrap();
    let Some(Event::Configured(key, Some(account))) = read else { panic!("expected an account, found {read:?}") };
    assert_eq!((key.account.as_str(), account.route.provider_account_id.as_str()), ("shop", "shop"));
    assert_eq!(account.schedule_ms, Some(vec![500, 3_000]));
    assert_eq!((account.order_hold_max_ms, account.when_unknown), (Some(60_000), WhenUnknown::Hold));
    let secrets = [SecretPlace::Env("HOOK".into()), SecretPlace::File("/run/hook".into())];
    assert_eq!(account.route.webhook_secrets, secrets);
    let removed = desk.read_bytes(CONFIG_ENTITIES.name, "acme/ChannelAccount/shop", None).unwrap();
    assert!(matches!(removed, Some(Event::Configured(_, None))));
    assert_eq!(desk.read_bytes(CONFIG_ENTITIES.name, "acme/Queue/q", None), Ok(None));
}

#[test]
fn what_cannot_be_used_is_refused_with_a_known_reason() {
    let desk = Desk::new();
    let wrong = ConfigEntity { body: r#"{"channel":"open","nmae":"x"}"#.into(), ..Default::default() };
    let backwards = ConfigEntity {
        body: r#"{"channel":"open","name":"x","queue":"q","outbound":{"retry_schedule_s":[-1]}}"#.into(),
        ..Default::default()
    };
    let mut no_account = heard(InboundKind::Receipt(InboundReceipt::default()));
    no_account.account_id = None;
    for (rejected, reason) in [
        (desk.read(CONFIG_ENTITIES.name, "acme/ChannelAccount/a", &wrong), "bad_configuration"),
        (desk.read(CONFIG_ENTITIES.name, "acme/ChannelAccount/a", &backwards), "bad_configuration"),
        (desk.read(CONFIG_ENTITIES.name, "acme", &wrong), "wrong_key"),
        (desk.read(CHANNEL_INBOUND.name, "any", &no_account), "no_account"),
        (desk.read_bytes(CONVERSATION_EVENTS.name, "any", Some(b"{}")), "not_framed"),
        (desk.read_bytes(CONVERSATION_EVENTS.name, "any", None), "no_payload"),
    ] {
        let rejected = rejected.unwrap_err();
        assert_eq!(rejected.reason, reason, "{rejected}");
        assert!(REASONS.contains(&rejected.reason));
    }
}
