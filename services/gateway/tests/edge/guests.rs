//! Guests over real sockets: sessions, messages, coming back, devices, limits, refusals.

use std::sync::Arc;

use futures::SinkExt;
use gateway::config::Config;
use gateway::core::Seen;
use schemas::config::{Deployment, Messenger};
use schemas::ids::{ConversationId, CustomerKey, EventId, MessageId};
use schemas::records::{
    Cause, Channel, Content, ConversationEvent, ConversationEventKind, Direction, GuestView, GuestViewKind,
    InboundEvent, InboundKind, MessageAdded, PresenceKind, ReceiptStatus, Sender, SenderKind, Signal, StintEnded,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::house::*;

const ORIGIN: &str = "https://shop.example";

pub(crate) fn deployment() -> Deployment {
    Deployment {
        name: "The shop".into(),
        account: "shop-web".into(),
        allowed_origins: vec![ORIGIN.into(), "https://other.example".into()],
        messenger: Messenger { may_clear: true, shows_end: true, ..Messenger::default() },
        ..Deployment::default()
    }
}

pub(crate) fn deploy(house: &House, spec: Deployment, session_minutes: i64) {
    let (tenant, account) = ("acme".into(), "shop-web".into());
    house.lobby.see(&Seen::Account {
        tenant,
        account,
        channel: Some(Channel::Web),
        queue: None,
        session_minutes: Some(session_minutes),
    });
    house.lobby.see(&Seen::Deployment { tenant: "acme".into(), id: "shop".into(), spec: Some(Arc::new(spec)) });
}

pub(crate) async fn shop() -> House {
    let house = House::open().await;
    deploy(&house, deployment(), 60);
    house
}

async fn try_guest(house: &House, query: &str, origin: Option<&str>) -> Result<Ws, Error> {
    let mut request = format!("ws://{}/ws/guest{query}", house.address).into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    tokio_tungstenite::connect_async(request).await.map(|(ws, _)| ws)
}

pub(crate) async fn guest(house: &House) -> Ws {
    try_guest(house, "?deployment=shop", Some(ORIGIN)).await.unwrap()
}

pub(crate) async fn asked(ws: &mut Ws, frame: Value) -> Value {
    say(ws, frame).await;
    heard(ws).await
}

async fn configured(ws: &mut Ws, token: Option<&str>) -> Value {
    let answer = asked(ws, json!({"action": "configureSession", "token": token, "tracingId": "c"})).await;
    assert_eq!((&answer["class"], &answer["code"]), (&json!("SessionResponse"), &json!(200)), "{answer}");
    answer["body"].clone()
}

/// A connection with a new session, its secret, and whose it is.
pub(crate) async fn begun(house: &mut House) -> (Ws, String, CustomerKey) {
    let mut ws = guest(house).await;
    let body = configured(&mut ws, None).await;
    let GuestViewKind::Session(session) = house.kept().await.unwrap().kind else { panic!("no session was kept") };
    (ws, body["token"].as_str().unwrap().to_owned(), session.customer_key)
}

impl House {
    async fn kept(&mut self) -> Option<GuestView> {
        let output = self.next().await;
        assert_eq!(output.topic, "guest.views");
        output.payload.map(|payload| self.codec.decode(&payload).unwrap())
    }

    pub(crate) async fn inbound(&mut self) -> InboundEvent {
        let output = self.next().await;
        assert_eq!(output.topic, "channel.inbound");
        let event: InboundEvent = self.codec.decode(&output.payload.unwrap()).unwrap();
        assert_eq!(output.key, event.customer_key.unwrap().to_string().into_bytes());
        event
    }

    fn event(&self, customer: CustomerKey, seq: i64, kind: ConversationEventKind) {
        let event = ConversationEvent {
            event_id: EventId::default(),
            tenant: "acme".into(),
            occurred_at: stream::clock::now().as_ms(),
            recorded_at: stream::clock::now().as_ms(),
            conversation_id: ConversationId::of(customer, 1),
            stint_id: None,
            seq,
            channel: Channel::Web,
            account_id: "shop-web".into(),
            customer_key: customer,
            kind,
        };
        self.lobby.see(&Seen::Said(Box::new(event)));
    }

    /// An agent answers, and delivery says so.
    fn answered(&self, customer: CustomerKey, seq: i64) {
        let message_id = MessageId::derive(&[&seq.to_string()]);
        let added = MessageAdded {
            message_id,
            direction: Direction::Outbound,
            sender: Sender { kind: SenderKind::Agent, id: Some("ada".into()) },
            content: Content::text(format!("answer {seq}")),
            ..MessageAdded::default()
        };
        self.event(customer, seq, ConversationEventKind::MessageAdded(Box::new(added)));
        self.lobby.see(&sent(customer, message_id));
    }
}

fn text(id: &str, text: &str) -> Value {
    json!({"action": "onMessage", "tracingId": id, "message": {"type": "Text", "id": id, "text": text}})
}

async fn told(ws: &mut Ws) -> (String, i64) {
    let frame = heard(ws).await;
    assert_eq!(frame["class"], "StructuredMessage", "{frame}");
    (frame["body"]["text"].as_str().unwrap_or_default().to_owned(), frame["body"]["seq"].as_i64().unwrap())
}

#[tokio::test]
async fn a_guest_begins_a_session_writes_and_is_shown_the_answer() {
    let mut house = shop().await;
    let mut ws = guest(&house).await;
    let body = configured(&mut ws, None).await;
    assert_eq!((&body["newSession"], &body["durationSeconds"]), (&json!(true), &json!(3600)));
    let token = body["token"].as_str().unwrap();
    let kept = house.next().await;
    let bytes = kept.payload.unwrap();
    let needle = token.trim_start_matches("weftg_").as_bytes();
    assert!(needle.len() >= 43 && !bytes.windows(needle.len()).any(|window| window == needle), "kept hashed alone");
    let view: GuestView = house.codec.decode(&bytes).unwrap();
    let hash: String = Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(view.id, hash);
    let GuestViewKind::Session(session) = view.kind else { panic!("{:?}", view.kind) };

    let accepted = asked(&mut ws, text("m1", "hello")).await;
    assert_eq!((&accepted["class"], &accepted["tracingId"]), (&json!("MessageAccepted"), &json!("m1")));
    let event = house.inbound().await;
    assert_eq!((event.channel, event.customer_key), (Some(Channel::Web), Some(session.customer_key)));
    let InboundKind::Message(message) = &event.kind else { panic!("{event:?}") };
    assert_eq!(message.content.text.as_deref(), Some("hello"));
    let id = MessageId::derive(&["acme", "web", "shop-web", &event.provider_event_id]);
    assert_eq!(accepted["body"]["id"], json!(id.to_string()));

    let added = MessageAdded {
        message_id: id,
        direction: Direction::Inbound,
        sender: Sender { kind: SenderKind::Customer, id: None },
        content: message.content.clone(),
        provider_event_id: Some(event.provider_event_id),
        ..MessageAdded::default()
    };
    house.event(session.customer_key, 1, ConversationEventKind::MessageAdded(Box::new(added)));
    let own = heard(&mut ws).await;
    assert_eq!((&own["body"]["clientId"], &own["body"]["seq"]), (&json!("m1"), &json!(1)));
    house.answered(session.customer_key, 2);
    assert_eq!(told(&mut ws).await, ("answer 2".to_owned(), 2));
}

#[tokio::test]
async fn who_comes_back_is_told_what_they_missed_without_gap_or_repeat() {
    let mut house = shop().await;
    let (mut ws, token, customer) = begun(&mut house).await;
    house.answered(customer, 1);
    assert_eq!(told(&mut ws).await.1, 1);
    ws.close(None).await.unwrap();
    closed(&mut ws).await;
    for seq in 2..=4 {
        house.answered(customer, seq);
        house.answered(customer, seq);
    }
    let mut ws = guest(&house).await;
    let after = json!({"conversationId": ConversationId::of(customer, 1), "seq": 1});
    let answer = asked(&mut ws, json!({"action": "configureSession", "token": token, "after": after})).await;
    assert_eq!((&answer["body"]["missed"], &answer["body"]["missedIsComplete"]), (&json!(3), &json!(true)), "{answer}");
    assert_eq!(answer["body"]["token"], Value::Null, "the secret is told once");
    house.answered(customer, 5);
    for seq in 2..=5 {
        assert_eq!(told(&mut ws).await.1, seq);
    }
    let foreign = json!({"conversationId": ConversationId::derive(&["another's"]), "seq": 1});
    let answer = asked(&mut ws, json!({"action": "configureSession", "token": token, "after": foreign})).await;
    assert_eq!(answer["code"], 4020, "{answer}");
}

#[tokio::test]
async fn what_this_gateway_never_saw_comes_from_click_house() {
    let row = |seq: i64| {
        json!({"seq": seq, "occurred_at": seq, "message_id": MessageId::derive(&[&seq.to_string()]),
            "direction": "outbound", "sender_kind": "agent", "sender_id": "ada", "content_kind": "text",
            "text": format!("answer {seq}"), "delivery_state": ""})
        .to_string()
    };
    let clickhouse = axum::Router::new().fallback(move |body: String| async move {
        if body.contains("seq > 2") { format!("{}\n{}\n", row(3), row(4)) } else { String::new() }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, clickhouse).await });
    for (url, missed, complete) in [(Some(url), 3, true), (None, 1, false)] {
        let change = |config: &mut Config| {
            config.gateway.transcript_wait_ms = 600;
            config.clickhouse.url = url.unwrap_or(config.clickhouse.url.clone());
        };
        let mut house = House::with(change, false).await;
        deploy(&house, deployment(), 60);
        let (_ws, token, customer) = begun(&mut house).await;
        house.answered(customer, 5);
        let mut ws = guest(&house).await;
        let after = json!({"conversationId": ConversationId::of(customer, 1), "seq": 2});
        let answer = asked(&mut ws, json!({"action": "configureSession", "token": token, "after": after})).await;
        let body = &answer["body"];
        assert_eq!((&body["missed"], &body["missedIsComplete"]), (&json!(missed), &json!(complete)), "{body}");
        let answer = loop {
            let frame = asked(&mut ws, json!({"action": "getHistory", "pageSize": 2, "tracingId": "h"})).await;
            if frame["tracingId"] == "h" {
                break frame;
            }
        };
        assert_eq!(answer["body"]["isComplete"], json!(complete), "{answer}");
    }
}

