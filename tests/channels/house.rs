//! Ingest's public port and delivery's machine with its real calls, joined without Kafka: what
//! ingest would write is handed to delivery, what delivery decides is done. Time is the wall clock
//! and what a test skips.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access::{Claims, Subject, TokenSecrets};
use delivery::config::DeliverySettings;
use delivery::core::bots::{BotCall, BotCallEnded, TurnFinished};
use delivery::core::effect::{Effect, Send};
use delivery::core::event::{CallEnded, ErrandEnded, Event};
use delivery::core::media::{Copy, CopyEnded};
use delivery::core::{Delivery, Policy};
use delivery::outlets::Calls;
use delivery::outlets::bots::BotCalls;
use delivery::outlets::media::Fetcher;
use ingest::acceptance::Acceptance;
use ingest::intake::http::{Edge, Limits, router};
use ingest::intake::knowledge::Knowledge;
use ingest::intake::secrets::SecretBook;
use ingest::outlets::{Appending, Log};
use network::Place;
use objects::{Media, MediaSettings};
use schemas::codec::Codec;
use schemas::ids::{ConversationId, CustomerKey, EventId, KeySecret, MessageId};
use schemas::records::{
    AccountState, Channel, ConfigEntity, Content, ConversationEvent, ConversationEventKind, Customer, DeliveryEvent,
    DeliveryRequest, DeliveryRequestKind, Direction, InboundEvent, MessageAdded, Resend, Sender, SenderKind,
};
use schemas::topics::{CHANNEL_INBOUND, CONFIG_ENTITIES, CONVERSATION_EVENTS, DELIVERY_REQUESTS, Topic};
use serde_json::{Value, json};
use stream::testing::TaskDriver;
use stream::{InputRecord, Output, Timestamp, clock};
use telemetry::HttpMetrics;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};

pub(crate) const TENANT: &str = "acme";
pub(crate) const ACCOUNT: &str = "main";
const DEADLINE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(10);

/// What ingest writes.
struct Pipe(mpsc::UnboundedSender<Output>);

impl Log for Pipe {
    fn append(&self, records: Vec<Output>) -> Appending<'_> {
        Box::pin(async move {
            // The house may be gone already when a late webhook comes.
            records.into_iter().for_each(|record| drop(self.0.send(record)));
            Ok(())
        })
    }
}

/// The house.
pub(crate) struct House {
    pub(crate) ingest_url: String,
    pub(crate) token: String,
    pub(crate) folder: tempfile::TempDir,
    /// What delivery said, in order.
    pub(crate) said: Vec<DeliveryEvent>,
    pub(crate) accounts: Vec<AccountState>,
    /// What somebody said elsewhere, by its words.
    pub(crate) foreign: Vec<String>,
    /// What ingest read.
    pub(crate) inbound: Vec<InboundEvent>,
    /// What was laid aside after its schedule.
    pub(crate) laid_aside: Vec<MessageId>,
    /// What threading said, with the customer it is about.
    spoken: Vec<(String, ConversationEvent)>,
    driver: TaskDriver<Delivery>,
    calls: Arc<Calls>,
    fetcher: Arc<Fetcher>,
    bots: Arc<BotCalls>,
    /// Bot turns that ended.
    pub(crate) turned: Vec<TurnFinished>,
    pub(crate) media: Media,
    codec: Arc<Codec>,
    secret: KeySecret,
    knowledge: Knowledge,
    inbox: mpsc::UnboundedReceiver<Output>,
    ended: mpsc::UnboundedReceiver<ErrandEnded>,
    ends: mpsc::UnboundedSender<ErrandEnded>,
    skipped_ms: i64,
    asked: i64,
    version: i64,
}

fn topics() -> Vec<Topic> {
    let mut topics = delivery::TOPICS.to_vec();
    for topic in ingest::acceptance::TOPICS {
        if !topics.iter().any(|known| known.name == topic.name) {
            topics.push(topic);
        }
    }
    topics
}

