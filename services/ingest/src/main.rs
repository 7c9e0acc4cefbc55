//! The process: settings, telemetry, wires, run, exit code.

use ingest::config::Config;
use stream::Shutdown;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = settings::load::<Config>("ingest")?.config;
    telemetry::start(&config.log, "ingest")?;
    let shutdown = Shutdown::on_signals()?;
    ingest::run::run(config, shutdown).await
}
