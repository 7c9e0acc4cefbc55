//! The `.avsc` files are the truth and the structs are written by hand beside them: these tests
//! keep the two in step, for every record and every kind of it.
//!
//! Samples are made from the schema, so a field that only one side knows shows as a difference.
//! Frozen releases are looked for in `schemas/avsc/released/<subject>/<n>.avsc`; before the first
//! release that directory does not exist and there is nothing to be compatible with.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a test that cannot go on has failed"
)]

#[path = "schemas/evolution.rs"]
mod evolution;
#[path = "schemas/sample.rs"]
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use schemas::codec::Codec;
use schemas::config::EntityKind;
use schemas::records::*;
use schemas::topics::{self, Cleanup, Partitions, TOPICS, Topic};
use serde_json::Value as Json;

use sample::{Names, fields_of, samples};

/// One record under test; the functions close over its Rust type.
struct Subject {
    name: &'static str,
    schema: &'static str,
    kinds: Option<&'static [&'static str]>,
    /// JSON → struct → JSON.
    through_struct: fn(&Json) -> Json,
    /// JSON → struct → framed bytes → struct, compared; gives the bytes.
    through_bytes: fn(&Codec, &str, &Json) -> Vec<u8>,
    /// Bytes of some writer's schema → struct → JSON.
    read: fn(&Schema, &[u8]) -> Result<Json, String>,
}

fn subject<R: Record + Debug + PartialEq>(kinds: Option<&'static [&'static str]>) -> Subject {
    Subject {
        name: R::NAME,
        schema: R::SCHEMA,
        kinds,
        through_struct: |json| serde_json::to_value(from_json::<R>(json)).unwrap(),
        through_bytes: |codec, topic, json| {
            let record = from_json::<R>(json);
            let bytes = codec.encode(topic, &record).unwrap_or_else(|error| panic!("{error}\n{json:#}"));
            let back: R = codec.decode(&bytes).unwrap_or_else(|error| panic!("{error}\n{json:#}"));
            assert_eq!(back, record, "{topic}");
            bytes
        },
        read: |schema, bytes| {
            let reader = GenericDatumReader::builder(schema).build().unwrap();
            let record: R = reader.read_deser(&mut &bytes[..]).map_err(|error| error.to_string())?;
            Ok(serde_json::to_value(record).unwrap())
        },
    }
}

fn from_json<R: Record>(json: &Json) -> R {
    serde_json::from_value(json.clone()).unwrap_or_else(|error| panic!("{} cannot be read: {error}\n{json:#}", R::NAME))
}

fn subjects() -> Vec<Subject> {
    vec![
        subject::<RawRequest>(None),
        subject::<InboundEvent>(Some(InboundKind::NAMES)),
        subject::<ConversationCommand>(Some(ConversationCommandKind::NAMES)),
        subject::<ConversationEvent>(Some(ConversationEventKind::NAMES)),
        subject::<ConversationView>(None),
        subject::<CustomerAlias>(None),
        subject::<RoutingCommand>(Some(RoutingCommandKind::NAMES)),
        subject::<RoutingEvent>(Some(RoutingEventKind::NAMES)),
        subject::<RoutingView>(Some(RoutingViewKind::NAMES)),
        subject::<GuestView>(Some(GuestViewKind::NAMES)),
        subject::<DeliveryRequest>(Some(DeliveryRequestKind::NAMES)),
        subject::<DeliveryEvent>(Some(DeliveryEventKind::NAMES)),
        subject::<AccountState>(None),
        subject::<ConfigEntity>(None),
        subject::<AuditEvent>(None),
        subject::<DeadLetter>(None),
    ]
}

fn avsc(subject: &Subject) -> Json {
    serde_json::from_str(subject.schema).unwrap_or_else(|error| panic!("{}: {error}", subject.name))
}

/// A topic, or dead-letter topic, that carries the record.
fn topic_of(subject: &Subject) -> String {
    if subject.name == DeadLetter::NAME {
        return topics::dead_letter_topic(topics::CHANNEL_RAW.name);
    }
    let topic = TOPICS.iter().find(|topic| topic.record == subject.name);
    topic.unwrap_or_else(|| panic!("no topic carries {}", subject.name)).name.into()
}

fn written(schema: &Schema, value: Value) -> Vec<u8> {
    GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(value).unwrap()
}

#[test]
fn every_schema_parses_and_bears_its_records_name() {
    for subject in subjects() {
        let schema = Schema::parse_str(subject.schema).unwrap_or_else(|error| panic!("{}: {error}", subject.name));
        let name = schema.name().unwrap();
        assert_eq!((name.namespace(), name.name()), (Some("weft.v1"), subject.name));
    }
}