/// A folder for media, and who fetches and calls.
fn outlets(secret: &KeySecret, tokens: &TokenSecrets, store: &Path) -> (Calls, Fetcher, Media) {
    #[derive(serde::Deserialize)]
    struct Defaults {
        media: MediaSettings,
    }
    let settings = DeliverySettings {
        admin_listen: "127.0.0.1:0".parse().unwrap(),
        account_calls_max: 32,
        account_rate_share: 1.0,
        connect_timeout_ms: 2_000,
        ports: vec![443],
        internal_hosts: vec![Place::try_from("127.0.0.1".to_owned()).unwrap()],
        media_internal_hosts: vec![Place::try_from("127.0.0.1".to_owned()).unwrap()],
        denied_hosts: Vec::new(),
        media_fetches_max: 8,
        media_timeout_ms: 2_000,
    };
    let metrics = delivery::metrics::Metrics::start(&prometheus::Registry::new()).unwrap();
    let mut kept = settings::defaults::<Defaults>().unwrap().media;
    kept.store = Some(store.to_str().unwrap().to_owned());
    let media = Media::open(&kept, tokens).unwrap().unwrap();
    let calls = Calls::new(&settings, secret.clone(), metrics.clone()).unwrap();
    let fetcher = Fetcher::new(&settings, media.clone(), Arc::default(), metrics).unwrap();
    (calls, fetcher, media)
}

/// What the shop shows to ingest.
fn inbound_token(tokens: &TokenSecrets) -> String {
    tokens.mint(&Claims {
        tenant: TENANT.into(),
        subject: Subject::Client("shop".into()),
        scopes: vec!["inbound".into()],
        supervisor: false,
        expires_at_ms: None,
        id: "t".into(),
    })
}

