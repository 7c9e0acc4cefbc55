//! The process: settings, telemetry, wires, run, exit code.

use std::io::Write;
use std::process::ExitCode;

use ingest::config::Config;
use stream::Shutdown;

#[tokio::main]
async fn main() -> ExitCode {
    let config = match settings::load::<Config>("ingest") {
        Ok(started) => started.config,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "weft-ingest: {error}");
            return ExitCode::from(2);
        }
    };
    match start(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn start(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.log, "ingest")?;
    let shutdown = Shutdown::on_signals()?;
    ingest::run::run(config, shutdown).await
}
