//! The fault bench: `make chaos`. Ends with 0 only if nothing was violated.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stream::clock;
use tests::chaos::controls::look_for;
use tests::chaos::report::{Report, last_line};
use tests::chaos::{Plan, run};

/// Kills, freezes and cuts off weft's services under load, and judges what remains.
///
/// Starts a Kafka, a schema registry and a ClickHouse of its own, all six services on top, and
/// people who write and answer; does one fault after the other to them; waits until everything is
/// well again; then compares what the outside saw with what was promised.
#[derive(Parser)]
#[command(
    name = "weft-chaos",
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  weft-chaos --short\n  weft-chaos --short --seed 7 --brokers 3\n  \
                  weft-chaos --kills 20 --zombies 0 --messages 20000\n  weft-chaos controls read_uncommitted\n\n\
                  The last line is `chaos: N kills, N zombies, N messages checked, N violations`.\n\
                  Exit codes: 0 nothing violated, 1 something violated or the goal not reached, 3 the bench itself failed."
)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Minutes instead of hours: 50 kills, 100 000 messages
    #[arg(long)]
    short: bool,
    /// Makes the same choices as the run that printed it
    #[arg(long)]
    seed: Option<u64>,
    /// Kafka brokers: 1, or 3 with three replicas of which two must have a record
    #[arg(long, default_value_t = 1, value_parser = brokers)]
    brokers: u8,
    /// Processes to kill
    #[arg(long)]
    kills: Option<usize>,
    /// Processes to freeze past their session's end
    #[arg(long)]
    zombies: Option<usize>,
    /// Messages to be acknowledged
    #[arg(long)]
    messages: Option<usize>,
    /// Records a second written straight to the topics
    #[arg(long)]
    rate: Option<f64>,
    /// Where stack, logs and findings lie; emptied first
    #[arg(long, default_value = ".local/chaos")]
    dir: PathBuf,
}

#[derive(Subcommand)]
enum Verb {
    /// Looks for bugs that are planted in test builds: what this bench does not find, it cannot rule out
    Controls {
        /// Names of planted bugs; none: all of them
        names: Vec<String>,
        /// Makes the same choices as the run that printed it
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where stack, logs and findings lie; emptied first
        #[arg(long, default_value = ".local/chaos")]
        dir: PathBuf,
    },
}

impl Arguments {
    fn plan(&self) -> Plan {
        let seed = self.seed.unwrap_or_else(|| clock::now().as_ms().unsigned_abs() % 1_000_000);
        let mut plan = if self.short { Plan::short(&self.dir, seed) } else { Plan::long(&self.dir, seed) };
        plan.brokers = self.brokers;
        plan.goal.kills = self.kills.unwrap_or(plan.goal.kills);
        plan.goal.zombies = self.zombies.unwrap_or(plan.goal.zombies);
        plan.goal.messages = self.messages.unwrap_or(plan.goal.messages);
        plan.per_second = self.rate.unwrap_or(plan.per_second);
        plan
    }
}

fn brokers(text: &str) -> Result<u8, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        other => Err(format!("expected 1 or 3, got {other}")),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = Report::new(Box::new(std::io::stdout()));
    let ended = tokio::runtime::Runtime::new()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(perform(&arguments, &report)));
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            report.write(&format!("weft-chaos: {error:#}"));
            ExitCode::from(3)
        }
    }
}

async fn perform(arguments: &Arguments, report: &Report) -> anyhow::Result<bool> {
    if let Some(Verb::Controls { names, seed, dir }) = &arguments.verb {
        let controls = look_for(names, dir, *seed, report).await?;
        return Ok(controls.iter().all(|control| control.found.is_some()));
    }
    let outcome = run(&arguments.plan(), report).await?;
    if !outcome.is_complete {
        report.write("the time was over before the goal was reached");
    }
    report.write(&last_line(&outcome));
    Ok(outcome.findings.violations.is_empty() && outcome.is_complete)
}
