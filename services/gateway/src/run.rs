//! Wires the rooms together and runs until the end is asked for.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use access::TokenSecrets;
use anyhow::Context;
use objects::Media;
use schemas::codec::Codec;
use schemas::ids::KeySecret;
use schemas::topics::TOPICS;
use secrecy::ExposeSecret;
use stream::{Follow, FollowFrom, Follower, FollowerSetup, InputRecord, KafkaSettings, Progress, Publisher, Shutdown};
use telemetry::{Admin, HttpMetrics};
use tokio::net::TcpListener;

use crate::config::Config;
use crate::core::Seen;
use crate::hub::Hub;
use crate::intake::guest::deployment::Signer;
use crate::intake::records::{EVENTS, VIEWS, read};
use crate::intake::{Edge, router};
use crate::lobby::Lobby;
use crate::metrics::Metrics;
use crate::outlets::commands::Commands;
use crate::outlets::guests::GuestLog;
use crate::outlets::transcripts::Transcripts;

/// A follower that has not moved for this long is stuck.
const STUCK: Duration = Duration::from_secs(60);
/// How long open requests and sockets may take to end.
const FINISH: Duration = Duration::from_secs(10);

/// Serves agents until `shutdown`.
pub async fn run(config: Config, shutdown: Shutdown) -> anyhow::Result<()> {
    let secrets = TokenSecrets::parse(config.token_secret.expose_secret()).context("token_secret")?;
    config.kafka.check()?;
    let media = Media::open(&config.media, &secrets)?.map(Arc::new);
    let admin = Admin::new("gateway")?;
    let progress = Progress::new();
    let (alive, ready) = (progress.clone(), progress.clone());
    admin.health.live("followers", move || alive.alive(STUCK));
    admin.health.ready("followers", move || ready.ready());
    let listening = admin.health.check("listening");
    admin.serve(config.gateway.admin_listen).await?;
    let metrics = Metrics::register(&admin.registry)?;
    let http = HttpMetrics::register(&admin.registry, "gateway")?;
    let counts = ("gateway", network::Metrics::register(&admin.registry)?);

    let codec = Arc::new(Codec::connect(&config.schema_registry, TOPICS).await?);
    let log = Arc::new(Publisher::connect(&config.kafka, "weft.gateway")?);
    let gateway_id = format!("gateway-{}", config.kafka.instance);
    let commands = Commands::new(Arc::clone(&codec), log.clone(), metrics.clone(), &gateway_id);
    let guest_log = GuestLog::new(Arc::clone(&codec), log, metrics.clone());
    let transcripts = Transcripts::new(&config.clickhouse, Duration::from_millis(config.gateway.transcript_wait_ms));
    let listen = config.gateway.listen;
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("gateway.listen: cannot listen on {listen}"))?;
    let key_secret = KeySecret::new(config.key_secret.expose_secret());
    let fingerprint = key_secret.fingerprint();
    let lobby = Lobby::start(
        (config.guests, config.gateway.clone()),
        key_secret.clone(),
        (guest_log, commands.clone()),
        (transcripts.clone(), media.clone()),
        metrics.clone(),
    );
    let hub = Hub::start(config.gateway.clone(), key_secret, commands, transcripts, metrics);

    let setup = |name| follower_setup(name, &config.kafka, &progress, &shutdown);
    let (views, events) = (setup("views"), setup("events"));
    let broken = Arc::new(OnceLock::new());
    let see = Sight {
        hub: hub.clone(),
        lobby: lobby.clone(),
        fingerprint,
        codec,
        shutdown: shutdown.clone(),
        broken: Arc::clone(&broken),
    };
    let followers = tokio::task::spawn_blocking(move || see.follow(&views, &events)).await??;
    caught_up(&followers, &shutdown).await;
    listening.ok();
    tracing::info!(address = %listener.local_addr()?, "listening");
    let signer = Arc::new(Signer::new(&secrets));
    let edge = Edge { hub: hub.clone(), lobby, signer, secrets: Arc::new(secrets), media, shutdown: shutdown.clone() };
    let ending = shutdown.clone();
    let app = router(edge, &http);
    let serving = network::serve(listener, app, config.public_port, counts, async move { ending.wait().await });
    let finish = async {
        shutdown.wait().await;
        hub.close_all();
        tokio::time::sleep(FINISH).await;
    };
    tokio::select! {
        () = serving => {}
        () = finish => tracing::warn!("some requests did not end in time"),
    }
    for follower in followers {
        tokio::task::spawn_blocking(move || follower.join()).await??;
    }
    match broken.get() {
        Some(error) => Err(anyhow::anyhow!("{error}")),
        None => Ok(()),
    }
}

fn follower_setup(name: &str, kafka: &KafkaSettings, progress: &Progress, shutdown: &Shutdown) -> FollowerSetup {
    FollowerSetup {
        client_id: format!("weft.gateway.{name}"),
        settings: kafka.clone(),
        progress: progress.clone(),
        shutdown: shutdown.clone(),
    }
}

async fn caught_up(followers: &[Follower], shutdown: &Shutdown) {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while !followers.iter().all(Follower::caught_up) && !shutdown.requested() {
        look.tick().await;
    }
}

/// Turns records into what the hub sees.
#[derive(Clone)]
struct Sight {
    hub: Hub,
    lobby: Lobby,
    fingerprint: String,
    codec: Arc<Codec>,
    shutdown: Shutdown,
    broken: Arc<OnceLock<String>>,
}

impl Sight {
    /// Events first: what a view shows may rest on them, never the other way round.
    fn follow(self, views: &FollowerSetup, events: &FollowerSetup) -> Result<Vec<Follower>, stream::Fault> {
        let follow = Follow::new(EVENTS.map(|topic| topic.name)).from(FollowFrom::End);
        let sight = self.clone();
        let events = Follower::start(follow, events, move |record| sight.see(&record))?;
        let follow = Follow::new(VIEWS.map(|topic| topic.name));
        let views = Follower::start(follow, views, move |record| self.see(&record))?;
        Ok(vec![events, views])
    }

    fn see(&self, record: &InputRecord<'_>) {
        self.hub.metrics().records_in.with_label_values(&["gateway", record.topic]).inc();
        match read(&self.codec, record.topic, record.key, record.payload) {
            Ok(Some(Seen::Tenant { tenant, key_fingerprint: Some(theirs) })) if theirs != self.fingerprint => {
                self.broken
                    .get_or_init(|| format!("customer keys of tenant {tenant} were made with another key_secret"));
                self.shutdown.request();
            }
            Ok(Some(seen)) => {
                self.lobby.see(&seen);
                self.hub.see(seen);
            }
            Ok(None) => {}
            Err(error) if error.is_worlds() => {
                tracing::error!(%error, at = record.coordinates(), "cannot go on without this record");
                self.broken.get_or_init(|| format!("a record could not be read: {error}"));
                self.shutdown.request();
            }
            Err(error) => {
                self.hub.metrics().unreadable.with_label_values(&[record.topic, error.reason()]).inc();
                tracing::error!(%error, at = record.coordinates(), "record cannot be read");
            }
        }
    }
}
