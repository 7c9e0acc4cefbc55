//! Wires the rooms together and runs until the end is asked for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use access::TokenSecrets;
use anyhow::{Context, bail};
use axum::middleware::from_fn_with_state;
use schemas::codec::{Codec, RegistrySettings};
use schemas::ids::KeySecret;
use schemas::topics::LARGE_RECORD_BYTES_MAX;
use secrecy::{ExposeSecret, SecretString};
use stream::{FollowerSetup, KafkaSettings, Progress, Publisher, Shutdown};
use telemetry::{Admin, HttpMetrics};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::acceptance::{Acceptance, TOPICS};
use crate::config::{Config, IngestSettings};
use crate::intake::http::gate::{self, Gate};
use crate::intake::http::{Edge, Limits, router};
use crate::intake::knowledge::Knowledge;
use crate::intake::secrets::SecretBook;
use crate::metrics::{Metrics, SERVICE};
use crate::outlets::Log;
use crate::outlets::spool::{LastKnown, Spool, SpoolSettings, Spooled, drain};
use crate::pupil::Pupil;

/// A follower that has not moved for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);
/// How long open requests may take to end.
const FINISH: Duration = Duration::from_secs(10);
/// Between two tries to ask the schema registry.
const ASK_AGAIN: Duration = Duration::from_secs(1);
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
    let (progress, gate) = (Progress::new(), Gate::default());
    let (alive, ready) = (progress.clone(), gate.clone());
    admin.health.live("follower", move || alive.alive(STUCK));
    admin.health.ready("knowledge", move || ready.state());
    let listening = admin.health.check("listening");
    admin.serve(config.ingest.admin_listen).await?;
    let metrics = Metrics::register(&admin.registry)?;
    let http = HttpMetrics::register(&admin.registry, SERVICE)?;

    let settings = config.ingest;
    let ending = Ending { shutdown: shutdown.clone(), broken: Arc::default() };
    let spool = open_spool(&settings, &config.key_secret, &metrics)?;
    let copy = spool.clone().map(|spool| LastKnown::of(spool, config.key_secret.expose_secret().as_bytes()));
    let log = connect_log(&kafka, spool, &ending)?;
    let codec = Arc::new(connect_codec(&config.schema_registry, &shutdown).await.context("schemas")?);
    let secret = KeySecret::new(config.key_secret.expose_secret());
    let knowledge = Knowledge::default();
    let pupil = Pupil {
        knowledge: knowledge.clone(),
        codec: Arc::clone(&codec),
        fingerprint: secret.fingerprint(),
        metrics: metrics.clone(),
        ending: ending.clone(),
        gate: gate.clone(),
        shelf: Pupil::shelf(copy),
    };
    let client_id = "weft.ingest.follower".into();
    let setup = FollowerSetup { client_id, settings: kafka, progress, shutdown: shutdown.clone() };
    let learning = tokio::spawn(pupil.study(setup));
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
    let app = router(edge, &http).layer(from_fn_with_state(gate, gate::closed));
    let serving = network::serve(listener, app, config.public_port, counts, async move { asked.wait().await });
    let finish = async {
        shutdown.wait().await;
        tokio::time::sleep(FINISH).await;
    };
    tokio::select! {
        () = serving => {}
        () = finish => tracing::warn!("some requests did not end in time"),
    }
    learning.await?;
    ending.broken.get().map_or(Ok(()), |error| bail!("{error}"))
}

/// The codec, as soon as the registry can be asked: what a former process left on disk is moved meanwhile.
async fn connect_codec(registry: &RegistrySettings, shutdown: &Shutdown) -> anyhow::Result<Codec> {
    loop {
        match Codec::connect(registry, &TOPICS).await {
            Err(error) if error.is_registry_away() && !shutdown.requested() => {
                tracing::warn!(%error, "the schema registry is asked again");
                tokio::time::sleep(ASK_AGAIN).await;
            }
            answer => return Ok(answer?),
        }
    }
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

/// How anything here ends the process with an error.
#[derive(Clone)]
pub(crate) struct Ending {
    shutdown: Shutdown,
    broken: Arc<OnceLock<String>>,
}

impl Ending {
    pub(crate) fn end(&self, error: String) {
        self.broken.get_or_init(|| error);
        self.shutdown.request();
    }
}
