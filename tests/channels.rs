//! The contract of a channel, the same for all of them: what a strict provider does to us, and what
//! comes of it. Real sockets both ways; no Kafka.
#![expect(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm, reason = "a test reports by panicking")]

#[path = "channels/bot.rs"]
mod bot;
#[path = "channels/bots.rs"]
mod bots;
#[path = "channels/house.rs"]
mod house;
#[path = "channels/side.rs"]
mod side;

use house::{ACCOUNT, House, TENANT};
use objects::ObjectRef;
use schemas::ids::MessageId;
use schemas::records::{
    Attachment, Cause, Channel, Choice, Content, ConversationEventKind, Customer, DeliveryEventKind, InboundKind,
    Opened, OwnerChanged, SetConsent, Signal, StintEnded,
};
use serde_json::json;
use side::{CHANNELS, CUSTOMER, NOBODY, Side};
use stream::clock;
use tests::providers::Fault;

/// A message to the customer.
fn ask(house: &mut House, side: &Side, text: &str) -> MessageId {
    house.ask(side.channel, CUSTOMER, Content::text(text))
}

/// Everything that waits comes at once, but for what a test must see first.
const SKIP_MS: i64 = 400;

#[tokio::test]
async fn a_message_is_taken_once_and_its_receipts_move_it_forward() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.tell(|statuses| statuses);
        let id = ask(&mut house, &side, "Good morning Ada");
        house.until(&format!("a read message on {channel}"), 0, |house| house.has(id, "read")).await;
        assert_eq!(side.shown(), ["Good morning Ada"], "{channel}");
        let mut story = house.story(id);
        story.retain(|word| word != "delivered");
        assert_eq!(story, ["claimed", "sent", "read"], "{channel}");
        assert!(house.foreign.is_empty(), "{channel}: our own echo is nobody else's");
    }
}

#[tokio::test]
async fn receipts_that_come_backwards_and_twice_never_move_it_back() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.tell(|statuses| statuses.backwards().doubled());
        let id = ask(&mut house, &side, "Good morning Ada");
        let next = |house: &House| house.has(id, "read") && house.has(id, "sent");
        house.until(&format!("a read message on {channel}"), 0, next).await;
        side.tell(|statuses| statuses);
        let other = house.ask(channel, "16505555678", Content::text("And you"));
        house.until("the next one's end", 0, |house| house.has(other, "read")).await;
        assert_eq!(house.story(id), ["claimed", "sent", "read"], "{channel}");
    }
}

#[tokio::test]
async fn a_throttled_account_comes_back_when_it_was_asked_to() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.script(Fault::Throttle(7), 1);
        let id = ask(&mut house, &side, "Good morning Ada");
        house.until(&format!("a throttle on {channel}"), 0, |house| house.has(id, "retrying")).await;
        assert_eq!(house.story(id).last().unwrap(), "retrying throttled", "{channel}");
        assert!(house.accounts.iter().any(|state| state.until.is_some()), "{channel}: the others are told");
        house.until(&format!("the message on {channel}"), SKIP_MS, |house| house.has(id, "sent")).await;
        assert_eq!(side.shown(), ["Good morning Ada"], "{channel}");
    }
}

#[tokio::test]
async fn a_provider_with_a_fault_of_its_own_is_asked_again() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.script(Fault::Status(500), 2);
        let id = ask(&mut house, &side, "Good morning Ada");
        house.until(&format!("the message on {channel}"), 30_000, |house| house.has(id, "sent")).await;
        let tries = house.story(id).iter().filter(|word| *word == "claimed").count();
        assert_eq!((tries, side.shown().len()), (3, 1), "{channel}: {:?}", house.story(id));
    }
}

#[tokio::test]
async fn a_message_taken_without_an_answer_is_ambiguous_and_its_echo_or_receipt_settles_it() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.tell(|statuses| statuses);
        side.script(Fault::TakeAndClose, 1);
        let id = ask(&mut house, &side, "Good morning Ada");
        house.until(&format!("the proof on {channel}"), 0, |house| house.has(id, "sent")).await;
        assert_eq!(side.shown(), ["Good morning Ada"], "{channel}: it must not arrive twice");
        let is_known = house.story(id).iter().any(|word| word.starts_with("ambiguous"));
        let came_first = house.story(id)[1] == "sent";
        assert!(is_known || came_first, "{channel}: {:?}", house.story(id));
    }
}

