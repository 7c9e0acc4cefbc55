//! Short words for the tests of the rules.

use super::Threading;
use super::effect::Effect;
use super::event::{
    Concern, Configured, Connect, Context, Disconnect, Event, Happened, Heard, Once, Owner, Send, Setting, SettingKey,
};
use super::state::conversation_id;
use schemas::ids::{CommandId, CustomerKey, EventId, KeySecret, PartId, StintId};
use schemas::records::{
    Cause, Channel, Content, ConversationEvent, ConversationEventKind, ConversationView, Customer, MessageDeleted,
    OwnerKind, Referral, RoutingCommandKind, Sender, SenderKind, SetAttributes, SetConsent, Signal,
};
use stream::Timestamp;
use stream::testing::TaskDriver;

pub(crate) type Driver = TaskDriver<Threading>;

pub(crate) const ADA: &str = "ada";
pub(crate) const BOB: &str = "bob";
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;
/// A midnight.
pub(crate) const START: i64 = 20_718 * DAY;

pub(crate) fn driver() -> Driver {
    TaskDriver::new(Threading)
}

pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

pub(crate) fn key(customer: &str) -> CustomerKey {
    CustomerKey::derive(&KeySecret::new("test"), &"acme".into(), "whatsapp", &"main".into(), customer)
}

pub(crate) fn stint_id(customer: &str, conversation: u32, stint: u32) -> StintId {
    let conversation = conversation_id(key(customer), conversation).to_string();
    StintId::derive(&[&conversation, &stint.to_string()])
}

fn concern(customer: &str, cause: &str, once: Once, what: Happened) -> Event {
    let context = Context {
        cause: EventId::derive(&[customer, cause]),
        tenant: "acme".into(),
        channel: Channel::Whatsapp,
        account_id: "main".into(),
        customer_key: key(customer),
        occurred_at: START - 1,
    };
    Event::Concerns(Box::new(Concern { context, once, what }))
}

fn inbound(kind: &str, id: &str) -> Once {
    Once::Inbound { kind: kind.to_owned(), provider_event_id: id.to_owned() }
}

fn heard(customer: &str, id: &str) -> Heard {
    Heard {
        provider_event_id: id.to_owned(),
        customer: Customer { id: customer.to_owned(), ..Customer::default() },
        content: Content::text(id),
        window_ends_at: Some(START + DAY),
    }
}

pub(crate) fn message(customer: &str, id: &str) -> Event {
    concern(customer, id, inbound("message", id), Happened::Message(heard(customer, id)))
}

pub(crate) fn change_message(event: Event, change: impl FnOnce(&mut Heard)) -> Event {
    let Event::Concerns(mut concern) = event else { panic!("no message") };
    let Happened::Message(heard) = &mut concern.what else { panic!("no message") };
    change(heard);
    Event::Concerns(concern)
}

pub(crate) fn deletion(customer: &str, id: &str) -> Event {
    let deleted = MessageDeleted { provider_message_id: id.to_owned() };
    let what = Happened::Changed(ConversationEventKind::MessageDeleted(deleted));
    concern(customer, &format!("delete {id}"), inbound("delete", id), what)
}

pub(crate) fn referral(customer: &str, id: &str, reference: &str) -> Event {
    let referral = Referral { reference: Some(reference.to_owned()), ..Referral::default() };
    concern(customer, id, inbound("referral", id), Happened::Referred(referral))
}

pub(crate) fn consents(customer: &str, id: &str, purpose: &str, granted: bool) -> Event {
    let consent = SetConsent { purpose: purpose.to_owned(), granted, source: "form".to_owned(), proof: None };
    concern(customer, id, Once::Command(CommandId::derive(&[customer, id])), Happened::Consented(consent))
}

pub(crate) fn left(customer: &str, id: &str) -> Event {
    concern(customer, id, inbound("presence", id), Happened::Left(Cause::CustomerLeft))
}

pub(crate) fn typing(customer: &str) -> Event {
    concern(customer, "typing", Once::Always, Happened::CustomerTyping)
}

pub(crate) fn signal(customer: &str, id: &str, signal: &str, about: Option<&str>) -> Event {
    let sender = Sender { kind: SenderKind::Agent, id: Some("alan".to_owned()) };
    let provider_message_id = about.map(str::to_owned);
    let signal = Signal { signal: signal.to_owned(), sender, provider_message_id, ..Signal::default() };
    concern(customer, id, Once::Command(CommandId::derive(&[customer, id])), Happened::Signal(Box::new(signal)))
}

pub(crate) fn agent(id: &str) -> Owner {
    Owner {
        kind: OwnerKind::Agent,
        id: id.to_owned(),
        queue_id: Some("help".into()),
        part_id: Some(PartId::derive(&[id])),
    }
}

pub(crate) fn queue(id: &str) -> Owner {
    Owner { kind: OwnerKind::Queue, id: id.to_owned(), queue_id: Some(id.into()), part_id: None }
}

pub(crate) fn flow(id: &str) -> Owner {
    Owner { kind: OwnerKind::Flow, id: id.to_owned(), queue_id: None, part_id: None }
}

/// To a stint of the customer's first conversation.
pub(crate) fn connect(customer: &str, stint: u32, owner_epoch: i64, owner: Owner) -> Event {
    connect_to(stint_id(customer, 1, stint), customer, owner_epoch, owner)
}

