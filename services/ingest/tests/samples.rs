//! Bodies as platforms send them, and what a reader must get out of each.
#![expect(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

/// Bodies collected from elsewhere, where a checkout has them beside it.
const SHARED: &str = "../../../shared/samples/channels";
const KINDS: [&str; 5] = ["whatsapp", "facebook", "instagram", "twitter", "open"];
/// Our own.
const OWN: &str = "tests/fixtures";

fn expectations(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("index.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every difference between what the index expects of a folder's bodies and what is read.
fn check(folder: &Path, kinds: &[&str]) -> (usize, Vec<String>) {
    let (mut checked, mut differences) = (0, Vec::new());
    for entry in expectations(folder) {
        let kind = entry["channel"].as_str().unwrap().to_owned();
        if !kinds.contains(&kind.as_str()) {
            continue;
        }
        checked += 1;
        let file = entry["file"].as_str().unwrap();
        let body = std::fs::read(folder.join(file)).unwrap();
        let found = ingest::parse_report(&kind, &body);
        let expected = entry["events"].as_array().unwrap();
        match found {
            Ok(found) if same(&found, expected) => {}
            Ok(found) => differences.push(format!("{file}\n  expected {expected:?}\n  found    {found:?}")),
            Err(error) => differences.push(format!("{file}: {error}")),
        }
    }
    (checked, differences)
}

/// Objects are equal whatever the order of their keys.
fn same(found: &[Value], expected: &[Value]) -> bool {
    let sorted = |events: &[Value]| events.iter().map(in_order).collect::<Vec<_>>();
    sorted(found) == sorted(expected)
}

fn in_order(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut keys: Vec<&String> = object.keys().collect();
            keys.sort();
            Value::Object(keys.into_iter().map(|key| (key.clone(), in_order(&object[key]))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(in_order).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn our_own_bodies_are_read_as_their_index_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(OWN);
    let (checked, differences) = check(&folder, &KINDS);
    println!("{checked} bodies of our own checked");
    assert!(checked > 40, "only {checked} bodies checked");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn collected_bodies_are_read_as_their_index_says() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(SHARED);
    if !folder.join("index.json").exists() {
        println!("no collected bodies beside this checkout: 0 checked; our own are checked by the other test");
        return;
    }
    let (checked, differences) = check(&folder, &KINDS);
    println!("{checked} collected bodies checked");
    assert!(checked > 0);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