#[tokio::test]
async fn a_receipt_before_the_answer_is_the_answer() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.tell(|statuses| statuses);
        side.script(Fault::TellAndAnswer, 1);
        let id = ask(&mut house, &side, "Good morning Ada");
        house.until(&format!("a read message on {channel}"), 0, |house| house.has(id, "read")).await;
        let sent = house.story(id).iter().filter(|word| *word == "sent").count();
        assert_eq!((sent, side.shown().len()), (1, 1), "{channel}: {:?}", house.story(id));
        assert!(house.foreign.is_empty(), "{channel}");
    }
}

#[tokio::test]
async fn refused_credentials_pause_the_account_until_somebody_mends_it() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.script(Fault::Credentials, 1);
        let id = ask(&mut house, &side, "Good morning Ada");
        house.until(&format!("a pause on {channel}"), 0, |house| !house.accounts.is_empty()).await;
        assert!(house.accounts[0].paused, "{channel}: {:?}", house.accounts);
        let other = house.ask(channel, "16505555678", Content::text("And you"));
        assert!(house.story(other).is_empty(), "{channel}: nothing of a paused account leaves");
        side.mend(&mut house);
        let both = |house: &House| house.has(id, "sent") && house.has(other, "sent");
        house.until(&format!("both messages on {channel}"), SKIP_MS, both).await;
    }
}

#[tokio::test]
async fn a_long_text_arrives_whole_in_parts_that_the_provider_takes() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.tell(|statuses| statuses);
        let text: String = (0..900).map(|n| format!("Wörter {n}. ")).collect();
        let id = ask(&mut house, &side, &text);
        house.until(&format!("all parts on {channel}"), SKIP_MS, |house| house.has(id, "read")).await;
        assert_eq!(side.problems(), Vec::<String>::new(), "{channel}");
        let shown = side.shown();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&shown.join(" ")), words(&text), "{channel}");
        let parts_sent = house.story(id).iter().filter(|word| *word == "part_sent").count();
        assert_eq!(parts_sent, shown.len() - 1, "{channel}: each part is told, the last as the message");
    }
}

#[tokio::test]
async fn a_part_that_fails_after_others_were_sent_says_which() {
    let mut house = House::open().await;
    let side = Side::open(&mut house, Channel::Facebook).await;
    side.script(Fault::TellAndAnswer, 1);
    side.script(Fault::Status(400), 1);
    let id = ask(&mut house, &side, &"word ".repeat(900));
    house.until("a failure", 0, |house| house.has(id, "failed")).await;
    assert_eq!(house.story(id), ["claimed", "part_sent", "claimed", "failed rejected"]);
    let failed = house.said.last().unwrap();
    assert_eq!((failed.part_no, failed.parts), (Some(2), Some(3)), "the first of three was sent");
}

#[tokio::test]
async fn somebody_who_cannot_be_reached_fails_with_the_reason() {
    for (channel, reason) in [
        (Channel::Whatsapp, "failed undeliverable"),
        (Channel::Facebook, "failed no_such_customer"),
        (Channel::Instagram, "failed no_such_customer"),
        (Channel::Twitter, "failed undeliverable"),
    ] {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.forget(NOBODY);
        let id = house.ask(channel, NOBODY, Content::text("Hello?"));
        house.until(&format!("a failure on {channel}"), 0, |house| house.has(id, "failed")).await;
        assert_eq!(house.story(id), ["claimed", reason], "{channel}");
    }
}

#[tokio::test]
async fn a_closed_window_is_refused_before_the_call_and_people_may_answer_longer_where_it_is_granted() {
    const HOUR_MS: i64 = 3_600_000;
    let text = || Content::text("Sorry for the wait");
    for (channel, hours_ago, expected) in [
        (Channel::Whatsapp, 25, "refused window_closed"),
        (Channel::Facebook, 25, "sent"),
        (Channel::Instagram, 25, "sent"),
        (Channel::Facebook, 8 * 24, "refused window_closed"),
        (Channel::Instagram, 8 * 24, "refused window_closed"),
    ] {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        let wrote_at = clock::now().as_ms() - hours_ago * HOUR_MS;
        side.wrote(wrote_at);
        let id = house.ask_until(channel, CUSTOMER, text(), Some(wrote_at + 24 * HOUR_MS));
        let is_over = |house: &House| house.has(id, "sent") || house.has(id, "refused");
        house.until(&format!("an end on {channel}"), 0, is_over).await;
        assert_eq!(house.story(id), ["claimed", expected], "{channel} after {hours_ago} h");
        assert_eq!(side.seen().len(), usize::from(expected == "sent"), "{channel}: a refusal makes no call");
        assert_eq!(side.problems(), Vec::<String>::new(), "{channel}");
    }
}

