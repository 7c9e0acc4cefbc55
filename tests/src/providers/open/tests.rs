use super::*;
use crate::providers::Seen;
use crate::providers::signed::{TOLERANCE_S, sign};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn start() -> OpenReceiver {
    let integrations = BTreeMap::from([("shop".to_owned(), vec!["whsec_AAAA".to_owned(), SECRET.to_owned()])]);
    OpenReceiver::start(0, Settings { integrations, ..Settings::default() }).await.unwrap()
}

fn message(id: &str, text: &str) -> Value {
    json!({"id":id,"channel":{"id":"shop","platform":"Open","type":"Private","messageId":id,
        "to":{"id":"ada"},"from":{"nickname":"Shop","id":"shop","idType":"Opaque"},"time":"2026-01-02T03:04:05.678Z"},
        "type":"Text","text":text,"originatingEntity":"Human","direction":"Outbound"})
}

struct Request {
    id: String,
    timestamp: String,
    secret: &'static str,
    body: String,
}

impl Request {
    fn of(id: &str, body: &Value) -> Self {
        let now_s = clock::now().as_ms() / 1_000;
        Self { id: id.into(), timestamp: now_s.to_string(), secret: SECRET, body: body.to_string() }
    }

    async fn post(&self, shop: &OpenReceiver) -> u16 {
        let signature = sign(self.secret, (&self.id, &self.timestamp), self.body.as_bytes()).unwrap();
        let signature = format!("v1,bm90IHRoaXM= {signature}");
        let request = reqwest::Client::new()
            .post(shop.webhook_url("shop"))
            .header("content-type", "application/json")
            .header("webhook-id", &self.id)
            .header("webhook-timestamp", &self.timestamp)
            .header("webhook-signature", signature);
        request.body(self.body.clone()).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn a_signed_message_is_taken_once_and_its_repeat_acknowledged() {
    let shop = start().await;
    let request = Request::of("msg_1", &message("k.1.m", "hello"));
    assert_eq!((request.post(&shop).await, request.post(&shop).await), (200, 200));
    let seen = shop.seen();
    assert_eq!(seen.iter().map(|seen| seen.repeat).collect::<Vec<_>>(), [false, true]);
    assert_eq!((seen[0].to.as_deref(), seen[0].tracker.as_deref()), (Some("ada"), Some("k.1.m")));
    assert_eq!(Request::of("msg_1", &message("k.1.m", "other")).post(&shop).await, 409);
    assert_eq!(Request::of("msg_2", &message("k.1.m", "hello")).post(&shop).await, 409);
}

#[tokio::test]
async fn what_is_not_signed_as_the_standard_says_is_refused() {
    let shop = start().await;
    let good = || Request::of("msg_1", &message("k.1.m", "hello"));
    let old = clock::now().as_ms() / 1_000 - TOLERANCE_S - 5;
    for request in [
        Request { secret: "whsec_BBBB", ..good() },
        Request { timestamp: old.to_string(), ..good() },
        Request { timestamp: "now".into(), ..good() },
        Request { id: "msg.1".into(), ..good() },
        Request { id: String::new(), ..good() },
    ] {
        assert_eq!(request.post(&shop).await, 401);
    }
    assert!(shop.seen().iter().all(|seen| !seen.taken));
}

#[tokio::test]
async fn a_body_that_is_no_normalized_message_is_refused() {
    let shop = start().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = message("k.1.m", "hello");
        change(&mut body);
        body
    };
    let attachment =
        json!({"contentType": "Attachment", "attachment": {"mediaType": "Image", "url": "https://a.example/a"}});
    let structured = |content: Value| {
        with(&|body| {
            body["type"] = json!("Structured");
            body["content"] = content.clone();
        })
    };
    for (n, body) in [
        with(&|body| body["direction"] = json!("Inbound")),
        with(&|body| body["colour"] = json!("red")),
        with(&|body| body["channel"]["id"] = json!("other")),
        with(&|body| body["channel"]["time"] = json!("2026-01-02 03:04")),
        with(&|body| body["channel"]["to"] = json!({})),
        with(&|body| drop(body.as_object_mut().unwrap().remove("text"))),
        structured(json!([])),
        structured(json!([attachment, attachment])),
        structured(json!([{"contentType": "Attachment", "attachment": {"mediaType": "Image", "url": "a"}}])),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(Request::of(&format!("msg_{n}"), body).post(&shop).await, 400, "{body}");
    }
    assert_eq!(Request::of("msg_ok", &structured(json!([attachment]))).post(&shop).await, 200);
}

#[tokio::test]
async fn a_checker_can_read_what_was_seen_and_script_faults_over_http() {
    let shop = start().await;
    let base = shop.webhook_url("shop").replace("/webhooks/shop", "");
    let http = reqwest::Client::new();
    let script = http.post(format!("{base}/_faults")).json(&json!({"fault": {"status": 503}, "times": 1}));
    assert_eq!(script.send().await.unwrap().status(), 204);
    let request = Request::of("msg_1", &message("k.1.m", "hello"));
    assert_eq!((request.post(&shop).await, request.post(&shop).await), (503, 200));
    let seen: Vec<Seen> = http.get(format!("{base}/_seen")).send().await.unwrap().json().await.unwrap();
    assert_eq!(seen, shop.seen());
    assert_eq!(
        seen.iter().map(|seen| (seen.n, seen.status, seen.taken)).collect::<Vec<_>>(),
        [(1, 503, false), (2, 200, true)]
    );
}
