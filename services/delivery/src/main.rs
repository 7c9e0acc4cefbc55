//! The process `weft-delivery`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use delivery::config::Config;
use delivery::core::Policy;
use delivery::metrics::Metrics;
use delivery::outlets::Performer;
use delivery::{DeliveryStation, TOPICS};
use schemas::codec::Codec;
use schemas::ids::KeySecret;
use secrecy::ExposeSecret;
use stream::{Progress, ServiceName, Setup, Shutdown};
use telemetry::Admin;

const STALLED_AFTER: Duration = Duration::from_secs(60);

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let config: Config = settings::load::<Config>("delivery")?.config;
    telemetry::start(&config.log, "delivery")?;
    let admin = Admin::new("delivery")?;
    let metrics = Metrics::start(&admin.registry)?;
    let progress = Progress::new();
    let (live, ready) = (progress.clone(), progress.clone());
    admin.health.live("loop", move || live.alive(STALLED_AFTER));
    admin.health.ready("tasks", move || ready.ready());
    admin.serve(config.delivery.admin_listen).await?;
    let shutdown = Shutdown::on_signals()?;
    let codec = Codec::connect(&config.schema_registry, &TOPICS).await.context("schemas")?;
    let secret = KeySecret::new(config.key_secret.expose_secret());
    let performer = Performer::of(&config, secret.clone(), metrics.clone())?;
    let copies_max = if performer.keeps_media() { config.delivery.media_fetches_max } else { 0 };
    let policy = Policy { account_claims_max: config.delivery.account_calls_max, copies_max };
    let setup = Setup {
        service: ServiceName::new("delivery"),
        settings: config.kafka,
        registry: admin.registry.clone(),
        progress,
        shutdown,
    };
    let station = DeliveryStation::new(policy, codec, secret, metrics);
    tokio::task::spawn_blocking(move || stream::run(setup, station, performer)).await??;
    Ok(())
}
