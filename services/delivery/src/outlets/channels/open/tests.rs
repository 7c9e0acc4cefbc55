use super::*;
use crate::core::event::{Route, SecretPlace};
use crate::outlets::channels::support::{self, body, desk, media, saying};
use schemas::records::Channel;

fn route(secrets: &[&str]) -> Route {
    Route {
        name: "Shop".into(),
        provider_account_id: "shop".into(),
        webhook_url: Some("https://shop.example/hook".into()),
        webhook_secrets: secrets.iter().map(|name| SecretPlace::Env((*name).into())).collect(),
        ..Route::default()
    }
}

/// A text to Ada.
fn text(route: Route) -> Send {
    saying(&support::send(Channel::Open, route), &Content::text("Hello Ada"))
}

fn call(send: &Send) -> Result<Call, &'static str> {
    request(send, &desk())
}

fn content_of(content: &Content) -> Value {
    body(&call(&saying(&text(route(&["whsec_AAAA"])), content)).unwrap())["content"].clone()
}

#[test]
fn a_signature_is_that_of_the_standards_own_example() {
    // Standard Webhooks, spec/standard-webhooks.md and its libraries' tests
    let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signature = signing::signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn every_live_secret_signs() {
    let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
    let call = call(&text(route(&secrets))).unwrap();
    let signatures: Vec<&str> = call.headers[2].1.split(' ').collect();
    assert_eq!(signatures.len(), 2);
    assert_ne!(signatures[0], signatures[1]);
    assert!(!call.headers[0].1.contains('.'), "a full stop ends the id in what is signed");
}

#[test]
fn the_body_is_a_normalized_message() {
    let call = call(&text(route(&["whsec_AAAA"]))).unwrap();
    assert_eq!(
        body(&call),
        json!({"id":"k.m.mac","channel":{"id":"shop","platform":"Open","type":"Private","messageId":"k.m.mac",
               "to":{"id":"16505551234"},"from":{"nickname":"Shop","id":"shop","idType":"Opaque"},
               "time":"2026-01-02T03:04:05.678Z"},
               "type":"Text","text":"Hello Ada","originatingEntity":"Human","direction":"Outbound"})
    );
}

#[test]
fn media_is_an_attachment() {
    let call = call(&saying(&text(route(&["whsec_AAAA"])), &media("file", ""))).unwrap();
    let expected = json!([{"contentType":"Attachment","attachment":{"mediaType":"File",
        "url":"https://files.example/a.pdf","mime":"application/pdf","filename":"a.pdf"}}]);
    assert_eq!((&body(&call)["type"], &body(&call)["content"]), (&json!("Structured"), &expected));
}

#[test]
fn an_account_that_cannot_sign_is_not_configured() {
    let nowhere = Route { webhook_url: None, ..route(&["whsec_AAAA"]) };
    for (route, reason) in [
        (nowhere, "no_webhook_url"),
        (route(&[]), "no_webhook_secret"),
        (route(&["whsec_%%%"]), "webhook_secret_not_base64"),
    ] {
        assert_eq!(call(&text(route)), Err(reason));
    }
}

#[test]
fn answers_links_cards_and_places_are_content_items() {
    let asking = |choices| Content { choices, ..Content::text("Which?") };
    let link = || support::choice("Shop", None, Some("https://shop.example"));
    let expected = json!([
        {"contentType": "QuickReply", "quickReply": {"text": "Red", "payload": "RED", "action": "Message"}},
        {"contentType": "Card", "card": {"title": "Shop",
            "actions": [{"type": "Link", "text": "Shop", "url": "https://shop.example"}]}}]);
    assert_eq!(content_of(&asking(vec![support::choice("Red", Some("RED"), None), link()])), expected);
    let row =
        |title: &str, section: &str| Choice { section: Some(section.into()), ..support::choice(title, None, None) };
    let list = content_of(&asking(vec![row("a", "one"), row("b", "two"), link()]));
    let sections = json!([{"title": "one", "items": [{"id": "a", "title": "a"}]},
        {"title": "two", "items": [{"id": "b", "title": "b"}]}]);
    assert_eq!(list[0], json!({"contentType": "ListPicker", "listPicker": {"sections": sections}}));
    assert_eq!(list[1]["contentType"], "Card");
    let shoe = Attachment { attachment_type: "card".into(), title: Some("Shoe".into()), ..Attachment::default() };
    let card = Content {
        content_kind: ContentKind::Card,
        attachments: vec![shoe],
        choices: vec![Choice { card: Some(1), ..link() }],
        ..Content::default()
    };
    let actions = json!([{"type": "Link", "text": "Shop", "url": "https://shop.example"}]);
    assert_eq!(content_of(&card), json!([{"contentType": "Card", "card": {"title": "Shoe", "actions": actions}}]));
    let place = Attachment { latitude: Some(47.5), longitude: Some(8.25), ..Attachment::default() };
    let map = Content { attachments: vec![place], ..Content::default() };
    let expected = json!([{"contentType": "Location", "location": {"latitude": 47.5, "longitude": 8.25}}]);
    assert_eq!(content_of(&map), expected);
}

#[test]
fn the_older_signature_is_made_where_it_is_asked_for() {
    let legacy_secret = Some(SecretPlace::Env("secret".into()));
    let call = call(&text(Route { legacy_secret, ..route(&["whsec_AAAA"]) })).unwrap();
    let (name, value) = call.headers.last().unwrap();
    assert_eq!((*name, value.as_str()), ("x-hub-signature-256", legacy(b"secret", &call.body).as_str()));
    // printf hello | openssl dgst -sha256 -hmac secret -binary | base64
    assert_eq!(legacy(b"secret", b"hello"), "sha256=iKqz7ejTrflNJquQ07r9SiCDBww7zOnAFO4EpEOEfAs=");
}
