//! A service's own program as it is delivered, measured from outside.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use stream::clock::Stamp;

use crate::cluster::rest;
use crate::proc;

const STOPPED_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A running service; killed when dropped.
pub struct Service {
    child: Child,
    port: u16,
    log: PathBuf,
    began: Stamp,
}

impl Service {
    /// Starts one with its admin port somewhere free and its log under `logs`.
    ///
    /// # Errors
    /// If its program is missing.
    pub fn start(programs: &Path, logs: &Path, name: &str, settings: &[(&str, String)]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(logs)?;
        let log = logs.join(format!("bench-{name}.log"));
        let file = File::options().create(true).append(true).open(&log)?;
        let port = free_port()?;
        let program = programs.join(format!("weft-{name}"));
        let began = Stamp::now();
        let child = Command::new(&program)
            .env(format!("WEFT_{}__ADMIN_LISTEN", name.to_uppercase()), format!("127.0.0.1:{port}"))
            .envs(settings.iter().map(|(key, value)| (*key, value)))
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{} is missing: run `make bench`", program.display()))?;
        Ok(Self { child, port, log, began })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// When it was started.
    pub fn began(&self) -> Stamp {
        self.began
    }

    /// Waits until `/readyz` says so; how long that took from the start.
    ///
    /// # Errors
    /// After `limit`, with what it said last.
    pub fn ready(&mut self, limit: Duration) -> anyhow::Result<Duration> {
        loop {
            let answer = self.get("/readyz").unwrap_or_else(|error| error.to_string());
            if answer.starts_with("HTTP/1.1 200") {
                return Ok(self.began.elapsed());
            }
            self.expect_alive()?;
            ensure!(self.began.elapsed() < limit, "not ready in time, see {}: {answer}", self.log.display());
            rest(LOOK_EVERY);
        }
    }

    /// Says so if it has ended.
    ///
    /// # Errors
    /// If it has.
    pub fn expect_alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("it ended with {status}, see {}", self.log.display()),
            None => Ok(()),
        }
    }

    /// The sum of a metric over its labels, those that hold `label` alone.
    ///
    /// # Errors
    /// If the admin port does not answer.
    pub fn metric(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        let answer = self.get("/metrics")?;
        let lines = answer.lines().filter(|line| line.starts_with(name) && line.contains(label));
        let values = lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        Ok(values.sum())
    }

    /// Resident memory, bytes.
    ///
    /// # Errors
    /// If it is gone.
    pub fn rss_bytes(&self) -> anyhow::Result<u64> {
        proc::rss_bytes(self.pid())
    }

    /// Asks it to end, and waits for it.
    ///
    /// # Errors
    /// If it does not end in time, or not with 0.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let asked = Stamp::now();
        Command::new("kill").arg(self.pid().to_string()).status()?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "it ended with {status}, see {}", self.log.display());
                return Ok(());
            }
            ensure!(asked.elapsed() < STOPPED_MAX, "it does not end, see {}", self.log.display());
            rest(LOOK_EVERY);
        }
    }

    /// Kills it as a crash does.
    ///
    /// # Errors
    /// If it was dead already.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.expect_alive()?;
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A port that nobody listens on just now.
///
/// # Errors
/// If there is none.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
