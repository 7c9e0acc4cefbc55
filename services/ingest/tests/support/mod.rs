//! The public port over a log of our own that checks what it is given.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use access::{Claims, Subject, TokenSecrets};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use ingest::acceptance::{Acceptance, TOPICS};
use ingest::intake::http::{Edge, Limits, router};
use ingest::intake::knowledge::Knowledge;
use ingest::intake::secrets::SecretBook;
use ingest::metrics::Metrics;
use ingest::outlets::{Appending, Log};
use schemas::codec::Codec;
use schemas::ids::{CustomerKey, KeySecret, TenantId};
use schemas::records::{ConfigEntity, ConversationCommand, DeadLetter, InboundEvent, RawRequest};
use schemas::topics::{CHANNEL_INBOUND, CHANNEL_RAW, CONFIG_ENTITIES, CONVERSATION_COMMANDS, dead_letter_topic};
use serde_json::{Value, json};
use sha2::Sha256;
use stream::{InputRecord, Output, PublishError, Timestamp};
use telemetry::HttpMetrics;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

pub(crate) const APP_SECRET: &str = "the app secret of acme";
pub(crate) const OLD_APP_SECRET: &str = "the app secret before";
pub(crate) const VERIFY_TOKEN: &str = "the-verify-token";
pub(crate) const BODY_BYTES_MAX: usize = 64 << 10;
pub(crate) const PLACES: usize = 8;

/// How the log behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mood {
    #[default]
    Durable,
    Refusing,
    Silent,
}

/// What was written, read back.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) raw: Vec<RawRequest>,
    pub(crate) events: Vec<InboundEvent>,
    pub(crate) dead: Vec<DeadLetter>,
    pub(crate) commands: Vec<ConversationCommand>,
    /// The `traceparent` of every record, in order.
    pub(crate) traces: Vec<String>,
}

/// A log in memory; refuses records that Kafka's readers could not use.
pub(crate) struct FakeLog {
    codec: Arc<Codec>,
    mood: Mutex<Mood>,
    pub(crate) written: Mutex<Written>,
}

impl FakeLog {
    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn keep(&self, outputs: Vec<Output>) {
        let mut written = self.written.lock().unwrap();
        let is_command = outputs[0].topic == CONVERSATION_COMMANDS.name && outputs.len() == 1;
        assert!(is_command || outputs[0].topic == CHANNEL_RAW.name, "the raw request comes first");
        for output in outputs {
            let key = String::from_utf8(output.key).unwrap();
            let payload = output.payload.expect("no tombstones");
            assert_eq!(output.partition, None, "the key chooses the partition");
            let traces = output.headers.iter().filter(|(name, _)| name == "traceparent");
            written.traces.extend(traces.map(|(_, value)| String::from_utf8(value.clone()).unwrap()));
            match output.topic.as_ref() {
                topic if topic == CHANNEL_RAW.name => {
                    let raw: RawRequest = self.codec.decode(&payload).unwrap();
                    assert_eq!(key, raw.endpoint.as_str());
                    written.raw.push(raw);
                }
                topic if topic == CHANNEL_INBOUND.name => {
                    let event: InboundEvent = self.codec.decode(&payload).unwrap();
                    key.parse::<CustomerKey>().expect("32 hex digits");
                    assert!(event.customer_key.is_none_or(|customer| customer.to_string() == key), "{event:?}");
                    assert!(!event.provider_event_id.is_empty());
                    written.events.push(event);
                }
                topic if topic == CONVERSATION_COMMANDS.name => {
                    let command: ConversationCommand = self.codec.decode(&payload).unwrap();
                    assert_eq!(key, command.customer_key.to_string());
                    written.commands.push(command);
                }
                topic => {
                    assert_eq!(topic, dead_letter_topic(CHANNEL_RAW.name));
                    let dead: DeadLetter = self.codec.decode(&payload).unwrap();
                    let of: RawRequest = self.codec.decode(dead.source_value.as_deref().unwrap()).unwrap();
                    assert_eq!(key, of.endpoint.as_str());
                    written.dead.push(dead);
                }
            }
        }
    }
}

impl Log for FakeLog {
    fn append(&self, records: Vec<Output>) -> Appending<'_> {
        Box::pin(async move {
            let mood = *self.mood.lock().unwrap();
            match mood {
                Mood::Durable => {
                    self.keep(records);
                    Ok(())
                }
                Mood::Refusing => Err(PublishError::Failed("no leader".into()).into()),
                Mood::Silent => std::future::pending().await,
            }
        })
    }
}

/// The public port on a free address.
pub(crate) struct Port {
    pub(crate) address: std::net::SocketAddr,
    pub(crate) log: Arc<FakeLog>,
    pub(crate) tokens: TokenSecrets,
    pub(crate) secret: KeySecret,
    pub(crate) edge: Edge,
    pub(crate) registry: prometheus::Registry,
    pub(crate) http: reqwest::Client,
    _folder: tempfile::TempDir,
}

