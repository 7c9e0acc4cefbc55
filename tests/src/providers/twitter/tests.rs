use super::*;

async fn start() -> Twitter {
    let tokens = [("AAA".to_owned(), "51".to_owned())].into();
    let x = Twitter::start(0, Settings { tokens, messages_max: 2, ..Settings::default() }).await.unwrap();
    x.forget("403");
    x
}

async fn post(x: &Twitter, participant: &str, token: &str, body: Value) -> reqwest::Response {
    let url = format!("{}/2/dm_conversations/with/{participant}/messages", x.api_url());
    reqwest::Client::new().post(url).bearer_auth(token).json(&body).send().await.unwrap()
}

#[tokio::test]
async fn a_text_is_taken_until_the_window_is_used_up() {
    let x = start().await;
    for left in ["1", "0"] {
        let answer = post(&x, "9", "AAA", json!({"text": "hello"})).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["x-rate-limit-remaining"].to_str().unwrap()),
            (201, left)
        );
    }
    assert_eq!(post(&x, "9", "AAA", json!({"text": "hello"})).await.status().as_u16(), 429);
}

#[tokio::test]
async fn what_the_real_one_refuses_is_refused() {
    let x = start().await;
    for (participant, token, body, status) in [
        ("9", "other", json!({"text": "hello"}), 401),
        ("403", "AAA", json!({"text": "hello"}), 403),
        ("9", "AAA", json!({"text": ""}), 400),
        ("9", "AAA", json!({"text": "x".repeat(10_001)}), 400),
        ("9", "AAA", json!({"text": "x", "quick_replies": []}), 400),
    ] {
        assert_eq!(post(&x, participant, token, body.clone()).await.status().as_u16(), status, "{body}");
    }
}
