//! Messenger, Instagram and X at the public port.

use schemas::records::{Channel, InboundKind, ReceiptStatus};
use serde_json::{Value, json};

use super::problem;
use super::support::{APP_SECRET, OLD_APP_SECRET, Port, sign, sign_as_x};

const AT: i64 = 1_767_225_600_000;

/// A body of one item from customer 7001.
pub(crate) fn messenger(object: &str, account: &str, event: Value) -> Vec<u8> {
    let mut item = json!({ "sender": { "id": "7001" }, "recipient": { "id": account }, "timestamp": AT });
    for (key, value) in event.as_object().unwrap() {
        item[key] = value.clone();
    }
    json!({ "object": object, "entry": [{ "id": account, "time": AT, "messaging": [item] }] }).to_string().into_bytes()
}

fn direct_message(id: &str, words: &str) -> Vec<u8> {
    let create = json!({ "target": { "recipient_id": "51" }, "sender_id": "9007199254740993",
        "message_data": { "text": words } });
    let event = json!({ "type": "message_create", "id": id, "created_timestamp": AT.to_string(),
        "message_create": create });
    let users = json!({ "9007199254740993": { "name": "Mia Moser", "screen_name": "mia" } });
    json!({ "for_user_id": "51", "direct_message_events": [event], "users": users }).to_string().into_bytes()
}

#[tokio::test]
async fn one_endpoint_of_meta_serves_every_product_and_finds_the_account_by_the_ids_in_the_body() {
    let port = Port::open().await;
    for (object, account, channel, ours) in [
        ("page", "800", Channel::Facebook, "page"),
        ("instagram", "1784", Channel::Instagram, "insta"),
        ("instagram", "9988", Channel::Instagram, "insta"),
    ] {
        let body = messenger(object, account, json!({ "message": { "mid": "m1", "text": "hello" } }));
        assert_eq!(port.signed(&body).await.status(), 200);
        let written = port.written();
        assert_eq!((written.events.len(), written.dead.len()), (1, 0), "{object} {account}");
        let event = &written.events[0];
        assert_eq!((event.channel, event.account_id.as_ref().unwrap().as_str()), (Some(channel), ours));
        assert_eq!(event.customer_key.unwrap(), port.key(channel.as_str(), ours, "7001"));
        assert_eq!(event.customer.as_ref().unwrap().id_type, "user_id");
        assert_eq!(event.window_ends_at, Some(AT + 86_400_000));
        assert!(port.count("weft_webhooks_total", &[("channel", channel.as_str()), ("outcome", "accepted")]) > 0);
    }
}

#[tokio::test]
async fn an_echo_of_messenger_belongs_to_the_customer_it_went_to_and_opens_no_window() {
    let port = Port::open().await;
    let item = json!({ "sender": { "id": "800" }, "recipient": { "id": "7001" }, "timestamp": AT,
        "message": { "mid": "m2", "is_echo": true, "app_id": 12, "metadata": "ours", "text": "on its way" } });
    let body = json!({ "object": "page", "entry": [{ "id": "800", "time": AT, "messaging": [item] }] });
    port.signed(body.to_string().as_bytes()).await;
    let written = port.written();
    let event = &written.events[0];
    assert_eq!((event.customer_key.unwrap(), event.window_ends_at), (port.key("facebook", "page", "7001"), None));
    let InboundKind::Echo(echo) = &event.kind else { panic!("{event:?}") };
    assert_eq!((echo.app_id.as_deref(), echo.callback_data.as_deref()), (Some("12"), Some("ours")));
}

#[tokio::test]
async fn a_receipt_for_several_messages_becomes_one_for_each_and_a_watermark_stays_one() {
    let port = Port::open().await;
    let delivery = json!({ "delivery": { "mids": ["m1", "m2"], "watermark": AT } });
    port.signed(&messenger("page", "800", delivery)).await;
    let written = port.written();
    let receipts: Vec<_> = written
        .events
        .iter()
        .map(|event| {
            let InboundKind::Receipt(receipt) = &event.kind else { panic!("{event:?}") };
            (receipt.status, receipt.provider_message_id.as_deref().unwrap())
        })
        .collect();
    assert_eq!(receipts, [(ReceiptStatus::Delivered, "m1"), (ReceiptStatus::Delivered, "m2")]);
    assert_ne!(written.events[0].event_id, written.events[1].event_id);
    port.signed(&messenger("page", "800", json!({ "read": { "watermark": AT } }))).await;
    let InboundKind::Receipt(read) = &port.written().events[0].kind.clone() else { panic!() };
    assert_eq!((read.provider_message_id.as_deref(), read.watermark_ms), (None, Some(AT)));
}

