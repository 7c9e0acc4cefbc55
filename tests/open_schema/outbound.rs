//! Outbound: every body that delivery makes is what the schema says.

use delivery::core::effect::Send;
use delivery::core::event::{AccountKey, Route, SecretPlace};
use delivery::core::notice::{Change, Notice};
use delivery::core::rendering::Part;
use delivery::core::rules::window::Right;
use delivery::outlets::channels::{Desk, request};
use schemas::ids::{AttemptId, ConversationId, CustomerKey, MessageId, StintId};
use schemas::records::{
    Attachment, Cause, Channel, Choice, Closed, Content, ContentKind, Customer, Initiator, Opened, OwnerChanged,
    OwnerKind, Reopened, Sender, SenderKind, Signal, StintEnded,
};
use secrecy::SecretString;
use serde_json::Value;

use crate::schema::{Schema, changed};

const FILE: &str = "open-messaging-outbound.schema.json";

fn posted(part: Part, sender: SenderKind) -> Value {
    let send = Send {
        message_id: MessageId::derive(&["m"]),
        known_as: MessageId::derive(&["m"]),
        attempt_id: AttemptId::default(),
        attempt_no: 1,
        channel: Channel::Open,
        account: AccountKey { tenant: "acme".into(), account: "shop".into() },
        customer_key: CustomerKey::default(),
        customer: Customer { id: "ada".into(), ..Customer::default() },
        sender,
        part,
        part_no: 1,
        quotes: None,
        occurred_at: 1_767_323_045_678,
        window_ends_at: None,
        expires_at: None,
        route: Route {
            name: "Shop".into(),
            provider_account_id: "shop".into(),
            webhook_url: Some("https://shop.example/hook".into()),
            webhook_secrets: vec![SecretPlace::Env("whsec_AAAA".into())],
            ..Route::default()
        },
    };
    let secret = |_: &SecretPlace| Some(SecretString::from("whsec_AAAA"));
    let desk = Desk { outward_id: "k.m.mac", right: Right::Free, now_s: 1_767_323_045, secret: &secret };
    serde_json::from_slice(&request(&send, &desk).unwrap().body).unwrap()
}

fn attachment(kind: &str) -> Attachment {
    Attachment {
        attachment_type: kind.into(),
        url: Some("https://files.example/a".into()),
        mime: Some("image/png".into()),
        file_name: Some("a.png".into()),
        caption: Some("Look".into()),
        sha256: Some("00".into()),
        ..Attachment::default()
    }
}

fn choice(title: &str) -> Choice {
    Choice { title: title.into(), payload: Some(title.to_uppercase()), ..Choice::default() }
}

fn contents() -> Vec<Content> {
    let link = Choice { url: Some("https://shop.example".into()), ..choice("Shop") };
    let row = |title: &str, section: &str| Choice {
        section: Some(section.into()),
        description: Some("more".into()),
        ..choice(title)
    };
    let card = |title: &str| Attachment { title: Some(title.into()), ..attachment("card") };
    let place = Attachment { latitude: Some(47.5), longitude: Some(8.25), ..Attachment::default() };
    let with = |attachments, choices| Content { attachments, choices, ..Content::text("Which?") };
    let mut all = vec![Content::text("Hello Ada")];
    all.extend(["image", "sticker", "audio", "video", "file"].map(|kind| with(vec![attachment(kind)], Vec::new())));
    all.push(Content { text: None, ..with(vec![attachment("image")], Vec::new()) });
    all.push(with(Vec::new(), vec![choice("Red"), choice("Blue"), link.clone()]));
    all.push(with(Vec::new(), vec![row("a", "one"), row("b", "two"), link.clone()]));
    all.push(with(vec![place], Vec::new()));
    for (kind, cards) in
        [(ContentKind::Card, vec![card("Shoe")]), (ContentKind::Carousel, vec![card("Shoe"), card("Hat")])]
    {
        let of_card = Choice { card: Some(1), ..choice("Buy") };
        let content = with(cards, vec![of_card, Choice { card: Some(1), ..link.clone() }, choice("No")]);
        all.push(Content { content_kind: kind, ..content });
    }
    let fields = [("template.name", "parcel"), ("template.language", "en"), ("template.body.1", "Ada")];
    all.push(Content {
        content_kind: ContentKind::Template,
        provider_fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        ..Content::text("Hello Ada")
    });
    all
}

