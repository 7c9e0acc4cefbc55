//! The public port: who is let in, what becomes durable, and what each is answered.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "support/broken.rs"]
mod broken;
#[path = "http/channels.rs"]
mod channels;
#[path = "http/hostile.rs"]
mod hostile;
#[path = "http/outreach.rs"]
mod outreach;
mod support;

use channels::messenger;
use ingest::intake::http::gate::{self, Gate};
use schemas::ids::{MessageId, OutwardId};
use schemas::records::{Channel, InboundKind, PresenceKind, ReceiptStatus};
use serde_json::{Value, json};
use support::{APP_SECRET, BODY_BYTES_MAX, Mood, OLD_APP_SECRET, PLACES, Port, VERIFY_TOKEN, sign, sign_as_x};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn text(from: &str, id: &str, words: &str) -> Value {
    json!({ "from": from, "id": id, "timestamp": "1767225600", "type": "text", "text": { "body": words } })
}

fn whatsapp(number: &str, value: Value) -> Vec<u8> {
    let mut value = value;
    value["metadata"] = json!({ "phone_number_id": number });
    let change = json!({ "field": "messages", "value": value });
    json!({ "object": "whatsapp_business_account", "entry": [{ "id": "900", "changes": [change] }] })
        .to_string()
        .into_bytes()
}

fn hello() -> Vec<u8> {
    whatsapp("106", json!({ "messages": [text("4179", "wamid.1", "hello")] }))
}

async fn problem(response: reqwest::Response) -> (u16, String, Value) {
    let status = response.status().as_u16();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(kind, "application/problem+json");
    assert_eq!(body["status"], status);
    (status, body["reason"].as_str().unwrap().to_owned(), body)
}

#[tokio::test]
async fn a_signed_message_is_durable_raw_and_normalized_before_the_200() {
    let port = Port::open().await;
    let body = hello();
    let response = port.signed(&body).await;
    assert_eq!(response.status(), 200);
    let written = port.written();
    assert_eq!((written.raw.len(), written.events.len(), written.dead.len()), (1, 1, 0));
    assert_eq!((written.raw[0].body.as_slice(), written.raw[0].tenant.as_str()), (body.as_slice(), "acme"));
    let event = &written.events[0];
    assert_eq!(event.account_id.as_ref().unwrap().as_str(), "main");
    assert_eq!(event.customer_key.unwrap(), port.key("whatsapp", "main", "4179"));
    assert_eq!(event.window_ends_at, Some(1_767_225_600_000 + 86_400_000));
    let InboundKind::Message(message) = &event.kind else { panic!("{event:?}") };
    assert_eq!(message.content.text.as_deref(), Some("hello"));
    assert_eq!(port.count("weft_webhooks_total", &[("channel", "whatsapp"), ("outcome", "accepted")]), 1);
    assert_eq!(port.count("weft_http_requests_total", &[("route", "/webhooks/meta/{endpoint}"), ("code", "200")]), 1);
}

#[tokio::test]
async fn a_redelivered_webhook_makes_records_of_the_same_ids() {
    let port = Port::open().await;
    port.signed(&hello()).await;
    let first = port.written();
    port.signed(&hello()).await;
    let again = port.written();
    assert_eq!(first.raw[0].event_id, again.raw[0].event_id);
    assert_eq!(first.events[0].event_id, again.events[0].event_id);
    assert_eq!(first.events[0].provider_event_id, again.events[0].provider_event_id);
}

