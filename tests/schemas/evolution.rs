//! What older and newer writers write is still read.

use std::path::{Path, PathBuf};

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::types::Value;
use registry::{Store, router};
use schemas::codec::{Codec, CodecError, RegistryClient, RegistrySettings};
use schemas::records::{
    Channel, ConversationEvent, ConversationEventKind, DeadLetter, InboundEvent, Record, RoutingEvent,
};
use schemas::topics::{self, TOPICS};
use serde_json::{Value as Json, json};

use crate::sample::samples;
use crate::{avsc, subjects, topic_of, written};

fn parsed(schema: &Json) -> Schema {
    Schema::parse_str(&schema.to_string()).unwrap()
}

/// The schema with a kind `levitated` that this build does not know, and a symbol
/// `carrier_pigeon` in the first enum of a channel.
fn from_the_future<R: Record>() -> Json {
    let mut schema: Json = serde_json::from_str(R::SCHEMA).unwrap();
    let shape = json!({"type": "record", "name": "Levitated", "fields": [{"name": "height_m", "type": "double"}]});
    let fields = schema["fields"].as_array_mut().unwrap();
    fields.push(json!({"name": "levitated", "type": ["null", shape], "default": null}));
    let channel = fields.iter_mut().find(|field| field["name"] == "channel").unwrap();
    let of = if channel["type"].is_array() { &mut channel["type"][1] } else { &mut channel["type"] };
    of["symbols"].as_array_mut().unwrap().insert(0, "carrier_pigeon".into());
    schema
}

/// Sets a field of a record value.
fn with(value: Value, field: &str, to: Value) -> Value {
    let Value::Record(mut fields) = value else { panic!("not a record") };
    fields.iter_mut().find(|(name, _)| name == field).unwrap().1 = to;
    Value::Record(fields)
}

fn read<R: Record>(schema: &Json, value: Value) -> R {
    let schema = parsed(schema);
    let bytes = written(&schema, value);
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
    reader.read_deser(&mut &bytes[..]).unwrap()
}

#[test]
fn a_symbol_from_a_newer_writer_is_read_as_unknown_nullable_or_not() {
    let schema = from_the_future::<ConversationEvent>();
    let sample = samples(&schema).swap_remove(0);
    let event: ConversationEvent = read(&schema, with(sample, "channel", Value::Enum(0, "carrier_pigeon".into())));
    assert_eq!(event.channel, Channel::Unknown);

    let schema = from_the_future::<InboundEvent>();
    let sample = samples(&schema).swap_remove(0);
    let pigeon = Value::Union(1, Box::new(Value::Enum(0, "carrier_pigeon".into())));
    let event: InboundEvent = read(&schema, with(sample, "channel", pigeon));
    assert_eq!(event.channel, Some(Channel::Unknown));
}

#[test]
fn a_field_that_an_older_writer_lacked_is_read_as_absent() {
    for subject in subjects() {
        let mut older = avsc(&subject);
        let defaulted = |field: &Json| field["type"].is_array() && field.get("default").is_some();
        older["fields"].as_array_mut().unwrap().retain(|field| !defaulted(field) || field["name"] == "kind");
        if subject.kinds.is_some() {
            continue; // its shapes are such fields; without one there is no kind to read
        }
        let schema = parsed(&older);
        for sample in samples(&older) {
            (subject.read)(&schema, &written(&schema, sample))
                .unwrap_or_else(|error| panic!("{}: {error}", subject.name));
        }
    }
}

#[test]
fn a_schema_with_a_new_kind_stays_compatible_both_ways() {
    let now = Schema::parse_str(RoutingEvent::SCHEMA).unwrap();
    let future = parsed(&from_the_future::<RoutingEvent>());
    SchemaCompatibility::mutual_read(&now, &future).unwrap();
}

/// `(path, schema)` of every frozen release of a subject, none before the first.
fn released(subject: &str) -> Vec<(PathBuf, Schema)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/avsc/released").join(subject);
    if !directory.exists() {
        return Vec::new();
    }
    let files = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), Schema::parse_str(&std::fs::read_to_string(&path).unwrap()).unwrap())).collect()
}

#[test]
fn every_frozen_release_is_still_read_and_can_read_us() {
    for subject in subjects() {
        let now = Schema::parse_str(subject.schema).unwrap();
        for (path, then) in released(&format!("{}-value", topic_of(&subject))) {
            SchemaCompatibility::mutual_read(&now, &then).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let text: Json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            for sample in samples(&text) {
                (subject.read)(&then, &written(&then, sample))
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            }
        }
    }
}

async fn local_registry(directory: &Path) -> RegistrySettings {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let store = Store::open(&directory.join("registry.jsonl")).unwrap();
    tokio::spawn(async move { axum::serve(listener, router(store)).await.unwrap() });
    RegistrySettings { url, ..RegistrySettings::default() }
}

async fn register_all(client: &RegistryClient) {
    for topic in topics::plan(1, 1) {
        if let Some(schema) = topic.schema {
            let subject = format!("{}-value", topic.name);
            client.set_compatibility(&subject, "FULL_TRANSITIVE").await.unwrap();
            client.register(&subject, schema).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_a_newer_writer_registered_is_read_as_unknown_with_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let settings = local_registry(directory.path()).await;
    let client = RegistryClient::new(&settings).unwrap();
    let unregistered = Codec::connect(&settings, &[topics::CONVERSATION_EVENTS]).await;
    assert!(
        matches!(unregistered.err(), Some(CodecError::NotRegistered(subject)) if subject == "conversation.events-value")
    );

    register_all(&client).await;
    let codec = Codec::connect(&settings, TOPICS).await.unwrap();
    for subject in subjects() {
        for sample in samples(&avsc(&subject)) {
            (subject.through_bytes)(&codec, &topic_of(&subject), &Json::try_from(sample).unwrap());
        }
    }

    let newer = from_the_future::<ConversationEvent>();
    assert!(client.is_compatible("conversation.events-value", &newer.to_string()).await.unwrap());
    let id = client.register("conversation.events-value", &newer.to_string()).await.unwrap();
    let mut bytes = vec![0];
    bytes.extend(id.to_be_bytes());
    bytes.extend(written(&parsed(&newer), samples(&newer).into_iter().next_back().unwrap()));
    let event: ConversationEvent = tokio::task::spawn_blocking(move || codec.decode(&bytes).unwrap()).await.unwrap();
    assert_eq!(event.kind, ConversationEventKind::Unknown("levitated".into()));
    assert_eq!(event.tenant.as_str(), "01234567-89ab-8def-8123-456789abcdef");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_an_old_reader_cannot_do_without_is_refused_by_the_registry() {
    let directory = tempfile::tempdir().unwrap();
    let settings = local_registry(directory.path()).await;
    let client = RegistryClient::new(&settings).unwrap();
    register_all(&client).await;
    let mut schema: Json = serde_json::from_str(DeadLetter::SCHEMA).unwrap();
    schema["fields"].as_array_mut().unwrap().retain(|field| field["name"] != "reason");
    assert!(!client.is_compatible("channel.raw.dlq-value", &schema.to_string()).await.unwrap());
}