impl Port {
    pub(crate) async fn open() -> Self {
        Self::open_at_rate(1_000).await
    }

    /// With this many requests a second for each endpoint.
    pub(crate) async fn open_at_rate(rate: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let codec = Arc::new(Codec::offline(&TOPICS));
        let knowledge = Knowledge::default();
        configure(&knowledge, &codec, folder.path());
        let registry = prometheus::Registry::new();
        let log = Arc::new(FakeLog { codec: Arc::clone(&codec), mood: Mutex::default(), written: Mutex::default() });
        let tokens = TokenSecrets::parse("a token secret of tests").unwrap();
        let secret = KeySecret::new("a key secret of tests");
        let acceptance = Acceptance {
            codec,
            secret: secret.clone(),
            knowledge,
            log: Arc::clone(&log) as Arc<dyn Log>,
            ack_timeout: Duration::from_millis(100),
            metrics: Metrics::register(&registry).unwrap(),
        };
        let edge = Edge {
            acceptance: Arc::new(acceptance),
            secrets: Arc::new(SecretBook::new(Duration::from_secs(60))),
            tokens: Arc::new(tokens.clone()),
            limits: Limits {
                body_bytes_max: BODY_BYTES_MAX,
                body_timeout: Duration::from_millis(300),
                endpoint_requests_per_s_max: rate,
                client_requests_per_s_max: 1_000,
            },
            rates: Arc::default(),
            places: Arc::new(Semaphore::new(PLACES)),
        };
        let http = HttpMetrics::register(&registry, "ingest").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = router(edge.clone(), &http);
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, log, tokens, secret, edge, registry, http, _folder: folder }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Posts a body to an endpoint with a signature.
    pub(crate) async fn webhook(&self, endpoint: &str, body: &[u8], signature: &str) -> reqwest::Response {
        let request = self.http.post(self.url(&format!("/webhooks/meta/{endpoint}")));
        request.header("x-hub-signature-256", signature).body(body.to_vec()).send().await.unwrap()
    }

    /// Posts a rightly signed body to the endpoint `hook`.
    pub(crate) async fn signed(&self, body: &[u8]) -> reqwest::Response {
        self.webhook("hook", body, &sign(APP_SECRET, body)).await
    }

    /// Posts a body to the endpoint of X with a signature.
    pub(crate) async fn bird(&self, body: &[u8], signature: &str) -> reqwest::Response {
        let request = self.http.post(self.url("/webhooks/x/bird"));
        request.header("x-twitter-webhooks-signature", signature).body(body.to_vec()).send().await.unwrap()
    }

    /// Asks for something on our own initiative, with an idempotency key if there is one.
    pub(crate) async fn asks(&self, path: &str, token: &str, key: Option<&str>, body: &Value) -> reqwest::Response {
        let request = self.http.post(self.url(path)).bearer_auth(token).body(body.to_string());
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        request.send().await.unwrap()
    }

    /// Posts an open-messaging body.
    pub(crate) async fn open_messaging(&self, path: &str, token: &str, body: &Value) -> reqwest::Response {
        let url = self.url(&format!("/api/v2/conversations/messages/{path}"));
        self.http.post(url).bearer_auth(token).body(body.to_string()).send().await.unwrap()
    }

    /// Puts a document of acme in force.
    pub(crate) fn apply(&self, kind: &str, id: &str, spec: &Value) {
        learn(&self.edge.acceptance.knowledge, &self.edge.acceptance.codec, ("acme", kind, id), spec);
    }

    pub(crate) fn token(&self, client: &str, scopes: &[&str]) -> String {
        self.tokens.mint(&Claims {
            tenant: "acme".into(),
            subject: Subject::Client(client.into()),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            supervisor: false,
            expires_at_ms: None,
            id: "t".into(),
        })
    }

    pub(crate) fn key(&self, channel: &str, account: &str, customer: &str) -> CustomerKey {
        CustomerKey::derive(&self.secret, &"acme".into(), channel, &account.into(), customer)
    }

    /// What was written since the last call.
    pub(crate) fn written(&self) -> Written {
        std::mem::take(&mut *self.log.written.lock().unwrap())
    }

    /// A counter's value.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let families = self.registry.gather();
        let of_name = families.iter().filter(|family| family.name() == name);
        let metrics = of_name.flat_map(prometheus::proto::MetricFamily::get_metric);
        let fits = |metric: &&prometheus::proto::Metric| {
            labels
                .iter()
                .all(|(key, value)| metric.get_label().iter().any(|pair| pair.name() == *key && pair.value() == *value))
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are small and positive")]
        metrics.filter(fits).map(|metric| metric.get_counter().get_value() as u64).sum()
    }
}