#[tokio::test]
async fn both_live_secrets_sign_and_everybody_else_gets_one_and_the_same_answer() {
    let port = Port::open().await;
    let body = hello();
    assert_eq!(port.webhook("hook", &body, &sign(OLD_APP_SECRET, &body)).await.status(), 200);
    assert_eq!(port.written().raw.len(), 1);
    let mut answers = Vec::new();
    for (endpoint, signature) in [
        ("hook", sign("a wrong secret", &body)),
        ("hook", sign(APP_SECRET, b"another body")),
        ("hook", "sha256=00".into()),
        ("hook", String::new()),
        ("nowhere", sign(APP_SECRET, &body)),
        ("own", sign(APP_SECRET, &body)),
    ] {
        answers.push(problem(port.webhook(endpoint, &body, &signature).await).await);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!((answers[0].0, answers[0].1.as_str()), (401, "unauthorized"));
    assert_eq!(port.written().raw.len(), 0);
    assert_eq!(port.count("weft_webhooks_total", &[("outcome", "unauthorized")]), 6);
}

#[tokio::test]
async fn where_two_tenants_named_an_endpoint_alike_the_signature_tells_whose_request_it_is() {
    let port = Port::open().await;
    let body = hello();
    assert_eq!(port.webhook("hook", &body, &sign("the secret of evil", &body)).await.status(), 200);
    let written = port.written();
    assert_eq!(written.raw[0].tenant.as_str(), "evil");
    assert_eq!(written.events.len(), 0, "the number is another tenant's");
    assert_eq!(written.dead[0].reason, "unknown_account");
    let request = port.http.post(port.url("/webhooks/x/shared"));
    let shared = sign_as_x(APP_SECRET, &body);
    let answer = request.header("x-twitter-webhooks-signature", shared).body(body).send().await.unwrap();
    assert_eq!(answer.status(), 401, "where they have one secret nobody can tell");
}

#[tokio::test]
async fn everybody_is_asked_to_come_again_until_it_is_known_who_may_send() {
    let gate = Gate::default();
    let app = axum::Router::new().route("/", axum::routing::get(async || "in"));
    let app = app.layer(axum::middleware::from_fn_with_state(gate.clone(), gate::closed));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let answer = reqwest::get(&url).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    gate.open();
    assert_eq!(reqwest::get(&url).await.unwrap().text().await.unwrap(), "in");
}

#[tokio::test]
async fn a_signed_body_is_never_answered_with_an_error_for_what_it_holds() {
    let port = Port::open().await;
    let deep = format!("{{\"object\":\"whatsapp_business_account\",\"entry\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let dreams = json!({ "object": "whatsapp_business_account",
        "entry": [{ "id": "900", "changes": [{ "field": "dreams", "value": {} }] }] });
    let nobody =
        whatsapp("106", json!({ "messages": [{ "id": "wamid.2", "type": "text", "text": { "body": "boo" } }] }));
    for (body, reason) in [
        (b"{\"object\":\"whatsapp_busi".to_vec(), "unreadable_body"),
        (b"\xff\xfe".to_vec(), "unreadable_body"),
        (Vec::new(), "unreadable_body"),
        (b"[1]".to_vec(), "unreadable_body"),
        (b"{\"object\":\"page\",\"object\":\"whatsapp_business_account\"}".to_vec(), "unreadable_body"),
        (deep.into_bytes(), "unreadable_body"),
        (b"{\"object\":\"weather\"}".to_vec(), "foreign_object"),
        (b"{\"object\":\"page\",\"entry\":[{\"id\":\"800\"}]}".to_vec(), "unknown_event"),
        (messenger("page", "801", json!({ "message": { "mid": "m", "text": "hi" } })), "unknown_account"),
        (dreams.to_string().into_bytes(), "unknown_event"),
        (whatsapp("107", json!({ "messages": [text("4179", "wamid.1", "hello")] })), "unknown_account"),
        (nobody, "no_customer"),
    ] {
        assert_eq!(port.signed(&body).await.status(), 200, "{reason}");
        let written = port.written();
        assert_eq!((written.raw.len(), written.events.len(), written.dead.len()), (1, 0, 1), "{reason}");
        assert_eq!(written.raw[0].body, body, "{reason}");
        assert_eq!(written.dead[0].reason, reason);
        assert!(!written.dead[0].detail.contains("boo"));
        assert!(port.count("weft_dead_letters_total", &[("reason", reason)]) > 0);
    }
}

#[tokio::test]
async fn an_unknown_type_is_a_message_that_says_so_and_spoils_nothing_beside_it() {
    let port = Port::open().await;
    let hologram = json!({ "from": "4179", "id": "wamid.H", "timestamp": "1767225600", "type": "hologram" });
    let messages = json!([text("4179", "wamid.1", "one"), hologram, 7, text("4179", "wamid.3", "three")]);
    let statuses = json!([{ "id": "wamid.9", "status": "read", "timestamp": "1767225601", "recipient_id": "4170" }]);
    let body = whatsapp("106", json!({ "messages": messages, "statuses": statuses }));
    assert_eq!(port.signed(&body).await.status(), 200);
    let written = port.written();
    let ids: Vec<_> = written.events.iter().map(|event| event.provider_event_id.as_str()).collect();
    assert_eq!(ids, ["wamid.1", "wamid.H", "wamid.3", "wamid.9:read"]);
    assert_eq!(written.dead.len(), 1, "the bare number");
    let InboundKind::Receipt(receipt) = &written.events[3].kind else { panic!() };
    assert_eq!((receipt.status, receipt.provider_message_id.as_deref()), (ReceiptStatus::Read, Some("wamid.9")));
}

