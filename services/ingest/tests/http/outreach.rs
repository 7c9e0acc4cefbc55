//! Agentless messages and consents: who may ask, what becomes a command, and that asking twice is
//! asking once.

use schemas::ids::MessageId;
use schemas::records::{Channel, ContentKind, ConversationCommandKind, OwnerKind, SendMessage, SenderKind, SetConsent};
use serde_json::{Value, json};

use super::problem;
use crate::support::{Mood, Port};

const AGENTLESS: &str = "/api/v2/conversations/messages/agentless";
const CONSENTS: &str = "/api/v1/consents";

fn to_ada() -> Value {
    json!({
        "fromAddress": "106", "toAddress": "+16505551234", "toAddressMessengerType": "whatsapp",
        "textBody": "Your parcel is here",
    })
}

fn send(kind: &ConversationCommandKind) -> &SendMessage {
    let send = if let ConversationCommandKind::Send(send) = kind { Some(send) } else { None };
    send.unwrap()
}

#[tokio::test]
async fn an_agentless_message_is_a_durable_command_and_the_same_key_makes_it_once() {
    let port = Port::open().await;
    let token = port.token("reaching", &["agentless"]);
    let mut ids = Vec::new();
    for key in ["k1", "k1", "k2"] {
        let response = port.asks(AGENTLESS, &token, Some(key), &to_ada()).await;
        assert_eq!(response.status(), 202);
        let answer: Value = response.json().await.unwrap();
        ids.push(answer["id"].as_str().unwrap().to_owned());
    }
    let written = port.written();
    let commands: Vec<_> = written.commands.iter().map(|command| command.command_id).collect();
    assert_eq!((ids[0] == ids[1], ids[0] == ids[2]), (true, false));
    assert_eq!((commands[0] == commands[1], commands[0] == commands[2]), (true, false));
    let first = &written.commands[0];
    assert_eq!(ids[0], MessageId::derive(&[&first.command_id.to_string()]).to_string());
    assert_eq!(first.customer_key, port.key("whatsapp", "main", "16505551234"));
    assert_eq!((first.channel, first.account_id.as_str()), (Channel::Whatsapp, "main"));
    assert_eq!(first.customer.as_ref().unwrap().id, "16505551234");
    let send = send(&first.kind);
    assert_eq!((send.sender.kind, send.sender.id.as_deref()), (SenderKind::Api, Some("reaching")));
    assert_eq!(send.content.text.as_deref(), Some("Your parcel is here"));
}

#[tokio::test]
async fn a_template_a_purpose_and_who_the_answer_is_for_go_along() {
    let port = Port::open().await;
    let token = port.token("reaching", &["agentless"]);
    let template =
        json!({ "responseId": "parcel", "parameters": [{ "value": "Ada" }, { "id": "2", "value": "today" }] });
    let body = json!({
        "fromAddress": "main", "toAddress": "16505551234", "toAddressMessengerType": "whatsapp",
        "messagingTemplate": template, "expiresAt": "2030-01-01T00:00:00Z",
        "target": { "kind": "queue", "id": "parcels" }, "useExistingActiveConversation": true,
    });
    assert_eq!(port.asks(AGENTLESS, &token, Some("k"), &body).await.status(), 202);
    let written = port.written();
    let send = send(&written.commands[0].kind);
    assert_eq!((send.content.content_kind, send.purpose.as_deref()), (ContentKind::Template, Some("service")));
    assert_eq!(send.content.text.as_deref(), Some("Hello Ada, it comes today."));
    assert_eq!(send.content.provider_fields["template.body.2"], "today");
    assert_eq!(send.expires_at, Some(1_893_456_000_000));
    let target = send.target.clone().unwrap();
    assert_eq!((target.kind, target.id.as_str()), (OwnerKind::Queue, "parcels"));
}

