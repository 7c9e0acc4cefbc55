//! The verbs, one file each.

mod apply;
mod channel;
mod consent;
mod diff;
mod dlq;
mod doctor;
mod get;
mod key;
mod lag;
mod migrate;
mod remove;
mod replay;
mod report;
mod schema;
mod tail;
mod token;
mod topic;
mod trace;
mod verify;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::output::{Format, Output};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Operate weft: configuration, topics, schemas, reports, and the story of any conversation.
///
/// Settings are those of the services: weft.toml (or --config), then WEFT_SECTION__KEY in the
/// environment; for the local stack: `set -a; . .local/env; set +a`.
/// Exit codes: 0 done, 1 found something wrong, 2 wrong use, 3 cannot reach.
#[derive(Parser)]
#[command(name = "weft", version)]
pub struct Arguments {
    /// How to print
    #[arg(short = 'o', long = "output", value_enum, default_value = "table", global = true)]
    output: Format,
    /// Settings file; weft.toml if that exists
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    Apply(apply::Apply),
    Diff(diff::Diff),
    Get(get::Get),
    Remove(remove::Remove),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Topics(topic::Topics),
    #[command(subcommand)]
    Schemas(schema::Schemas),
    Migrate(migrate::Migrate),
    #[command(subcommand)]
    Channel(channel::Channel),
    Tail(tail::Tail),
    Lag(lag::Lag),
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    Trace(trace::Trace),
    Replay(replay::Replay),
    #[command(subcommand)]
    Report(report::Report),
    #[command(subcommand)]
    Verify(verify::Verify),
    Key(key::Key),
    #[command(subcommand)]
    Consent(consent::Consent),
    Doctor(doctor::Doctor),
}

/// Does what was asked.
///
/// # Errors
/// Whatever kept the verb from its end, by exit code.
pub fn run(arguments: Arguments) -> Result<Verdict, Failure> {
    let mut output = Output::new(arguments.output);
    if let Verb::Channel(channel) = &arguments.verb {
        return channel.run(&mut output);
    }
    let reach = Reach::new(Config::load(arguments.config.as_deref())?)?;
    let (reach, output) = (&reach, &mut output);
    match arguments.verb {
        Verb::Apply(verb) => verb.run(reach, output),
        Verb::Diff(verb) => verb.run(reach, output),
        Verb::Get(verb) => verb.run(reach, output),
        Verb::Remove(verb) => verb.run(reach, output),
        Verb::Token(verb) => verb.run(reach, output),
        Verb::Topics(verb) => verb.run(reach, output),
        Verb::Schemas(verb) => verb.run(reach, output),
        Verb::Migrate(verb) => verb.run(reach, output),
        Verb::Channel(verb) => verb.run(output),
        Verb::Tail(verb) => verb.run(reach, output),
        Verb::Lag(verb) => verb.run(reach, output),
        Verb::Dlq(verb) => verb.run(reach, output),
        Verb::Trace(verb) => verb.run(reach, output),
        Verb::Replay(verb) => verb.run(reach, output),
        Verb::Report(verb) => verb.run(reach, output),
        Verb::Verify(verb) => verb.run(reach, output),
        Verb::Key(verb) => verb.run(reach, output),
        Verb::Consent(verb) => verb.run(reach, output),
        Verb::Doctor(verb) => verb.run(reach, output),
    }
}
