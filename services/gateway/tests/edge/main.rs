//! The HTTP and WebSocket edge over a hand-written log: commands come out, records are put in.

#[cfg(test)]
mod frames;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod house;
#[cfg(test)]
mod media;
#[cfg(test)]
mod uploads;

use std::sync::Arc;

use access::{Claims, Subject, TokenSecrets};
use futures::SinkExt;
use gateway::config::Config;
use gateway::core::Seen;
use schemas::ids::CommandId;
use schemas::records::{
    AgentView, Channel, Connected, ConversationCommand, ConversationCommandKind, OwnerKind, Presence, Refused,
    RoutingCommandKind, RoutingEventKind, WorkState,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use house::*;

#[tokio::test]
async fn an_agent_who_writes_first_asks_for_a_stint_of_their_own_by_socket_or_rest() {
    let mut house = House::with(|config| config.gateway.command_wait_ms = 100, false).await;
    let account = Seen::Account {
        tenant: "acme".into(),
        account: "main".into(),
        channel: Some(Channel::Whatsapp),
        queue: Some("help".into()),
        session_minutes: None,
    };
    house.hub.see(account);
    let mut ws = house.socket("ada").await;
    assert!(matches!(house.routing().await.kind, RoutingCommandKind::ConnectionBack(_)));
    let start = json!({"account": "main", "customer": "+41 79 111", "text": "Hello", "queue": "sales"});
    let mut frame = start.clone();
    (frame["type"], frame["id"]) = (json!("start"), json!("s1"));
    say(&mut ws, frame).await;
    let asked = house.content().await;
    let ConversationCommandKind::Send(ref send) = asked.kind else { panic!("{asked:?}") };
    let target = send.target.as_ref().unwrap();
    assert_eq!((target.kind, target.id.as_str()), (OwnerKind::Agent, "ada"));
    assert_eq!((send.owner_epoch, target.queue_id.as_ref().map(|id| id.as_str())), (None, Some("sales")));
    assert_eq!(asked.customer.as_ref().map(|customer| customer.id.as_str()), Some("4179111"));
    assert_eq!((asked.channel, asked.conversation_id), (Channel::Whatsapp, None));

    let headers = format!("{}idempotency-key: s2\r\n", bearer("ada"));
    let url = "/api/v1/conversations";
    let (code, _, _) = ask(house.address, "POST", url, &headers, &start.to_string()).await;
    assert_eq!((code, house.content().await.customer_key), (202, asked.customer_key));
    for (body, key, expected) in [
        (json!({"account": "gone", "customer": "1", "text": "x"}), true, (409, "unknown_account")),
        (json!({"account": "main", "customer": "nobody", "text": "x"}), true, (409, "unknown_customer")),
        (json!({"account": "main", "customer": "1", "template": {"id": "t"}}), true, (409, "unknown_template")),
        (json!({"account": "main", "customer": "1", "text": "x", "template": {"id": "t"}}), true, (400, "bad_message")),
        (json!({"account": "main", "customer": "1"}), true, (400, "empty_message")),
        (start, false, (400, "idempotency_key_missing")),
    ] {
        let head = if key { format!("{}idempotency-key: s3\r\n", bearer("ada")) } else { bearer("ada") };
        let (code, _, answer) = ask(house.address, "POST", url, &head, &body.to_string()).await;
        assert_eq!((code, &answer["reason"]), (expected.0, &json!(expected.1)), "{body}");
    }
}

#[tokio::test]
async fn an_agent_takes_an_offer_answers_and_is_told_what_became_of_it() {
    let mut house = House::open().await;
    let mut ws = house.socket("ada").await;
    assert!(matches!(house.routing().await.kind, RoutingCommandKind::ConnectionBack(_)));

    house.hub.see(work(WorkState::Alerting, "ada", 1));
    let offer = heard(&mut ws).await;
    assert_eq!(
        (&offer["type"], &offer["customer_name"], &offer["expires_at"]),
        (&json!("offer"), &json!("Grace"), &json!(99))
    );

    say(&mut ws, json!({"type": "accept", "conversation_id": conversation(), "id": "c1"})).await;
    let accept = house.routing().await;
    assert_eq!(accept.command_id, CommandId::derive(&["acme", "ada", "c1"]));
    house.hub.see(routed("ada", RoutingEventKind::Connected(Connected { owner_epoch: 2, ..Connected::default() })));
    assert_eq!(heard(&mut ws).await, json!({"type": "result", "id": "c1", "ok": true}));

    let frame = json!({"type": "message", "conversation_id": conversation(), "text": "hi", "id": "c2"});
    say(&mut ws, frame).await;
    let send = house.content().await;
    let ConversationCommandKind::Send(ref sent) = send.kind else { panic!("{send:?}") };
    assert_eq!((sent.owner_epoch, sent.content.text.as_deref()), (Some(2), Some("hi")));
    house.hub.see(added(1, Some(send.command_id)));
    let message = heard(&mut ws).await;
    assert_eq!((&message["type"], &message["seq"]), (&json!("message"), &json!(1)));
    assert_eq!(heard(&mut ws).await, json!({"type": "result", "id": "c2", "ok": true}));

    say(&mut ws, json!({"type": "transcript", "conversation_id": conversation(), "id": "c3"})).await;
    let transcript = heard(&mut ws).await;
    assert_eq!(
        (&transcript["complete"], &transcript["messages"][0]["content"]["text"]),
        (&json!(true), &json!("hello"))
    );
    assert_eq!(heard(&mut ws).await["ok"], true);

    ws.close(None).await.unwrap();
    assert!(matches!(house.routing().await.kind, RoutingCommandKind::ConnectionLost(_)));
}

#[tokio::test]
async fn a_connection_is_lost_with_the_last_socket_only() {
    let mut house = House::open().await;
    let mut first = house.socket("ada").await;
    let mut second = house.socket("ada").await;
    assert!(matches!(house.routing().await.kind, RoutingCommandKind::ConnectionBack(_)));
    first.close(None).await.unwrap();
    closed(&mut first).await;
    say(&mut second, json!({"type": "presence", "presence": "on_queue", "id": "p"})).await;
    assert!(matches!(house.routing().await.kind, RoutingCommandKind::SetPresence(_)), "nothing was said of the first");
    second.close(None).await.unwrap();
    assert!(matches!(house.routing().await.kind, RoutingCommandKind::ConnectionLost(_)));
}

#[tokio::test]
async fn a_refusal_and_a_missing_answer_are_told_with_their_reason() {
    let mut house = House::with(|config| config.gateway.command_wait_ms = 50, false).await;
    let mut ws = house.socket("ada").await;
    house.routing().await;
    say(&mut ws, json!({"type": "accept", "conversation_id": conversation(), "id": "c1"})).await;
    let accept = house.routing().await;
    let refused = Refused { command_id: accept.command_id, reason: "not_offered".into() };
    house.hub.see(routed("ada", RoutingEventKind::Refused(refused)));
    assert_eq!(heard(&mut ws).await, json!({"type": "result", "id": "c1", "ok": false, "reason": "not_offered"}));
    say(&mut ws, json!({"type": "accept", "conversation_id": conversation(), "id": "c2"})).await;
    assert_eq!(heard(&mut ws).await["reason"], "no_answer_yet");
    let frame = json!({"type": "message", "conversation_id": conversation(), "text": "hi", "id": "c3"});
    say(&mut ws, frame).await;
    assert_eq!(heard(&mut ws).await["reason"], "unknown_conversation");
}

#[tokio::test]
async fn what_cannot_be_read_is_said_and_the_socket_stays() {
    let mut house = House::open().await;
    let mut ws = house.socket("ada").await;
    for (frame, reason) in [
        ("{", "bad_frame"),
        (r#"{"type":"accept","conversation_id":"x"}"#, "bad_frame"),
        (r#"{"type":"message","conversation_id":"00000000-0000-0000-0000-000000000000","id":"m"}"#, "empty_message"),
    ] {
        ws.send(Message::text(frame)).await.unwrap();
        let error = heard(&mut ws).await;
        assert_eq!((&error["type"], &error["reason"]), (&json!("error"), &json!(reason)), "{frame}");
    }
    assert_eq!(heard(&mut ws).await["id"], "m");
    say(&mut ws, json!({"type": "ping"})).await;
    assert_eq!(heard(&mut ws).await["type"], "pong");
}

#[tokio::test]
async fn sockets_have_limits_and_each_end_has_its_code() {
    let limits = |config: &mut Config| {
        config.gateway.sockets_per_agent_max = 1;
        config.gateway.send_queue_max = 1;
        config.gateway.frame_bytes_max = 1000;
    };
    let mut house = House::with(limits, false).await;
    let mut slow = house.socket("ada").await;
    let Err(Error::Http(refused)) = house.try_socket(&token("ada")).await else { panic!("a second socket") };
    assert_eq!(refused.status(), 429);
    for epoch in 0..2000 {
        house.hub.see(work(WorkState::Interacting, "ada", epoch));
    }
    assert_eq!(closed(&mut slow).await, Some(4429));

    let mut expiring = claims("ben");
    expiring.expires_at_ms = Some(stream::clock::now().as_ms() + 300);
    let mut ws = house.try_socket(&mint(&expiring)).await.unwrap();
    assert_eq!(closed(&mut ws).await, Some(4401));

    let mut ws = house.socket("ben").await;
    ws.send(Message::text("x".repeat(2000))).await.unwrap();
    closed(&mut ws).await;
    let mut ws = house.socket("ben").await;
    house.shutdown.request();
    assert_eq!(closed(&mut ws).await, Some(1001));
}

#[tokio::test]
async fn a_browser_brings_its_token_as_a_subprotocol() {
    let house = House::open().await;
    let offered = format!("weft.bearer.{}", token("ada"));
    let mut request = format!("ws://{}/ws/agent", house.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", offered.parse().unwrap());
    let (_, answer) = tokio_tungstenite::connect_async(request).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], offered.as_str());
}

#[tokio::test]
async fn nobody_gets_in_without_a_good_token_of_a_known_agent() {
    let house = House::open().await;
    let foreign = TokenSecrets::parse("somebody else's secret").unwrap().mint(&claims("ada"));
    let program = mint(&Claims { subject: Subject::Client("crm".into()), ..claims("ada") });
    let old = mint(&Claims { expires_at_ms: Some(1), ..claims("ada") });
    for (token, status, reason) in [
        ("", 401, "unauthorized"),
        ("weft_x.y", 401, "unauthorized"),
        (foreign.as_str(), 401, "unauthorized"),
        (old.as_str(), 401, "unauthorized"),
        (program.as_str(), 403, "agents_only"),
        (token("mallory").as_str(), 403, "unknown_agent"),
    ] {
        let header = format!("authorization: Bearer {token}\r\n");
        let (code, head, body) = ask(house.address, "GET", "/api/v1/agents/me/work", &header, "").await;
        assert_eq!((code, &body["reason"]), (status, &json!(reason)), "{token}");
        assert!(head.contains("application/problem+json"), "{head}");
        let Err(Error::Http(refused)) = house.try_socket(token).await else { panic!("{token}") };
        assert_eq!(refused.status(), status);
    }
}

#[tokio::test]
async fn rest_answers_what_was_decided() {
    let mut house = House::with(|config| config.gateway.command_wait_ms = 100, false).await;
    house.hub.see(work(WorkState::Interacting, "ada", 2));
    let messages = format!("/api/v1/conversations/{}/messages", conversation());
    let headers = format!("{}idempotency-key: k1\r\n", bearer("ada"));

    let (code, _, body) = ask(house.address, "POST", &messages, &bearer("ada"), r#"{"text":"hi"}"#).await;
    assert_eq!((code, &body["reason"]), (400, &json!("idempotency_key_missing")));
    let (code, _, body) = ask(house.address, "POST", &messages, &headers, r#"{"txt":"hi"}"#).await;
    assert_eq!((code, &body["reason"]), (400, &json!("bad_body")));

    let (code, _, body) = ask(house.address, "POST", &messages, &headers, r#"{"text":"hi"}"#).await;
    assert_eq!((code, &body["reason"]), (202, &json!("no_answer_yet")));
    let sent = house.content().await;
    assert_eq!(body["command_id"], json!(sent.command_id));

    let hub = house.hub.clone();
    let again = ask(house.address, "POST", &messages, &headers, r#"{"text":"hi"}"#);
    let (answer, ()) = tokio::join!(again, async {
        let output = tokio::time::timeout(DEADLINE, house.published.recv()).await.unwrap().unwrap();
        let repeated: ConversationCommand = house.codec.decode(&output.payload.unwrap()).unwrap();
        assert_eq!(repeated.command_id, sent.command_id);
        hub.see(added(1, Some(sent.command_id)));
    });
    assert_eq!((answer.0, &answer.2["ok"]), (200, &json!(true)));
    let (code, _, _) = ask(house.address, "POST", &messages, &headers, r#"{"text":"hi"}"#).await;
    assert_eq!(code, 200, "decided before");

    let (code, _, body) = ask(house.address, "GET", &messages, &bearer("ada"), "").await;
    assert_eq!((code, &body["messages"][0]["seq"]), (200, &json!(1)));
    let (code, _, body) = ask(house.address, "GET", &messages, &bearer("ben"), "").await;
    assert_eq!((code, &body["reason"]), (404, &json!("unknown_conversation")));
    let (code, _, body) =
        ask(house.address, "POST", &messages, &format!("{}idempotency-key: k\r\n", bearer("ben")), r#"{"text":"hi"}"#)
            .await;
    assert_eq!((code, &body["reason"]), (409, &json!("not_owner")));
}

#[tokio::test]
async fn views_are_shown_to_whom_they_concern() {
    let house = House::open().await;
    house.hub.see(work(WorkState::Interacting, "ada", 2));
    let view = AgentView { agent_id: "ada".into(), presence: Presence::OnQueue, ..AgentView::default() };
    house.hub.see(Seen::Agent { tenant: "acme".into(), view });
    house.hub.see(Seen::Known { agent: who("sue"), supervisor: Some(true) });
    let (_, _, body) = ask(house.address, "GET", "/api/v1/agents/me/presence", &bearer("ada"), "").await;
    assert_eq!(body["presence"], "on_queue");
    let (_, _, body) = ask(house.address, "GET", "/api/v1/agents/me/work", &bearer("ada"), "").await;
    assert_eq!(body["work"][0]["customer_name"], "Grace");
    let all = "/api/v1/agents/me/work?scope=all";
    assert_eq!(ask(house.address, "GET", all, &bearer("ada"), "").await.0, 403);
    assert_eq!(ask(house.address, "GET", all, &bearer("sue"), "").await.2["work"].as_array().unwrap().len(), 1);
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("DELETE", "/api/v1/agents/me/work", 405),
        ("GET", "/api/v1/conversations/x", 400),
        ("GET", "/api/v1/queues/none/activity", 404),
        ("POST", "/api/v1/conversations/x/transfer", 404),
    ] {
        let (code, head, body) = ask(house.address, method, path, &bearer("ada"), "").await;
        assert_eq!((code, &body["status"]), (status, &json!(status)), "{method} {path}");
        assert!(head.contains("application/problem+json"), "{head}");
    }
    let big = format!(r#"{{"presence":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(ask(house.address, "POST", "/api/v1/agents/me/presence", &bearer("ada"), &big).await.0, 413);
}

#[tokio::test]
async fn a_command_that_kafka_does_not_take_is_not_answered_as_done() {
    let house = House::with(|_| {}, true).await;
    let (code, head, body) =
        ask(house.address, "POST", "/api/v1/agents/me/presence", &bearer("ada"), r#"{"presence":"on_queue"}"#).await;
    assert_eq!((code, &body["reason"]), (503, &json!("not_durable")));
    assert!(head.contains("retry-after: 1"), "{head}");
}

#[tokio::test]
async fn a_transcript_without_click_house_says_so_and_with_it_is_whole() {
    let row = r#"{"seq":4,"occurred_at":3,"message_id":"00000000-0000-8000-8000-000000000004","direction":"inbound","sender_kind":"customer","sender_id":null,"content_kind":"text","text":"old","delivery_state":null}"#;
    let rows = format!("{}\n{row}\n", row.replace(":4", ":5").replace("old", "newer"));
    let asked = Arc::new(std::sync::Mutex::new(String::new()));
    let seen = Arc::clone(&asked);
    let clickhouse = axum::Router::new().fallback(move |body: String| async move {
        *seen.lock().unwrap() = body;
        rows
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, clickhouse).await });

    let path = format!("/api/v1/conversations/{}/messages", conversation());
    for (url, complete, messages) in [(None, false, 1), (Some(url), true, 3)] {
        let house =
            House::with(|config| config.clickhouse.url = url.unwrap_or(config.clickhouse.url.clone()), false).await;
        house.hub.see(work(WorkState::Interacting, "ada", 2));
        house.hub.see(added(6, None));
        let (_, _, body) = ask(house.address, "GET", &path, &bearer("ada"), "").await;
        assert_eq!(
            (&body["complete"], body["messages"].as_array().unwrap().len()),
            (&json!(complete), messages),
            "{body}"
        );
        if complete {
            let seqs: Vec<&Value> = body["messages"].as_array().unwrap().iter().map(|one| &one["seq"]).collect();
            assert_eq!(seqs, [4, 5, 6]);
        } else {
            assert!(body["older"].as_str().unwrap().starts_with("ClickHouse"), "{body}");
        }
    }
    let asked = asked.lock().unwrap().clone();
    assert!(
        asked.contains(&format!("report_transcript(tenant = 'acme', conversation = '{}')", conversation())),
        "{asked}"
    );
    assert!(asked.contains("seq < 6"), "{asked}");
}
