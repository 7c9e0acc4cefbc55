use schemas::config::{Deployment, SignIn};
use schemas::ids::{EventId, MessageId};
use schemas::records::{Content, Direction, MessageAdded, Sender};

use super::identity::Person;
use super::session::{Decision, Door, Fresh, Wish, session_view};
use super::*;

const HOUR_MS: i64 = 3_600_000;
const LIMITS: GuestLimits = GuestLimits { messages_max: 3, guests_max: 2, session_ms_max: 100 * HOUR_MS };
const ORIGIN: &str = "https://shop.example";

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_800_000_000_000 + ms)
}

fn spec(step_up: bool) -> Deployment {
    Deployment {
        account: "web".into(),
        allowed_origins: vec![ORIGIN.into()],
        sign_in: Some(SignIn { step_up, ..SignIn::default() }),
        ..Deployment::default()
    }
}

fn guests_with(spec: Deployment) -> Guests {
    let mut guests = Guests::new(LIMITS, KeySecret::new("test"));
    guests.apply(&Seen::Account {
        tenant: "acme".into(),
        account: "web".into(),
        channel: Some(Channel::Web),
        queue: None,
        session_minutes: Some(60),
    });
    guests.apply(&Seen::Deployment { tenant: "acme".into(), id: "shop".into(), spec: Some(Arc::new(spec)) });
    guests
}

fn door(guests: &Guests) -> Door {
    guests.door(&"shop".into(), Some(ORIGIN)).unwrap()
}

fn fresh(name: &str) -> Fresh {
    Fresh { session: SessionId::new(name), guest: name.to_owned() }
}

fn person(subject: &str) -> Option<Person> {
    Some(Person { subject: subject.into(), name: Some("Ada".into()) })
}

fn wish(session: Option<&str>, person: Option<Person>) -> Wish {
    Wish { session: session.map(SessionId::new), start_new: false, person }
}

/// Decides, and does what the shell does with the decision.
fn decide(guests: &mut Guests, wish: &Wish, name: &str, now: Timestamp) -> Result<Decision, Code> {
    let decision = guests.decide(&door(guests), wish, fresh(name), now).map_err(|refusal| refusal.code)?;
    let (_, view) = session_view(&decision.session, now);
    guests.apply(&Seen::Guest(Box::new(view)));
    if let Some(ended) = &decision.ends {
        guests.apply(&Seen::SessionGone(ended.clone()));
    }
    Ok(decision)
}

fn message(customer: CustomerKey, seq: i64, now: Timestamp) -> Seen {
    let added = MessageAdded {
        message_id: MessageId::derive(&[&seq.to_string()]),
        direction: Direction::Outbound,
        sender: Sender { kind: SenderKind::Agent, id: None },
        content: Content::text("hi"),
        ..MessageAdded::default()
    };
    Seen::Said(Box::new(ConversationEvent {
        event_id: EventId::default(),
        tenant: "acme".into(),
        occurred_at: now.as_ms(),
        recorded_at: now.as_ms(),
        conversation_id: ConversationId::of(customer, 1),
        stint_id: None,
        seq,
        channel: Channel::Web,
        account_id: "web".into(),
        customer_key: customer,
        kind: ConversationEventKind::MessageAdded(Box::new(added)),
    }))
}

#[test]
fn a_session_lasts_after_the_last_message_of_either_side_and_not_for_ever() {
    let mut guests = guests_with(spec(false));
    let session = decide(&mut guests, &wish(None, None), "a", at(0)).unwrap().session;
    let resumed = |guests: &mut Guests, now| decide(guests, &wish(Some("a"), None), "x", now).map(|one| one.is_new);
    assert_eq!(resumed(&mut guests, at(HOUR_MS - 1)), Ok(false));
    assert_eq!(resumed(&mut guests, at(HOUR_MS)), Err(Code::SessionExpired));
    for (seq, hours) in (1..).zip(0..=100) {
        guests.apply(&message(session.customer(), seq, at(hours * HOUR_MS)));
    }
    assert_eq!(resumed(&mut guests, at(100 * HOUR_MS - 1)), Ok(false));
    assert_eq!(resumed(&mut guests, at(100 * HOUR_MS)), Err(Code::SessionExpired), "the longest life");
}

#[test]
fn nobody_goes_on_with_a_session_by_another_door() {
    let mut guests = guests_with(Deployment { native_apps: true, ..spec(false) });
    decide(&mut guests, &wish(None, None), "a", at(0)).unwrap();
    guests.apply(&Seen::Deployment { tenant: "acme".into(), id: "two".into(), spec: Some(Arc::new(spec(false))) });
    let app = guests.door(&"shop".into(), None).unwrap();
    let two = guests.door(&"two".into(), Some(ORIGIN)).unwrap();
    for door in [app, two] {
        let refused = guests.decide(&door, &wish(Some("a"), None), fresh("x"), at(1)).unwrap_err();
        assert_eq!(refused.code, Code::SessionNotFound);
    }
    assert!(guests.door(&"shop".into(), Some("null")).is_none());
    guests.apply(&Seen::Account {
        tenant: "acme".into(),
        account: "web".into(),
        channel: None,
        queue: None,
        session_minutes: None,
    });
    assert!(guests.door(&"shop".into(), Some(ORIGIN)).is_none(), "an account that is no web account");
}

