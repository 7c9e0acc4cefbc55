//! Kafka stands still or is ended under load, and ingest is killed and started again meanwhile: it
//! goes on acknowledging, and whatever was acknowledged arrives, at least once, under one id and in
//! each customer's order.
//!
//! Needs a stack whose Kafka is a process of its own (`WEFT_TEST_STACK`); nothing else may run on it
//! at the same time. `WEFT_TEST_OUTAGE_S=120` keeps Kafka away for two minutes in place of half a
//! minute.
#![expect(clippy::unwrap_used, reason = "a test stops where it finds something wrong")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use schemas::codec::{Codec, RegistrySettings};
use schemas::ids::{CustomerKey, EventId};
use schemas::records::{InboundEvent, InboundKind};
use schemas::topics::CHANNEL_INBOUND;
use stream::clock::{self, Stamp};
use stream::{Follow, KafkaSettings};
use tests::company::{Account, Company, Ports};
use tests::config;
use tests::customers::Customer;
use tests::services::free_ports;
use tests::stack::Stack;
use tests::wait::wait_for;

const CUSTOMERS: usize = 8;
const READY_MAX: Duration = Duration::from_secs(120);
const PROGRESS_MAX: Duration = Duration::from_secs(120);

/// A process that can be killed as a crash does; it ends with the test.
struct Ingest {
    child: std::process::Child,
}

impl Ingest {
    /// Ready, with or without Kafka.
    async fn start(stack: &Stack, log: &Path) -> anyhow::Result<Self> {
        let mut ingest = Self::spawn(stack, log)?;
        wait_for("ingest to be ready", READY_MAX, || healthy(stack, "readyz")).await?;
        ingest.lives()?;
        Ok(ingest)
    }

    /// Nobody starts it again here: it must get over Kafka's going and coming by itself.
    fn lives(&mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "ingest has ended: {ended:?}");
        Ok(())
    }

    fn spawn(stack: &Stack, log: &Path) -> anyhow::Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(stack.program("weft-ingest")?);
        command.envs(stack.variables()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Ok(Self { child: command.spawn()? })
    }

    /// SIGKILL, which no process can prepare for.
    fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Ingest {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One of ingest's own opinions about itself.
async fn healthy(stack: &Stack, what: &str) -> Result<(), String> {
    let url = stack.admin("ingest").map_err(|error| error.to_string())?;
    let answer = reqwest::get(format!("{url}/{what}")).await.map_err(|error| error.to_string())?;
    if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
}

/// What is done to Kafka.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// Its process stands still: connections stay, nothing is answered.
    Frozen,
    /// Its process ends: nobody listens.
    Ended,
}

/// Kafka, away until this is dropped.
struct Away {
    how: How,
    pid: String,
    directory: PathBuf,
    base: String,
}

impl Away {
    async fn kafka(how: How, stack: &Stack, directory: &Path) -> anyhow::Result<Self> {
        let file = directory.join("run/kafka.pid");
        let pid = std::fs::read_to_string(&file).with_context(|| format!("no Kafka of its own: {}", file.display()))?;
        let (directory, base) = (directory.to_owned(), stack.port_base().to_string());
        let away = Self { how, pid: pid.trim().to_owned(), directory, base };
        ensure!(away.signal(if how == How::Frozen { "-STOP" } else { "-TERM" })?, "Kafka cannot be stopped");
        let gone = || async { if how == How::Frozen || !away.is_there() { Ok(()) } else { Err(away.pid.clone()) } };
        wait_for("Kafka to be gone", READY_MAX, gone).await?;
        Ok(away)
    }

    /// Whether it lives; one that has ended and that nobody has waited for does not.
    fn is_there(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    fn signal(&self, name: &str) -> std::io::Result<bool> {
        Ok(Command::new("kill").args([name, &self.pid]).status()?.success())
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        if self.how == How::Frozen {
            self.signal("-CONT").ok();
            return;
        }
        let stack = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/local/stack");
        let mut up = Command::new(stack);
        up.args(["up", "--only", "kafka", "--base", &self.base, "--dir"]).arg(&self.directory);
        up.stdin(Stdio::null()).status().ok();
    }
}

/// What each customer's platform was told to be safe, in order.
#[derive(Default)]
struct Acknowledged {
    by_customer: Mutex<BTreeMap<CustomerKey, Vec<String>>>,
    enough: AtomicBool,
}

impl Acknowledged {
    fn count(&self) -> usize {
        self.by_customer.lock().unwrap().values().map(Vec::len).sum()
    }

