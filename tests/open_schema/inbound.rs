//! Inbound: what the schema allows is taken by the parser, and what it is there to forbid is refused.

use ingest::intake::channels::open::{Form, fault};
use ingest::intake::http::outreach::{self, Asked};
use serde_json::{Value, json};

use crate::schema::{Schema, changed};

const FILE: &str = "open-messaging-inbound.schema.json";

fn allows(schema: &Schema, form: Form, body: &Value) -> bool {
    let name = match form {
        Form::Message => "message",
        Form::StructuredResponse => "structuredResponse",
        Form::Receipt => "receipt",
        Form::Event => "event",
    };
    schema.allows(name, body)
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

#[test]
fn whatever_the_schema_allows_the_parser_takes() {
    let schema = Schema::published(FILE);
    let (mut allowed, mut forbidden) = (0, 0);
    for (form, body) in bodies() {
        assert!(allows(&schema, form, &body), "{body}");
        for body in changed(&body).into_iter().chain([body]) {
            // That a time is one is said in words; the schema has no pattern for it.
            let has_odd_time = body["channel"]["time"].as_str().is_some_and(|time| !time.starts_with("2026"));
            if !allows(&schema, form, &body) {
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
    let schema = Schema::published(FILE);
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
        assert!(!allows(&schema, form, &body), "{form:?} {body}");
        assert!(fault(form, &body).is_some(), "{form:?} {body}");
    }
}

#[test]
fn what_programs_ask_for_is_taken_where_the_schema_allows_it() {
    let schema = Schema::published(FILE);
    let message = json!({ "fromAddress": "main", "toAddress": "+1650", "toAddressMessengerType": "whatsapp",
        "textBody": "hi", "purpose": "service", "expiresAt": "2030-01-01T00:00:00Z",
        "target": { "kind": "queue", "id": "help", "queueId": "help" } });
    let mut of_template = message.clone();
    of_template["messagingTemplate"] = json!({ "responseId": "parcel", "parameters": [{ "id": "1", "value": "Ada" }] });
    let both = of_template.clone();
    of_template.as_object_mut().unwrap().remove("textBody");
    let consent = json!({ "account": "main", "channel": "whatsapp", "customer": "+1650", "purpose": "marketing",
        "granted": true, "source": "form", "proof": "page 3", "occurred_at": "2026-01-01T00:00:00Z" });
    let (mut allowed, mut forbidden) = (0, 0);
    for (asked, name, body) in [
        (Asked::Message, "agentless", message),
        (Asked::Message, "agentless", of_template),
        (Asked::Consent, "consent", consent),
    ] {
        assert!(schema.allows(name, &body), "{body}");
        for body in changed(&body).into_iter().chain([body]) {
            let odd = |field: &str| body[field].as_str().is_some_and(|time| !time.starts_with("20"));
            if !schema.allows(name, &body) {
                forbidden += 1;
            } else if !odd("expiresAt") && !odd("occurred_at") {
                assert_eq!(outreach::fault(asked, &body), None, "{body}");
                allowed += 1;
            }
        }
    }
    assert!(allowed > 20 && forbidden > 50, "{allowed} allowed, {forbidden} forbidden");
    for (asked, name, body) in [
        (Asked::Message, "agentless", both),
        (
            Asked::Message,
            "agentless",
            json!({ "fromAddress": "main", "toAddress": "+1", "toAddressMessengerType": "open" }),
        ),
        (
            Asked::Message,
            "agentless",
            json!({ "fromAddress": "main", "toAddress": "+1", "toAddressMessengerType": "pigeon", "textBody": "x" }),
        ),
        (Asked::Consent, "consent", json!({ "account": "main", "customer": "a", "purpose": "p", "source": "s" })),
        (
            Asked::Consent,
            "consent",
            json!({ "account": "main", "customer": "a", "purpose": "p", "source": "s", "granted": true, "more": 1 }),
        ),
    ] {
        assert!(!schema.allows(name, &body), "{body}");
        assert!(outreach::fault(asked, &body).is_some(), "{body}");
    }
}
