use super::*;

const MESSENGER: Flavour = Flavour::Messenger;

async fn post(flavour: Flavour, body: Value) -> (u16, Value) {
    let settings = Settings {
        flavour,
        access_token: "EAAB".into(),
        accounts: vec!["1717".into()],
        app_id: "42".into(),
        app_secret: "secret".into(),
        webhook_url: None,
    };
    let graph = Graph::start(0, settings).await.unwrap();
    graph.forget("404");
    graph.wrote("1717", "25", clock::now().as_ms() - 25 * 3_600_000);
    graph.wrote("1717", "8", clock::now().as_ms() - 8 * DAY_MS);
    let url = format!("{}/1717/messages", graph.api_url());
    let request = reqwest::Client::new().post(url).bearer_auth("EAAB").json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn saying(message: Value) -> Value {
    json!({"recipient": {"id": "9"}, "messaging_type": "RESPONSE", "message": message})
}

#[tokio::test]
async fn what_the_real_ones_take_is_taken() {
    let buttons = json!([{"type": "postback", "title": "Red", "payload": "RED"}]);
    for message in [
        json!({"text": "hello", "metadata": "k.m.mac"}),
        json!({"text": "Which?", "quick_replies": [{"content_type": "text", "title": "Red", "payload": "RED"}]}),
        json!({"attachment": {"type": "image", "payload": {"url": "https://files.example/a.jpg"}}}),
        json!({"attachment": {"type": "template",
            "payload": {"template_type": "button", "text": "Which?", "buttons": buttons}}}),
        json!({"attachment": {"type": "template", "payload": {"template_type": "generic",
            "elements": [{"title": "Shoe", "subtitle": "Good"}]}}}),
    ] {
        let (status, answer) = post(MESSENGER, saying(message.clone())).await;
        assert_eq!((status, answer["recipient_id"].as_str()), (200, Some("9")), "{message} {answer}");
    }
}

#[tokio::test]
async fn what_they_refuse_is_refused_with_their_code() {
    let long = "x".repeat(2_001);
    let reply = json!({"content_type": "text", "title": "x".repeat(21), "payload": "x"});
    for message in [
        json!({"text": long}),
        json!({"text": ""}),
        json!({"text": "x", "tone": "loud"}),
        json!({"text": "x", "quick_replies": [reply]}),
        json!({"attachment": {"type": "image", "payload": {"url": "http://files.example/a.jpg"}}}),
        json!({"attachment": {"type": "image", "payload": {"url": "https://10.0.0.1/a.jpg"}}}),
        json!({"attachment": {"type": "template", "payload": {"template_type": "generic", "elements": [{"title": "x"}]}}}),
    ] {
        let (status, answer) = post(MESSENGER, saying(message.clone())).await;
        assert_eq!((status, answer["error"]["code"].as_i64()), (400, Some(100)), "{message}");
    }
    let (_, answer) = post(Flavour::Instagram, saying(json!({"text": "é".repeat(501)}))).await;
    assert_eq!(answer["error"]["code"], 100, "Instagram counts bytes");
}

#[tokio::test]
async fn windows_and_people_are_checked() {
    let to = |person: &str, tag: Option<&str>| {
        let kind = if tag.is_some() { "MESSAGE_TAG" } else { "RESPONSE" };
        let mut body = json!({"recipient": {"id": person}, "messaging_type": kind, "message": {"text": "hello"}});
        if let Some(tag) = tag {
            body["tag"] = json!(tag);
        }
        body
    };
    for (body, code, subcode) in [
        (to("404", None), 100, 2_018_001),
        (to("25", None), 10, 2_018_278),
        (to("8", Some("HUMAN_AGENT")), 10, 2_018_278),
    ] {
        let (status, answer) = post(MESSENGER, body.clone()).await;
        let found = (answer["error"]["code"].as_i64(), answer["error"]["error_subcode"].as_i64());
        assert_eq!((status, found), (400, (Some(code), Some(subcode))), "{body}");
    }
    assert_eq!(post(MESSENGER, to("25", Some("HUMAN_AGENT"))).await.0, 200);
    assert_eq!(post(MESSENGER, to("25", Some("ACCOUNT_UPDATE"))).await.1["error"]["code"], 100);
}
