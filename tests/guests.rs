//! A web guest through all services on real Kafka, registry and ClickHouse: writes, is answered, sleeps,
//! jumps networks, comes back, by a gateway that was killed meanwhile, on several devices, and signs in.
//!
//! Needs a running stack (`WEFT_TEST_STACK`).
#![expect(clippy::unwrap_used, reason = "a test stops where it finds something wrong")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use stream::clock;
use tests::agents::Agent;
use tests::config;
use tests::guests::Guest;
use tests::services::Services;
use tests::stack::Stack;
use tests::wait::wait_for;

const ORIGIN: &str = "https://shop.example";
const WAIT_MAX: Duration = Duration::from_secs(60);

struct Shop {
    services: Services,
    tenant: String,
    agent: Arc<Agent>,
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap()
}

fn documents(tenant: &str) -> String {
    let x = URL_SAFE_NO_PAD.encode(key().public_key());
    format!(
        "kind: Tenant
tenant: {tenant}
id: {tenant}
spec: {{name: The shop}}
---
kind: Agent
tenant: {tenant}
id: eve
spec: {{name: Eve}}
---
kind: WrapUpCode
tenant: {tenant}
id: resolved
spec: {{name: Resolved}}
---
kind: Queue
tenant: {tenant}
id: shop
spec:
  name: Shop
  members: [eve]
  alerting_timeout_s: 60
  wrap_up: {{policy: optional, codes: [resolved]}}
---
kind: ChannelAccount
tenant: {tenant}
id: web
spec: {{channel: web, name: The page, queue: shop, session_minutes: 60}}
---
kind: Deployment
tenant: {tenant}
id: {tenant}
spec:
  name: The page
  account: web
  allowed_origins: [\"{ORIGIN}\"]
  messenger: {{shows_end: true, may_clear: true}}
  sign_in:
    issuer: {ORIGIN}
    audience: weft
    step_up: true
    keys: [{{algorithm: EdDSA, x: \"{x}\"}}]
"
    )
}

async fn open() -> anyhow::Result<Shop> {
    let directory = config::test_stack()?;
    let stack = Stack::of_directory(&directory)?;
    for command in [&["topics", "apply"][..], &["schemas", "register"], &["migrate"]] {
        stack.weft(command).await?;
    }
    let tenant = format!("guests-{}", clock::now().as_ms() / 1000);
    let file = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    std::fs::write(file.path(), documents(&tenant))?;
    stack.weft(&["apply", "-f", file.path().to_str().context("a plain path")?]).await?;
    let logs: &Path = &directory.join("logs");
    std::fs::create_dir_all(logs)?;
    let services = Services::start(stack, logs).await?;
    let agent = Agent::new(services.stack(), &tenant, "eve")?;
    agent.sit_down().await?;
    wait_for("routing to know eve", WAIT_MAX, || async {
        agent.presence("on_queue").await.map_err(|error| format!("{error:#}"))
    })
    .await?;
    Ok(Shop { services, tenant, agent })
}

impl Shop {
    fn guest(&self) -> anyhow::Result<Guest> {
        Guest::new(self.services.stack(), &self.tenant, ORIGIN)
    }

    /// The conversation of the latest offer but those before, accepted.
    async fn accepts(&self, before: usize) -> anyhow::Result<String> {
        let offer = wait_for("an offer", WAIT_MAX, || async {
            let offers = self.agent.seen().offers.clone();
            offers.get(before).cloned().ok_or(format!("{} offers", offers.len()))
        })
        .await?;
        self.agent.accept(&offer.conversation_id).await?;
        Ok(offer.conversation_id)
    }

    fn code(&self, subject: &str) -> String {
        let exp = clock::now().as_ms() / 1000 + 300;
        let claims =
            json!({"iss": ORIGIN, "aud": "weft", "sub": subject, "exp": exp, "deployment": self.tenant, "name": "Ada"});
        let header = json!({"alg": "EdDSA", "typ": "JWT"});
        let message = [header, claims].map(|part: Value| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = URL_SAFE_NO_PAD.encode(key().sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

async fn is_answered_and_comes_back(shop: &Shop) -> anyhow::Result<()> {
    let mut guest = shop.guest()?;
    let session = guest.comes().await?;
    ensure!(session["newSession"] == true, "{session}");
    guest.writes("where is my parcel?").await?;
    guest.hears("where is my parcel?").await?;
    let conversation = shop.accepts(0).await?;
    shop.agent.reply(&conversation, "let me look").await?;
    let answer = guest.hears("let me look").await?;
    let message_id = answer["id"].as_str().context("an id")?.to_owned();
    let read = json!({"type": "Receipt", "messageId": message_id, "status": "Read"});
    guest.asks(json!({"action": "onMessage", "message": read})).await?;
    wait_for("the agent to be shown that it was read", WAIT_MAX, || async {
        let states = shop.agent.seen().states_of(&message_id);
        if states.contains(&"read".to_owned()) { Ok(()) } else { Err(format!("{states:?}")) }
    })
    .await?;

    guest.vanishes();
    shop.agent.reply(&conversation, "it left this morning").await?;
    shop.agent.reply(&conversation, "and comes tomorrow").await?;
    let session = guest.comes().await?;
    ensure!(session["newSession"] == false && session["missed"] == 2, "{session}");
    ensure!(session["missedIsComplete"] == true, "{session}");
    guest.hears("and comes tomorrow").await?;

    let mut phone = guest.another();
    ensure!(phone.comes().await?["missed"] == 0, "the phone has seen what the browser has");
    phone.writes("thank you").await?;
    phone.hears("thank you").await?;
    guest.hears("thank you").await?;
    let texts: Vec<&str> = guest.shown.iter().map(|(_, text)| text.as_str()).collect();
    ensure!(
        texts == ["where is my parcel?", "let me look", "it left this morning", "and comes tomorrow", "thank you"],
        "{texts:?}"
    );

    guest.vanishes();
    phone.vanishes();
    shop.agent.reply(&conversation, "before the gateway dies").await?;
    shop.services.kill("gateway").await?;
    wait_for("eve to be back", WAIT_MAX, || async {
        let seen = shop.agent.seen();
        if seen.hellos > 1 { Ok(()) } else { Err(seen.trouble.clone()) }
    })
    .await?;
    shop.agent.insists(&conversation, "and after it").await?;
    let (last, shown) = (guest.last.clone(), guest.shown.clone());
    let mut tries = 0;
    while guest.comes().await?["missedIsComplete"] != true {
        tries += 1;
        ensure!(tries < 10, "what was missed never came from the archive");
        (guest.last, guest.shown) = (last.clone(), shown.clone());
    }
    guest.hears("and after it").await?;
    ensure!(guest.shown.len() == shown.len() + 2, "{:?}", guest.shown);

    let history = guest.asks(json!({"action": "getHistory", "pageSize": 100})).await?;
    ensure!(history["body"]["messages"].as_array().map(Vec::len) == Some(7), "{history}");
    shop.agent.disconnect(&conversation).await?;
    while !guest.events.iter().any(|event| event["body"]["cause"] == "agent_disconnect") {
        guest.next().await.context("waiting for the end")?;
    }
    Ok(())
}

async fn signs_in_within_a_conversation(shop: &Shop) -> anyhow::Result<()> {
    let mut guest = shop.guest()?;
    guest.comes().await?;
    let before = shop.agent.seen().offers.len();
    guest.writes("hello").await?;
    guest.hears("hello").await?;
    let conversation = shop.accepts(before).await?;
    let unknown = guest.token.clone();
    let session = guest.signs_in(&shop.code("ada")).await?;
    ensure!(session["signedIn"] == true && session["newSession"] == false, "{session}");
    ensure!(guest.token != unknown, "another secret");
    shop.agent.reply(&conversation, "hello Ada").await?;
    guest.hears("hello Ada").await?;

    let mut thief = shop.guest()?;
    thief.token = unknown;
    ensure!(thief.comes().await.is_err(), "the first secret is worth nothing any more");
    let mut careless = guest.another();
    ensure!(careless.comes().await.is_err(), "who has signed in must sign in again");
    let mut forged = shop.guest()?;
    ensure!(forged.signs_in(&format!("{}x", shop.code("ada"))).await.is_err(), "a forged sign-in");
    let mut elsewhere = Guest::new(shop.services.stack(), &shop.tenant, "https://evil.example")?;
    ensure!(elsewhere.connects().await.is_err(), "another origin");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_guest_is_answered_sleeps_comes_back_and_signs_in() {
    let shop = open().await.unwrap();
    is_answered_and_comes_back(&shop).await.unwrap();
    signs_in_within_a_conversation(&shop).await.unwrap();
}
