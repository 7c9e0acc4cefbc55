//! The other side of each channel: its provider, its account's configuration, its customers.

use hmac::{Hmac, KeyInit, Mac};
use schemas::records::Channel;
use serde_json::{Value, json};
use sha2::Sha256;
use tests::providers::graph::{self, Flavour, Graph};
use tests::providers::open::{self, OpenReceiver};
use tests::providers::twitter::{self, Twitter};
use tests::providers::whatsapp::{self, WhatsApp};
use tests::providers::{Fault, Seen, Statuses};

use super::house::{ACCOUNT, House};

pub(crate) const CHANNELS: [Channel; 5] =
    [Channel::Whatsapp, Channel::Facebook, Channel::Instagram, Channel::Twitter, Channel::Open];
/// Who is written to.
pub(crate) const CUSTOMER: &str = "16505551234";
/// Somebody whom no message can reach.
pub(crate) const NOBODY: &str = "16505550000";
const PROVIDER_ACCOUNT: &str = "51";
const APP_SECRET: &str = "an app secret of tests";
const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

enum Provider {
    Whatsapp(WhatsApp),
    Graph(Graph),
    Twitter(Twitter),
    Open(OpenReceiver),
}

/// A provider and its house.
pub(crate) struct Side {
    pub(crate) channel: Channel,
    provider: Provider,
    spec: Value,
}

impl Side {
    /// The provider of a channel, with its account configured in the house.
    pub(crate) async fn open(house: &mut House, channel: Channel) -> Self {
        let family = if channel == Channel::Twitter { "x" } else { "meta" };
        let webhook_url = Some(format!("{}/webhooks/{family}/hook", house.ingest_url));
        let provider = start(channel, webhook_url, house).await;
        let folder = house.folder.path().to_owned();
        let file = |name: &str, secret: &str| House::secret_file(&folder, name, secret);
        let mut outbound = json!({"retry_schedule_s": [0.2, 0.5, 1, 60, 600], "timeout_ms": 2000});
        match &provider {
            Provider::Whatsapp(provider) => outbound["api_url"] = json!(provider.api_url()),
            Provider::Graph(provider) => outbound["api_url"] = json!(provider.api_url()),
            Provider::Twitter(provider) => outbound["api_url"] = json!(provider.api_url()),
            Provider::Open(provider) => {
                outbound["webhook_url"] = json!(provider.webhook_url(PROVIDER_ACCOUNT));
                outbound["webhook_secrets"] = json!([file("webhook", WEBHOOK_SECRET)]);
            }
        }
        outbound["access_token"] = file("token", "EAAB");
        outbound["calls_per_s"] = json!(1000);
        outbound["human_agent"] = json!(true);
        let endpoint = json!({"platform": family, "secrets": [file("app", APP_SECRET)]});
        let mut spec = json!({"channel": channel.as_str(), "name": "Main", "queue": "q",
            "provider_account_id": PROVIDER_ACCOUNT, "media_hosts": ["127.0.0.1"], "outbound": outbound});
        if channel != Channel::Open {
            spec["endpoint"] = json!("hook");
            house.configure("Endpoint", "hook", &endpoint);
        }
        house.configure("ApiClient", "shop", &json!({"name": "Shop", "scopes": ["inbound"]}));
        house.configure("ChannelAccount", ACCOUNT, &spec);
        Self { channel, provider, spec }
    }

    /// Somebody looks after the account and applies its configuration again.
    pub(crate) fn mend(&self, house: &mut House) {
        house.configure("ChannelAccount", ACCOUNT, &self.spec);
    }

    pub(crate) fn script(&self, fault: Fault, times: usize) {
        match &self.provider {
            Provider::Whatsapp(provider) => provider.script(fault, times),
            Provider::Graph(provider) => provider.script(fault, times),
            Provider::Twitter(provider) => provider.script(fault, times),
            Provider::Open(provider) => provider.script(fault, times),
        }
    }

