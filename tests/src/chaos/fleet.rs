//! The services under test: several instances, each started again whenever it ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::task::JoinHandle;

use super::timeline::Timeline;
use crate::company::Ports;
use crate::services::{Guarded, free_ports, signal};
use crate::stack::Stack;
use crate::wait::wait_for;

/// Between the end of a process and its next start, as a supervisor waits.
const RESTART_AFTER: Duration = Duration::from_millis(200);
/// From a start to `/readyz`, restore and a broker's restart included.
const READY_MAX: Duration = Duration::from_secs(90);
const STOP_MAX: Duration = Duration::from_secs(40);
/// Services with a second instance from the start, which takes over from zombies.
pub const DOUBLE: [&str; 4] = ["threading", "routing", "delivery", "analytics"];
/// Services of which one is enough.
pub const SINGLE: [&str; 2] = ["ingest", "gateway"];
/// Shorter than the default, so that a bench of minutes sees many sessions end.
const SESSION_MS: u64 = 6_000;
const SPARE: usize = Ports::COUNT;

/// One instance of a service.
#[derive(Debug)]
pub struct Member {
    /// `threading-0`.
    pub name: String,
    /// `threading`.
    pub service: &'static str,
    ready_url: String,
    variables: BTreeMap<String, String>,
    standing: Mutex<Standing>,
}

#[derive(Debug, Default)]
struct Standing {
    pid: Option<u32>,
    starts: u32,
    is_wanted: bool,
    /// Set for one start only.
    once: BTreeMap<String, String>,
    /// Whether the running process was started with such.
    is_armed: bool,
    /// The bench's own doing, so that the next end is no surprise.
    is_expected: bool,
}

impl Member {
    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a signal; false if it is not running just now.
    ///
    /// # Errors
    /// If `kill` cannot be run.
    pub async fn signal(&self, what: &str) -> anyhow::Result<bool> {
        let pid = {
            let mut standing = self.standing();
            standing.is_expected = true;
            standing.pid
        };
        match pid {
            Some(pid) => signal(pid, what).await,
            None => Ok(false),
        }
    }

    /// How often it was started.
    pub fn starts(&self) -> u32 {
        self.standing().starts
    }

    /// Sets variables for the next start alone.
    pub fn once(&self, variables: &[(&str, String)]) {
        let mut standing = self.standing();
        standing.once.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// If it is not in time.
    pub async fn ready(&self) -> anyhow::Result<()> {
        wait_for(&format!("{} to be ready", self.name), READY_MAX, || async {
            let answer = tokio::time::timeout(Duration::from_secs(2), reqwest::get(&self.ready_url)).await;
            let answer = answer.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.text().await.unwrap_or_default()) }
        })
        .await
    }
}

/// All instances.
#[derive(Debug)]
pub struct Fleet {
    stack: Stack,
    logs: PathBuf,
    /// Free ports for whatever else a run listens on.
    pub spare: Vec<u16>,
    members: Vec<Arc<Member>>,
    keepers: Mutex<Vec<JoinHandle<()>>>,
    timeline: Arc<Timeline>,
    deaths: Arc<Mutex<Vec<String>>>,
}

impl Fleet {
    /// Addresses for every instance on a stack; nothing runs yet. `more` is set for all of them.
    ///
    /// # Errors
    /// If ports are lacking.
    pub fn new(
        mut stack: Stack,
        logs: &Path,
        timeline: Arc<Timeline>,
        more: &[(String, String)],
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(logs)?;
        let mut ports = free_ports(2 + SINGLE.len() + DOUBLE.len() * 2 + SPARE)?;
        let spare = ports.split_off(ports.len() - SPARE);
        let mut free = ports.into_iter();
        let mut address = || free.next().map(|port| format!("127.0.0.1:{port}")).context("too few free ports");
        stack.set("WEFT_INGEST__LISTEN", address()?);
        stack.set("WEFT_GATEWAY__LISTEN", address()?);
        stack.set("WEFT_KAFKA__SESSION_TIMEOUT_MS", SESSION_MS.to_string());
        for (name, value) in more {
            stack.set(name, value.clone());
        }
        let both = DOUBLE.iter().flat_map(|service| [(*service, 0), (*service, 1)]);
        let mut members = Vec::new();
        for (service, number) in SINGLE.iter().map(|service| (*service, 0)).chain(both) {
            let listen = address()?;
            let mut variables = stack.variables().clone();
            variables.insert(format!("WEFT_{}__ADMIN_LISTEN", service.to_uppercase()), listen.clone());
            variables.insert("WEFT_KAFKA__INSTANCE".into(), number.to_string());
            members.push(Arc::new(Member {
                name: format!("{service}-{number}"),
                service,
                ready_url: format!("http://{listen}/readyz"),
                variables,
                standing: Mutex::default(),
            }));
        }
        let (keepers, deaths) = (Mutex::default(), Arc::default());
        Ok(Self { stack, logs: logs.to_owned(), spare, members, keepers, timeline, deaths })
    }