/// `sha256=<hex>` of a body.
pub(crate) fn sign(secret: &str, body: &[u8]) -> String {
    let hex: String = mac(secret, body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

/// `sha256=<Base64>` of a body or a challenge.
pub(crate) fn sign_as_x(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", STANDARD.encode(mac(secret, body)))
}

fn mac(secret: &str, body: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// A client that may send first, and a template.
fn outreach() -> (Value, Value) {
    let reaching = json!({ "name": "Reaching", "scopes": ["agentless", "consents"], "accounts": ["main", "shop"] });
    let parcel = json!({ "name": "Parcel", "purpose": "service", "text": "Hello {{1}}, it comes {{2}}.",
        "approved": { "name": "parcel_today", "language": "en_US" } });
    (reaching, parcel)
}

fn configure(knowledge: &Knowledge, codec: &Codec, folder: &std::path::Path) {
    let file = |name: &str, secret: &str| {
        let path = folder.join(name);
        std::fs::write(&path, secret).unwrap();
        json!({ "file": path })
    };
    let secrets = json!([file("new", APP_SECRET), file("old", OLD_APP_SECRET)]);
    let hook = json!({ "platform": "meta", "secrets": secrets, "verify_token": file("verify", VERIFY_TOKEN) });
    let foreign = json!({ "platform": "meta", "secrets": [file("evil", "the secret of evil")] });
    let number = json!({
        "channel": "whatsapp", "name": "Main", "provider_account_id": "106", "endpoint": "hook", "queue": "q",
    });
    let page = json!({
        "channel": "facebook", "name": "Page", "provider_account_id": "800", "endpoint": "hook", "queue": "q",
    });
    let insta = json!({
        "channel": "instagram", "name": "Insta", "provider_account_id": "1784", "endpoint": "hook", "queue": "q",
        "provider_account_aliases": ["9988"],
    });
    let x_hook = json!({ "platform": "x", "secrets": secrets });
    let handle = json!({
        "channel": "twitter", "name": "X", "provider_account_id": "51", "endpoint": "bird", "queue": "q",
    });
    let shop = json!({ "channel": "open", "name": "Shop", "queue": "q" });
    let other_shop = json!({ "channel": "open", "name": "Other", "queue": "q" });
    let all = json!({ "name": "All", "scopes": ["inbound"] });
    let one = json!({ "name": "One", "scopes": ["inbound"], "accounts": ["other-shop"] });
    let stopped = json!({ "name": "Stopped", "scopes": ["inbound"], "requests_per_s_max": 0 });
    let reporting = json!({ "name": "Reporting", "scopes": ["reports"] });
    let (reaching, parcel) = outreach();
    for (tenant, kind, id, spec) in [
        ("acme", "Endpoint", "hook", hook),
        ("evil", "Endpoint", "hook", foreign.clone()),
        ("evil", "Endpoint", "own", foreign),
        ("acme", "ChannelAccount", "main", number),
        ("acme", "Endpoint", "bird", x_hook.clone()),
        ("acme", "Endpoint", "shared", x_hook.clone()),
        ("evil", "Endpoint", "shared", x_hook),
        ("acme", "ChannelAccount", "page", page),
        ("acme", "ChannelAccount", "insta", insta),
        ("acme", "ChannelAccount", "handle", handle),
        ("acme", "ChannelAccount", "shop", shop),
        ("acme", "ChannelAccount", "other-shop", other_shop),
        ("acme", "ApiClient", "all", all),
        ("acme", "ApiClient", "one", one),
        ("acme", "ApiClient", "stopped", stopped),
        ("acme", "ApiClient", "reporting", reporting),
        ("acme", "ApiClient", "reaching", reaching),
        ("acme", "Template", "parcel", parcel),
        ("acme", "Hologram", "unknown-kinds-are-ignored", json!({})),
    ] {
        learn(knowledge, codec, (tenant, kind, id), &spec);
    }
}

fn learn(knowledge: &Knowledge, codec: &Codec, (tenant, kind, id): (&str, &str, &str), spec: &Value) {
    let entity = ConfigEntity {
        tenant: TenantId::new(tenant),
        kind: kind.into(),
        id: id.into(),
        body: spec.to_string(),
        ..ConfigEntity::default()
    };
    let payload = codec.encode(CONFIG_ENTITIES.name, &entity).unwrap();
    let key = format!("{tenant}/{kind}/{id}");
    let record = InputRecord {
        topic: CONFIG_ENTITIES.name,
        partition: 0,
        offset: 0,
        timestamp: Timestamp::ZERO,
        key: Some(key.as_bytes()),
        payload: Some(&payload),
        headers: &[],
    };
    knowledge.learn(codec, &record).unwrap();
}
