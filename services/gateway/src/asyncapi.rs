//! The guests' protocol for programs: an AsyncAPI 3.0 document made from the types that are read and
//! written. It lies in `docs/guest-asyncapi.json`; a test compares.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::core::guests::Code;
use crate::intake::guest::frames::Request;
use crate::lobby::frames::{
    Class, Closed, Download, Echo, Empty, Event, History, Line, MessageAccepted, Presigned, Receipt, SessionResponse,
    TooMany,
};

/// The document.
pub fn guest() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let request = schema::<Request>(&mut generator);
    let mut messages = Map::new();
    messages.insert(
        "Request".to_owned(),
        json!({
            "name": "Request",
            "summary": "What a guest asks. `tracingId` comes back with the answer.",
            "payload": { "allOf": [request, { "type": "object", "properties": { "tracingId": {
                "type": "string", "maxLength": 100, "description": "The request's own id; comes back with its answer."
            } } }] },
        }),
    );
    for class in Class::ALL {
        messages.insert(name(class).to_owned(), answer(class, &mut generator));
    }
    let reference = |name: &String| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") }));
    let of_channel: Map<String, Value> = messages.keys().map(reference).collect();
    let from_us = messages.keys().filter(|name| *name != "Request");
    let in_channel = |name: &String| json!({ "$ref": format!("#/channels/guest/messages/{name}") });
    let said: Vec<Value> = from_us.map(in_channel).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "weft web guests",
            "version": "1.0.0",
            "description": "The protocol of `/ws/guest`, from the gateway's side. \
                docs/write-your-own-messenger.md explains it.",
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": { "guest": {
            "address": "/ws/guest",
            "description": "One WebSocket, text frames of JSON. Browsers send their origin, which the deployment must list.",
            "messages": of_channel,
            "bindings": { "ws": { "method": "GET", "query": {
                "type": "object",
                "required": ["deployment"],
                "properties": { "deployment": { "type": "string", "description": "The deployment's id." } },
            } } },
        } },
        "operations": {
            "ask": {
                "action": "receive",
                "channel": { "$ref": "#/channels/guest" },
                "messages": [{ "$ref": "#/channels/guest/messages/Request" }],
            },
            "tell": { "action": "send", "channel": { "$ref": "#/channels/guest" }, "messages": said },
        },
        "components": { "messages": messages, "schemas": generator.take_definitions(true) },
    })
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}

const fn name(class: Class) -> &'static str {
    match class {
        Class::Error => "Error",
        Class::SessionResponse
        | Class::MessageAccepted
        | Class::StructuredMessage
        | Class::MessageHistory
        | Class::Event
        | Class::Receipt
        | Class::PresignedUrlResponse
        | Class::AttachmentUrl
        | Class::Configuration
        | Class::Echo
        | Class::Done
        | Class::SessionClearedEvent
        | Class::SessionExpiredEvent
        | Class::LogoutEvent
        | Class::ConnectionClosedEvent
        | Class::TooManyRequestsErrorMessage => class.as_str(),
    }
}

fn answer(class: Class, generator: &mut SchemaGenerator) -> Value {
    let body = match class {
        Class::SessionResponse => schema::<SessionResponse>(generator),
        Class::MessageAccepted => schema::<MessageAccepted>(generator),
        Class::StructuredMessage => schema::<Line<'_>>(generator),
        Class::MessageHistory => schema::<History<'_>>(generator),
        Class::Event => schema::<Event<'_>>(generator),
        Class::Receipt => schema::<Receipt>(generator),
        Class::PresignedUrlResponse => schema::<Presigned>(generator),
        Class::AttachmentUrl => schema::<Download>(generator),
        Class::Echo => schema::<Echo<'_>>(generator),
        Class::Done | Class::SessionClearedEvent | Class::SessionExpiredEvent | Class::LogoutEvent => {
            schema::<Empty>(generator)
        }
        Class::ConnectionClosedEvent => schema::<Closed>(generator),
        Class::TooManyRequestsErrorMessage => schema::<TooMany>(generator),
        Class::Configuration => json!({ "type": "object", "description": "As in the deployment's config.json." }),
        Class::Error => json!({ "type": "string", "description": "For people: what was expected and what came." }),
    };
    let code = match class {
        Class::Error => {
            let codes = Code::ALL.iter().filter(|code| **code != Code::TooFast);
            json!({ "enum": codes.map(|code| code.number()).collect::<Vec<u16>>() })
        }
        Class::TooManyRequestsErrorMessage => json!({ "const": 429 }),
        Class::SessionResponse
        | Class::MessageAccepted
        | Class::StructuredMessage
        | Class::MessageHistory
        | Class::Event
        | Class::Receipt
        | Class::PresignedUrlResponse
        | Class::AttachmentUrl
        | Class::Configuration
        | Class::Echo
        | Class::Done
        | Class::SessionClearedEvent
        | Class::SessionExpiredEvent
        | Class::LogoutEvent
        | Class::ConnectionClosedEvent => json!({ "const": 200 }),
    };
    json!({
        "name": class.as_str(),
        "payload": {
            "type": "object",
            "required": ["type", "class", "code", "body"],
            "properties": {
                "type": { "enum": ["response", "message"], "description": "Whether it answers a request." },
                "class": { "const": class.as_str() },
                "code": code,
                "body": body,
                "tracingId": { "type": "string", "description": "That of the request it answers." },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let document = guest();
        let text = document.to_string();
        for reference in text.split(r##""$ref":"#"##).skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "#{reference}");
        }
    }
}