#[tokio::test]
async fn what_has_no_id_gets_the_same_one_each_time_and_another_for_another() {
    let port = Port::open().await;
    let postback =
        |payload: &str| messenger("page", "800", json!({ "postback": { "title": "T", "payload": payload } }));
    let react = |action: &str| {
        messenger("instagram", "1784", json!({ "reaction": { "mid": "m1", "action": action, "emoji": "❤" } }))
    };
    let mut ids = Vec::new();
    for body in [postback("A"), postback("A"), postback("B"), react("react"), react("react"), react("unreact")] {
        port.signed(&body).await;
        ids.push(port.written().events[0].event_id);
    }
    assert_eq!((ids[0], ids[3]), (ids[1], ids[4]));
    assert!(ids[0] != ids[2] && ids[3] != ids[5]);
}

#[tokio::test]
async fn a_direct_message_of_x_is_durable_with_its_ids_as_they_are() {
    let port = Port::open().await;
    let body = direct_message("1900000000000000003", "Tom &amp; Jerry");
    assert_eq!(port.bird(&body, &sign_as_x(APP_SECRET, &body)).await.status(), 200);
    assert_eq!(port.bird(&body, &sign_as_x(OLD_APP_SECRET, &body)).await.status(), 200);
    let written = port.written();
    assert_eq!(written.events[0].event_id, written.events[1].event_id);
    let event = &written.events[0];
    assert_eq!((event.channel, event.window_ends_at), (Some(Channel::Twitter), None));
    assert_eq!(event.customer_key.unwrap(), port.key("twitter", "handle", "9007199254740993"));
    assert_eq!(event.customer.as_ref().unwrap().display_name.as_deref(), Some("Mia Moser"));
    let InboundKind::Message(message) = &event.kind else { panic!("{event:?}") };
    assert_eq!(message.content.text.as_deref(), Some("Tom & Jerry"));
    assert!(written.raw[0].headers.contains_key("x-twitter-webhooks-signature"));
}

#[tokio::test]
async fn a_body_of_x_with_any_other_signature_gets_the_answer_of_an_unknown_endpoint() {
    let port = Port::open().await;
    let body = direct_message("1", "hi");
    let mut answers = Vec::new();
    for signature in [
        sign_as_x("wrong", &body),
        sign_as_x(APP_SECRET, b"another"),
        sign(APP_SECRET, &body),
        sign_as_x(APP_SECRET, &body).trim_end_matches('=').to_owned(),
        "sha256=".into(),
        String::new(),
    ] {
        answers.push(problem(port.bird(&body, &signature).await).await);
    }
    let right = sign_as_x(APP_SECRET, &body);
    for endpoint in ["nowhere", "hook"] {
        let request = port.http.post(port.url(&format!("/webhooks/x/{endpoint}"))).body(body.clone());
        answers.push(problem(request.header("x-twitter-webhooks-signature", &right).send().await.unwrap()).await);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.0 == 401), "{answers:?}");
    assert!(!answers[0].2.to_string().contains(&right[10..20]), "nothing of the expected signature");
    assert_eq!(port.written().raw.len(), 0);
}

#[tokio::test]
async fn the_challenge_of_x_is_answered_with_the_first_secret_and_only_for_harmless_tokens() {
    let port = Port::open().await;
    let ask = async |endpoint: &str, query: &str| {
        port.http.get(port.url(&format!("/webhooks/x/{endpoint}?{query}"))).send().await.unwrap()
    };
    let good = ask("bird", "crc_token=test+token&nonce=1").await;
    assert_eq!((good.status().as_u16(), good.headers()["content-type"].to_str().unwrap()), (200, "application/json"));
    let answer: Value = good.json().await.unwrap();
    assert_eq!(answer, json!({ "response_token": sign_as_x(APP_SECRET, b"test token") }));
    let forged = "crc_token=%7B%22for_user_id%22%3A%2251%22%7D";
    let long = format!("crc_token={}", "a".repeat(201));
    for (endpoint, query) in [
        ("bird", ""),
        ("bird", "crc_token="),
        ("bird", forged),
        ("bird", long.as_str()),
        ("nowhere", "crc_token=abc"),
        ("hook", "crc_token=abc"),
        ("shared", "crc_token=abc"),
    ] {
        assert_eq!(problem(ask(endpoint, query).await).await.0, 401, "{endpoint} {query}");
    }
}