    /// The stack with the addresses of these services.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// All instances.
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// The instances of one service.
    pub fn of(&self, service: &str) -> Vec<Arc<Member>> {
        self.members.iter().filter(|member| member.service == service).cloned().collect()
    }

    /// Starts all and waits until each is ready.
    ///
    /// # Errors
    /// If one does not come up.
    pub async fn start(&self) -> anyhow::Result<()> {
        for member in &self.members {
            self.launch(member)?;
        }
        self.ready().await
    }

    /// Waits until all are ready.
    ///
    /// # Errors
    /// Naming the first that is not in time.
    pub async fn ready(&self) -> anyhow::Result<()> {
        for member in &self.members {
            member.ready().await.with_context(|| format!("see {}", self.log(&member.name).display()))?;
        }
        Ok(())
    }

    /// Starts an instance and from now on again whenever it ends.
    ///
    /// # Errors
    /// If it was not built.
    pub fn launch(&self, member: &Arc<Member>) -> anyhow::Result<()> {
        member.standing().is_wanted = true;
        let program = self.stack.program(&format!("weft-{}", member.service))?;
        let (member, log) = (Arc::clone(member), self.log(&member.name));
        let (timeline, deaths) = (Arc::clone(&self.timeline), Arc::clone(&self.deaths));
        let keeper = tokio::spawn(async move {
            loop {
                let trouble = match life(&member, &program, &log).await {
                    Ok(Next::Enough) => break,
                    Ok(Next::Again(trouble)) => trouble,
                    Err(error) => error.to_string(),
                };
                if !trouble.is_empty() {
                    timeline.note(&trouble);
                    deaths.lock().unwrap_or_else(PoisonError::into_inner).push(trouble);
                }
                tokio::time::sleep(RESTART_AFTER).await;
            }
        });
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner).push(keeper);
        Ok(())
    }

    /// Asks an instance to end in order and does not start it again.
    ///
    /// # Errors
    /// If it does not end in time.
    pub async fn retire(&self, member: &Member) -> anyhow::Result<()> {
        member.standing().is_wanted = false;
        member.signal("-CONT").await?;
        member.signal("-TERM").await?;
        wait_for(&format!("{} to end in order", member.name), STOP_MAX, || async {
            member.standing().pid.map_or(Ok(()), |pid| Err(format!("pid {pid} runs")))
        })
        .await
    }

    /// Ends all in order; those that do not are killed, and named.
    ///
    /// # Errors
    /// Naming who did not end in order.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let ends = self.members.iter().map(|member| self.retire(member));
        let ends = futures::future::join_all(ends).await;
        for keeper in self.keepers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            keeper.abort();
        }
        let late: Vec<String> = ends.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        if !late.is_empty() {
            bail!("{}", late.join("; "));
        }
        Ok(())
    }

    /// How instances ended that nobody had hit.
    pub fn deaths(&self) -> Vec<String> {
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where an instance's log is.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }
}

impl Drop for Fleet {
    /// Nobody starts anything again; what still runs ends with its guard.
    fn drop(&mut self) {
        for keeper in self.keepers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            keeper.abort();
        }
    }
}

enum Next {
    /// What is to be told of the end; empty: it was ours.
    Again(String),
    Enough,
}

/// One process of an instance, from its start to its end.
async fn life(member: &Member, program: &Path, log: &Path) -> anyhow::Result<Next> {
    let mut variables = member.variables.clone();
    let once = std::mem::take(&mut member.standing().once);
    let is_armed = !once.is_empty();
    variables.extend(once);
    let mut guarded = Guarded::start(program, &variables, log).await?;
    {
        let mut standing = member.standing();
        standing.pid = Some(guarded.pid());
        standing.starts += 1;
        standing.is_expected = false;
        standing.is_armed = is_armed;
    }
    let code = guarded.ended().await;
    let mut standing = member.standing();
    standing.pid = None;
    if !standing.is_wanted {
        return Ok(Next::Enough);
    }
    let told =
        if standing.is_expected { String::new() } else { format!("{} ended by itself with {}", member.name, code?) };
    Ok(Next::Again(told))
}