#[tokio::test]
async fn a_thousand_events_for_an_unknown_account_make_one_dead_letter() {
    let port = Port::open().await;
    let messages: Vec<Value> = (0..300).map(|n| text("4179", &format!("wamid.{n}"), "x")).collect();
    assert_eq!(port.signed(&whatsapp("107", json!({ "messages": messages }))).await.status(), 200);
    let written = port.written();
    assert_eq!(written.dead.len(), 1);
    assert!(written.dead[0].detail.contains("300 events"), "{}", written.dead[0].detail);
}

#[tokio::test]
async fn a_receipt_with_our_own_id_finds_its_customer() {
    let port = Port::open().await;
    let ada = port.key("whatsapp", "main", "4179");
    let ours = OutwardId { customer_key: ada, id: MessageId::derive(&["m"]) }.to_text(&port.secret);
    let status =
        json!([{ "id": "wamid.9", "status": "delivered", "recipient_id": "55999", "biz_opaque_callback_data": ours }]);
    port.signed(&whatsapp("106", json!({ "statuses": status }))).await;
    assert_eq!(port.written().events[0].customer_key, Some(ada));
}

#[tokio::test]
async fn what_kafka_does_not_acknowledge_is_left_to_the_sender() {
    let port = Port::open().await;
    for mood in [Mood::Refusing, Mood::Silent] {
        port.log.set(mood);
        let response = port.signed(&hello()).await;
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(problem(response).await.0, 503, "{mood:?}");
        let token = port.token("all", &["inbound"]);
        let body = json!({ "channel": { "messageId": "o1", "from": { "id": "ada" } }, "text": "hi" });
        let response = port.open_messaging("shop/inbound/open/message", &token, &body).await;
        assert_eq!(problem(response).await.0, 503, "{mood:?}");
    }
    port.log.set(Mood::Durable);
    assert_eq!(port.signed(&hello()).await.status(), 200);
    assert_eq!(port.count("weft_webhooks_total", &[("outcome", "unavailable")]), 4);
}

#[tokio::test]
async fn too_large_and_too_slow_bodies_are_refused_before_anything_else() {
    let port = Port::open().await;
    let large = vec![b' '; BODY_BYTES_MAX + 1];
    assert_eq!(problem(port.signed(&large).await).await.0, 413);
    let mut socket = tokio::net::TcpStream::connect(port.address).await.unwrap();
    let head = "POST /webhooks/meta/hook HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\nconnection: close\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_eq!(port.written().raw.len(), 0);
    assert_eq!(port.count("weft_webhooks_total", &[("outcome", "limits")]), 2);
}

#[tokio::test]
async fn when_all_places_are_taken_the_sender_comes_again() {
    let port = Port::open().await;
    let taken = port.edge.places.acquire_many(u32::try_from(PLACES).unwrap()).await.unwrap();
    assert_eq!(problem(port.signed(&hello()).await).await.0, 503);
    drop(taken);
    assert_eq!(port.signed(&hello()).await.status(), 200);
}

#[tokio::test]
async fn above_its_rate_an_endpoint_or_a_client_is_asked_to_come_again() {
    let closed = Port::open_at_rate(0).await;
    let refused = closed.signed(&hello()).await;
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(problem(refused).await.0, 429);
    assert_eq!(closed.count("weft_webhooks_total", &[("outcome", "limits")]), 1);
    let body = json!({ "channel": { "messageId": "o1", "from": { "id": "ada" } }, "text": "hi" });
    let path = "shop/inbound/open/message";
    for (client, status) in [("stopped", 429), ("all", 200)] {
        let token = closed.token(client, &["inbound"]);
        assert_eq!(closed.open_messaging(path, &token, &body).await.status(), status, "{client}");
    }
    assert_eq!(closed.written().raw.len(), 1);
}

