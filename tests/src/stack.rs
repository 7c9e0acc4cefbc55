//! Where a stack is, what its secrets are, and the operator's command on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use access::{Claims, Subject, TokenSecrets};
use anyhow::{Context, bail};
use schemas::ids::KeySecret;

use crate::config;

/// The services, in the order data flows.
pub const SERVICES: [&str; 6] = ["ingest", "threading", "routing", "delivery", "analytics", "gateway"];

/// The base that `deploy/` counts its ports from.
pub const BASE_DEFAULT: u16 = 19000;

/// A running stack as its environment describes it.
#[derive(Debug, Clone)]
pub struct Stack {
    variables: BTreeMap<String, String>,
    programs: PathBuf,
}

impl Stack {
    /// The stack that the environment speaks of.
    ///
    /// # Errors
    /// If the running program's place is not known.
    pub fn of_environment() -> anyhow::Result<Self> {
        Ok(Self { variables: config::variables(), programs: config::programs()? })
    }

    /// The stack whose directory is given: its `env` file.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn of_directory(directory: &Path) -> anyhow::Result<Self> {
        let file = directory.join("env");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("no stack was started in {}: run `make test`", directory.display()))?;
        let lines = text.lines().filter_map(|line| line.split_once('='));
        let variables = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(Self { variables, programs: config::programs()? })
    }

    /// The same stack with a variable set.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.insert(name.to_owned(), value.into());
    }

    /// Everything that its programs find in their environment.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// A variable.
    ///
    /// # Errors
    /// If it is not set, with the way out.
    pub fn variable(&self, name: &str) -> anyhow::Result<&str> {
        let value = self.variables.get(name).map(String::as_str);
        value.with_context(|| format!("{name} is not set: run `make demo`, or source .local/env of a running stack"))
    }

    /// The first port of the stack.
    pub fn port_base(&self) -> u16 {
        self.variables.get("WEFT_PORT_BASE").and_then(|text| text.parse().ok()).unwrap_or(BASE_DEFAULT)
    }

    /// `http://…` of ingest's public port.
    ///
    /// # Errors
    /// If the stack does not say.
    pub fn ingest(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.variable("WEFT_INGEST__LISTEN")?))
    }

    /// host:port of the gateway's public port.
    ///
    /// # Errors
    /// If the stack does not say.
    pub fn gateway(&self) -> anyhow::Result<&str> {
        self.variable("WEFT_GATEWAY__LISTEN")
    }

    /// `http://…` of a service's admin port.
    ///
    /// # Errors
    /// If the stack does not say.
    pub fn admin(&self, service: &str) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.variable(&format!("WEFT_{}__ADMIN_LISTEN", service.to_uppercase()))?))
    }

    /// What makes customer keys.
    ///
    /// # Errors
    /// If the stack does not say.
    pub fn key_secret(&self) -> anyhow::Result<KeySecret> {
        Ok(KeySecret::new(self.variable("WEFT_KEY_SECRET")?))
    }

    /// A bearer token for an agent.
    ///
    /// # Errors
    /// If the stack has no usable token secret.
    pub fn agent_token(&self, tenant: &str, agent: &str) -> anyhow::Result<String> {
        self.mint(tenant, Subject::Agent(agent.to_owned()), Vec::new())
    }

    /// A bearer token for a program that may do all that a program can.
    ///
    /// # Errors
    /// If the stack has no usable token secret.
    pub fn client_token(&self, tenant: &str, client: &str) -> anyhow::Result<String> {
        self.mint(
            tenant,
            Subject::Client(client.to_owned()),
            ["inbound", "agentless", "consents"].map(str::to_owned).into(),
        )
    }

    fn mint(&self, tenant: &str, subject: Subject, scopes: Vec<String>) -> anyhow::Result<String> {
        let secrets = TokenSecrets::parse(self.variable("WEFT_TOKEN_SECRET")?)?;
        let tenant = tenant.to_owned();
        let id = "simulated".to_owned();
        Ok(secrets.mint(&Claims { tenant, subject, scopes, supervisor: false, expires_at_ms: None, id }))
    }

    /// The path of one of this workspace's programs.
    ///
    /// # Errors
    /// If it was not built.
    pub fn program(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.programs.join(name);
        if !path.exists() {
            bail!("{} is missing: run `make build`", path.display());
        }
        Ok(path)
    }

    /// Runs the operator's command on this stack; what it printed.
    ///
    /// # Errors
    /// If it could not be run or ended with another code than 0; the error holds its last words.
    pub async fn weft(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = tokio::process::Command::new(self.program("weft")?)
            .args(arguments)
            .envs(&self.variables)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            bail!("`weft {}` ended with {}\n{said}{complaint}", arguments.join(" "), output.status);
        }
        Ok(said)
    }
}
