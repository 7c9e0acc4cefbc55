//! The six services as processes of a test, each of which can be killed and started again.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::stack::{SERVICES, Stack};
use crate::wait::wait_for;

/// From start to `/readyz`.
const READY_MAX: Duration = Duration::from_secs(60);

const PORTS: Range<u16> = 10_000..18_000;

/// Starts its arguments as a program, says its pid and later how it ended, and ends it when standard
/// input ends: with the bench, however the bench ends. One that is stopped or stuck is killed.
const GUARD: &str = r#"exec 3<&0; "$@" >&2 3<&- & pid=$!; echo $pid
{ read -r _ <&3; kill $pid; kill -CONT $pid; sleep 20; kill -9 $pid; } 2>/dev/null & reader=$!
wait $pid; echo $?; kill $reader 2>/dev/null"#;

/// The running services; they end with the process that started them.
#[derive(Debug)]
pub struct Services {
    stack: Stack,
    logs: PathBuf,
    running: Mutex<BTreeMap<&'static str, Guarded>>,
}

/// A program that ends with the process that started it.
#[derive(Debug)]
pub struct Guarded {
    /// Holds the pipe whose end is the program's end.
    guard: Child,
    said: Lines<BufReader<ChildStdout>>,
    pid: u32,
}

impl Guarded {
    /// Starts a program with more variables than ours; what it says is added to a log.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn start(program: &Path, variables: &BTreeMap<String, String>, log: &Path) -> anyhow::Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(program)
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .process_group(0)
            .spawn()?;
        let mut said = BufReader::new(guard.stdout.take().context("a guard says the pid")?).lines();
        let line = said.next_line().await?.context("a guard says the pid")?;
        let pid = line.trim().parse().with_context(|| format!("expected a pid, got {line:?}"))?;
        Ok(Self { guard, said, pid })
    }

    /// The program's pid.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the program's end; its exit code as a shell says it, 137 for killed.
    ///
    /// # Errors
    /// If the guard is gone too.
    pub async fn ended(&mut self) -> anyhow::Result<i32> {
        let line = self.said.next_line().await?.context("the guard was killed")?;
        self.guard.wait().await?;
        line.trim().parse().with_context(|| format!("expected an exit code, got {line:?}"))
    }
}

/// Sends a signal, e.g. `-9`, `-STOP`; false if there is no such process any more.
///
/// # Errors
/// If `kill` cannot be run.
pub async fn signal(pid: u32, signal: &str) -> anyhow::Result<bool> {
    let pid = pid.to_string();
    let sent = Command::new("kill").args([signal, &pid]).stderr(Stdio::null()).status().await?;
    Ok(sent.success())
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
        let gateway = address()?;
        stack.set("WEFT_MEDIA__PUBLIC_URL", format!("http://{gateway}"));
        stack.set("WEFT_GATEWAY__LISTEN", gateway);
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
        if !signal(former.pid, "-9").await? {
            bail!("{service} was dead already, see {}", self.log(service));
        }
        former.ended().await?;
        self.launch(service).await?;
        self.ready(service).await
    }

    async fn launch(&self, service: &'static str) -> anyhow::Result<()> {
        let program = self.stack.program(&format!("weft-{service}"))?;
        let guarded = Guarded::start(&program, self.stack.variables(), Path::new(&self.log(service))).await?;
        self.running.lock().await.insert(service, guarded);
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