#[tokio::test]
async fn nobody_comes_in_by_another_origin_or_with_a_secret_in_the_address() {
    let house = shop().await;
    for (query, origin, status) in [
        ("?deployment=shop", Some("https://evil.example"), 403),
        ("?deployment=shop", Some("null"), 403),
        ("?deployment=shop", Some("https://shop.example.evil.example"), 403),
        ("?deployment=shop", None, 403),
        ("?deployment=other", Some(ORIGIN), 403),
        ("?deployment=shop&token=weftg_x", Some(ORIGIN), 400),
        ("", Some(ORIGIN), 400),
    ] {
        let Err(Error::Http(refused)) = try_guest(&house, query, origin).await else { panic!("{query} {origin:?}") };
        assert_eq!(refused.status(), status, "{query} {origin:?}");
    }
    deploy(&house, Deployment { native_apps: true, ..deployment() }, 60);
    assert!(try_guest(&house, "?deployment=shop", None).await.is_ok());
    let tenant = "evil".into();
    house.lobby.see(&Seen::Account {
        tenant,
        account: "shop-web".into(),
        channel: Some(Channel::Web),
        queue: None,
        session_minutes: Some(60),
    });
    let spec = Some(Arc::new(deployment()));
    house.lobby.see(&Seen::Deployment { tenant: "evil".into(), id: "shop".into(), spec });
    assert!(guest_is_refused(&house).await, "two tenants, one name: nobody knows whose guest it is");
}