#[test]
fn every_topics_record_is_tested_here_and_has_the_topics_subject() {
    let tested: BTreeSet<_> = subjects().iter().map(|subject| subject.name).collect();
    let carried: BTreeSet<_> = TOPICS.iter().map(|topic| topic.record).chain([DeadLetter::NAME]).collect();
    assert_eq!(tested, carried);
    assert_eq!(topics::CHANNEL_INBOUND.subject(), "channel.inbound-value");
}

#[test]
fn every_record_has_the_four_fields_that_all_records_have() {
    for subject in subjects() {
        let schema = avsc(&subject);
        let first: Vec<_> = fields_of(&schema).iter().take(4).map(|field| field["name"].as_str().unwrap()).collect();
        assert_eq!(first, ["event_id", "tenant", "occurred_at", "recorded_at"], "{}", subject.name);
    }
}

#[test]
fn every_kind_of_every_record_filled_and_empty_comes_back_equal_from_its_bytes() {
    let codec = Codec::offline(TOPICS);
    for subject in subjects() {
        let topic = topic_of(&subject);
        for sample in samples(&avsc(&subject)) {
            let json = Json::try_from(sample).unwrap();
            let bytes = (subject.through_bytes)(&codec, &topic, &json);
            assert_eq!(codec.decode_json(&bytes).unwrap(), json, "{}, read by its schema alone", subject.name);
        }
    }
}

#[test]
fn both_sides_have_the_same_fields_in_the_same_order() {
    for subject in subjects() {
        for sample in samples(&avsc(&subject)) {
            let json = Json::try_from(sample).unwrap();
            let ours = (subject.through_struct)(&json);
            // as text, because order counts: out-of-order fields cost the encoder a buffer
            assert_eq!(format!("{ours:#}"), format!("{json:#}"), "{}", subject.name);
        }
    }
}

#[test]
fn both_sides_have_the_same_kinds_in_the_same_order() {
    for subject in subjects() {
        let schema = avsc(&subject);
        let after_kind = fields_of(&schema).iter().map(|field| field["name"].as_str().unwrap());
        let shapes: Vec<_> = after_kind.skip_while(|name| *name != "kind").skip(1).collect();
        if let Some(kinds) = subject.kinds {
            assert_eq!(shapes, kinds, "{}", subject.name);
        }
    }
}

#[test]
fn both_sides_have_the_same_symbols_in_the_same_order() {
    macro_rules! symbols_of {
        ($($name:ident),* $(,)?) => {
            BTreeMap::from([$((stringify!($name), $name::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>())),*])
        };
    }
    let ours = symbols_of![
        Cause,
        Channel,
        ContentKind,
        Direction,
        Initiator,
        OwnerKind,
        Presence,
        PresenceKind,
        ReceiptStatus,
        RoutingStatus,
        SegmentKind,
        SenderKind,
        TransferKind,
        TurnOf,
        VisitOutcome,
        WorkState,
    ];
    let mut seen = BTreeSet::new();
    for subject in subjects() {
        for (name, definition) in Names::of(&avsc(&subject)).enums() {
            let symbols: Vec<_> =
                definition["symbols"].as_array().unwrap().iter().map(|s| s.as_str().unwrap()).collect();
            assert_eq!(Some(&symbols), ours.get(name.as_str()), "enum {name} in {}", subject.name);
            assert_eq!(definition["default"], "unknown", "enum {name} in {}", subject.name);
            seen.insert(name);
        }
    }
    assert_eq!(seen, ours.keys().map(|name| (*name).to_owned()).collect(), "enums that no schema uses");
}

#[test]
fn the_schemas_of_configuration_documents_lie_beside_the_deployment() {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/config-schema"));
    let mut expected: BTreeSet<_> = EntityKind::ALL.iter().map(|kind| format!("{}.json", kind.as_str())).collect();
    for kind in EntityKind::ALL {
        let file = dir.join(format!("{}.json", kind.as_str()));
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            text == format!("{:#}\n", kind.document_schema()),
            "{} is not what the code says; `weft schemas config --dir deploy/config-schema` writes it",
            file.display()
        );
    }
    for entry in std::fs::read_dir(dir).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(expected.remove(&name), "{name} is the schema of no kind");
    }
    assert_eq!(expected, BTreeSet::new());
}

#[test]
fn a_type_that_several_schemas_use_is_the_same_in_each() {
    let mut first_seen = BTreeMap::new();
    for subject in subjects() {
        for (name, definition) in Names::of(&avsc(&subject)).flat() {
            let (place, known) = first_seen.entry(name.clone()).or_insert_with(|| (subject.name, definition.clone()));
            assert_eq!(*known, definition, "{name} in {place} and in {}", subject.name);
        }
    }
}

