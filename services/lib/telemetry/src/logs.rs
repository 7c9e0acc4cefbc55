//! Logs go to stderr, one JSON object a line.

use std::io::IsTerminal;
use std::panic::PanicHookInfo;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The section `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// `info`, or a filter such as `info,stream=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For a person at a terminal.
    Text,
}

/// Sets up logging for the process, a panic's last words included. Fails on a filter that cannot be
/// read and when called twice.
pub fn start(settings: &LogSettings, service: &'static str) -> anyhow::Result<()> {
    let filter = EnvFilter::builder().parse(&settings.level).map_err(|error| {
        anyhow::anyhow!("log.level: expected a level or a filter, found {:?}: {error}", settings.level)
    })?;
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_span_events(FmtSpan::NONE);
    let started = match settings.format {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging: {error}"))?;
    std::panic::set_hook(Box::new(move |panic| log_panic(service, panic)));
    tracing::info!(service, version = env!("CARGO_PKG_VERSION"), "starting");
    Ok(())
}

fn log_panic(service: &str, panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = std::backtrace::Backtrace::capture().to_string();
    tracing::error!(
        service,
        location,
        thread = thread.name().unwrap_or("unnamed"),
        backtrace,
        "panicked: {}",
        panic.payload_as_str().unwrap_or("no text")
    );
}