#[tokio::test]
async fn choices_are_shown_as_the_provider_takes_them() {
    let choice = |title: &str| Choice { title: title.into(), ..Choice::default() };
    let four = || Content {
        choices: ["Bill", "Moving", "Something else", "An answer that is longer than any button"].map(choice).to_vec(),
        ..Content::text("What is it about?")
    };
    let two = || Content { choices: four().choices[..2].to_vec(), ..four() };
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        for content in [two(), four()] {
            let id = house.ask(channel, CUSTOMER, content);
            house.until(&format!("choices on {channel}"), SKIP_MS, |house| house.has(id, "sent")).await;
        }
        assert_eq!(side.problems(), Vec::<String>::new(), "{channel}");
        assert_eq!(side.seen().len(), 2, "{channel}");
    }
}

#[tokio::test]
async fn one_dead_account_does_not_slow_another() {
    let mut house = House::open().await;
    let living = Side::open(&mut house, Channel::Facebook).await;
    let nowhere = json!({"api_url": "http://127.0.0.1:9/v25.0", "retry_schedule_s": [60],
        "access_token": House::secret_file(house.folder.path(), "other", "x")});
    let dead = json!({"channel": "facebook", "name": "Dead", "queue": "q", "provider_account_id": "66",
        "endpoint": "hook", "outbound": nowhere});
    house.configure("ChannelAccount", "dead", &dead);
    let lost: Vec<MessageId> = (0..50)
        .map(|n| house.ask_of("dead", Channel::Facebook, &format!("7000{n}"), Content::text("Hello?")))
        .collect();
    let sent: Vec<MessageId> =
        (0..50).map(|n| house.ask(Channel::Facebook, &format!("8000{n}"), Content::text("Hello!"))).collect();
    house.until("all of the living", 0, |house| sent.iter().all(|id| house.has(*id, "sent"))).await;
    assert!(house.accounts.iter().any(|state| state.breaker == "open"), "the dead one's circuit is open");
    assert!(lost.iter().all(|id| !house.has(*id, "sent")));
    assert_eq!(living.shown().len(), 50);
}

#[tokio::test]
async fn webhooks_are_read_whole_and_only_when_they_are_signed() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        let Some(batch) = side.batch(&[("2001", "one"), ("2002", "two"), ("2001", "one")]) else { continue };
        assert_eq!(side.post(&house, &batch, "another secret").await, 401, "{channel}");
        assert_eq!(side.post_signed(&house, &json!({"object": "page", "unknown": [1]})).await, 200, "{channel}");
        assert_eq!(side.post_signed(&house, &batch).await, 200, "{channel}");
        assert_eq!(side.post_signed(&house, &batch).await, 200, "{channel}");
        house.until(&format!("six readings on {channel}"), 0, |house| house.inbound.len() >= 6).await;
        let mut ids: Vec<String> = house.inbound.iter().map(|event| event.event_id.to_string()).collect();
        assert_eq!(ids.len(), 6, "{channel}: nothing of the forged or the unknown one");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 2, "{channel}: the same thing has the same id, however often it comes");
    }
}

#[tokio::test]
async fn after_a_stop_nothing_more_reaches_the_customer_until_they_write() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        let stop = SetConsent { purpose: "all".into(), granted: false, source: "stop_word".into(), proof: None };
        house.say(ACCOUNT, channel, CUSTOMER, ConversationEventKind::ConsentChanged(stop));
        let id = ask(&mut house, &side, "One more thing");
        assert_eq!(house.story(id), ["refused opted_out"], "{channel}");
        let other = house.ask(channel, "16505555678", Content::text("And you"));
        house.until(&format!("somebody else's message on {channel}"), 0, |house| house.has(other, "sent")).await;
        assert_eq!(side.shown(), ["And you"], "{channel}");
    }
}

