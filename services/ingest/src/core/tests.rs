use schemas::config::{ChannelAccount, Entity, EntityKind};
use schemas::ids::CustomerKey;
use schemas::records::{Channel, CustomerAlias, InboundMessage, InboundNotice, InboundReceipt, ReceiptStatus};

use super::*;

pub(super) fn secret() -> KeySecret {
    KeySecret::new("a secret of tests")
}

pub(super) fn arrival(tenant: &str, endpoint: Option<&str>) -> Arrival {
    Arrival { tenant: TenantId::new(tenant), endpoint: endpoint.map(EndpointId::new), received_at: 5_000 }
}

pub(super) fn alias(tenant: &str, account: &str, alias: &str, canonical: &str) -> CustomerAlias {
    let hash = CustomerKey::derive(&secret(), &tenant.into(), "whatsapp", &account.into(), alias);
    CustomerAlias { alias_hash: hash.to_string(), canonical_id: canonical.into(), ..CustomerAlias::default() }
}

fn account(channel: Channel, provider_id: Option<&str>, endpoint: Option<&str>) -> Option<Entity> {
    Some(Entity::ChannelAccount(Box::new(ChannelAccount {
        channel,
        provider_account_id: provider_id.map(str::to_owned),
        endpoint: endpoint.map(str::to_owned),
        ..ChannelAccount::default()
    })))
}

pub(super) fn directory() -> Directory {
    let mut directory = Directory::default();
    let acme = TenantId::new("acme");
    let main = account(Channel::Whatsapp, Some("106"), Some("hook"));
    directory.apply(&acme, EntityKind::ChannelAccount, "main", main);
    directory.apply(&acme, EntityKind::ChannelAccount, "shop", account(Channel::Open, None, None));
    directory
}

fn heard(kind: InboundKind) -> Heard {
    Heard {
        channel: Channel::Whatsapp,
        account: HeardAccount::Provider("106".into()),
        party: Some(Party { ids: vec![PartyId { id: "4179".into(), id_type: "phone" }], ..Party::default() }),
        occurred_at: Some(1_000),
        provider_event_id: "wamid.1".into(),
        kind,
    }
}

fn message() -> InboundKind {
    InboundKind::Message(Box::<InboundMessage>::default())
}

#[test]
fn a_message_gets_its_account_its_customer_its_key_and_its_window() {
    let found = address(heard(message()), &arrival("acme", Some("hook")), &directory(), &secret()).unwrap();
    let key = CustomerKey::derive(&secret(), &"acme".into(), "whatsapp", &"main".into(), "4179");
    assert_eq!((found.key, found.event.customer_key), (key, Some(key)));
    assert_eq!(found.event.account_id, Some(AccountId::new("main")));
    assert_eq!(found.event.customer.unwrap().id, "4179");
    assert_eq!(found.event.window_ends_at, Some(86_401_000));
    assert_eq!((found.event.occurred_at, found.event.received_at), (1_000, 5_000));
}

#[test]
fn an_event_without_a_time_happened_when_it_came() {
    let event = Heard { occurred_at: None, ..heard(message()) };
    let found = address(event, &arrival("acme", Some("hook")), &directory(), &secret()).unwrap();
    assert_eq!(found.event.occurred_at, 5_000);
}

#[test]
fn the_same_event_has_the_same_id_whenever_it_comes_and_another_has_another() {
    let id = |event: Heard, received_at: i64| {
        let arrival = Arrival { received_at, ..arrival("acme", Some("hook")) };
        address(event, &arrival, &directory(), &secret()).unwrap().event.event_id
    };
    let receipt = InboundKind::Receipt(InboundReceipt { status: ReceiptStatus::Sent, ..Default::default() });
    assert_eq!(id(heard(message()), 1), id(heard(message()), 2));
    assert_ne!(id(heard(message()), 1), id(heard(receipt), 1), "a receipt is not taken for its message");
    let other = Heard { provider_event_id: "wamid.2".into(), ..heard(message()) };
    assert_ne!(id(heard(message()), 1), id(other, 1));
}

#[test]
fn what_names_nobody_is_refused_unless_it_is_about_nobody() {
    let arrival = arrival("acme", Some("hook"));
    let nobody = |kind| Heard { party: None, ..heard(kind) };
    let refused = address(nobody(message()), &arrival, &directory(), &secret());
    assert_eq!(refused, Err(Refusal::NoCustomer));
    let notice = InboundKind::AccountEvent(InboundNotice { name: "errors".into(), body: None });
    let found = address(nobody(notice.clone()), &arrival, &directory(), &secret()).unwrap();
    assert_eq!(found.event.customer_key, None);
    let of_group = Heard { account: HeardAccount::Group("900".into()), ..nobody(notice) };
    let found_of_group = address(of_group, &arrival, &directory(), &secret()).unwrap();
    assert_eq!(found_of_group.event.account_id, None);
    assert_ne!(found.key, found_of_group.key);
}

#[test]
fn an_account_moved_to_another_endpoint_or_removed_is_no_longer_found_where_it_was() {
    let mut directory = directory();
    let acme = TenantId::new("acme");
    let at = |directory: &Directory, endpoint: &str| {
        directory.account(&acme, Some(&EndpointId::new(endpoint)), Channel::Whatsapp, "106").is_some()
    };
    directory.apply(&acme, EntityKind::ChannelAccount, "main", account(Channel::Whatsapp, Some("106"), Some("new")));
    assert_eq!((at(&directory, "hook"), at(&directory, "new")), (false, true));
    directory.apply(&acme, EntityKind::ChannelAccount, "main", None);
    assert_eq!((at(&directory, "hook"), at(&directory, "new")), (false, false));
}

#[test]
fn an_account_is_found_by_each_of_the_ids_that_the_platform_has_for_it() {
    let mut directory = directory();
    let acme = TenantId::new("acme");
    let spec = ChannelAccount {
        channel: Channel::Instagram,
        provider_account_id: Some("178414".into()),
        provider_account_aliases: vec!["998877".into()],
        ..ChannelAccount::default()
    };
    directory.apply(&acme, EntityKind::ChannelAccount, "insta", Some(Entity::ChannelAccount(Box::new(spec))));
    let at = |directory: &Directory, id: &str| {
        directory.account(&acme, None, Channel::Instagram, id).map(|account| account.as_str().to_owned())
    };
    for (id, expected) in [("178414", Some("insta")), ("998877", Some("insta")), ("1", None)] {
        assert_eq!(at(&directory, id).as_deref(), expected, "{id}");
    }
    directory.apply(&acme, EntityKind::ChannelAccount, "insta", None);
    assert_eq!((at(&directory, "178414"), at(&directory, "998877")), (None, None));
}