async fn guest_is_refused(house: &House) -> bool {
    matches!(try_guest(house, "?deployment=shop", Some(ORIGIN)).await, Err(Error::Http(refused)) if refused.status() == 403)
}

#[tokio::test]
async fn a_session_goes_on_only_with_its_secret_its_origin_and_within_its_time() {
    let mut house = shop().await;
    let (_ws, token, _) = begun(&mut house).await;
    let refused = async |origin: &str, token: &str| {
        let mut ws = try_guest(&house, "?deployment=shop", Some(origin)).await.unwrap();
        asked(&mut ws, json!({"action": "configureSession", "token": token})).await["code"].clone()
    };
    assert_eq!(refused(ORIGIN, "weftg_made-up").await, 4007);
    assert_eq!(refused(ORIGIN, &"x".repeat(5_000)).await, 4007);
    assert_eq!(refused("https://other.example", &token).await, 4007);
    assert_eq!(refused(ORIGIN, &token).await, 200);
    deploy(&house, deployment(), 0);
    assert_eq!(refused(ORIGIN, &token).await, 4006);
}

#[tokio::test]
async fn a_connection_ends_with_its_session() {
    let mut house = shop().await;
    let (mut ws, ..) = begun(&mut house).await;
    deploy(&house, deployment(), 0);
    assert_eq!(heard(&mut ws).await["class"], "SessionExpiredEvent");
    assert_eq!(closed(&mut ws).await, Some(4006));
}

