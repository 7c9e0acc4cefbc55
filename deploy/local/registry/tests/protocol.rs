//! The protocol over a real port, as a client sees it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
};

use registry::{Store, router};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task};

const TYPE: &str = "application/vnd.schemaregistry.v1+json";
const PLAIN: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
const PLAIN_SORTED: &str = r#"{"fields":[{"name":"a","type":"int"}],"name":"R","type":"record"}"#;
const DEFAULTED: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"string","default":""}]}"#;
const DEMANDING: &str =
    r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"c","type":"string"}]}"#;

struct Answer {
    status: u16,
    content_type: String,
    body: Value,
}

async fn serve(store: &Path) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let store = Store::open(store).unwrap();
    tokio::spawn(async move { axum::serve(listener, router(store)).await.unwrap() });
    address
}

async fn ask(registry: SocketAddr, line: &'static str, body: Value) -> Answer {
    ask_accepting(registry, line, body, TYPE).await
}

async fn ask_accepting(registry: SocketAddr, line: &'static str, body: Value, accept: &'static str) -> Answer {
    task::spawn_blocking(move || {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(registry).unwrap();
        write!(
            stream,
            "{line} HTTP/1.1\r\nHost: registry\r\nConnection: close\r\nAccept: {accept}\r\nContent-Type: {TYPE}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let content_type = head
            .lines()
            .find_map(|line| line.strip_prefix("content-type: "))
            .unwrap_or_default();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            content_type: content_type.to_owned(),
            body: serde_json::from_str(body).unwrap(),
        }
    })
    .await
    .unwrap()
}

fn schema(text: &str) -> Value {
    json!({ "schema": text })
}

#[tokio::test]
async fn a_registered_schema_is_found_by_id_by_version_and_by_content() {
    let directory = tempfile::tempdir().unwrap();
    let registry = serve(&directory.path().join("store.json")).await;

    let first = ask(registry, "POST /subjects/s-value/versions", schema(PLAIN)).await;
    assert_eq!((first.status, first.content_type.as_str()), (200, TYPE));
    let again = ask(registry, "POST /subjects/s-value/versions", schema(PLAIN_SORTED)).await;
    assert_eq!(again.body, first.body, "the same schema in another order of keys");
    let id = first.body["id"].clone();

    let subjects = ask(registry, "GET /subjects", Value::Null).await;
    assert_eq!(subjects.body, json!(["s-value"]));
    let versions = ask(registry, "GET /subjects/s-value/versions", Value::Null).await;
    assert_eq!(versions.body, json!([1]));
    let whole = json!({"subject": "s-value", "version": 1, "id": id, "schema": PLAIN_SORTED});
    for line in ["GET /subjects/s-value/versions/1", "GET /subjects/s-value/versions/latest"] {
        assert_eq!(ask(registry, line, Value::Null).await.body, whole, "{line}");
    }
    let found = ask(registry, "POST /subjects/s-value", schema(PLAIN)).await;
    assert_eq!(found.body, whole);
    let path = format!("GET /schemas/ids/{id}").leak();
    let by_id = ask(registry, path, Value::Null).await;
    assert_eq!(by_id.body, json!({"schema": PLAIN_SORTED}));
}

#[tokio::test]
async fn an_id_belongs_to_the_schema_and_outlives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store.json");
    let registry = serve(&store).await;
    let one = ask(registry, "POST /subjects/a-value/versions", schema(PLAIN)).await;
    let other = ask(registry, "POST /subjects/b-value/versions", schema(PLAIN)).await;
    assert_eq!(one.body, other.body, "shared between subjects");
    ask(registry, "PUT /config/a-value", json!({"compatibility": "FULL"})).await;

    let restarted = serve(&store).await;
    let kept = ask(restarted, "GET /subjects/b-value/versions/1", Value::Null).await;
    assert_eq!(kept.body["id"], one.body["id"]);
    let level = ask(restarted, "GET /config/a-value", Value::Null).await;
    assert_eq!(level.body, json!({"compatibilityLevel": "FULL"}));

    fs::remove_file(&store).unwrap();
    let emptied = serve(&store).await;
    let anew = ask(emptied, "POST /subjects/c-value/versions", schema(PLAIN)).await;
    assert_eq!(anew.body, one.body, "the id follows from the content");
}

