//! The process `weft-analytics`.

use std::process::ExitCode;
use std::time::Duration;

use analytics::config::Config;
use analytics::metrics::Metrics;
use analytics::outlets::ClickHouse;
use analytics::{AnalyticsStation, TOPICS};
use anyhow::Context;
use schemas::codec::Codec;
use stream::{Progress, ServiceName, Setup, Shutdown, run_sink};
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
    let config: Config = settings::load::<Config>("analytics")?.config;
    telemetry::start(&config.log, "analytics")?;
    let admin = Admin::new("analytics")?;
    let metrics = Metrics::register(&admin.registry)?;
    let progress = Progress::new();
    let (live, ready) = (progress.clone(), progress.clone());
    admin.health.live("loop", move || live.alive(STALLED_AFTER));
    admin.health.ready("sink", move || ready.ready());
    admin.serve(config.analytics.admin_listen).await?;
    let shutdown = Shutdown::on_signals()?;
    let codec = Codec::connect(&config.schema_registry, &TOPICS).await.context("schemas")?;
    let clickhouse = ClickHouse::new(&config.clickhouse, tokio::runtime::Handle::current(), metrics);
    let setup = Setup {
        service: ServiceName::new("analytics"),
        settings: config.kafka,
        registry: admin.registry.clone(),
        progress,
        shutdown,
    };
    let station = AnalyticsStation::new(codec, clickhouse);
    tokio::task::spawn_blocking(move || run_sink(setup, station)).await??;
    Ok(())
}
