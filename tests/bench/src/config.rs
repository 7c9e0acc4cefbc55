//! What the environment tells; read here and nowhere else in this crate.

use std::path::PathBuf;

use anyhow::Context;
use schemas::codec::RegistrySettings;

/// Where things are.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Brokers, `host:port` joined by commas.
    pub bootstrap: String,
    /// The schema registry.
    pub registry: RegistrySettings,
    /// The directory of the programs that are measured.
    pub programs: PathBuf,
}

impl Environment {
    /// As the running stack sets it.
    ///
    /// # Errors
    /// If something is not set, with the way out.
    pub fn read() -> anyhow::Result<Self> {
        let url = variable("WEFT_SCHEMA_REGISTRY__URL")?;
        Ok(Self {
            bootstrap: variable("WEFT_KAFKA__BOOTSTRAP")?,
            registry: RegistrySettings { url, ..RegistrySettings::default() },
            programs: programs()?,
        })
    }
}

/// What the stack signs with.
#[derive(Clone)]
pub struct Secrets {
    /// Makes customer keys.
    pub key: String,
    /// Signs tokens.
    pub token: String,
}

/// The secrets of the running stack.
///
/// # Errors
/// If one is not set, with the way out.
pub fn secrets() -> anyhow::Result<Secrets> {
    Ok(Secrets { key: variable("WEFT_KEY_SECRET")?, token: variable("WEFT_TOKEN_SECRET")? })
}

/// What Meta signs the demo's webhooks with.
///
/// # Errors
/// If it is not set, with the way out.
pub fn meta_secret() -> anyhow::Result<String> {
    variable("DEMO_META_APP_SECRET")
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: run `make bench WORKLOAD=…`, which starts a stack"))
}

fn programs() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("where does this program lie?")?;
    Ok(here.parent().context("a program lies in a directory")?.to_owned())
}
