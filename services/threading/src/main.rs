//! The process `weft-threading`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use schemas::codec::Codec;
use schemas::ids::KeySecret;
use secrecy::ExposeSecret;
use stream::{NoPerformer, Progress, ServiceName, Setup, Shutdown};
use telemetry::Admin;
use threading::config::Config;
use threading::metrics::Metrics;
use threading::{TOPICS, ThreadingStation};

const STALLED_AFTER: Duration = Duration::from_secs(60);

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let config: Config = match settings::load("threading") {
        Ok(started) => started.config,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "weft-threading: {error}");
            return ExitCode::from(2);
        }
    };
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.log, "threading")?;
    let admin = Admin::new("threading")?;
    let metrics = Metrics::register(&admin.registry)?;
    let progress = Progress::new();
    let (live, ready) = (progress.clone(), progress.clone());
    admin.health.live("loop", move || live.alive(STALLED_AFTER));
    admin.health.ready("tasks", move || ready.ready());
    admin.serve(config.threading.admin_listen).await?;
    let shutdown = Shutdown::on_signals()?;
    let codec = Codec::connect(&config.schema_registry, &TOPICS).await.context("schemas")?;
    let secret = KeySecret::new(config.key_secret.expose_secret());
    let setup = Setup {
        service: ServiceName::new("threading"),
        settings: config.kafka,
        registry: admin.registry.clone(),
        progress,
        shutdown,
    };
    let station = ThreadingStation::new(codec, secret, metrics);
    tokio::task::spawn_blocking(move || stream::run(setup, station, NoPerformer)).await??;
    Ok(())
}
