//! The six services as processes of a test, each of which can be killed and started again.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use crate::stack::{SERVICES, Stack};
use crate::wait::wait_for;

/// From start to `/readyz`.
const READY_MAX: Duration = Duration::from_secs(60);

const PORTS: Range<u16> = 10_000..18_000;

/// Starts its arguments as a program, says its pid, and ends it when standard input ends: with the
/// test, however the test ends.
const GUARD: &str = r#""$@" >&2 & pid=$!; echo $pid; read -r _; kill $pid 2>/dev/null; wait $pid"#;

/// The running services; they end with the process that started them.
#[derive(Debug)]
pub struct Services {
    stack: Stack,
    logs: PathBuf,
    running: Mutex<BTreeMap<&'static str, Guarded>>,
}

#[derive(Debug)]
struct Guarded {
    /// Holds the pipe whose end is the service's end.
    guard: Child,
    pid: u32,
}

impl Services {
    /// Starts all services on free ports beside the given stack, their logs into a directory
    /// that exists, and waits until each is ready.
    ///
    /// # Errors
    /// If one is not built or does not come up; the error names it and its log.
    pub async fn start(mut stack: Stack, logs: &Path) -> anyhow::Result<Self> {
        let mut free = free_ports(SERVICES.len() + 2)?.into_iter();
        let mut address = || free.next().map(|port| format!("127.0.0.1:{port}")).context("too few free ports");
        stack.set("WEFT_INGEST__LISTEN", address()?);
        stack.set("WEFT_GATEWAY__LISTEN", address()?);
        for service in SERVICES {
            stack.set(&format!("WEFT_{}__ADMIN_LISTEN", service.to_uppercase()), address()?);
        }
        let services = Self { stack, logs: logs.to_owned(), running: Mutex::default() };
        for service in SERVICES {
            services.launch(service).await?;
        }
        for service in SERVICES {
            services.ready(service).await?;
        }
        Ok(services)
    }

    /// The stack with the addresses of these services.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Kills a service as a crash does, starts it again as a supervisor does, and waits until it is
    /// ready.
    ///
    /// # Errors
    /// If it does not come up again.
    pub async fn kill(&self, service: &'static str) -> anyhow::Result<()> {
        let former = self.running.lock().await.remove(service);
        let mut former = former.with_context(|| format!("{service} was not started"))?;
        let killed = Command::new("kill").args(["-9", &former.pid.to_string()]).status().await?;
        if !killed.success() {
            bail!("{service} was dead already, see {}", self.log(service));
        }
        drop(former.guard.stdin.take());
        former.guard.wait().await?;
        self.launch(service).await?;
        self.ready(service).await
    }

    async fn launch(&self, service: &'static str) -> anyhow::Result<()> {
        let log = std::fs::File::options().create(true).append(true).open(self.log(service))?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(self.stack.program(&format!("weft-{service}"))?)
            .envs(self.stack.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let said = guard.stdout.take().context("a guard says the pid")?;
        let line = BufReader::new(said).lines().next_line().await?.context("a guard says the pid")?;
        let pid = line.trim().parse().with_context(|| format!("expected a pid, got {line:?}"))?;
        self.running.lock().await.insert(service, Guarded { guard, pid });
        Ok(())
    }

    async fn ready(&self, service: &str) -> anyhow::Result<()> {
        let url = format!("{}/readyz", self.stack.admin(service)?);
        let what = format!("{service} to be ready");
        let ready = wait_for(&what, READY_MAX, || async {
            let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.text().await.unwrap_or_default()) }
        });
        ready.await.with_context(|| format!("see {}", self.log(service)))
    }

    fn log(&self, service: &str) -> String {
        self.logs.join(format!("pipeline-{service}.log")).display().to_string()
    }
}

/// Ports that nobody listens on, all different, below those that the kernel hands out to clients and
/// those of local stacks: a killed service finds its own port free again.
///
/// # Errors
/// If there are too few.
pub fn free_ports(count: usize) -> anyhow::Result<Vec<u16>> {
    let width = PORTS.end - PORTS.start;
    let first = u16::try_from(std::process::id() % u32::from(width))?;
    let all = (0..width).map(|no| PORTS.start + (first + no) % width);
    let is_free = |port: &u16| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let free: Vec<u16> = all.filter(is_free).take(count).collect();
    ensure!(free.len() == count, "expected {count} free ports from {} to {}", PORTS.start, PORTS.end);
    Ok(free)
}
