//! What the house stands on: a local stack of the bench's own, whose pieces can be killed, stopped
//! and started again.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use tokio::process::Command;
use tokio::sync::Mutex;

use crate::services::signal;
use crate::stack::Stack;

const STACK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/local/stack");
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
