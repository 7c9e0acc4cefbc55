//! The published schema of open messaging and the parser agree: what the schema allows is taken, and
//! what it is there to forbid is refused.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken schema or fixture ends the test")]

use std::path::PathBuf;

use ingest::intake::channels::open::{Form, fault};
use serde_json::{Value, json};

/// As much of JSON Schema 2020-12 as the published file uses; anything else is a mistake in it.
struct Schema(Value);

impl Schema {
    fn published() -> Self {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/open-messaging-inbound.schema.json");
        Self(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
    }

    fn allows(&self, form: Form, body: &Value) -> bool {
        let name = match form {
            Form::Message => "message",
            Form::StructuredResponse => "structuredResponse",
            Form::Receipt => "receipt",
            Form::Event => "event",
        };
        self.fits(&self.0["$defs"][name], body)
    }

    fn fits(&self, rule: &Value, value: &Value) -> bool {
        let all = |list: &Value| list.as_array().unwrap().clone();
        rule.as_object().unwrap_or_else(|| panic!("no rule: {rule}")).iter().all(|(word, says)| match word.as_str() {
            "description" => true,
            "$ref" => {
                let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                self.fits(&self.0["$defs"][name], value)
            }
            "type" => match says.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64(),
                "number" => value.is_number(),
                other => panic!("unknown type {other}"),
            },
            "enum" => all(says).contains(value),
            "const" => says == value,
            "required" => all(says).iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "properties" => says
                .as_object()
                .unwrap()
                .iter()
                .all(|(key, rule)| value.get(key).is_none_or(|inner| self.fits(rule, inner))),
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| self.fits(says, item))),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= says.as_u64().unwrap()),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= says.as_u64().unwrap()),
            "anyOf" => all(says).iter().any(|rule| self.fits(rule, value)),
            other => panic!("unknown word {other}"),
        })
    }
}

fn bodies() -> Vec<(Form, Value)> {
    let from = json!({ "id": "ada", "idType": "Opaque", "nickname": "Ada" });
    let channel = json!({ "from": from, "messageId": "o1", "time": "2026-01-01T00:00:00Z", "to": { "id": "shop" } });
    let file =
        json!({ "contentType": "Attachment", "attachment": { "mediaType": "Image", "url": "https://f.example/a" } });
    let place = json!({ "contentType": "Location", "location": { "latitude": 1.5, "longitude": 2 } });
    let answer = json!({ "type": "QuickReply", "text": "Yes", "payload": "y", "originatingMessageId": "m" });
    let wrapped = json!({ "contentType": "ButtonResponse", "buttonResponse": answer });
    let typing = json!({ "eventType": "Typing", "typing": { "type": "On", "duration": 5000 } });
    let gone = json!({ "eventType": "Presence", "presence": { "type": "Clear" } });
    vec![
        (Form::Message, json!({ "channel": channel, "text": "hi", "direction": "Inbound", "metadata": { "a": "b" } })),
        (Form::Message, json!({ "channel": channel, "content": [file, place, wrapped] })),
        (Form::StructuredResponse, json!({ "channel": channel, "text": "Yes", "buttonResponse": answer })),
        (
            Form::Receipt,
            json!({ "id": "m.k.s", "status": "Failed", "isFinalReceipt": true,
            "reasons": [{ "code": "X", "message": "gone" }], "channel": { "time": "2026-01-01T00:00:00Z" } }),
        ),
        (Form::Event, json!({ "channel": channel, "events": [typing, gone] })),
    ]
}

/// The body with each of its values, at any depth, taken away or swapped for something else.
fn changed(value: &Value) -> Vec<Value> {
    let odd = [json!(null), json!(""), json!(7), json!([]), json!({}), json!("Outbound")];
    let mut all = Vec::new();
    match value {
        Value::Object(fields) => {
            for key in fields.keys() {
                let mut without = fields.clone();
                without.remove(key);
                all.push(Value::Object(without));
                for inner in odd.iter().cloned().chain(changed(&fields[key])) {
                    let mut with = fields.clone();
                    with.insert(key.clone(), inner);
                    all.push(Value::Object(with));
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                for inner in odd.iter().cloned().chain(changed(item)) {
                    let mut with = items.clone();
                    with[n] = inner;
                    all.push(Value::Array(with));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    all
}

#[test]
fn whatever_the_schema_allows_the_parser_takes() {
    let schema = Schema::published();
    let (mut allowed, mut forbidden) = (0, 0);
    for (form, body) in bodies() {
        assert!(schema.allows(form, &body), "{body}");
        for body in changed(&body).into_iter().chain([body]) {
            // That a time is one is said in words; the schema has no pattern for it.
            let has_odd_time = body["channel"]["time"].as_str().is_some_and(|time| !time.starts_with("2026"));
            if !schema.allows(form, &body) {
                forbidden += 1;
            } else if !has_odd_time {
                assert_eq!(fault(form, &body), None, "{form:?} {body}");
                allowed += 1;
            }
        }
    }
    assert!(allowed > 50 && forbidden > 50, "{allowed} allowed, {forbidden} forbidden");
}

#[test]
fn what_the_schema_must_forbid_is_refused_by_both() {
    let schema = Schema::published();
    let from = json!({ "from": { "id": "ada" } });
    for (form, body) in [
        (Form::Message, json!({ "text": "hi" })),
        (Form::Message, json!({ "channel": { "from": {} }, "text": "hi" })),
        (Form::Message, json!({ "channel": { "from": { "id": "" } }, "text": "hi" })),
        (Form::Message, json!({ "channel": from })),
        (Form::Message, json!({ "channel": from, "content": [] })),
        (Form::Message, json!({ "channel": from, "text": "hi", "direction": "Outbound" })),
        (Form::StructuredResponse, json!({ "channel": from, "text": "hi" })),
        (Form::Receipt, json!({ "status": "Delivered" })),
        (Form::Receipt, json!({ "id": "m", "status": "Beamed" })),
        (Form::Event, json!({ "channel": from, "events": [] })),
        (Form::Event, json!({ "channel": from, "events": [{ "eventType": "Dancing" }] })),
        (Form::Event, json!({ "channel": from, "events": [{ "eventType": "Presence" }] })),
    ] {
        assert!(!schema.allows(form, &body), "{form:?} {body}");
        assert!(fault(form, &body).is_some(), "{form:?} {body}");
    }
}