#[tokio::test]
async fn devices_share_what_is_said_and_the_oldest_makes_room() {
    let mut house = shop().await;
    let (mut first, token, customer) = begun(&mut house).await;
    let mut more = Vec::new();
    for _ in 0..3 {
        let mut ws = guest(&house).await;
        configured(&mut ws, Some(&token)).await;
        more.push(ws);
    }
    let last = heard(&mut first).await;
    assert_eq!((&last["class"], &last["body"]["reason"]), (&json!("ConnectionClosedEvent"), &json!("session_limit")));
    assert_eq!(closed(&mut first).await, Some(4430));
    house.answered(customer, 1);
    for ws in &mut more {
        assert_eq!(told(ws).await.1, 1);
    }
}

#[tokio::test]
async fn what_is_too_much_is_refused_by_its_code() {
    let limits = |config: &mut Config| {
        config.guests.requests_per_min_max = 8;
        config.gateway.frame_bytes_max = 10_000;
    };
    let mut house = House::with(limits, false).await;
    deploy(&house, deployment(), 60);
    let mut ws = guest(&house).await;
    assert_eq!(asked(&mut ws, text("m0", "too early")).await["code"], 4007);
    configured(&mut ws, None).await;
    house.kept().await;
    assert_eq!(asked(&mut ws, text("m1", &"x".repeat(4_097))).await["code"], 4011);
    ws.send(Message::text("{")).await.unwrap();
    assert_eq!(heard(&mut ws).await["code"], 4020);
    for expected in [200, 200, 200, 200] {
        assert_eq!(asked(&mut ws, text("m", "hi")).await["code"], expected);
    }
    let refused = asked(&mut ws, text("m", "hi")).await;
    assert_eq!((&refused["class"], &refused["code"]), (&json!("TooManyRequestsErrorMessage"), &json!(429)));
    assert!(refused["body"]["retryAfter"].as_i64().unwrap() >= 1, "{refused}");
    ws.send(Message::text("x".repeat(20_000))).await.unwrap();
    closed(&mut ws).await;
}

