//! `weft doctor --account` against providers that are as strict as the real ones.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::Value as Json;
use tests::providers::graph::{self, Graph};
use tests::providers::twitter::{self, Hook, Twitter};
use tests::providers::whatsapp::{self, WhatsApp};
use tests::providers::{App, open};
use tokio::net::TcpListener;

const NUMBER: &str = "106540352242922";
const WORDS: [(&str, &str); 8] = [
    ("ACME_TOKEN", "a good token"),
    ("ACME_APP_SECRET", "a7p-s3cret"),
    ("ACME_VERIFY", "a word of ours"),
    ("ACME_X_KEY", "xkey"),
    ("ACME_X_SECRET", "the consumer secret"),
    ("ACME_X_TOKEN", "xtoken"),
    ("ACME_X_TOKEN_SECRET", "xtokensecret"),
    ("ACME_HOOK", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
];

/// Ingest as far as Meta's handshake goes, on a port of its own.
async fn ingest() -> String {
    let answer = async |Query(query): Query<BTreeMap<String, String>>| match query.get("hub.verify_token") {
        Some(token) if token == "a word of ours" => (StatusCode::OK, query["hub.challenge"].clone()),
        _ => (StatusCode::FORBIDDEN, String::new()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let router = Router::new().route("/webhooks/meta/acme-meta", get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

struct Found {
    code: i32,
    checks: Vec<Json>,
    said: String,
}

impl Found {
    fn state(&self, check: &str) -> &str {
        let line = self.checks.iter().find(|line| line["check"] == check);
        line.unwrap_or_else(|| panic!("{check} is not among {}", self.said))["state"].as_str().unwrap()
    }

    fn text(&self, check: &str) -> String {
        let line = self.checks.iter().find(|line| line["check"] == check).unwrap();
        format!("{} {}", line["found"].as_str().unwrap(), line["todo"].as_str().unwrap())
    }

    fn wrong(&self) -> Vec<&str> {
        let wrong = self.checks.iter().filter(|line| line["state"] == "wrong");
        wrong.map(|line| line["check"].as_str().unwrap()).collect()
    }
}

/// What the doctor says of the account `main` in a document.
async fn doctor(document: &str, ingest: &str, without: &str) -> Found {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("acme.yaml"), document).unwrap();
    examine(here.path(), ingest, without).await
}

async fn examine(here: &Path, ingest: &str, without: &str) -> Found {
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_weft"))
        .args(["doctor", "--account", "main", "-f", "acme.yaml", "-o", "json"])
        .current_dir(here)
        .env_clear()
        .envs(WORDS.into_iter().filter(|(name, _)| *name != without))
        .env("WEFT_INGEST__LISTEN", ingest)
        .env("WEFT_DELIVERY__INTERNAL_HOSTS", "127.0.0.1")
        .output()
        .await
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    for (_, secret) in WORDS {
        assert!(!said.contains(secret), "a secret was shown: {said}");
    }
    let json: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    let checks = json["checks"].as_array().unwrap().clone();
    Found { code: output.status.code().unwrap(), checks, said }
}

fn account(channel: &str, id: &str, outbound: &str) -> String {
    let endpoint = match channel {
        "twitter" => "kind: Endpoint\ntenant: acme\nid: acme-x\nspec: {platform: x, secrets: [{env: ACME_X_SECRET}]}",
        _ => {
            "kind: Endpoint\ntenant: acme\nid: acme-meta\nspec: {platform: meta, secrets: [{env: ACME_APP_SECRET}], verify_token: {env: ACME_VERIFY}}"
        }
    };
    let named = match channel {
        "twitter" => "endpoint: acme-x",
        "open" | "web" => "name: Acme",
        _ => "endpoint: acme-meta",
    };
    let named = if named.starts_with("name") { String::new() } else { format!("  {named}\n") };
    format!(
        "{endpoint}\n---\nkind: ChannelAccount\ntenant: acme\nid: main\nspec:\n  channel: {channel}\n  name: Acme\n  \
         provider_account_id: '{id}'\n{named}  queue: help\n  outbound:\n{outbound}"
    )
}

/// An app that is set up as it should be.
fn app(object: &str, fields: &[&str]) -> App {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    App {
        id: "4711".into(),
        secret: "a7p-s3cret".into(),
        scopes: ["whatsapp_business_messaging", "whatsapp_business_management", "pages_messaging"]
            .map(str::to_owned)
            .into(),
        token_ends_s: 0,
        business_account: Some("102289599326934".into()),
        subscribed: Some(fields.clone()),
        object: object.into(),
        callback_url: "https://in.acme.example/webhooks/meta/acme-meta".into(),
        fields,
    }
}

async fn whatsapp() -> (WhatsApp, String) {
    let settings = whatsapp::Settings {
        access_token: "a good token".into(),
        phone_number_ids: vec![NUMBER.into()],
        ..whatsapp::Settings::default()
    };
    let provider = WhatsApp::start(0, settings).await.unwrap();
    let url = provider.api_url();
    provider.register(app("whatsapp_business_account", &["messages"]));
    (provider, url)
}

fn number(url: &str, more: &str) -> String {
    account("whatsapp", NUMBER, &format!("    api_url: {url}\n    access_token: {{env: ACME_TOKEN}}\n{more}"))
}

#[tokio::test]
async fn a_number_that_is_set_up_well_is_good_throughout() {
    let (_provider, url) = whatsapp().await;
    let found = doctor(&number(&url, ""), &ingest().await, "").await;
    assert_eq!((found.code, found.wrong().len()), (0, 0), "{}", found.said);
    for check in ["secrets", "token", "token's end", "account", "app", "app subscribed", "webhook", "handshake"] {
        assert_eq!(found.state(check), "good", "{check}: {}", found.said);
    }
    assert!(found.text("account").contains("+1 650-555-1234, Acme, GREEN"));
}

#[tokio::test]
async fn each_thing_that_a_number_lacks_is_named_with_its_way_out() {
    let (provider, url) = whatsapp().await;
    let good = || app("whatsapp_business_account", &["messages"]);
    let ingest = ingest().await;
    let soon = (stream_now_ms() / 1_000) + 3 * 86_400;
    let later = (stream_now_ms() / 1_000) + 40 * 86_400;
    for (app, wrong, says) in [
        (
            App { scopes: vec!["whatsapp_business_management".into()], ..good() },
            "token",
            "without whatsapp_business_messaging",
        ),
        (App { token_ends_s: soon, ..good() }, "token's end", "make a new token"),
        (App { token_ends_s: later, ..good() }, "token's end", "set outbound.token_expires_at"),
        (App { subscribed: None, ..good() }, "app subscribed", "102289599326934/subscribed_apps"),
        (App { fields: vec!["account_update".into()], ..good() }, "webhook", "is not sent messages"),
        (App { callback_url: "https://elsewhere.example/".into(), ..good() }, "webhook", "/webhooks/meta/acme-meta"),
        (App { secret: "another".into(), ..good() }, "webhook", "Endpoint.secrets"),
    ] {
        provider.register(app);
        let found = doctor(&number(&url, ""), &ingest, "").await;
        assert_eq!((found.code, found.wrong()), (1, vec![wrong]), "{}", found.said);
        assert!(found.text(wrong).contains(says), "expected {says}: {}", found.said);
    }
    provider.register(App { token_ends_s: later, ..good() });
    let told = number(&url, &format!("    token_expires_at: '{}'\n", rfc3339(later)));
    assert_eq!(doctor(&told, &ingest, "").await.code, 0);
}

#[tokio::test]
async fn a_bad_token_an_unknown_number_and_a_missing_secret_are_told() {
    let (_provider, url) = whatsapp().await;
    let ingest = ingest().await;
    let bad = number(&url, "").replace("{env: ACME_TOKEN}", "{env: ACME_X_TOKEN}");
    let found = doctor(&bad, &ingest, "").await;
    assert_eq!((found.code, found.state("token")), (1, "wrong"), "{}", found.said);
    assert!(found.text("token").contains("make a new token"), "{}", found.said);
    let unknown = number(&url, "").replace(NUMBER, "1");
    let found = doctor(&unknown, &ingest, "").await;
    assert_eq!((found.code, found.wrong()), (1, vec!["account"]), "{}", found.said);
    let found = doctor(&number(&url, ""), &ingest, "ACME_TOKEN").await;
    assert_eq!((found.code, found.wrong()), (1, vec!["secrets", "token"]), "{}", found.said);
    assert!(found.text("secrets").contains("ACME_TOKEN is not set"), "{}", found.said);
    let elsewhere = doctor(&number(&url, ""), "127.0.0.1:1", "").await;
    assert_eq!((elsewhere.code, elsewhere.state("handshake")), (0, "unknown"), "{}", elsewhere.said);
}

#[tokio::test]
async fn a_page_that_does_not_send_all_that_is_needed_is_told_which() {
    let settings = graph::Settings {
        access_token: "a good token".into(),
        accounts: vec!["1717".into()],
        ..graph::Settings::default()
    };
    let provider = Graph::start(0, settings).await.unwrap();
    let all = [
        "messages",
        "message_echoes",
        "message_deliveries",
        "message_reads",
        "messaging_postbacks",
        "messaging_referrals",
        "message_reactions",
        "messaging_optins",
        "messaging_handovers",
        "standby",
    ];
    let outbound = format!("    api_url: {}\n    access_token: {{env: ACME_TOKEN}}\n", provider.api_url());
    let (ingest, document) = (ingest().await, account("facebook", "1717", &format!("{outbound}    app_id: '4711'\n")));
    provider.register(app("page", &all));
    let found = doctor(&document, &ingest, "").await;
    assert_eq!((found.code, found.wrong().len()), (0, 0), "{}", found.said);
    provider.register(App { subscribed: Some(vec!["messages".into()]), ..app("page", &all) });
    let found = doctor(&document, &ingest, "").await;
    assert_eq!(found.wrong(), ["app subscribed"], "{}", found.said);
    assert!(found.text("app subscribed").contains("does not send message_echoes"), "{}", found.said);
    provider.register(app("page", &all));
    let found = doctor(&account("facebook", "1717", &outbound), &ingest, "").await;
    assert_eq!(found.wrong(), ["app"], "our own messages would come back as somebody else's: {}", found.said);
}

#[tokio::test]
async fn the_webhook_of_an_x_account_must_be_registered_valid_and_subscribed() {
    let events = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "2244994945".to_owned())).collect();
    let good = || Hook {
        url: "https://in.acme.example/webhooks/x/acme-x".into(),
        is_valid: true,
        subscribed: events(&["dm.received", "dm.sent", "dm.read"]),
    };
    for (hooks, user, wrong) in [
        (vec![good()], "2244994945", vec![]),
        (vec![], "2244994945", vec!["webhook"]),
        (vec![Hook { is_valid: false, ..good() }], "2244994945", vec!["webhook"]),
        (vec![Hook { subscribed: events(&["dm.sent"]), ..good() }], "2244994945", vec!["subscribed"]),
        (vec![good()], "1", vec!["token"]),
    ] {
        let settings = twitter::Settings {
            tokens: [("xtoken".to_owned(), user.to_owned())].into(),
            consumer_secret: "the consumer secret".into(),
            consumer_key: "xkey".into(),
            hooks,
            ..twitter::Settings::default()
        };
        let provider = Twitter::start(0, settings).await.unwrap();
        let outbound = format!(
            "    api_url: {}\n    oauth1: {{consumer_key: {{env: ACME_X_KEY}}, consumer_secret: {{env: ACME_X_SECRET}}, \
             token: {{env: ACME_X_TOKEN}}, token_secret: {{env: ACME_X_TOKEN_SECRET}}}}\n",
            provider.api_url()
        );
        let found = doctor(&account("twitter", "2244994945", &outbound), "127.0.0.1:1", "").await;
        assert_eq!(found.wrong(), wrong, "{}", found.said);
        assert_eq!(found.code, i32::from(!wrong.is_empty()));
    }
}

#[tokio::test]
async fn an_open_account_needs_an_address_that_answers_a_key_and_a_client() {
    let provider = open::OpenReceiver::start(0, open::Settings::default()).await.unwrap();
    let outbound =
        format!("    webhook_url: {}\n    webhook_secrets: [{{env: ACME_HOOK}}]\n", provider.webhook_url("main"));
    let client = "---\nkind: ApiClient\ntenant: acme\nid: shop\nspec: {name: Shop, scopes: [inbound]}\n";
    let document = account("open", "main", &outbound);
    let found = doctor(&format!("{document}{client}"), "127.0.0.1:1", "").await;
    assert_eq!((found.code, found.wrong().len()), (0, 0), "{}", found.said);
    let found = doctor(&document, "127.0.0.1:1", "").await;
    assert_eq!(found.wrong(), ["clients"], "{}", found.said);
    let away = document.replace(&provider.webhook_url("main"), "http://127.0.0.1:1/");
    assert_eq!(doctor(&away, "127.0.0.1:1", "").await.wrong(), ["address", "clients"]);
    let forbidden = document.replace(&provider.webhook_url("main"), "http://10.0.0.1/");
    let found = doctor(&forbidden, "127.0.0.1:1", "").await;
    assert!(found.text("address").contains("delivery may not call"), "{}", found.said);
}

#[tokio::test]
async fn a_web_account_needs_a_deployment_that_is_published() {
    let document = "kind: ChannelAccount\ntenant: acme\nid: main\nspec: {channel: web, name: Acme, queue: help}\n";
    let found = doctor(document, "127.0.0.1:1", "").await;
    assert_eq!((found.code, found.wrong()), (1, vec!["deployment"]), "{}", found.said);
    let deployment = "---\nkind: Deployment\ntenant: acme\nid: site\nspec: {name: Site, account: main, allowed_origins: ['https://acme.example']}\n";
    let found = doctor(&format!("{document}{deployment}"), "127.0.0.1:1", "").await;
    assert_eq!((found.code, found.state("deployment")), (0, "unknown"), "{}", found.said);
}

fn stream_now_ms() -> i64 {
    stream::clock::now().as_ms()
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).unwrap().to_string()
}