impl House {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let codec = Arc::new(Codec::offline(&topics()));
        let (secret, knowledge) = (KeySecret::new("a key secret of tests"), Knowledge::default());
        let tokens = TokenSecrets::parse("a token secret of tests").unwrap();
        let token = inbound_token(&tokens);
        let ingest_registry = prometheus::Registry::new();
        let (calls, fetcher, media) = outlets(&secret, &tokens, &folder.path().join("media"));
        let (writes, inbox) = mpsc::unbounded_channel();
        let (ends, ended) = mpsc::unbounded_channel();
        let acceptance = Acceptance {
            codec: Arc::clone(&codec),
            secret: secret.clone(),
            knowledge: knowledge.clone(),
            log: Arc::new(Pipe(writes)),
            ack_timeout: Duration::from_secs(10),
            metrics: ingest::metrics::Metrics::register(&ingest_registry).unwrap(),
        };
        let edge = Edge {
            acceptance: Arc::new(acceptance),
            secrets: Arc::new(SecretBook::new(Duration::from_secs(60))),
            tokens: Arc::new(tokens),
            limits: Limits {
                body_bytes_max: 1 << 20,
                body_timeout: Duration::from_secs(10),
                endpoint_requests_per_s_max: 10_000,
                client_requests_per_s_max: 10_000,
            },
            rates: Arc::default(),
            places: Arc::new(Semaphore::new(64)),
        };
        let http = HttpMetrics::register(&ingest_registry, "ingest").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ingest_url = format!("http://{}", listener.local_addr().unwrap());
        let routes = router(edge, &http);
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let (bots, calls, fetcher) = (Arc::new(calls.bots()), Arc::new(calls), Arc::new(fetcher));
        let driver = TaskDriver::new(Delivery { policy: Policy { copies_max: 4, ..Policy::default() } });
        Self {
            ingest_url,
            token,
            folder,
            said: Vec::new(),
            accounts: Vec::new(),
            foreign: Vec::new(),
            inbound: Vec::new(),
            laid_aside: Vec::new(),
            spoken: Vec::new(),
            driver,
            calls,
            fetcher,
            bots,
            turned: Vec::new(),
            media,
            codec,
            secret,
            knowledge,
            inbox,
            ended,
            ends,
            skipped_ms: 0,
            asked: 0,
            version: 0,
        }
    }

    fn now(&self) -> Timestamp {
        clock::now().plus_ms(self.skipped_ms)
    }

    /// A secret as configuration refers to it.
    pub(crate) fn secret_file(folder: &Path, name: &str, secret: &str) -> Value {
        let path = folder.join(name);
        std::fs::write(&path, secret).unwrap();
        json!({ "file": path })
    }

    /// Applies a document to both services.
    pub(crate) fn configure(&mut self, kind: &str, id: &str, spec: &Value) {
        self.version += 1;
        let entity = ConfigEntity {
            tenant: TENANT.into(),
            kind: kind.into(),
            id: id.into(),
            version: self.version,
            body: spec.to_string(),
            ..ConfigEntity::default()
        };
        let payload = self.codec.encode(CONFIG_ENTITIES.name, &entity).unwrap();
        let key = format!("{TENANT}/{kind}/{id}");
        let record = input(CONFIG_ENTITIES.name, &key, &payload);
        self.knowledge.learn(&self.codec, &record).unwrap();
        if let Some(event) = delivery::intake::read(&self.codec, &self.secret, &record).unwrap() {
            self.apply(event);
        }
    }

    pub(crate) fn key(&self, account: &str, channel: Channel, customer: &str) -> CustomerKey {
        CustomerKey::derive(&self.secret, &TENANT.into(), channel.as_str(), &account.into(), customer)
    }

    /// Routing asks for something.
    pub(crate) fn request(&mut self, request: &DeliveryRequest) {
        let payload = self.codec.encode(DELIVERY_REQUESTS.name, request).unwrap();
        self.feed(DELIVERY_REQUESTS.name, request.customer_key, &payload);
    }

    /// What ingest read of a customer's message, as threading lets it out; the message's id.
    pub(crate) fn receive(&mut self, channel: Channel, customer: &str, content: Content) -> MessageId {
        self.asked += 1;
        let message_id = MessageId::derive(&["received", &self.asked.to_string()]);
        let added = MessageAdded { message_id, direction: Direction::Inbound, content, ..MessageAdded::default() };
        self.say(ACCOUNT, channel, customer, ConversationEventKind::MessageAdded(Box::new(added)));
        message_id
    }

    /// An agent says something to a customer; the message's id.
    pub(crate) fn ask(&mut self, channel: Channel, customer: &str, content: Content) -> MessageId {
        self.ask_until(channel, customer, content, None)
    }

    /// The same by another account.
    pub(crate) fn ask_of(&mut self, account: &str, channel: Channel, customer: &str, content: Content) -> MessageId {
        let added = MessageAdded { content, ..MessageAdded::default() };
        self.asked(account, channel, customer, added)
    }

    /// The same with the end of the reply window.
    pub(crate) fn ask_until(
        &mut self,
        channel: Channel,
        customer: &str,
        content: Content,
        window_ends_at: Option<i64>,
    ) -> MessageId {
        let added = MessageAdded { content, window_ends_at, ..MessageAdded::default() };
        self.asked(ACCOUNT, channel, customer, added)
    }

    fn asked(&mut self, account: &str, channel: Channel, customer: &str, added: MessageAdded) -> MessageId {
        self.asked += 1;
        let message_id = MessageId::derive(&["asked", &self.asked.to_string()]);
        let added = MessageAdded {
            message_id,
            direction: Direction::Outbound,
            sender: Sender { kind: SenderKind::Agent, id: Some("eva".into()) },
            customer: Some(Customer { id: customer.into(), id_type: "user_id".into(), ..Customer::default() }),
            ..added
        };
        self.say(account, channel, customer, ConversationEventKind::MessageAdded(Box::new(added)));
        message_id
    }

    /// Threading says something of a customer's conversation.
    pub(crate) fn say(&mut self, account: &str, channel: Channel, customer: &str, kind: ConversationEventKind) {
        let (now_ms, no) = (self.now().as_ms(), self.spoken.len());
        let event = ConversationEvent {
            event_id: EventId::derive(&["said", &no.to_string()]),
            tenant: TENANT.into(),
            occurred_at: now_ms,
            recorded_at: now_ms,
            conversation_id: ConversationId::derive(&[customer]),
            stint_id: None,
            seq: self.asked,
            channel,
            account_id: account.into(),
            customer_key: self.key(account, channel, customer),
            kind,
        };
        self.spoken.push((customer.to_owned(), event.clone()));
        let payload = self.codec.encode(CONVERSATION_EVENTS.name, &event).unwrap();
        self.feed(CONVERSATION_EVENTS.name, event.customer_key, &payload);
    }

    /// An operator wants all that was said to leave once more.
    pub(crate) fn resend(&mut self, mode: &str, request_id: &str) {
        for (customer, event) in self.spoken.clone() {
            let resend = Resend {
                mode: mode.into(),
                request_id: request_id.into(),
                attempts: 0,
                customer_id: Some(customer),
                event: self.codec.encode(CONVERSATION_EVENTS.name, &event).unwrap(),
            };
            let request = DeliveryRequest {
                event_id: EventId::default(),
                tenant: TENANT.into(),
                occurred_at: 0,
                recorded_at: 0,
                routing_domain: TENANT.into(),
                conversation_id: None,
                stint_id: None,
                account_id: None,
                customer_key: event.customer_key,
                kind: DeliveryRequestKind::Resend(resend),
            };
            let payload = self.codec.encode(DELIVERY_REQUESTS.name, &request).unwrap();
            self.feed(DELIVERY_REQUESTS.name, event.customer_key, &payload);
        }
    }

    fn feed(&mut self, topic: &str, key: CustomerKey, payload: &[u8]) {
        let key = key.to_string();
        let read = delivery::intake::read(&self.codec, &self.secret, &input(topic, &key, payload)).unwrap();
        read.into_iter().for_each(|event| self.apply(event));
    }

    fn apply(&mut self, event: Event) {
        let now = self.now();
        let effects = self.driver.apply(event, now);
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Event(event) => self.said.push(*event),
                Effect::Account(state) => self.accounts.push(*state),
                Effect::Foreign(echo, _) => self.foreign.push(echo.content.text.unwrap_or_default()),
                Effect::Send(send) | Effect::Signal(send) => self.call(*send),
                Effect::Copy(copy) => self.copy(*copy),
                Effect::CallBot(call) => self.call_bot(*call),
                Effect::Turned(turned) => self.turned.push(*turned),
                Effect::DeadLetter(one) => self.laid_aside.push(one.asked.added.message_id),
                Effect::Quiet(_) | Effect::OptedOut(_) | Effect::Ignored(_) => {}
            }
        }
    }

    fn call(&self, send: Send) {
        let (calls, ends) = (Arc::clone(&self.calls), self.ends.clone());
        tokio::spawn(async move {
            let outcome = calls.call(&send, || true).await;
            let Send { message_id, attempt_no, part_no, .. } = send;
            // The house may have closed while the call was out.
            let ended = CallEnded { message_id, attempt_no, part_no, at: clock::now(), outcome };
            drop(ends.send(ErrandEnded::Send(ended)));
        });
    }

    fn call_bot(&self, call: BotCall) {
        let (bots, ends) = (Arc::clone(&self.bots), self.ends.clone());
        tokio::spawn(async move {
            let outcome = bots.call(&call, || true).await;
            let (turn_id, try_no) = (call.asked.turn_id, call.try_no);
            drop(ends.send(ErrandEnded::Bot(BotCallEnded { turn_id, try_no, at: clock::now(), outcome })));
        });
    }

    fn copy(&self, copy: Copy) {
        let (fetcher, ends) = (Arc::clone(&self.fetcher), self.ends.clone());
        tokio::spawn(async move {
            let outcome = fetcher.copy(&copy, || true).await;
            let ended = CopyEnded { key: copy.key, attempt_no: copy.attempt_no, at: clock::now(), outcome };
            drop(ends.send(ErrandEnded::Copy(ended)));
        });
    }

    fn hear(&mut self, output: &Output) {
        if output.topic != CHANNEL_INBOUND.name {
            return;
        }
        let (key, payload) = (String::from_utf8(output.key.clone()).unwrap(), output.payload.clone().unwrap());
        self.inbound.push(self.codec.decode(&payload).unwrap());
        let record = input(CHANNEL_INBOUND.name, &key, &payload);
        if let Some(event) = delivery::intake::read(&self.codec, &self.secret, &record).unwrap() {
            self.apply(event);
        }
    }

    /// Lives on until `done`, skipping `skip_ms` whenever nothing happened for a while.
    pub(crate) async fn until(&mut self, what: &str, skip_ms: i64, done: impl Fn(&Self) -> bool) {
        let begun = clock::Stamp::now();
        let mut quiet = 0;
        while !done(self) {
            let kinds: VecDeque<String> = self.said.iter().map(word).collect();
            assert!(begun.elapsed() < DEADLINE, "waited for {what}; said {kinds:?}, accounts {:?}", self.accounts);
            tokio::select! {
                Some(output) = self.inbox.recv() => {
                    self.hear(&output);
                    quiet = 0;
                }
                Some(ended) = self.ended.recv() => {
                    self.apply(match ended {
                        ErrandEnded::Send(ended) => Event::Called(ended),
                        ErrandEnded::Copy(ended) => Event::Copied(ended),
                        ErrandEnded::Bot(ended) => Event::BotCalled(ended),
                    });
                    quiet = 0;
                }
                () = tokio::time::sleep(TICK) => quiet += 1,
            }
            if quiet > 20 {
                self.skipped_ms += skip_ms;
                quiet = 0;
            }
            let now = self.now();
            let effects = self.driver.advance_to(now);
            self.perform(effects);
        }
    }

    /// What was said of a message, each in a word.
    pub(crate) fn story(&self, id: MessageId) -> Vec<String> {
        self.said.iter().filter(|event| event.message_id == id).map(word).collect()
    }

    /// Whether this was said of a message.
    pub(crate) fn has(&self, id: MessageId, kind: &str) -> bool {
        self.story(id).iter().any(|word| word.split(' ').next() == Some(kind))
    }
}