    /// What the platform tells of taken messages, of what it can.
    pub(crate) fn tell(&self, change: impl Fn(Statuses) -> Statuses) {
        let statuses = change(Statuses::of(self.statuses()));
        match &self.provider {
            Provider::Whatsapp(provider) => provider.tell(statuses),
            Provider::Graph(provider) => provider.tell(statuses),
            Provider::Twitter(provider) => provider.tell(statuses),
            Provider::Open(provider) => provider.tell(statuses),
        }
    }

    fn statuses(&self) -> &'static [&'static str] {
        match self.channel {
            Channel::Whatsapp => &["sent", "delivered", "read"],
            Channel::Facebook => &["echo", "delivered", "read"],
            Channel::Instagram | Channel::Twitter => &["echo", "read"],
            Channel::Open | Channel::Web | Channel::Unknown => &["delivered", "read"],
        }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        match &self.provider {
            Provider::Whatsapp(provider) => provider.seen(),
            Provider::Graph(provider) => provider.seen(),
            Provider::Twitter(provider) => provider.seen(),
            Provider::Open(provider) => provider.seen(),
        }
    }

    /// The texts that reached the customer, each once.
    pub(crate) fn shown(&self) -> Vec<String> {
        let taken = self.seen().into_iter().filter(|seen| seen.taken && !seen.repeat);
        taken.filter_map(|seen| seen.text).collect()
    }

    /// What the provider found wrong.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.seen().into_iter().filter_map(|seen| seen.problem).collect()
    }

    /// The platform has nobody of this name.
    pub(crate) fn forget(&self, customer: &str) {
        match &self.provider {
            Provider::Whatsapp(provider) => provider.forget(customer),
            Provider::Graph(provider) => provider.forget(customer),
            Provider::Twitter(provider) => provider.forget(customer),
            Provider::Open(_) => {}
        }
    }

    /// The customer last wrote then, as the platform remembers it.
    pub(crate) fn wrote(&self, at_ms: i64) {
        match &self.provider {
            Provider::Whatsapp(provider) => provider.wrote(PROVIDER_ACCOUNT, CUSTOMER, at_ms),
            Provider::Graph(provider) => provider.wrote(PROVIDER_ACCOUNT, CUSTOMER, at_ms),
            Provider::Twitter(_) | Provider::Open(_) => {}
        }
    }

    /// A webhook of customers' messages, by their ids and words, or `None` where requests hold one
    /// message each.
    pub(crate) fn batch(&self, said: &[(&str, &str)]) -> Option<Value> {
        let now = stream::clock::now().as_ms();
        let messaging = |(id, text): &(&str, &str)| {
            json!({"sender": {"id": CUSTOMER}, "recipient": {"id": PROVIDER_ACCOUNT}, "timestamp": now,
                "message": {"mid": id, "text": text}})
        };
        let whatsapp = |(id, text): &(&str, &str)| {
            json!({"from": CUSTOMER, "id": id, "timestamp": (now / 1000).to_string(), "type": "text",
                "text": {"body": text}})
        };
        let direct = |(id, text): &(&str, &str)| {
            let message = json!({"target": {"recipient_id": PROVIDER_ACCOUNT}, "sender_id": CUSTOMER,
                "message_data": {"text": text}});
            json!({"type": "message_create", "id": id, "created_timestamp": now.to_string(), "message_create": message})
        };
        let object = if self.channel == Channel::Instagram { "instagram" } else { "page" };
        match self.channel {
            Channel::Whatsapp => {
                let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": PROVIDER_ACCOUNT},
                    "messages": said.iter().map(whatsapp).collect::<Vec<_>>()});
                let change = json!({"field": "messages", "value": value});
                Some(json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}))
            }
            Channel::Facebook | Channel::Instagram => {
                let items: Vec<Value> = said.iter().map(messaging).collect();
                Some(json!({"object": object, "entry": [{"id": PROVIDER_ACCOUNT, "time": now, "messaging": items}]}))
            }
            Channel::Twitter => {
                let events: Vec<Value> = said.iter().map(direct).collect();
                Some(json!({"for_user_id": PROVIDER_ACCOUNT, "direct_message_events": events}))
            }
            Channel::Open | Channel::Web | Channel::Unknown => None,
        }
    }

    /// WhatsApp's webhook of a customer's picture, and what makes its address too old.
    pub(crate) fn picture(&self, bytes: &[u8]) -> (Value, impl Fn()) {
        let Provider::Whatsapp(provider) = &self.provider else { panic!("only WhatsApp gives files by id") };
        let (id, sha256) = provider.keep("image/png", bytes);
        let image = json!({"id": id, "mime_type": "image/png", "sha256": sha256, "caption": "look"});
        let now = (stream::clock::now().as_ms() / 1000).to_string();
        let message = json!({"from": CUSTOMER, "id": "wamid.P", "timestamp": now, "type": "image", "image": image});
        let value = json!({"messaging_product": "whatsapp", "metadata": {"phone_number_id": PROVIDER_ACCOUNT},
            "messages": [message]});
        let change = json!({"field": "messages", "value": value});
        let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]});
        (body, || provider.age_links())
    }

    /// Posts a webhook, signed with a secret; the answer's status.
    pub(crate) async fn post(&self, house: &House, body: &Value, secret: &str) -> u16 {
        let bytes = body.to_string().into_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(&bytes);
        let digest = mac.finalize().into_bytes();
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
        let request = match self.channel {
            Channel::Twitter => reqwest::Client::new()
                .post(format!("{}/webhooks/x/hook", house.ingest_url))
                .header("x-twitter-webhooks-signature", format!("sha256={base64}")),
            Channel::Whatsapp
            | Channel::Facebook
            | Channel::Instagram
            | Channel::Open
            | Channel::Web
            | Channel::Unknown => reqwest::Client::new()
                .post(format!("{}/webhooks/meta/hook", house.ingest_url))
                .header("x-hub-signature-256", format!("sha256={hex}")),
        };
        request.body(bytes).send().await.unwrap().status().as_u16()
    }

    /// Posts a body of open messaging with a token; the answer's status.
    pub(crate) async fn post_open(&self, house: &House, token: &str, form: &str, body: &Value) -> u16 {
        let path = format!("/api/v2/conversations/messages/{PROVIDER_ACCOUNT}/inbound/open/{form}");
        let request = reqwest::Client::new().post(format!("{}{path}", house.ingest_url)).bearer_auth(token);
        request.body(body.to_string()).send().await.unwrap().status().as_u16()
    }

    /// Posts a webhook as the platform signs it.
    pub(crate) async fn post_signed(&self, house: &House, body: &Value) -> u16 {
        self.post(house, body, APP_SECRET).await
    }
}

