//! Media under signed addresses.

use objects::ObjectRef;
use reqwest::{Method, Response, StatusCode};
use schemas::ids::CustomerKey;
use schemas::records::{Attachment, WorkState};
use serde_json::Value;

use crate::house::{House, added_with, conversation, heard, stored, token, work};

const PICTURE: &[u8] = b"\x89PNG not much of a picture";

async fn house() -> (House, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("media").to_str().unwrap().to_owned();
    let house = House::with(|config| config.media.store = Some(store), false).await;
    (house, folder)
}

fn object(name: &str) -> ObjectRef {
    ObjectRef::new("acme", "k", name, "image/png").unwrap()
}

fn now_s() -> i64 {
    stream::clock::now().as_ms() / 1_000
}

/// An address as this house, which stands elsewhere than the settings say, can be asked for it.
fn here(house: &House, url: &str) -> String {
    let path = url.split_once("/media/").unwrap().1;
    format!("http://{}/media/{path}", house.address)
}

async fn ask(house: &House, method: Method, url: &str, body: Option<(&str, Vec<u8>)>) -> Response {
    let mut request = reqwest::Client::new().request(method, here(house, url));
    if let Some((mime, bytes)) = body {
        request = request.header("content-type", mime).body(bytes);
    }
    request.send().await.unwrap()
}

async fn reason(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    (status, body["reason"].clone())
}

#[tokio::test]
async fn what_was_put_can_be_had_as_a_file_that_nothing_runs() {
    let (house, _folder) = house().await;
    let links = &house.media.as_ref().unwrap().links;
    let put = links.upload(&object("a"), 100, now_s());
    let answer = ask(&house, Method::PUT, &put, Some(("image/png", PICTURE.into()))).await;
    assert_eq!(
        (answer.status(), &answer.headers()["access-control-allow-origin"]),
        (StatusCode::CREATED, &"*".parse().unwrap())
    );

    let get = links.download(&object("a"), Some("Größe \"1\".png"), now_s());
    let answer = ask(&house, Method::GET, &get, None).await;
    assert_eq!(answer.status(), StatusCode::OK);
    for (name, expected) in [
        ("content-type", "image/png"),
        ("content-length", "26"),
        ("content-disposition", "attachment; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20%221%22%2Epng"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; sandbox"),
    ] {
        assert_eq!(answer.headers()[name], expected, "{name}");
    }
    assert_eq!(answer.bytes().await.unwrap(), PICTURE);
}

#[tokio::test]
async fn an_address_takes_what_it_says_and_once() {
    let (house, _folder) = house().await;
    let links = &house.media.as_ref().unwrap().links;
    let put = links.upload(&object("a"), 30, now_s());
    let wrong = ask(&house, Method::PUT, &put, Some(("text/html", PICTURE.into()))).await;
    assert_eq!(reason(wrong).await, (StatusCode::UNSUPPORTED_MEDIA_TYPE, "wrong_type".into()));
    let big = ask(&house, Method::PUT, &put, Some(("image/png", vec![0; 31]))).await;
    assert_eq!(reason(big).await, (StatusCode::PAYLOAD_TOO_LARGE, "too_big".into()));
    let chunks = futures::stream::iter((0..4).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 10])));
    let unsized_body = reqwest::Client::new()
        .put(here(&house, &put))
        .header("content-type", "image/png")
        .body(reqwest::Body::wrap_stream(chunks));
    let big = unsized_body.send().await.unwrap();
    assert_eq!(reason(big).await, (StatusCode::PAYLOAD_TOO_LARGE, "too_big".into()));
    let good = ask(&house, Method::PUT, &put, Some(("image/png", PICTURE.into()))).await;
    assert_eq!(good.status(), StatusCode::CREATED);
    let again = ask(&house, Method::PUT, &put, Some(("image/png", PICTURE.into()))).await;
    assert_eq!(reason(again).await, (StatusCode::CONFLICT, "already_there".into()));
}

#[tokio::test]
async fn addresses_that_are_not_ours_are_refused_alike() {
    let (house, _folder) = house().await;
    let links = &house.media.as_ref().unwrap().links;
    let good = links.download(&object("a"), None, now_s());
    let old = links.download(&object("a"), None, now_s() - 1_000_000);
    let put = links.upload(&object("a"), 30, now_s());
    for url in [
        old,
        good.replace("/k/a/", "/k/b/"),
        good.replace("acme", "other"),
        good.replace("expires=", "expires=1"),
        good.split_once("&seal").unwrap().0.to_owned(),
        format!("{good}&bytes=7"),
        format!("{good}&more=7"),
        good.replace("/k/a/", "/k/..%2f..%2fa/"),
        put,
    ] {
        assert_eq!(
            reason(ask(&house, Method::GET, &url, None).await).await,
            (StatusCode::FORBIDDEN, "address_refused".into()),
            "{url}"
        );
    }
    let nothing = ask(&house, Method::GET, &good, None).await;
    assert_eq!(reason(nothing).await, (StatusCode::NOT_FOUND, "no_object".into()));
}

#[tokio::test]
async fn an_agent_is_told_of_a_copy_and_gets_an_address_for_their_own_conversation_alone() {
    let (mut house, _folder) = house().await;
    let mut ws = house.socket("ada").await;
    house.hub.see(work(WorkState::Interacting, "ada", 1));
    assert_eq!(heard(&mut ws).await["type"], "work");
    let picture = Attachment { attachment_type: "image".into(), ..Attachment::default() };
    house.hub.see(added_with(1, picture));
    assert_eq!(heard(&mut ws).await["type"], "message");
    let stored_ref = ObjectRef::new("acme", &CustomerKey::default().to_string(), "m-0", "image/png").unwrap();
    house.hub.see(stored(stored_ref.as_str()));
    let told = heard(&mut ws).await;
    assert_eq!((&told["type"], &told["stored_ref"]), (&"media".into(), &stored_ref.as_str().into()));
    let ask = async |agent: &str, object: &str| {
        let url = format!("http://{}/api/v1/conversations/{}/media/{object}", house.address, conversation());
        let asked = reqwest::Client::new().get(url).bearer_auth(token(agent)).send().await.unwrap();
        let status = asked.status();
        let body: Value = serde_json::from_str(&asked.text().await.unwrap()).unwrap();
        (status, body)
    };
    let (status, body) = ask("ada", stored_ref.as_str()).await;
    let start = format!("http://127.0.0.1:19090/media/{stored_ref}?expires=");
    assert!(status == StatusCode::OK && body["url"].as_str().unwrap().starts_with(&start), "{body}");
    let other = ObjectRef::new("acme", &"f".repeat(32), "m-0", "image/png").unwrap();
    assert_eq!(ask("ada", other.as_str()).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask("ada", &stored_ref.as_str().replace("acme", "evil")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ask("ben", stored_ref.as_str()).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_store_there_are_no_media() {
    let house = House::open().await;
    let answer = ask(&house, Method::GET, "/media/acme/k/a/image/png?expires=1&seal=x", None).await;
    assert_eq!(reason(answer).await, (StatusCode::NOT_FOUND, "no_media".into()));
}