#[tokio::test]
async fn an_incompatible_version_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let registry = serve(&directory.path().join("store.json")).await;
    let level = json!({"compatibility": "FULL_TRANSITIVE"});
    let set = ask(registry, "PUT /config/s-value", level.clone()).await;
    assert_eq!(set.body, level);
    ask(registry, "POST /subjects/s-value/versions", schema(PLAIN)).await;

    let refused = ask(registry, "POST /subjects/s-value/versions", schema(DEMANDING)).await;
    assert_eq!((refused.status, refused.body["error_code"].as_u64()), (409, Some(409)));
    assert!(refused.body["message"].as_str().unwrap().contains("'c'"), "{}", refused.body);
    let path = "POST /compatibility/subjects/s-value/versions/latest?verbose=true";
    let judged = ask(registry, path, schema(DEMANDING)).await;
    assert_eq!(judged.body["is_compatible"], json!(false));
    assert_eq!(judged.body["messages"].as_array().unwrap().len(), 1);

    let taken = ask(registry, "POST /subjects/s-value/versions", schema(DEFAULTED)).await;
    assert_eq!(taken.status, 200);
    let versions = ask(registry, "GET /subjects/s-value/versions", Value::Null).await;
    assert_eq!(versions.body, json!([1, 2]));
}

#[tokio::test]
async fn refusals_carry_the_codes_of_the_protocol() {
    let directory = tempfile::tempdir().unwrap();
    let registry = serve(&directory.path().join("store.json")).await;
    ask(registry, "POST /subjects/s-value/versions", schema(PLAIN)).await;
    let table = [
        ("GET /subjects/none/versions", Value::Null, 404, 40401),
        ("GET /subjects/none/versions/latest", Value::Null, 404, 40401),
        ("GET /subjects/s-value/versions/7", Value::Null, 404, 40402),
        ("GET /subjects/s-value/versions/seven", Value::Null, 422, 42202),
        ("POST /subjects/none", schema(PLAIN), 404, 40401),
        ("POST /subjects/s-value", schema(DEMANDING), 404, 40403),
        ("GET /schemas/ids/1", Value::Null, 404, 40403),
        ("POST /subjects/s-value/versions", schema("{\"type\":\"rec"), 422, 42201),
        ("POST /subjects/s-value/versions", json!({"schema": "\"int\"", "schemaType": "JSON"}), 422, 42201),
        ("POST /subjects/s-value/versions", json!({}), 422, 422),
        ("GET /config/s-value", Value::Null, 404, 40408),
        ("PUT /config", json!({"compatibility": "SOMETIMES"}), 422, 42203),
        ("POST /compatibility/subjects/none/versions/latest", schema(PLAIN), 404, 40402),
        ("POST /compatibility/subjects/s-value/versions", schema(PLAIN), 404, 404),
    ];
    for (line, body, status, code) in table {
        let answer = ask(registry, line, body).await;
        assert_eq!((answer.status, answer.body["error_code"].as_u64()), (status, Some(code)), "{line}");
        assert_eq!(answer.content_type, TYPE, "{line}");
    }
    let picky = ask_accepting(registry, "GET /subjects", Value::Null, "text/html").await;
    assert_eq!(picky.status, 406);
}

#[tokio::test]
async fn levels_mode_and_types_answer_as_a_registry_does() {
    let directory = tempfile::tempdir().unwrap();
    let registry = serve(&directory.path().join("store.json")).await;
    let table = [
        ("GET /mode", json!({"mode": "READWRITE"})),
        ("GET /schemas/types", json!(["AVRO"])),
        ("GET /config", json!({"compatibilityLevel": "BACKWARD"})),
        ("GET /config/none?defaultToGlobal=true", json!({"compatibilityLevel": "BACKWARD"})),
        ("GET /subjects", json!([])),
    ];
    for (line, expected) in table {
        assert_eq!(ask(registry, line, Value::Null).await.body, expected, "{line}");
    }
}