fn changes() -> Vec<Change> {
    let opened = Opened {
        customer: Customer::default(),
        predecessor: Some(ConversationId::derive(&["before"])),
        initiator: Initiator::Customer,
        entry_point: Some("flyer".into()),
        is_new_customer: false,
    };
    let owner = |owner_kind, owner_id: &str| OwnerChanged {
        owner_kind,
        owner_id: owner_id.into(),
        owner_epoch: 2,
        queue_id: Some("help".into()),
        cause: Cause::Accepted,
        ..OwnerChanged::default()
    };
    vec![
        Change::Opened(Box::new(Opened { predecessor: None, entry_point: None, ..opened.clone() })),
        Change::Opened(Box::new(opened)),
        Change::Reopened(Reopened { stint_no: 2, initiator: Initiator::Customer, cause: Cause::CustomerMessage }),
        Change::OwnerChanged(owner(OwnerKind::Agent, "ana")),
        Change::OwnerChanged(owner(OwnerKind::None, "")),
        Change::StintEnded(StintEnded { cause: Cause::AgentDisconnect, stint_no: 1, ..StintEnded::default() }),
        Change::Closed(Closed { cause: Cause::WindowEnded, ..Closed::default() }),
    ]
}

fn signals() -> Vec<Signal> {
    let signal = |name: &str, emoji: Option<&str>| Signal {
        signal: name.into(),
        sender: Sender { kind: SenderKind::Agent, id: None },
        provider_message_id: Some("o1".into()),
        emoji: emoji.map(Into::into),
        customer: None,
    };
    vec![signal("typing", None), signal("read", None), signal("reaction", Some("👍")), signal("reaction", None)]
}

#[test]
fn every_body_that_is_posted_is_what_the_schema_says() {
    let schema = Schema::published(FILE);
    let senders = [SenderKind::Agent, SenderKind::Bot, SenderKind::System, SenderKind::Api];
    let mut messages = Vec::new();
    for sender in senders {
        messages.extend(contents().into_iter().map(|content| posted(Part::Whole(Box::new(content)), sender)));
    }
    let notice = |change| Notice {
        conversation_id: ConversationId::derive(&["c"]),
        stint_id: Some(StintId::derive(&["s"])),
        change,
    };
    let told = changes().into_iter().map(|change| Part::Notice(Box::new(notice(change))));
    let told = told.chain(signals().into_iter().map(|signal| Part::Signal(Box::new(signal))));
    let events: Vec<Value> = told.map(|part| posted(part, SenderKind::System)).collect();
    for (name, other, bodies) in [("message", "event", &messages), ("event", "message", &events)] {
        for body in bodies {
            assert!(schema.allows(name, body), "{body:#}");
            assert!(!schema.allows(other, body), "{body:#}");
        }
    }
}

#[test]
fn the_schema_forbids_what_a_receiver_could_not_rely_on() {
    let schema = Schema::published(FILE);
    let mut forbidden = 0;
    for content in contents() {
        let body = posted(Part::Whole(Box::new(content)), SenderKind::Agent);
        for changed in changed(&body) {
            for needed in ["id", "channel", "type", "originatingEntity", "direction"] {
                if changed.get(needed).is_none() {
                    assert!(!schema.allows("message", &changed), "without {needed}: {changed}");
                }
            }
            forbidden += usize::from(!schema.allows("message", &changed));
        }
    }
    assert!(forbidden > 500, "only {forbidden} forbidden");
}