    /// One customer writes, each message after the one before is acknowledged.
    async fn write(&self, customer: Customer) -> anyhow::Result<()> {
        let mut no = 0;
        while !self.enough.load(Ordering::Relaxed) {
            no += 1;
            let (id, webhook) = customer.message(&format!("message {no}"))?;
            // A platform does not give up while ingest is started again.
            wait_for("an acknowledgement", READY_MAX + PROGRESS_MAX, || async {
                customer.deliver(&webhook).await.map_err(|error| format!("{error:#}"))
            })
            .await?;
            self.by_customer.lock().unwrap().entry(customer.key).or_default().push(id);
        }
        Ok(())
    }

    async fn more(&self, count: usize) -> anyhow::Result<()> {
        let goal = self.count() + count;
        wait_for("messages to be acknowledged", PROGRESS_MAX, || async {
            let now = self.count();
            if now >= goal { Ok(()) } else { Err(format!("{now} of {goal}")) }
        })
        .await
    }
}

/// A gauge of ingest, as Prometheus reads it.
async fn gauge(stack: &Stack, name: &str) -> Result<f64, String> {
    let url = format!("{}/metrics", stack.admin("ingest").map_err(|error| error.to_string())?);
    let text = async { reqwest::get(&url).await?.text().await }.await.map_err(|error| error.to_string())?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such metric")?;
    line.trim().parse().map_err(|_| format!("{name}{line}"))
}

async fn prepare(directory: &Path, spool: &Path, name: &str) -> anyhow::Result<(Stack, Company)> {
    let mut stack = Stack::of_directory(directory)?;
    stack.weft(&["topics", "apply"]).await?;
    stack.weft(&["schemas", "register"]).await?;
    let run = clock::now().as_ms() / 1000;
    let company = Company::another(&stack, &format!("{name}-{run}"), u32::try_from(run % 1_000_000)? * 100 + 99)?;
    let ports = free_ports(2)?;
    // Nobody answers in this test, so no provider listens.
    let providers = Ports::from_base(stack.port_base());
    let configuration = tempfile::tempdir()?;
    let folder = company.write(configuration.path(), providers)?;
    stack.weft(&["apply", "-f", folder.to_str().context("a plain path")?]).await?;
    stack.set("WEFT_INGEST__LISTEN", format!("127.0.0.1:{}", ports[0]));
    stack.set("WEFT_INGEST__ADMIN_LISTEN", format!("127.0.0.1:{}", ports[1]));
    stack.set("WEFT_INGEST__SPOOL_DIRECTORY", spool.to_str().context("a plain path")?);
    stack.set("WEFT_INGEST__SPOOL_AFTER_MS", "300");
    Ok((stack, company))
}

/// The ids of each customer's messages as they lie in Kafka, the platform's and ours, repeats
/// included.
type Arrived = BTreeMap<CustomerKey, Vec<(String, EventId)>>;

async fn arrived(stack: &Stack, tenant: &str) -> anyhow::Result<Arrived> {
    let url = stack.variable("WEFT_SCHEMA_REGISTRY__URL")?.to_owned();
    let codec = Codec::connect(&RegistrySettings { url, ..RegistrySettings::default() }, &[CHANNEL_INBOUND]).await?;
    let kafka = KafkaSettings { bootstrap: stack.variable("WEFT_KAFKA__BOOTSTRAP")?.to_owned(), ..Default::default() };
    let tenant = tenant.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let (mut all, mut unreadable) = (Arrived::new(), 0);
        let read = Follow::new([CHANNEL_INBOUND.name]).to_end(&kafka, "outage-test", |record| {
            let event = record.payload.and_then(|payload| codec.decode::<InboundEvent>(payload).ok());
            match event {
                Some(event) if event.tenant.as_str() == tenant && matches!(event.kind, InboundKind::Message(_)) => {
                    let ids = (event.provider_event_id, event.event_id);
                    all.entry(event.customer_key.unwrap()).or_default().push(ids);
                }
                Some(_) => {}
                None => unreadable += 1,
            }
        });
        read.map(|()| (all, unreadable))
    });
    let (all, unreadable) = reading.await??;
    ensure!(unreadable == 0, "{unreadable} records cannot be read");
    Ok(all)
}