#[tokio::test]
async fn the_handshake_gives_back_the_challenge_for_the_right_token_alone() {
    let port = Port::open().await;
    let ask = async |endpoint: &str, mode: &str, token: &str| {
        let url = port.url(&format!("/webhooks/meta/{endpoint}"));
        let query = format!("hub.mode={mode}&hub.verify_token={token}&hub.challenge=%3Cb%3E115%268%3C/b%3E");
        port.http.get(format!("{url}?{query}")).send().await.unwrap()
    };
    let good = ask("hook", "subscribe", VERIFY_TOKEN).await;
    assert_eq!(good.status(), 200);
    assert_eq!(good.headers()["content-type"], "text/plain");
    assert_eq!(good.text().await.unwrap(), "<b>115&8</b>");
    for (endpoint, mode, token) in [
        ("hook", "subscribe", "wrong"),
        ("hook", "subscribe", ""),
        ("hook", "unsubscribe", VERIFY_TOKEN),
        ("nowhere", "subscribe", VERIFY_TOKEN),
        ("own", "subscribe", ""),
    ] {
        assert_eq!(problem(ask(endpoint, mode, token).await).await.0, 403, "{endpoint} {mode} {token}");
    }
}

#[tokio::test]
async fn an_open_message_is_durable_and_answered_with_its_id() {
    let port = Port::open().await;
    let token = port.token("all", &["inbound"]);
    let from = json!({ "id": "ada", "idType": "Opaque", "nickname": "Ada" });
    let body = json!({ "channel": { "messageId": "o1", "from": from, "time": "2026-01-01T00:00:00Z" }, "text": "hi" });
    let response = port.open_messaging("shop/inbound/open/message", &token, &body).await;
    assert_eq!(response.status(), 200);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["id"], MessageId::derive(&["acme", "open", "shop", "o1"]).to_string());
    assert_eq!((&answer["type"], &answer["direction"]), (&json!("Text"), &json!("Inbound")));
    let written = port.written();
    let event = &written.events[0];
    assert_eq!((event.channel, event.window_ends_at), (Some(Channel::Open), None));
    assert_eq!(event.customer_key.unwrap(), port.key("open", "shop", "ada"));
    assert_eq!(event.customer.as_ref().unwrap().display_name.as_deref(), Some("Ada"));
    assert_eq!(event.occurred_at, 1_767_225_600_000);
    assert!(!written.raw[0].headers.contains_key("authorization"), "tokens are not kept");
}

#[tokio::test]
async fn open_messaging_lets_in_configured_clients_with_the_scope_and_their_own_accounts() {
    let port = Port::open().await;
    let agent = port.tokens.mint(&access::Claims {
        tenant: "acme".into(),
        subject: access::Subject::Agent("ana".into()),
        scopes: vec!["inbound".into()],
        supervisor: true,
        expires_at_ms: None,
        id: String::new(),
    });
    let message = "shop/inbound/open/message";
    for (token, path, status) in [
        (port.token("all", &["inbound"]), message, 200),
        (port.token("all", &[]), message, 403),
        (port.token("reporting", &["inbound"]), message, 403),
        (port.token("one", &["inbound"]), message, 403),
        (port.token("one", &["inbound"]), "other-shop/inbound/open/message", 200),
        (port.token("stranger", &["inbound"]), message, 403),
        (port.token("all", &["inbound"]), "main/inbound/open/message", 404),
        (port.token("all", &["inbound"]), "nothing/inbound/open/message", 404),
        (port.token("all", &["inbound"]), "shop/inbound/open/hologram", 404),
        (agent, message, 403),
        ("weft_forged.token".into(), message, 401),
        (String::new(), message, 401),
    ] {
        let body = json!({ "channel": { "messageId": "o1", "from": { "id": "ada" } }, "text": "hi" });
        let response = port.open_messaging(path, &token, &body).await;
        assert_eq!(response.status().as_u16(), status, "{path} {token}");
        if status != 200 {
            problem(response).await;
        }
    }
}

