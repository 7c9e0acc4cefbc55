//! What the house stands on: a local stack of the bench's own, whose pieces can be killed, stopped
//! and started again.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::proxy::Proxy;
use crate::services::signal;
use crate::stack::Stack;

const STACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/local/stack");
/// Where a broker listens for what comes through a proxy, and where it says that it can be reached
/// then; counted from the stack's base as in `stackctl/layout.py`.
const KAFKA_BEHIND: u16 = 96;
const KAFKA_PROXIED: u16 = 97;
const BROKER_STEP: u16 = 100;
const PIECES: &str = "kafka,registry,clickhouse";

/// A stack that belongs to one run.
#[derive(Debug)]
pub struct Ground {
    directory: PathBuf,
    brokers: u8,
    /// The stack obeys one command at a time.
    asking: Mutex<()>,
}

impl Ground {
    /// Starts Kafka, registry and ClickHouse afresh in a directory, on free ports.
    ///
    /// # Errors
    /// If a piece does not come up; the error holds the stack's words.
    pub async fn up(directory: &Path, brokers: u8) -> anyhow::Result<Self> {
        let ground = Self { directory: directory.to_owned(), brokers, asking: Mutex::default() };
        let count = brokers.to_string();
        ground.ask(&["up", "--fresh", "--base", "free", "--brokers", &count, "--only", PIECES]).await?;
        Ok(ground)
    }

    /// Its addresses and secrets.
    ///
    /// # Errors
    /// If it was not started.
    pub fn stack(&self) -> anyhow::Result<Stack> {
        Stack::of_directory(&self.directory)
    }

    /// Names of the pieces that can be hit.
    pub fn brokers(&self) -> Vec<String> {
        match self.brokers {
            1 => vec!["kafka".into()],
            many => (1..=many).map(|node| format!("kafka-{node}")).collect(),
        }
    }

    /// A proxy in front of each broker, and where clients must start to go through them all.
    ///
    /// # Errors
    /// If a port is taken.
    pub async fn proxies(&self) -> anyhow::Result<(Vec<Proxy>, String)> {
        let base = self.stack()?.port_base();
        let (mut proxies, mut bootstrap) = (Vec::new(), Vec::new());
        for node in 0..u16::from(self.brokers) {
            let listen = base + KAFKA_PROXIED + BROKER_STEP * node;
            proxies.push(Proxy::start(listen, base + KAFKA_BEHIND + BROKER_STEP * node).await?);
            bootstrap.push(format!("127.0.0.1:{listen}"));
        }
        Ok((proxies, bootstrap.join(",")))
    }

    /// Sends a signal to a piece.
    ///
    /// # Errors
    /// If it is not running.
    pub async fn signal(&self, piece: &str, what: &str) -> anyhow::Result<()> {
        let file = self.directory.join("run").join(format!("{piece}.pid"));
        let pid = std::fs::read_to_string(&file).with_context(|| format!("{piece} was not started"))?;
        if !signal(pid.trim().parse()?, what).await? {
            bail!("{piece} is not running");
        }
        Ok(())
    }

    /// Starts a killed piece again and waits until it is ready.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn again(&self, piece: &str) -> anyhow::Result<()> {
        let piece = piece.split('-').next().unwrap_or(piece);
        self.ask(&["up", "--only", piece]).await
    }

    /// Moves the leaders of all partitions to the brokers they were planned on.
    ///
    /// # Errors
    /// If Kafka does not follow.
    pub async fn elect(&self) -> anyhow::Result<()> {
        self.ask(&["elect"]).await
    }

    /// Ends everything.
    ///
    /// # Errors
    /// If the stack could not be asked.
    pub async fn down(&self) -> anyhow::Result<()> {
        self.ask(&["down"]).await
    }

    async fn ask(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let _one = self.asking.lock().await;
        let output = Command::new(STACK)
            .args(&arguments[..1])
            .arg("--dir")
            .arg(&self.directory)
            .args(&arguments[1..])
            .env("WEFT_RUN_BIN_DIR", crate::config::programs()?)
            .stdin(Stdio::null())
            .output()
            .await?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            bail!("`stack {}` failed: {said}{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}
