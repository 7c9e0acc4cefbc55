//! The workloads.

mod codec;
mod delivery;
mod idle;
mod ingest;
mod journey;

mod limits;
mod memory;
mod recover;
mod resting;
mod restore;

mod threading;
mod window;

use std::fmt;

use clap::ValueEnum;
use tokio::runtime::Handle;

use crate::house::House;
use crate::options::Options;
use crate::report::Report;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// Raw loops of the client library and of memory: the denominators
    Limits,
    /// Replay of a backlog through threading, exactly once, beside the raw loop of the same shape
    Threading,
    /// Ten million resting conversations: bytes each, and throughput with them
    Window,
    /// State from the changelog: rows a second
    Restore,
    /// kill -9 under load: time to the next output
    Recover,
    /// Signed webhooks a second, each durable before its 200
    Ingest,
    /// Calls a second at 200 ms latency, and others' wait while an account is dead
    Delivery,
    /// Services with nothing to do: CPU, memory, start
    Idle,
    /// Webhook → routed and committed, at a quarter of the highest rate
    Journey,
    /// Records to bytes and back
    Codec,
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

/// What `make bench` says without a workload.
pub fn listing() -> String {
    let mut text = "make bench WORKLOAD=…  (ARGS=--help for sizes, ARGS=--short for a quick look)\n\n".to_owned();
    for workload in Workload::value_variants() {
        let value = workload.to_possible_value();
        let help = value.as_ref().and_then(|value| value.get_help()).map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("  {:<10} {help}\n", workload.to_string()));
    }
    text
}

/// Measures one.
///
/// # Errors
/// If something is missing, fails, or answers wrongly.
pub fn run(workload: Workload, options: &Options, runtime: &Handle) -> anyhow::Result<Report> {
    let house = || House::open(options, runtime);
    let report = match workload {
        Workload::Limits => limits::run(&house()?),
        Workload::Threading => threading::run(&house()?),
        Workload::Window => window::run(&house()?),
        Workload::Restore => restore::run(&house()?),
        Workload::Recover => recover::run(&house()?),
        Workload::Ingest => ingest::run(&house()?),
        Workload::Delivery => delivery::run(&house()?),
        Workload::Idle => idle::run(&house()?),
        Workload::Journey => journey::run(&house()?),
        Workload::Codec => codec::run(options),
    };
    report.map(Report::finished)
}
