//! Wires the rooms together and runs until the end is asked for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use access::TokenSecrets;
use anyhow::{Context, bail};
use schemas::codec::Codec;
use schemas::ids::KeySecret;
use schemas::topics::{
    CHANNEL_INBOUND, CHANNEL_RAW, CONFIG_ENTITIES, CONVERSATION_COMMANDS, CUSTOMER_ALIASES, LARGE_RECORD_BYTES_MAX,
    Topic, dead_letter_topic,
};
use secrecy::{ExposeSecret, SecretString};
use stream::{Follow, Follower, FollowerSetup, InputRecord, KafkaSettings, Progress, Publisher, Shutdown};
use telemetry::{Admin, HttpMetrics};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::acceptance::{Acceptance, TOPICS};
use crate::config::{Config, IngestSettings};
use crate::intake::http::{Edge, Limits, router};
use crate::intake::knowledge::Knowledge;
use crate::intake::secrets::SecretBook;
use crate::metrics::{Metrics, SERVICE};
use crate::outlets::Log;
use crate::outlets::spool::{Spool, SpoolSettings, Spooled, drain};

/// A follower that has not moved for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);
/// How long open requests may take to end.
const FINISH: Duration = Duration::from_secs(10);
/// What is taken from disk waits this long for Kafka before it is given to the client anew; given
/// up one by one, records would change places.
const DRAIN_PATIENCE_MS: u64 = 600_000;
/// What a record holds beside the body: headers, ids, the frame; twice, in a dead letter.
const AROUND_BODY_BYTES: usize = 256 << 10;

/// Takes webhooks until `shutdown`.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let tokens = TokenSecrets::parse(config.token_secret.expose_secret()).context("token_secret")?;
    let kafka = with_large_records(config.kafka)?;
    check_body_size(config.ingest.body_bytes_max)?;
    let admin = Admin::new(SERVICE)?;
    let progress = Progress::new();
    let (alive, ready) = (progress.clone(), progress.clone());
    admin.health.live("follower", move || alive.alive(STUCK));
    admin.health.ready("follower", move || ready.ready());
    let listening = admin.health.check("listening");
    admin.serve(config.ingest.admin_listen).await?;
    let metrics = Metrics::register(&admin.registry)?;
    let http = HttpMetrics::register(&admin.registry, SERVICE)?;

    let codec = Arc::new(Codec::connect(&config.schema_registry, &TOPICS).await.context("schemas")?);
    let secret = KeySecret::new(config.key_secret.expose_secret());
    let ending = Ending { shutdown: shutdown.clone(), broken: Arc::default() };
    let pupil = Pupil {
        knowledge: Knowledge::default(),
        codec: Arc::clone(&codec),
        fingerprint: secret.fingerprint(),
        metrics: metrics.clone(),
        ending: ending.clone(),
    };
    let knowledge = pupil.knowledge.clone();
    let setup = FollowerSetup {
        client_id: "weft.ingest.follower".into(),
        settings: kafka.clone(),
        progress,
        shutdown: shutdown.clone(),
    };
    let follower = tokio::task::spawn_blocking(move || pupil.follow(&setup)).await??;
    caught_up(&follower, &shutdown).await;

    let settings = config.ingest;
    let spool = open_spool(&settings, &config.key_secret, &metrics)?;
    let log = connect_log(&kafka, spool, &ending)?;
    let edge = Edge {
        acceptance: Arc::new(Acceptance {
            codec,
            secret,
            knowledge,
            log,
            ack_timeout: Duration::from_millis(settings.ack_timeout_ms),
            metrics,
        }),
        secrets: Arc::new(SecretBook::new(Duration::from_secs(settings.secret_refresh_s))),
        tokens: Arc::new(tokens),
        limits: limits(&settings),
        rates: Arc::default(),
        places: Arc::new(Semaphore::new(settings.requests_max)),
    };
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("ingest.listen: cannot listen on {}", settings.listen))?;
    listening.ok();
    tracing::info!(address = %listener.local_addr()?, "listening");
    let asked = shutdown.clone();
    let counts = (SERVICE, network::Metrics::register(&admin.registry)?);
    let app = router(edge, &http);
    let serving = network::serve(listener, app, config.public_port, counts, async move { asked.wait().await });
    let finish = async {
        shutdown.wait().await;
        tokio::time::sleep(FINISH).await;
    };
    tokio::select! {
        () = serving => {}
        () = finish => tracing::warn!("some requests did not end in time"),
    }
    tokio::task::spawn_blocking(move || follower.join()).await??;
    ending.broken.get().map_or(Ok(()), |error| bail!("{error}"))
}

fn limits(settings: &IngestSettings) -> Limits {
    Limits {
        body_bytes_max: settings.body_bytes_max,
        body_timeout: Duration::from_millis(settings.body_timeout_ms),
        endpoint_requests_per_s_max: settings.endpoint_requests_per_s_max,
        client_requests_per_s_max: settings.client_requests_per_s_max,
    }
}