#[test]
fn a_guest_who_signs_in_gets_another_secret_and_keeps_their_conversation() {
    let mut guests = guests_with(spec(true));
    let unknown = decide(&mut guests, &wish(None, None), "a", at(0)).unwrap().session;
    guests.apply(&message(unknown.customer(), 1, at(1)));
    let decision = decide(&mut guests, &wish(Some("a"), person("ada")), "b", at(2)).unwrap();
    assert!(decision.stepped_up && decision.has_fresh_secret && !decision.is_new);
    assert_eq!(decision.session.customer(), unknown.customer());
    assert_eq!(decision.session.spec.subject.as_deref(), Some("ada"));
    let table = [
        (wish(Some("a"), None), Err(Code::SessionNotFound)),
        (wish(Some("a"), person("ada")), Err(Code::SessionNotFound)),
        (wish(Some("b"), None), Err(Code::Downgrade)),
        (wish(Some("b"), person("bob")), Err(Code::SessionNotFound)),
        (wish(Some("b"), person("ada")), Ok(unknown.customer())),
    ];
    for (wish, expected) in table {
        let decided = decide(&mut guests, &wish, "x", at(3)).map(|decision| decision.session.customer());
        assert_eq!(decided, expected, "{wish:?}");
    }
}

#[test]
fn who_has_written_nothing_yet_speaks_as_the_person_and_so_do_their_devices() {
    let mut guests = guests_with(spec(true));
    let unknown = decide(&mut guests, &wish(None, None), "a", at(0)).unwrap().session;
    let stepped = decide(&mut guests, &wish(Some("a"), person("ada")), "b", at(1)).unwrap();
    assert!(stepped.is_new && !stepped.stepped_up);
    let other = decide(&mut guests, &wish(None, person("ada")), "c", at(2)).unwrap().session;
    assert_eq!(stepped.session.customer(), other.customer());
    assert_ne!(unknown.customer(), other.customer());
    let bob = decide(&mut guests, &wish(None, person("bob")), "d", at(3)).unwrap().session;
    assert_ne!(bob.customer(), other.customer());
}

#[test]
fn a_made_up_guest_id_never_meets_a_person_s_conversations() {
    let mut guests = guests_with(spec(true));
    let named_like = decide(&mut guests, &wish(None, None), "subject:ada", at(0)).unwrap().session;
    let ada = decide(&mut guests, &wish(None, person("ada")), "b", at(1)).unwrap().session;
    assert_ne!(named_like.customer(), ada.customer());
}

#[test]
fn nobody_signs_in_where_the_deployment_does_not_say_how() {
    let mut guests = guests_with(Deployment { sign_in: None, ..spec(true) });
    assert_eq!(decide(&mut guests, &wish(None, person("ada")), "a", at(0)), Err(Code::Unavailable));
    let mut guests = guests_with(spec(false));
    decide(&mut guests, &wish(None, None), "a", at(0)).unwrap();
    assert_eq!(decide(&mut guests, &wish(Some("a"), person("ada")), "b", at(1)), Err(Code::Unavailable));
    assert!(decide(&mut guests, &wish(None, person("ada")), "c", at(2)).is_ok());
}

#[test]
fn revoking_ends_what_was_begun_until_then() {
    let mut guests = guests_with(spec(false));
    let session = decide(&mut guests, &wish(None, person("ada")), "a", at(0)).unwrap().session;
    let (_, view) = guests.revoke_all(&session, at(10));
    let told = guests.apply(&Seen::Guest(Box::new(view)));
    assert!(matches!(&told[..], [GuestEffect::Tell { news: GuestNews::Revoked(_), .. }]), "{told:?}");
    assert_eq!(decide(&mut guests, &wish(Some("a"), person("ada")), "x", at(11)), Err(Code::SessionNotFound));
    assert!(decide(&mut guests, &wish(None, person("ada")), "b", at(12)).is_ok());
    assert!(decide(&mut guests, &wish(Some("b"), person("ada")), "x", at(13)).is_ok());
}

#[test]
fn activity_is_kept_now_and_then_and_what_is_long_over_is_taken_away() {
    let mut guests = guests_with(spec(false));
    let session = decide(&mut guests, &wish(None, None), "a", at(0)).unwrap().session;
    let customer = session.customer();
    let keeps = |effects: &[GuestEffect]| effects.iter().filter(|one| matches!(one, GuestEffect::Keep { .. })).count();
    assert_eq!(keeps(&guests.apply(&message(customer, 1, at(1)))), 1);
    assert_eq!(keeps(&guests.apply(&message(customer, 2, at(2)))), 0);
    assert_eq!(keeps(&guests.apply(&message(customer, 3, at(HOUR_MS / 60)))), 1);
    assert_eq!(keeps(&guests.sweep(at(25 * HOUR_MS))), 0, "until then it is told that it expired");
    let swept = guests.sweep(at(26 * HOUR_MS));
    assert_eq!(keeps(&swept), 2, "session and activity: {swept:?}");
    assert!(guests.sweep(at(27 * HOUR_MS)).is_empty());
}