pub(crate) fn connect_to(stint_id: StintId, customer: &str, owner_epoch: i64, owner: Owner) -> Event {
    let ask = Connect { stint_id, owner_epoch, owner, cause: Cause::Accepted };
    concern(customer, &format!("connect {stint_id} {owner_epoch}"), Once::Always, Happened::Connect(ask))
}

/// Of a stint of the customer's first conversation.
pub(crate) fn disconnect(customer: &str, stint: u32, owner_epoch: i64, seen_seq: i64) -> Event {
    disconnect_to(stint_id(customer, 1, stint), customer, owner_epoch, seen_seq)
}

pub(crate) fn disconnect_to(stint_id: StintId, customer: &str, owner_epoch: i64, seen_seq: i64) -> Event {
    let ask = Disconnect { stint_id, owner_epoch, seen_seq, cause: Cause::AgentDisconnect, acw_open: false };
    concern(customer, &format!("disconnect {stint_id} {owner_epoch}"), Once::Always, Happened::Disconnect(ask))
}

pub(crate) fn disconnect_acw(customer: &str, stint: u32, owner_epoch: i64, seen_seq: i64) -> Event {
    let Event::Concerns(mut concern) = disconnect(customer, stint, owner_epoch, seen_seq) else { panic!() };
    let Happened::Disconnect(ask) = &mut concern.what else { panic!() };
    ask.acw_open = true;
    Event::Concerns(concern)
}

pub(crate) fn released(customer: &str, stint: u32) -> Event {
    let stint_id = stint_id(customer, 1, stint);
    concern(customer, &format!("released {stint_id}"), Once::Always, Happened::Released(stint_id))
}

fn send_by(customer: &str, id: &str, sender: Sender, owner_epoch: Option<i64>) -> Event {
    let command_id = CommandId::derive(&[customer, id]);
    let send = Send {
        command_id,
        conversation_id: None,
        customer: None,
        sender,
        owner_epoch,
        content: Content::text(id),
        purpose: None,
        expires_at: None,
        already_sent: false,
        target: None,
    };
    concern(customer, id, Once::Command(command_id), Happened::Send(send))
}

pub(crate) fn send(customer: &str, id: &str, agent: &str, owner_epoch: i64) -> Event {
    send_by(customer, id, Sender { kind: SenderKind::Agent, id: Some(agent.to_owned()) }, Some(owner_epoch))
}

pub(crate) fn bot_send(customer: &str, id: &str, owner_epoch: i64) -> Event {
    send_by(customer, id, Sender { kind: SenderKind::Bot, id: None }, Some(owner_epoch))
}

pub(crate) fn program_send(customer: &str, id: &str, kind: SenderKind) -> Event {
    let event = send_by(customer, id, Sender { kind, id: None }, None);
    change_send(event, |send| send.customer = Some(Customer { id: customer.to_owned(), ..Customer::default() }))
}

pub(crate) fn change_send(event: Event, change: impl FnOnce(&mut Send)) -> Event {
    let Event::Concerns(mut concern) = event else { panic!("no send") };
    let Happened::Send(send) = &mut concern.what else { panic!("no send") };
    change(send);
    Event::Concerns(concern)
}

pub(crate) fn attribute(customer: &str, id: &str, name: &str, value: &str) -> Event {
    let attributes = [(name.to_owned(), value.to_owned())].into();
    let once = Once::Command(CommandId::derive(&[customer, id]));
    concern(customer, id, once, Happened::SetAttributes(SetAttributes { attributes }))
}

pub(crate) fn configured(key: SettingKey, setting: Option<Setting>) -> Event {
    Event::Configured(Box::new(Configured { key, setting }))
}

fn events(effects: &[Effect]) -> impl Iterator<Item = &ConversationEvent> {
    effects.iter().filter_map(|effect| if let Effect::Said(event) = effect { Some(event.as_ref()) } else { None })
}

/// What was said: kind and sequence number.
pub(crate) fn said(effects: &[Effect]) -> Vec<String> {
    events(effects).map(|event| format!("{} {}", event.kind.name(), event.seq)).collect()
}

pub(crate) fn kinds(effects: &[Effect]) -> Vec<ConversationEventKind> {
    events(effects).map(|event| event.kind.clone()).collect()
}

pub(crate) fn stints_of(effects: &[Effect]) -> Vec<Option<StintId>> {
    events(effects).map(|event| event.stint_id).collect()
}

pub(crate) fn customers_of(effects: &[Effect]) -> Vec<CustomerKey> {
    events(effects).map(|event| event.customer_key).collect()
}

/// Sequence numbers of the messages added.
pub(crate) fn added(effects: &[Effect]) -> Vec<i64> {
    let added = |event: &&ConversationEvent| matches!(event.kind, ConversationEventKind::MessageAdded(_));
    events(effects).filter(added).map(|event| event.seq).collect()
}

pub(crate) fn told(effects: &[Effect]) -> Vec<RoutingCommandKind> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Told(command) = effect { Some(command.kind.clone()) } else { None })
        .collect()
}

pub(crate) fn shown(effects: &[Effect]) -> Option<ConversationView> {
    effects.iter().find_map(|effect| if let Effect::Shown(view) = effect { Some(view.as_ref().clone()) } else { None })
}