#[tokio::test]
async fn a_wrong_open_body_is_told_to_its_sender_and_not_kept() {
    let port = Port::open().await;
    let token = port.token("all", &["inbound"]);
    let from = json!({ "from": { "id": "ada" }, "messageId": "o1" });
    for (path, body) in [
        ("message", json!([])),
        ("message", json!({ "text": "hi" })),
        ("message", json!({ "channel": { "from": { "id": "" } }, "text": "hi" })),
        ("message", json!({ "channel": from })),
        ("message", json!({ "channel": { "from": { "id": "ada" } }, "text": "no id, no time, no key" })),
        ("message", json!({ "channel": from, "text": "hi", "direction": "Outbound" })),
        ("message", json!({ "channel": { "from": { "id": "ada" }, "time": "yesterday" }, "text": "hi" })),
        ("receipt", json!({ "status": "Delivered" })),
        ("receipt", json!({ "id": "m", "status": "Beamed" })),
        ("receipt", json!({ "id": "not one of ours", "status": "Delivered" })),
        ("event", json!({ "channel": from, "events": [] })),
        ("event", json!({ "channel": from, "events": [{ "eventType": "Dancing" }] })),
        ("structured/response", json!({ "channel": from, "text": "hi" })),
    ] {
        let response = port.open_messaging(&format!("shop/inbound/open/{path}"), &token, &body).await;
        assert_eq!(problem(response).await.0, 400, "{path} {body}");
    }
    assert_eq!(port.written().raw.len(), 0);
}

#[tokio::test]
async fn open_receipts_and_events_find_their_customer() {
    let port = Port::open().await;
    let token = port.token("all", &["inbound"]);
    let ada = port.key("open", "shop", "ada");
    let ours = OutwardId { customer_key: ada, id: MessageId::derive(&["m"]) }.to_text(&port.secret);
    let receipt = json!({ "id": ours, "channel": { "time": "2026-01-01T00:00:00Z" }, "status": "Delivered" });
    let from = json!({ "from": { "id": "ada" }, "time": "2026-01-01T00:00:00Z" });
    let typing = json!({ "eventType": "Typing", "typing": { "type": "On", "duration": 5000 } });
    let gone = json!({ "eventType": "Presence", "presence": { "type": "Disconnect" } });
    let events = json!({ "channel": from, "events": [typing, gone] });
    for (path, body) in [("receipt", &receipt), ("event", &events)] {
        let response = port.open_messaging(&format!("shop/inbound/open/{path}"), &token, body).await;
        assert_eq!(response.status(), 200, "{path}");
    }
    let written = port.written();
    assert!(written.events.iter().all(|event| event.customer_key == Some(ada)), "{written:?}");
    assert!(matches!(&written.events[0].kind, InboundKind::Receipt(receipt) if receipt.callback_data == Some(ours)));
    assert!(matches!(&written.events[1].kind, InboundKind::Typing(typing) if typing.on));
    let InboundKind::Presence(left) = &written.events[2].kind else { panic!() };
    assert_eq!(left.presence, PresenceKind::Disconnect);
    assert_ne!(written.events[1].event_id, written.events[2].event_id);
}

#[tokio::test]
async fn an_idempotency_key_stands_in_for_a_missing_message_id() {
    let port = Port::open().await;
    let token = port.token("all", &["inbound"]);
    let body = json!({ "channel": { "from": { "id": "ada" } }, "text": "hi" }).to_string();
    let url = port.url("/api/v2/conversations/messages/shop/inbound/open/message");
    for _ in 0..2 {
        let request = port.http.post(&url).bearer_auth(&token).header("idempotency-key", "k1").body(body.clone());
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let written = port.written();
    assert_eq!(written.events[0].provider_event_id, written.events[1].provider_event_id);
}

#[tokio::test]
async fn records_carry_the_trace_of_the_sender_or_one_of_their_own() {
    let port = Port::open().await;
    let body = hello();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let request = port.http.post(port.url("/webhooks/meta/hook")).body(body.clone());
    let request = request.header("x-hub-signature-256", sign(APP_SECRET, &body));
    request.header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01")).send().await.unwrap();
    let given = port.written().traces;
    assert!(given.len() == 2 && given.iter().all(|one| one.contains(trace)), "{given:?}");
    assert_ne!(given[0], given[1], "each record is a step of its own");
    port.signed(&body).await;
    let own = port.written().traces;
    assert!(own.len() == 2 && own[0][3..35] == own[1][3..35] && !own[0].contains(trace), "{own:?}");
}
