//! Layered configuration: `deploy/weft.default.toml` (compiled in, the only source of defaults),
//! then the file of `--config`, then the environment. A service says what it wants to know with a
//! struct; this crate reads, checks against the known keys, and says what is wrong and where.
//!
//! Variables are `WEFT_SECTION__KEY` (`WEFT_KEY_SECRET` for keys outside a section); a secret may
//! also come from a file named by the variable with `_FILE` behind it. In a free table such as
//! `[kafka.client]` the rest of the variable's name is one key, with `_` read as `.`:
//! `WEFT_KAFKA__CLIENT__FETCH_MIN_BYTES` sets `fetch.min.bytes`.

mod environment;
mod known;
mod layers;
mod print;
mod read;

pub use environment::{SecretError, read_env_secret, read_secret_file};

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser;
use serde::de::DeserializeOwned;

use layers::Layers;

const DEFAULTS: &str = include_str!("../../../../deploy/weft.default.toml");
const DEFAULT_FILE: &str = "weft.toml";

/// A service that may start, and what it was told.
#[derive(Debug)]
pub struct Started<T> {
    /// What the service wants to know.
    pub config: T,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
}

/// Everything that is wrong with the settings, one line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(pub Vec<String>);

impl SettingsError {
    fn one(text: String) -> Self {
        Self(vec![text])
    }
}

#[derive(Parser)]
#[command(disable_version_flag = true)]
struct Arguments {
    /// Settings file; weft.toml if that exists
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say whether the settings are good, and leave
    #[arg(long)]
    check: bool,
    /// Print every setting with its source, secrets hidden, and leave
    #[arg(long)]
    print_config: bool,
    /// Print the version and leave
    #[arg(long, short = 'V')]
    version: bool,
}

/// Reads the command line of the service's binary and all layers. Leaves the process, with the
/// right code, after `--help`, `--version`, `--print-config` and a good `--check`.
pub fn load<T: DeserializeOwned>(service: &str) -> Result<Started<T>, SettingsError> {
    let name = format!("weft-{service}");
    let command = <Arguments as clap::CommandFactory>::command()
        .bin_name(name.clone())
        .about(format!("The service {service} of weft"));
    let matches = command.get_matches();
    let arguments = <Arguments as clap::FromArgMatches>::from_arg_matches(&matches)
        .map_err(|error| SettingsError::one(error.to_string()))?;
    if arguments.version {
        leave(&format!("{name} {}\n", env!("CARGO_PKG_VERSION")));
    }
    let layers = gather(arguments.config.as_deref())?;
    if arguments.print_config {
        leave(&print::all(&layers));
    }
    let config = layers.read(read::Strictness::Service)?;
    if arguments.check {
        leave(&format!("{name}: the settings are good\n"));
    }
    Ok(Started { config, file: layers.file })
}

/// The same layers for a tool that has its own command line. A missing secret is not an error: the
/// tool says itself what it needs.
pub fn load_tool<T: DeserializeOwned>(config: Option<&Path>) -> Result<T, SettingsError> {
    gather(config)?.read(read::Strictness::Tool)
}

/// What the settings are when nobody says anything; for tests of a service's own section.
pub fn defaults<T: DeserializeOwned>() -> Result<T, SettingsError> {
    Layers::new(DEFAULTS)?.read(read::Strictness::Tool)
}

fn gather(config: Option<&Path>) -> Result<Layers, SettingsError> {
    let mut layers = Layers::new(DEFAULTS)?;
    let default = Path::new(DEFAULT_FILE);
    let path = config.or_else(|| default.exists().then_some(default));
    let mut problems = Vec::new();
    if let Some(path) = path {
        let text = std::fs::read_to_string(path)
            .map_err(|error| SettingsError::one(format!("{}: {error}", path.display())))?;
        problems.extend(layers.add_file(path, &text));
    }
    problems.extend(layers.add_environment(environment::variables()));
    if problems.is_empty() { Ok(layers) } else { Err(SettingsError(problems)) }
}

fn leave(text: &str) -> ! {
    let written = std::io::stdout().write_all(text.as_bytes());
    std::process::exit(i32::from(written.is_err()));
}

#[cfg(test)]
mod tests;