#[test]
fn only_the_latest_messages_of_the_latest_guests_are_remembered() {
    let mut guests = guests_with(spec(false));
    let customers: Vec<CustomerKey> = (1..=3).map(|n: u128| format!("{n:032x}").parse().unwrap()).collect();
    for (n, customer) in (0..).zip(&customers) {
        for seq in 1..=4 {
            guests.apply(&said_by(message(*customer, seq, at(n * 100 + seq)), SenderKind::Customer));
        }
    }
    let kept: Vec<usize> = customers.iter().map(|customer| guests.memory(*customer).messages.len()).collect();
    assert_eq!(kept, [0, 3, 3]);
}

const NOTHING: [i64; 0] = [];

/// What a guest is told of a record.
fn told(effects: &[GuestEffect]) -> Vec<i64> {
    let seqs = effects.iter().filter_map(|effect| match effect {
        GuestEffect::Tell { news: GuestNews::Message(shown), .. } => Some(shown.place.seq),
        GuestEffect::Tell { .. } | GuestEffect::Keep { .. } => None,
    });
    seqs.collect()
}

fn said_by(seen: Seen, kind: SenderKind) -> Seen {
    let Seen::Said(mut event) = seen else { panic!("a message") };
    if let ConversationEventKind::MessageAdded(added) = &mut event.kind {
        added.sender.kind = kind;
        added.direction = if kind == SenderKind::Customer { Direction::Inbound } else { Direction::Outbound };
    }
    Seen::Said(event)
}

fn verdict(customer: CustomerKey, seq: i64, is_sent: bool) -> Seen {
    let kind = if is_sent {
        DeliveryEventKind::Sent(schemas::records::Sent { provider_message_id: None, offered_choices: Vec::new() })
    } else {
        DeliveryEventKind::Refused(schemas::records::SendRefused { reason: "no_opt_in".into() })
    };
    Seen::Delivered(Box::new(DeliveryEvent {
        event_id: EventId::default(),
        tenant: "acme".into(),
        occurred_at: 0,
        recorded_at: 0,
        message_id: MessageId::derive(&[&seq.to_string()]),
        conversation_id: None,
        customer_key: customer,
        attempt_no: 0,
        channel: Channel::Web,
        account_id: "web".into(),
        part_no: None,
        parts: None,
        kind,
    }))
}

fn stop(customer: CustomerKey, now: Timestamp) -> Seen {
    let Seen::Said(mut event) = message(customer, 0, now) else { panic!("a message") };
    event.kind = ConversationEventKind::ConsentChanged(schemas::records::SetConsent {
        purpose: "all".into(),
        granted: false,
        source: "stop_word".into(),
        proof: None,
    });
    Seen::Said(event)
}

#[test]
fn what_consent_decides_about_is_shown_once_delivery_says_so_and_in_order() {
    let mut guests = guests_with(spec(false));
    let ada = decide(&mut guests, &wish(None, None), "a", at(0)).unwrap().session.customer();
    let mut see = |seen: Seen| told(&guests.apply(&seen));
    assert_eq!(see(message(ada, 1, at(1))), NOTHING, "nobody here knows whether they said STOP before");
    assert_eq!(see(verdict(ada, 1, true)), [1]);
    assert_eq!(see(said_by(message(ada, 2, at(2)), SenderKind::Api)), NOTHING, "of our own accord");
    assert_eq!(see(said_by(message(ada, 3, at(3)), SenderKind::Customer)), NOTHING);
    assert_eq!(see(verdict(ada, 2, true)), [2, 3]);
    assert_eq!(see(said_by(message(ada, 4, at(4)), SenderKind::Api)), NOTHING);
    assert_eq!(see(message(ada, 5, at(5))), NOTHING);
    assert_eq!(see(verdict(ada, 4, false)), [5], "the refused one is never shown");
    assert_eq!(see(verdict(ada, 6, true)), NOTHING, "a verdict that comes first");
    assert_eq!(see(said_by(message(ada, 6, at(6)), SenderKind::Api)), [6]);
    see(said_by(message(ada, 7, at(7)), SenderKind::Customer));
    see(stop(ada, at(8)));
    assert_eq!(see(message(ada, 8, at(9))), NOTHING, "after a STOP even answers wait");
    assert_eq!(see(verdict(ada, 8, false)), NOTHING);
    assert_eq!(see(said_by(message(ada, 9, at(10)), SenderKind::Customer)), [9]);
    assert_eq!(see(message(ada, 10, at(11))), [10]);
}