#[test]
fn every_field_and_type_is_documented_and_every_null_explained() {
    for subject in subjects() {
        for (name, definition) in Names::of(&avsc(&subject)).flat() {
            assert!(definition["doc"].is_string(), "{name} has no doc");
            for field in fields_of(&definition) {
                let what = format!("{name}.{}", field["name"]);
                let doc = field["doc"].as_str().unwrap_or_else(|| panic!("{what} has no doc"));
                let nullable = field["type"].is_array();
                assert!(!nullable || doc.contains("Null"), "{what} does not say what null means");
                let instant = field["type"].to_string().contains("timestamp-millis");
                assert!(!instant || doc.contains("since the epoch"), "{what} does not say its unit");
            }
        }
    }
}

#[test]
fn every_field_that_can_be_left_out_has_a_default() {
    for subject in subjects() {
        for (name, definition) in Names::of(&avsc(&subject)).flat() {
            for field in fields_of(&definition) {
                let what = format!("{name}.{}", field["name"]);
                match &field["type"] {
                    Json::Array(union) => {
                        assert_eq!(union[0], "null", "{what}: null comes first, so that it can be the default");
                        assert!(field.get("default").is_some_and(Json::is_null), "{what} lacks its default");
                    }
                    Json::Object(of) if of["type"] == "array" => assert_eq!(field["default"], serde_json::json!([])),
                    Json::Object(of) if of["type"] == "map" => assert_eq!(field["default"], serde_json::json!({})),
                    _ => assert!(field.get("default").is_none(), "{what} is always written"),
                }
            }
        }
    }
}

/// Field names that mean something personal wherever they stand.
const PERSONAL: &[&str] = &[
    "actor",
    "aliases",
    "applied_by",
    "attributes",
    "body",
    "canonical_id",
    "caption",
    "customer_name",
    "description",
    "display_name",
    "emoji",
    "file_name",
    "first_name",
    "image_url",
    "last_name",
    "latitude",
    "locale",
    "longitude",
    "media_id",
    "notes",
    "payload",
    "proof",
    "provider_event_id",
    "provider_fields",
    "provider_message_id",
    "reply_to",
    "source_value",
    "tags",
    "text",
    "title",
    "url",
];

#[test]
fn every_personal_field_says_so() {
    for subject in subjects() {
        for (name, definition) in Names::of(&avsc(&subject)).flat() {
            for field in fields_of(&definition) {
                let field_name = field["name"].as_str().unwrap();
                let class = field.get("pii").map(|class| class.as_str().unwrap());
                assert!(matches!(class, None | Some("id" | "contact" | "content")), "{name}.{field_name}: {class:?}");
                assert!(class.is_some() || !PERSONAL.contains(&field_name), "{name}.{field_name} has no pii class");
            }
        }
    }
}

#[test]
fn topic_names_are_unique_dead_letter_topics_and_changelogs_included() {
    let planned = topics::plan(12, 6);
    let names: BTreeSet<_> = planned.iter().map(|topic| &topic.name).collect();
    assert_eq!(names.len(), planned.len());
}

#[test]
fn topics_that_are_read_together_have_one_partition_count() {
    let keyed = |topic: &Topic| topic.key == "customer key";
    assert!(TOPICS.iter().filter(|topic| keyed(topic)).all(|topic| topic.partitions == Partitions::Customer));
    let domain = |topic: &Topic| topic.key == "routing domain";
    assert!(TOPICS.iter().filter(|topic| domain(topic)).all(|topic| topic.partitions == Partitions::Domain));
    let planned: BTreeMap<_, _> = topics::plan(12, 6).into_iter().map(|topic| (topic.name, topic.partitions)).collect();
    for topic in TOPICS.iter().filter(|topic| topic.dead_letters) {
        assert_eq!(planned[topic.name], planned[&topics::dead_letter_topic(topic.name)], "{}", topic.name);
    }
    for (service, partitions, tables) in topics::TABLES {
        for table in *tables {
            let expected = if *partitions == Partitions::Customer { 12 } else { 6 };
            assert_eq!(planned[&topics::changelog(service, table)], expected);
        }
    }
}

#[test]
fn every_topic_is_stamped_by_the_broker_and_no_stream_of_happenings_is_compacted() {
    for topic in topics::plan(1, 1) {
        assert_eq!(topic.settings["message.timestamp.type"], "LogAppendTime", "{}", topic.name);
    }
    for topic in TOPICS.iter().filter(|topic| matches!(topic.cleanup, Cleanup::Compact(_))) {
        assert!(!topic.name.ends_with(".events") && !topic.name.ends_with(".commands"), "{}", topic.name);
    }
}