#[tokio::test]
async fn whoever_may_not_ask_or_asks_for_nothing_is_told_why() {
    let port = Port::open().await;
    let token = port.token("reaching", &["agentless"]);
    let with = |field: &str, value: Value| {
        let mut body = to_ada();
        body[field] = value;
        body
    };
    let other_account = json!({
        "fromAddress": "other-shop", "toAddress": "ada", "toAddressMessengerType": "open", "textBody": "x",
    });
    let no_value = json!({ "responseId": "parcel", "parameters": [] });
    let of_template = |template: Value| {
        let mut body = with("textBody", Value::Null);
        body["messagingTemplate"] = template;
        body
    };
    for (token, key, body, expected) in [
        ("nobody", Some("k"), to_ada(), (401, "unauthorized")),
        (port.token("reaching", &["inbound"]).as_str(), Some("k"), to_ada(), (403, "forbidden")),
        (port.token("all", &["agentless"]).as_str(), Some("k"), to_ada(), (403, "forbidden")),
        (&token, Some("k"), other_account, (403, "forbidden")),
        (&token, None, to_ada(), (400, "idempotency_key_missing")),
        (&token, Some("k"), with("fromAddress", json!("nowhere")), (404, "unknown_account")),
        (&token, Some("k"), with("toAddressMessengerType", json!("sms")), (400, "invalid_body")),
        (&token, Some("k"), with("textBody", json!(" ")), (400, "invalid_body")),
        (&token, Some("k"), with("toAddress", json!("not a number")), (400, "invalid_body")),
        (&token, Some("k"), with("target", json!({ "kind": "none", "id": "x" })), (400, "invalid_body")),
        (&token, Some("k"), with("expiresAt", json!("tomorrow")), (400, "invalid_body")),
        (&token, Some("k"), of_template(json!({ "responseId": "gone" })), (404, "unknown_template")),
        (&token, Some("k"), of_template(no_value), (400, "invalid_body")),
    ] {
        let (status, reason, _) = problem(port.asks(AGENTLESS, token, key, &body).await).await;
        assert_eq!((status, reason.as_str()), expected, "{body}");
    }
    assert!(port.written().commands.is_empty());
}

#[tokio::test]
async fn a_consent_is_a_command_with_its_time_source_and_proof() {
    let port = Port::open().await;
    let token = port.token("reaching", &["consents"]);
    let body = json!({
        "account": "main", "customer": "16505551234", "purpose": "marketing", "granted": true,
        "source": "web form", "proof": "form 17", "occurred_at": "2026-01-01T00:00:00Z",
    });
    let first = port.asks(CONSENTS, &token, None, &body).await;
    assert_eq!(first.status(), 202);
    assert_eq!(port.asks(CONSENTS, &token, None, &body).await.status(), 202);
    let written = port.written();
    assert_eq!(written.commands[0].command_id, written.commands[1].command_id);
    assert_eq!(written.commands[0].occurred_at, 1_767_225_600_000);
    let expected = SetConsent {
        purpose: "marketing".into(),
        granted: true,
        source: "web form".into(),
        proof: Some("form 17".into()),
    };
    assert_eq!(written.commands[0].kind, ConversationCommandKind::SetConsent(expected));
    let mut later = body.clone();
    later["occurred_at"] = json!("2100-01-01T00:00:00Z");
    let mut mistyped = body.clone();
    mistyped["grant"] = json!(true);
    for (token, body, expected) in [
        (port.token("reaching", &["agentless"]), body.clone(), 403),
        (token.clone(), later, 400),
        (token.clone(), mistyped, 400),
    ] {
        assert_eq!(port.asks(CONSENTS, &token, None, &body).await.status(), expected, "{body}");
    }
}

#[tokio::test]
async fn a_client_that_lists_its_tokens_is_let_in_by_those_alone() {
    let port = Port::open().await;
    let (old, new) = (port.token("reaching", &["agentless"]), port.token("reaching", &["agentless", "consents"]));
    let spec = |hashes: Value| json!({ "name": "Reaching", "scopes": ["agentless"], "token_hashes": hashes });
    let (of_old, of_new) = (access::token_hash(&old), access::token_hash(&new));
    for (hashes, expected) in [
        (json!([]), (202, 202)),
        (json!([of_old.clone()]), (202, 401)),
        (json!([of_old, of_new.clone()]), (202, 202)),
        (json!([of_new]), (401, 202)),
    ] {
        port.apply("ApiClient", "reaching", &spec(hashes));
        let by_old = port.asks(AGENTLESS, &old, Some("k"), &to_ada()).await.status().as_u16();
        let by_new = port.asks(AGENTLESS, &new, Some("k"), &to_ada()).await.status().as_u16();
        assert_eq!((by_old, by_new), expected);
    }
}

#[tokio::test]
async fn a_command_that_is_not_durable_is_not_acknowledged() {
    let port = Port::open().await;
    let token = port.token("reaching", &["agentless"]);
    port.log.set(Mood::Refusing);
    let (status, reason, _) = problem(port.asks(AGENTLESS, &token, Some("k"), &to_ada()).await).await;
    assert_eq!((status, reason.as_str()), (503, "unavailable"));
}
