//! The process: settings, telemetry, wires, run, exit code.

use gateway::config::Config;
use stream::Shutdown;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let config = settings::load::<Config>("gateway")?.config;
    telemetry::start(&config.log, "gateway")?;
    let shutdown = Shutdown::on_signals()?;
    gateway::run::run(config, shutdown).await
}