/// An event in a word, with its reason where it has one.
fn word(event: &DeliveryEvent) -> String {
    use schemas::records::DeliveryEventKind as Kind;
    let reason = match &event.kind {
        Kind::Ambiguous(ambiguous) => &ambiguous.reason,
        Kind::Retrying(retrying) => &retrying.reason,
        Kind::Failed(failed) => &failed.reason,
        Kind::Refused(refused) => &refused.reason,
        Kind::Exhausted(exhausted) => &exhausted.reason,
        Kind::Claimed(_)
        | Kind::PartSent(_)
        | Kind::Sent(_)
        | Kind::Delivered(_)
        | Kind::Read(_)
        | Kind::BotTurnFinished(_)
        | Kind::DataActionFinished(_)
        | Kind::MediaStored(_)
        | Kind::MediaFailed(_)
        | Kind::Unknown(_) => return event.kind.name().to_owned(),
    };
    format!("{} {reason}", event.kind.name())
}

fn input<'a>(topic: &'a str, key: &'a str, payload: &'a [u8]) -> InputRecord<'a> {
    InputRecord {
        topic,
        partition: 0,
        offset: 0,
        timestamp: clock::now(),
        key: Some(key.as_bytes()),
        payload: Some(payload),
        headers: &[],
    }
}