#[tokio::test]
async fn what_was_given_up_is_sent_when_an_operator_wants_it_and_only_once() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        side.script(Fault::Status(500), 6);
        let id = ask(&mut house, &side, "Good morning Ada");
        house.until(&format!("the end of the schedule on {channel}"), 30_000, |house| house.has(id, "exhausted")).await;
        assert_eq!(house.laid_aside, [id], "{channel}");
        house.resend("redrive", "letter 1");
        house.until(&format!("the message on {channel}"), 30_000, |house| house.has(id, "sent")).await;
        house.resend("redrive", "letter 1");
        let claims = house.story(id).iter().filter(|word| *word == "claimed").count();
        assert_eq!((claims, side.shown()), (7, vec!["Good morning Ada".to_owned()]), "{channel}");
    }
}

#[tokio::test]
async fn a_webhook_hears_of_each_change_in_its_place_and_again_when_it_is_replayed() {
    let mut house = House::open().await;
    let side = Side::open(&mut house, Channel::Open).await;
    side.script(Fault::Status(500), 1);
    let customer = Customer { id: CUSTOMER.into(), ..Customer::default() };
    let say = |house: &mut House, kind| house.say(ACCOUNT, Channel::Open, CUSTOMER, kind);
    say(&mut house, ConversationEventKind::Opened(Box::new(Opened { customer, ..Opened::default() })));
    ask(&mut house, &side, "Good morning Ada");
    let moved = OwnerChanged { cause: Cause::Transfer, owner_id: "eva".into(), ..OwnerChanged::default() };
    say(&mut house, ConversationEventKind::OwnerChanged(moved));
    say(
        &mut house,
        ConversationEventKind::StintEnded(StintEnded { cause: Cause::AgentDisconnect, ..StintEnded::default() }),
    );
    let taken = |repeat: bool| {
        let seen = side.seen().into_iter().filter(move |seen| seen.taken && seen.repeat == repeat);
        seen.map(|seen| {
            let change = seen.body["events"][0]["lifecycle"]["type"].as_str().map(str::to_owned);
            (seen.id.unwrap(), change.or(seen.text).unwrap())
        })
    };
    house.until("four webhooks", SKIP_MS, |_| taken(false).count() == 4).await;
    let words: Vec<String> = taken(false).map(|(_, word)| word).collect();
    assert_eq!(words, ["Opened", "Good morning Ada", "Transferred", "Ended"]);
    house.resend("replay", "r1");
    house.resend("replay", "r1");
    house.until("the same four again", SKIP_MS, |_| taken(true).count() == 4).await;
    assert!(taken(true).eq(taken(false)), "with their ids, in their order, once for a request");
    assert_eq!(side.problems(), Vec::<String>::new());
    assert_eq!(house.said.iter().filter(|event| event.kind.name() == "sent").count(), 1, "reports count it once");
}

#[tokio::test]
async fn typing_read_marks_and_reactions_reach_the_platforms_that_can_show_them() {
    for channel in CHANNELS {
        let mut house = House::open().await;
        let side = Side::open(&mut house, channel).await;
        for (signal, emoji) in [("typing", None), ("read", None), ("reaction", Some("\u{1f44d}")), ("reaction", None)] {
            let told = Signal {
                signal: signal.into(),
                provider_message_id: Some("m_1".into()),
                emoji: emoji.map(str::to_owned),
                customer: Some(Customer { id: CUSTOMER.into(), ..Customer::default() }),
                ..Signal::default()
            };
            house.say(ACCOUNT, channel, CUSTOMER, ConversationEventKind::Signalled(Box::new(told)));
        }
        let shown = if channel == Channel::Twitter { 0 } else { 4 };
        house.until(&format!("the signals on {channel}"), 0, |_| side.seen().len() == shown).await;
        let id = ask(&mut house, &side, "Good morning Ada");
        house.until(&format!("the message on {channel}"), 0, |house| house.has(id, "sent")).await;
        assert_eq!(house.story(id), ["claimed", "sent"], "{channel}");
        assert_eq!(side.problems(), Vec::<String>::new(), "{channel}");
        assert_eq!(side.seen().len(), shown + 1, "{channel}");
    }
}

