use std::time::Duration;

use super::*;
use crate::providers::Fault;
use crate::wait::wait_for;

const NUMBER: &str = "106540352242922";

async fn start(webhook_url: Option<String>) -> WhatsApp {
    let settings = Settings {
        access_token: "EAAB".into(),
        phone_number_ids: vec![NUMBER.into()],
        app_secret: "app secret".into(),
        webhook_url,
    };
    WhatsApp::start(0, settings).await.unwrap()
}

fn text(body: &str) -> Value {
    json!({"messaging_product":"whatsapp","recipient_type":"individual","to":"16505551234","type":"text",
           "text":{"body":body,"preview_url":false},"biz_opaque_callback_data":"ours"})
}

async fn post(whatsapp: &WhatsApp, body: &Value) -> (u16, Value) {
    let url = format!("{}/{NUMBER}/messages", whatsapp.api_url());
    let answer = reqwest::Client::new().post(url).bearer_auth("EAAB").json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_good_message_is_taken_under_an_id_of_its_own() {
    let whatsapp = start(None).await;
    let (first, second) = (post(&whatsapp, &text("a")).await, post(&whatsapp, &text("b")).await);
    assert_eq!((first.0, second.0), (200, 200));
    assert_ne!(first.1["messages"][0]["id"], second.1["messages"][0]["id"]);
    let seen = whatsapp.seen();
    assert_eq!(seen.iter().map(|seen| seen.text.as_deref().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((seen[0].to.as_deref(), seen[0].tracker.as_deref()), (Some("16505551234"), Some("ours")));
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused() {
    let whatsapp = start(None).await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = text("x");
        change(&mut body);
        body
    };
    let media = |part: Value| {
        with(&|body| {
            body["type"] = json!("image");
            body.as_object_mut().unwrap().remove("text");
            body["image"] = part.clone();
        })
    };
    for (body, code) in [
        (with(&|body| body["messaging_product"] = json!("sms")), 100),
        (with(&|body| drop(body.as_object_mut().unwrap().remove("to"))), 100),
        (with(&|body| body["to"] = json!("ada")), 100),
        (with(&|body| body["text"]["body"] = json!("x".repeat(4_097))), 100),
        (with(&|body| body["text"]["body"] = json!("")), 100),
        (with(&|body| body["text"]["colour"] = json!("red")), 100),
        (with(&|body| body["colour"] = json!("red")), 100),
        (with(&|body| body["type"] = json!("image")), 100),
        (with(&|body| body["type"] = json!("fax")), 131_051),
        (media(json!({"link": "ftp://files.example/a"})), 100),
        (media(json!({"link": "https://files.example/a", "id": "1"})), 100),
        (media(json!({"link": "https://files.example/a", "filename": "a"})), 100),
        (json!([]), 100),
    ] {
        let (status, answer) = post(&whatsapp, &body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(code)), "{body}");
    }
    assert_eq!(post(&whatsapp, &media(json!({"link": "https://files.example/a"}))).await.0, 200);
    whatsapp.forget("16505551234");
    assert_eq!(post(&whatsapp, &text("x")).await.1["error"]["code"], 131_026);
    assert_eq!(whatsapp.seen().iter().filter(|seen| seen.taken).count(), 1);
}

#[tokio::test]
async fn without_the_token_nothing_goes() {
    let whatsapp = start(None).await;
    let url = format!("{}/{NUMBER}/messages", whatsapp.api_url());
    let answer = reqwest::Client::new().post(url).bearer_auth("other").json(&text("x")).send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"]["code"], 190);
}

#[tokio::test]
async fn faults_come_when_they_are_called() {
    let whatsapp = start(None).await;
    let url = format!("{}/{NUMBER}/messages", whatsapp.api_url());
    let http = reqwest::Client::builder().timeout(Duration::from_millis(400)).build().unwrap();
    let send = || http.post(&url).bearer_auth("EAAB").json(&text("x")).send();
    whatsapp.script(Fault::Status(500), 1);
    whatsapp.script(Fault::Throttle(7), 1);
    whatsapp.script(Fault::Close, 1);
    whatsapp.script(Fault::TakeAndClose, 1);
    whatsapp.script(Fault::TakeAndHang, 1);
    assert_eq!(send().await.unwrap().status(), 500);
    let throttled = send().await.unwrap();
    assert_eq!((throttled.status().as_u16(), &throttled.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert!(!send().await.unwrap_err().is_timeout());
    assert!(!send().await.unwrap_err().is_timeout());
    assert!(send().await.unwrap_err().is_timeout());
    assert_eq!(send().await.unwrap().status(), 200);
    let taken: Vec<bool> = whatsapp.seen().iter().map(|seen| seen.taken).collect();
    assert_eq!(taken, [false, false, false, true, true, true]);
}

/// A server that takes everything.
async fn listener() -> (String, Arc<Mutex<Vec<(String, Value)>>>) {
    let heard: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let notes = Arc::clone(&heard);
    let take = async move |headers: HeaderMap, body: axum::body::Bytes| {
        let signature = headers["x-hub-signature-256"].to_str().unwrap().to_owned();
        let mut mac = Hmac::<Sha256>::new_from_slice(b"app secret").unwrap();
        mac.update(&body);
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(signature, format!("sha256={hex}"));
        let body: Value = serde_json::from_slice(&body).unwrap();
        let item = body["entry"][0]["changes"][0]["value"]["statuses"][0].clone();
        locked(&notes).push((item["status"].as_str().unwrap().to_owned(), item));
    };
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    let router = axum::Router::new().route("/", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(socket, router).await });
    (url, heard)
}

async fn heard_of(heard: &Mutex<Vec<(String, Value)>>, count: usize) -> Vec<(String, Value)> {
    wait_for("statuses", Duration::from_secs(5), || async {
        let heard = locked(heard).clone();
        if heard.len() >= count { Ok(heard) } else { Err(format!("{heard:?}")) }
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn statuses_are_told_signed_in_the_order_asked_for() {
    let (url, heard) = listener().await;
    let whatsapp = start(Some(url)).await;
    whatsapp.tell(Statuses::all(Duration::from_millis(1)).backwards().doubled());
    let (_, answer) = post(&whatsapp, &text("x")).await;
    let told = heard_of(&heard, 6).await;
    let names: Vec<&str> = told.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(names, ["read", "read", "delivered", "delivered", "sent", "sent"]);
    assert_eq!(told[0].1["id"], answer["messages"][0]["id"]);
    assert_eq!(told[0].1["biz_opaque_callback_data"], "ours");
}

#[tokio::test]
async fn outside_the_window_a_message_is_taken_and_fails_by_status() {
    let (url, heard) = listener().await;
    let whatsapp = start(Some(url)).await;
    whatsapp.wrote(NUMBER, "16505551234", clock::now().as_ms() - WINDOW_MS);
    assert_eq!(post(&whatsapp, &text("x")).await.0, 200);
    let told = heard_of(&heard, 1).await;
    assert_eq!((told[0].0.as_str(), &told[0].1["errors"][0]["code"]), ("failed", &json!(131_047)));
}