#[tokio::test]
async fn messages_of_one_guest_have_a_rate_over_all_devices() {
    let mut house = House::with(|config| config.guests.messages_per_s_max = 1, false).await;
    deploy(&house, deployment(), 60);
    let (mut first, token, _) = begun(&mut house).await;
    let mut second = guest(&house).await;
    configured(&mut second, Some(&token)).await;
    let answers = [asked(&mut first, text("a", "a")).await, asked(&mut second, text("b", "b")).await];
    let refused = answers.iter().filter(|answer| answer["code"] == 429).count();
    assert!(refused <= 1 && answers[0]["code"] == 200, "{answers:?}");
    let mut codes = Vec::new();
    for n in 0..10 {
        codes.push(asked(&mut second, text(&n.to_string(), "x")).await["code"].clone());
    }
    assert!(codes.contains(&json!(429)), "{codes:?}");
}

#[tokio::test]
async fn typing_receipts_presence_and_answers_become_records() {
    let mut house = shop().await;
    let (mut ws, _, customer) = begun(&mut house).await;
    let event = |event: &str| json!({"action": "onMessage", "message": {"type": "Event", "event": event}});
    assert_eq!(asked(&mut ws, event("Typing")).await["class"], "Done");
    assert!(matches!(house.inbound().await.kind, InboundKind::Typing(typing) if typing.on));
    say(&mut ws, event("Typing")).await;
    let message = MessageId::derive(&["x"]);
    let receipt = json!({"type": "Receipt", "messageId": message, "status": "Read"});
    assert_eq!(asked(&mut ws, json!({"action": "onMessage", "message": receipt})).await["class"], "Done");
    let InboundKind::Receipt(receipt) = house.inbound().await.kind else { panic!("typing again was passed over") };
    assert_eq!(receipt.status, ReceiptStatus::Read);
    let outward = schemas::ids::OutwardId { customer_key: customer, id: message };
    assert_eq!(receipt.callback_data, Some(outward.to_text(&schemas::ids::KeySecret::new(SECRET))));
    let answer = json!({"type": "Structured", "id": "s1", "text": "Yes", "payload": "yes"});
    asked(&mut ws, json!({"action": "onMessage", "message": answer})).await;
    let InboundKind::Message(said) = house.inbound().await.kind else { panic!("no message") };
    assert_eq!((said.content.text.as_deref(), said.content.payload.as_deref()), (Some("Yes"), Some("yes")));
    asked(&mut ws, event("Disconnect")).await;
    let InboundKind::Presence(left) = house.inbound().await.kind else { panic!("no presence") };
    assert_eq!(left.presence, PresenceKind::Disconnect);

    let sender = Sender { kind: SenderKind::Agent, id: Some("ada".into()) };
    let signal = Box::new(Signal { signal: "typing".into(), sender, ..Signal::default() });
    house.event(customer, 0, ConversationEventKind::Signalled(signal));
    let typing = heard(&mut ws).await;
    assert_eq!((&typing["class"], &typing["body"]["eventType"]), (&json!("Event"), &json!("Typing")));
    let ended = StintEnded { cause: Cause::AgentDisconnect, ..StintEnded::default() };
    house.event(customer, 0, ConversationEventKind::StintEnded(ended));
    assert_eq!(heard(&mut ws).await["body"]["cause"], "agent_disconnect");
}

#[tokio::test]
async fn what_is_cleared_is_gone_from_every_device_and_does_not_come_back() {
    let mut house = shop().await;
    let (mut ws, token, customer) = begun(&mut house).await;
    house.answered(customer, 1);
    told(&mut ws).await;
    let mut other = guest(&house).await;
    configured(&mut other, Some(&token)).await;
    say(&mut ws, json!({"action": "onMessage", "message": {"type": "Event", "event": "Clear"}})).await;
    assert_eq!(heard(&mut other).await["class"], "SessionClearedEvent");
    assert_eq!(heard(&mut ws).await["class"], "SessionClearedEvent");
    assert_eq!(heard(&mut ws).await["class"], "Done");
    let said = loop {
        let output = house.next().await;
        if output.topic == "channel.inbound" {
            break house.codec.decode::<InboundEvent>(&output.payload.unwrap()).unwrap();
        }
    };
    let InboundKind::Presence(left) = said.kind else { panic!("no presence") };
    assert_eq!(left.presence, PresenceKind::Clear);
    let mut back = guest(&house).await;
    let after = json!({"conversationId": ConversationId::of(customer, 1), "seq": 0});
    let answer = asked(&mut back, json!({"action": "configureSession", "token": token, "after": after})).await;
    assert_eq!((&answer["body"]["missed"], &answer["body"]["missedIsComplete"]), (&json!(0), &json!(true)), "{answer}");
    assert!(answer["body"]["clearedAt"].is_i64(), "{answer}");
}