#[tokio::test]
async fn open_messaging_is_taken_by_its_token_alone_and_twice_is_once() {
    let mut house = House::open().await;
    let side = Side::open(&mut house, Channel::Open).await;
    let time = clock::now().to_string();
    let from = json!({"id": CUSTOMER, "idType": "Opaque", "nickname": "Ada"});
    let channel = |id: &str| json!({"messageId": id, "from": from, "time": time});
    let message = json!({"channel": channel("m1"), "text": "Hello"});
    let typing = json!({"channel": channel("e1"), "events": [{"eventType": "Typing", "typing": {"type": "On"}}]});
    let gone = json!({"channel": channel("e2"), "events": [{"eventType": "Presence", "presence": {"type": "Clear"}}]});
    let pressed = json!({"channel": channel("m2"),
        "buttonResponse": {"type": "QuickReply", "text": "Yes", "payload": "yes"}});
    let receipt = json!({"id": "forged", "status": "Delivered", "channel": {"to": {"id": CUSTOMER}, "time": time}});
    for (token, form, body, expected) in [
        ("another token", "message", &message, 401),
        (&house.token, "message", &json!({"channel": channel("m0")}), 400),
        (&house.token, "event", &json!({"channel": channel("e0"), "events": [{"eventType": "Later"}]}), 400),
        (&house.token, "message", &message, 200),
        (&house.token, "message", &message, 200),
        (&house.token, "structured/response", &pressed, 200),
        (&house.token, "event", &typing, 200),
        (&house.token, "event", &gone, 200),
        (&house.token, "receipt", &receipt, 200),
    ] {
        assert_eq!(side.post_open(&house, token, form, body).await, expected, "{form} {body}");
    }
    house.until("what was taken", 0, |house| house.inbound.len() == 6).await;
    let kinds: Vec<&str> = house.inbound.iter().map(|event| event.kind.name()).collect();
    assert_eq!(kinds, ["message", "message", "message", "typing", "presence", "receipt"]);
    assert_eq!(house.inbound[0].event_id, house.inbound[1].event_id);
    assert!(house.said.is_empty(), "a receipt of nobody's message changes nothing");
}

#[test]
fn the_page_shows_what_the_code_can() {
    let page = include_str!("../docs/channels.md");
    let shown =
        page.split("<!-- capabilities -->\n").nth(1).and_then(|rest| rest.split("<!-- /capabilities -->").next());
    assert_eq!(shown.unwrap(), delivery::capability_table(), "docs/channels.md, between its marks");
}

#[tokio::test]
async fn a_picture_sent_on_whatsapp_is_fetched_by_its_id_and_kept() {
    const PICTURE: &[u8] = b"\x89PNG not much of a picture";
    let mut house = House::open().await;
    let side = Side::open(&mut house, Channel::Whatsapp).await;
    let (webhook, age_links) = side.picture(PICTURE);
    assert_eq!(side.post_signed(&house, &webhook).await, 200);
    house.until("the picture", 0, |house| !house.inbound.is_empty()).await;
    let InboundKind::Message(message) = &house.inbound[0].kind else { panic!("{:?}", house.inbound) };
    let content = message.content.clone();
    age_links();
    let id = house.receive(Channel::Whatsapp, CUSTOMER, content);
    house.until("the copy", 0, |house| house.has(id, "media_stored")).await;
    let event = house.said.iter().find(|event| event.message_id == id).unwrap();
    let DeliveryEventKind::MediaStored(stored) = &event.kind else { panic!("{event:?}") };
    let (mime, size) = (stored.mime.as_deref(), stored.size_bytes);
    assert_eq!((stored.attachment_no, mime, size), (0, Some("image/png"), 26));
    let object = ObjectRef::parse(&stored.stored_ref).unwrap();
    assert!(object.is_of(TENANT, &event.customer_key.to_string()));
    let found = house.media.objects.read(&object).await.unwrap().unwrap();
    let bytes: Vec<_> = futures::TryStreamExt::try_collect(found.bytes).await.unwrap();
    assert_eq!(bytes.concat(), PICTURE);
}

#[tokio::test]
async fn an_address_in_a_message_leads_nowhere_but_to_the_accounts_hosts() {
    for url in ["https://169.254.169.254/latest", "https://evil.example/a.png", "http://127.0.0.2/a.png"] {
        let mut house = House::open().await;
        Side::open(&mut house, Channel::Open).await;
        let attachment = Attachment { attachment_type: "image".into(), url: Some(url.into()), ..Attachment::default() };
        let content = Content { attachments: vec![attachment], ..Content::text("look") };
        let id = house.receive(Channel::Open, CUSTOMER, content);
        house.until(url, 0, |house| house.has(id, "media_failed")).await;
    }
}
