//! The process `weft-routing`.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use routing::config::Config;
use routing::metrics::Metrics;
use routing::{RoutingStation, TOPICS};
use schemas::codec::Codec;
use stream::{NoPerformer, Progress, ServiceName, Setup, Shutdown};
use telemetry::Admin;

const STALLED_AFTER: Duration = Duration::from_secs(60);

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let config: Config = match settings::load("routing") {
        Ok(started) => started.config,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "weft-routing: {error}");
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
    telemetry::start(&config.log, "routing")?;
    let admin = Admin::new("routing")?;
    let metrics = Metrics::register(&admin.registry)?;
    let progress = Progress::new();
    let (live, ready) = (progress.clone(), progress.clone());
    admin.health.live("loop", move || live.alive(STALLED_AFTER));
    admin.health.ready("tasks", move || ready.ready());
    admin.serve(config.routing.admin_listen).await?;
    let shutdown = Shutdown::on_signals()?;
    let codec = Codec::connect(&config.schema_registry, &TOPICS).await.context("schemas")?;
    let setup = Setup {
        service: ServiceName::new("routing"),
        settings: config.kafka,
        registry: admin.registry.clone(),
        progress,
        shutdown,
    };
    let station = RoutingStation::new(codec, metrics);
    tokio::task::spawn_blocking(move || stream::run(setup, station, NoPerformer)).await??;
    Ok(())
}