/// Load, Kafka away for a while, ingest killed and started again, Kafka back: what was acknowledged,
/// and how many records lay on disk when ingest was killed.
async fn suffered(how: How, stack: &Stack, company: &Company, directory: &Path) -> anyhow::Result<(Acknowledged, f64)> {
    let log = directory.join("logs/outage-ingest.log");
    let ingest = Ingest::start(stack, &log).await?;
    let customer = |no: usize| {
        Customer::new(stack, company, Account::Parcels, &format!("Customer {no}"), format!("4177000{no:04}"))
    };
    let customers = (0..CUSTOMERS).map(customer).collect::<anyhow::Result<Vec<_>>>()?;
    let acknowledged = Acknowledged::default();
    let writing = try_join_all(customers.into_iter().map(|customer| acknowledged.write(customer)));
    let story = async {
        acknowledged.more(50).await?;
        let away = Away::kafka(how, stack, directory).await?;
        let begun = Stamp::now();
        acknowledged.more(200).await?;
        if how == How::Ended {
            let lasting = Duration::from_secs(config::outage_s().unwrap_or(30));
            let over =
                || async { if begun.elapsed() >= lasting { Ok(()) } else { Err(acknowledged.count().to_string()) } };
            wait_for("the outage to last", lasting + PROGRESS_MAX, over).await?;
            acknowledged.more(50).await?;
        }
        healthy(stack, "livez").await.map_err(anyhow::Error::msg).context("ingest wants to be started anew")?;
        let held = gauge(stack, "weft_spool_records ").await.map_err(anyhow::Error::msg)?;
        ensure!(held > 0.0, "the spool is empty though Kafka is away");
        ingest.kill()?;
        let mut ingest = Ingest::start(stack, &log).await?;
        acknowledged.more(50).await?;
        tokio::task::block_in_place(|| drop(away));
        acknowledged.more(50).await?;
        acknowledged.enough.store(true, Ordering::Relaxed);
        wait_for("the spool to be empty", PROGRESS_MAX, || async {
            let held = gauge(stack, "weft_spool_records ").await?;
            if held == 0.0 { Ok(()) } else { Err(format!("{held} records")) }
        })
        .await?;
        ingest.lives()?;
        anyhow::Ok((ingest, held))
    };
    let (_, (_ingest, held)) = tokio::try_join!(writing, story)?;
    Ok((acknowledged, held))
}

/// Plays an outage and compares what lies in Kafka with what was acknowledged; what there was of each.
async fn survives(how: How, name: &str) -> String {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = ALONE.lock().await;
    let directory = config::test_stack().unwrap();
    let spool = tempfile::tempdir().unwrap();
    let (stack, company) = prepare(&directory, spool.path(), name).await.unwrap();
    let (acknowledged, held) = suffered(how, &stack, &company, &directory).await.unwrap();
    let expected = acknowledged.by_customer.into_inner().unwrap();
    let arrived = arrived(&stack, &company.tenant).await.unwrap();
    let mut repeats = 0;
    for (customer, ids) in &expected {
        let mut ours = BTreeMap::new();
        let all = arrived.get(customer).cloned().unwrap_or_default();
        let mut once = Vec::new();
        for (id, event_id) in &all {
            match ours.insert(id.clone(), *event_id) {
                None => once.push(id.clone()),
                Some(former) => assert_eq!(former, *event_id, "a repeat of {id} that nobody can know for one"),
            }
        }
        repeats += all.len() - once.len();
        assert_eq!(&once, ids, "customer {customer}");
    }
    let count: usize = expected.values().map(Vec::len).sum();
    format!("{count} messages acknowledged, {held} records on disk when ingest was killed, {repeats} repeats in Kafka")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_while_kafka_stands_still_arrives_in_order_though_ingest_is_killed() {
    println!("{}", survives(How::Frozen, "frozen").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_while_there_is_no_kafka_arrives_in_order_though_ingest_is_killed() {
    println!("{}", survives(How::Ended, "ended").await);
}