/// A raw request may be larger than the client's default of 1 MB.
fn with_large_records(mut kafka: KafkaSettings) -> anyhow::Result<KafkaSettings> {
    kafka.check()?;
    let limit = LARGE_RECORD_BYTES_MAX.to_string();
    kafka.client.entry("message.max.bytes".into()).or_insert(limit);
    Ok(kafka)
}

fn check_body_size(body_bytes_max: usize) -> anyhow::Result<()> {
    let largest = usize::try_from(LARGE_RECORD_BYTES_MAX).unwrap_or(usize::MAX) - AROUND_BODY_BYTES;
    if body_bytes_max > largest {
        bail!("ingest.body_bytes_max: expected at most {largest}, got {body_bytes_max}");
    }
    Ok(())
}

/// The spool of the settings, with what a former process left in it.
fn open_spool(
    settings: &IngestSettings,
    secret: &SecretString,
    metrics: &Metrics,
) -> anyhow::Result<Option<Arc<Spool>>> {
    if settings.spool_directory.as_os_str().is_empty() {
        return Ok(None);
    }
    if settings.spool_after_ms >= settings.ack_timeout_ms {
        let (after, whole) = (settings.spool_after_ms, settings.ack_timeout_ms);
        bail!("ingest.spool_after_ms: expected less than ack_timeout_ms ({whole}), got {after}");
    }
    let spool = SpoolSettings {
        directory: settings.spool_directory.clone(),
        bytes_max: settings.spool_bytes_max,
        age_max: Duration::from_secs(settings.spool_age_max_s),
        after: Duration::from_millis(settings.spool_after_ms),
    };
    Ok(Some(Spool::open(spool, secret.expose_secret().as_bytes(), metrics.clone())?))
}

/// Kafka, with the spool behind it if there is one, which begins to move what it holds.
fn connect_log(kafka: &KafkaSettings, spool: Option<Arc<Spool>>, ending: &Ending) -> anyhow::Result<Arc<dyn Log>> {
    let direct: Arc<dyn Log> = Arc::new(Publisher::connect(kafka, "weft.ingest")?);
    let Some(spool) = spool else {
        return Ok(direct);
    };
    let patient = KafkaSettings { publish_timeout_ms: DRAIN_PATIENCE_MS, ..kafka.clone() };
    let publisher = Arc::new(Publisher::connect(&patient, "weft.ingest.spool")?);
    let (draining, ending) = (drain(Arc::clone(&spool), publisher), ending.clone());
    tokio::spawn(async move {
        if let Err(fault) = draining.await {
            ending.end(fault.to_string());
        }
    });
    Ok(Arc::new(Spooled::new(direct, spool)))
}

async fn caught_up(follower: &Follower, shutdown: &Shutdown) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !follower.caught_up() && !shutdown.requested() {
        look.tick().await;
    }
}

/// Turns records into knowledge.
struct Pupil {
    knowledge: Knowledge,
    codec: Arc<Codec>,
    fingerprint: String,
    metrics: Metrics,
    ending: Ending,
}

/// How anything here ends the process with an error.
#[derive(Clone)]
struct Ending {
    shutdown: Shutdown,
    broken: Arc<OnceLock<String>>,
}

impl Ending {
    fn end(&self, error: String) {
        self.broken.get_or_init(|| error);
        self.shutdown.request();
    }
}

impl Pupil {
    fn follow(self, setup: &FollowerSetup) -> anyhow::Result<Follower> {
        let there = stream::Admin::new(&setup.settings)?.partitions()?;
        let written = [CHANNEL_RAW, CHANNEL_INBOUND, CONVERSATION_COMMANDS].iter().map(|topic| topic.name.to_owned());
        let needed = written.chain([dead_letter_topic(CHANNEL_RAW.name)]);
        for topic in needed {
            if !there.contains_key(&topic) {
                bail!("topic {topic} is missing; create it with `weft topics apply`");
            }
        }
        let topics: [Topic; 2] = [CONFIG_ENTITIES, CUSTOMER_ALIASES];
        let follow = Follow::new(topics.map(|topic| topic.name));
        Ok(Follower::start(follow, setup, move |record| self.learn(&record))?)
    }

    fn learn(&self, record: &InputRecord<'_>) {
        self.metrics.records_in.with_label_values(&[SERVICE, record.topic]).inc();
        match self.knowledge.learn(&self.codec, record) {
            Ok(()) => {}
            Err(error) if error.is_worlds() => self.ending.end(format!("cannot go on without a record: {error}")),
            Err(error) => {
                self.metrics.unreadable.with_label_values(&[record.topic, error.reason()]).inc();
                tracing::error!(%error, at = record.coordinates(), "record cannot be read");
            }
        }
        if let Some(tenant) = self.knowledge.now().tenant_of_other_secret(&self.fingerprint) {
            self.ending.end(format!("key_secret: the customer keys of tenant {tenant} were made with another secret"));
        }
    }
}