#[tokio::test]
async fn an_ended_session_is_worth_nothing_and_all_can_be_ended_at_once() {
    let mut house = shop().await;
    for all in [false, true] {
        let (mut ws, token, _) = begun(&mut house).await;
        let close = json!({"action": "closeSession", "closeAllConnections": all});
        assert_eq!(asked(&mut ws, close).await["class"], "Done");
        let class = if all { "LogoutEvent" } else { "ConnectionClosedEvent" };
        assert_eq!(heard(&mut ws).await["class"], class);
        assert_eq!(closed(&mut ws).await, Some(4007));
        let mut ws = guest(&house).await;
        let answer = asked(&mut ws, json!({"action": "configureSession", "token": token})).await;
        assert_eq!(answer["code"], 4007);
        house.kept().await;
    }
}

#[tokio::test]
async fn a_new_session_in_place_of_one_shows_nothing_of_it() {
    let mut house = shop().await;
    let (mut ws, token, customer) = begun(&mut house).await;
    let frame = json!({"action": "configureSession", "token": token, "startNew": true});
    let answer = asked(&mut ws, frame).await;
    let body = &answer["body"];
    assert_eq!((&body["newSession"], &body["clearedExistingSession"]), (&json!(true), &json!(true)), "{body}");
    assert!(body["token"].is_string() && body["token"] != json!(token));
    house.answered(customer, 1);
    assert_eq!(
        asked(&mut ws, json!({"action": "echo", "text": "ping"})).await["class"],
        "Echo",
        "nothing of the other"
    );
}

#[tokio::test]
async fn what_is_not_durable_is_not_answered_as_done() {
    let house = House::with(|_| {}, true).await;
    deploy(&house, deployment(), 60);
    let mut ws = guest(&house).await;
    assert_eq!(asked(&mut ws, json!({"action": "configureSession"})).await["code"], 5000);
}

#[tokio::test]
async fn a_connection_that_never_asks_for_a_session_is_closed() {
    let house = House::with(|config| config.guests.configure_wait_s = 0, false).await;
    deploy(&house, deployment(), 60);
    let mut ws = guest(&house).await;
    assert_eq!(closed(&mut ws).await, Some(4408));
}

#[tokio::test]
async fn the_configuration_is_signed_and_read_by_its_own_origins_alone() {
    let house = shop().await;
    let path = "/api/v1/deployments/shop/config.json";
    let (code, head, body) = ask(house.address, "GET", path, &format!("origin: {ORIGIN}\r\n"), "").await;
    assert_eq!(code, 200, "{body}");
    assert!(
        head.contains(&format!("access-control-allow-origin: {ORIGIN}")) && head.contains("vary: origin"),
        "{head}"
    );
    assert!(!head.contains("access-control-allow-credentials"), "{head}");
    assert!(["payload", "protected", "signature"].iter().all(|part| body[part].is_string()), "{body}");
    assert_eq!(ask(house.address, "GET", path, "", "").await.0, 200);
    for (path, origin) in [(path, "https://evil.example"), ("/api/v1/deployments/none/config.json", ORIGIN)] {
        assert_eq!(ask(house.address, "GET", path, &format!("origin: {origin}\r\n"), "").await.0, 404, "{path}");
    }
    let (code, _, keys) = ask(house.address, "GET", "/api/v1/deployments/keys.json", "", "").await;
    assert_eq!((code, &keys["keys"][0]["crv"]), (200, &json!("Ed25519")));
}