async fn start(channel: Channel, webhook_url: Option<String>, house: &House) -> Provider {
    let (access_token, app_secret) = ("EAAB".to_owned(), APP_SECRET.to_owned());
    match channel {
        Channel::Whatsapp => {
            let phone_number_ids = vec![PROVIDER_ACCOUNT.to_owned()];
            let settings = whatsapp::Settings { access_token, phone_number_ids, app_secret, webhook_url };
            Provider::Whatsapp(WhatsApp::start(0, settings).await.unwrap())
        }
        Channel::Facebook | Channel::Instagram => {
            let flavour = if channel == Channel::Facebook { Flavour::Messenger } else { Flavour::Instagram };
            let accounts = vec![PROVIDER_ACCOUNT.to_owned()];
            let app_id = "42".to_owned();
            let settings = graph::Settings { flavour, access_token, accounts, app_id, app_secret, webhook_url };
            Provider::Graph(Graph::start(0, settings).await.unwrap())
        }
        Channel::Twitter => {
            let tokens = [(access_token, PROVIDER_ACCOUNT.to_owned())].into();
            let settings =
                twitter::Settings { tokens, consumer_secret: app_secret, webhook_url, ..twitter::Settings::default() };
            Provider::Twitter(Twitter::start(0, settings).await.unwrap())
        }
        Channel::Open | Channel::Web | Channel::Unknown => {
            let settings = open::Settings {
                integrations: [(PROVIDER_ACCOUNT.to_owned(), vec![WEBHOOK_SECRET.to_owned()])].into(),
                ingest_url: Some(house.ingest_url.clone()),
                token: house.token.clone(),
            };
            Provider::Open(OpenReceiver::start(0, settings).await.unwrap())
        }
    }
}
