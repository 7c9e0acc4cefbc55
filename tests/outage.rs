//! Kafka stands still under load, and ingest is killed meanwhile: whatever was acknowledged arrives,
//! once and in each customer's order.
//!
//! Needs a stack whose Kafka is a process of its own (`WEFT_TEST_STACK`); nothing else may run on it
//! at the same time.
#![expect(clippy::unwrap_used, reason = "a test stops where it finds something wrong")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;
use schemas::codec::{Codec, RegistrySettings};
use schemas::ids::CustomerKey;
use schemas::records::{InboundEvent, InboundKind};
use schemas::topics::CHANNEL_INBOUND;
use stream::{Follow, KafkaSettings, clock};
use tests::company::{Account, Company};
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
    async fn start(stack: &Stack, log: &Path) -> anyhow::Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(stack.program("weft-ingest")?);
        command.envs(stack.variables()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let ingest = Self { child: command.spawn()? };
        let url = format!("{}/readyz", stack.admin("ingest")?);
        wait_for("ingest to be ready", READY_MAX, || async {
            let answer = reqwest::get(&url).await.map_err(|error| error.to_string())?;
            if answer.status().is_success() { Ok(()) } else { Err(answer.status().to_string()) }
        })
        .await?;
        Ok(ingest)
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

/// Kafka's process, standing still until this is dropped.
struct Stopped(String);

impl Stopped {
    fn kafka(directory: &Path) -> anyhow::Result<Self> {
        let file = directory.join("run/kafka.pid");
        let pid = std::fs::read_to_string(&file).with_context(|| format!("no Kafka of its own: {}", file.display()))?;
        let stopped = Self(pid.trim().to_owned());
        ensure!(stopped.signal("-STOP")?, "Kafka cannot be stopped");
        Ok(stopped)
    }

    fn signal(&self, name: &str) -> std::io::Result<bool> {
        Ok(Command::new("kill").args([name, &self.0]).status()?.success())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("-CONT").ok();
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
            let written = customer.writes(&format!("message {no}")).await?;
            let mut all = self.by_customer.lock().unwrap();
            all.entry(customer.key).or_default().push(written.provider_id);
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

async fn prepare(directory: &Path, spool: &Path) -> anyhow::Result<(Stack, Company)> {
    let mut stack = Stack::of_directory(directory)?;
    stack.weft(&["topics", "apply"]).await?;
    stack.weft(&["schemas", "register"]).await?;
    let run = clock::now().as_ms() / 1000;
    let company = Company::another(&stack, &format!("outage-{run}"), u32::try_from(run % 1_000_000)? * 100 + 99)?;
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

/// The ids of each customer's messages as they lie in Kafka, repeats included.
async fn arrived(stack: &Stack, tenant: &str) -> anyhow::Result<BTreeMap<CustomerKey, Vec<String>>> {
    let url = stack.variable("WEFT_SCHEMA_REGISTRY__URL")?.to_owned();
    let codec = Codec::connect(&RegistrySettings { url, ..RegistrySettings::default() }, &[CHANNEL_INBOUND]).await?;
    let kafka = KafkaSettings { bootstrap: stack.variable("WEFT_KAFKA__BOOTSTRAP")?.to_owned(), ..Default::default() };
    let tenant = tenant.to_owned();
    let reading = tokio::task::spawn_blocking(move || {
        let mut all: BTreeMap<CustomerKey, Vec<String>> = BTreeMap::new();
        let mut unreadable = 0;
        let read = Follow::new([CHANNEL_INBOUND.name]).to_end(&kafka, "outage-test", |record| {
            let event = record.payload.and_then(|payload| codec.decode::<InboundEvent>(payload).ok());
            match event {
                Some(event) if event.tenant.as_str() == tenant && matches!(event.kind, InboundKind::Message(_)) => {
                    all.entry(event.customer_key.unwrap()).or_default().push(event.provider_event_id);
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_while_kafka_stands_still_arrives_once_and_in_order_though_ingest_is_killed() {
    let directory = config::test_stack().unwrap();
    let spool = tempfile::tempdir().unwrap();
    let (stack, company) = prepare(&directory, spool.path()).await.unwrap();
    let log = directory.join("logs/outage-ingest.log");
    let ingest = Ingest::start(&stack, &log).await.unwrap();
    let customer = |no: usize| {
        Customer::new(&stack, &company, Account::Parcels, &format!("Customer {no}"), format!("4177000{no:04}"))
    };
    let customers: Vec<Customer> = (0..CUSTOMERS).map(|no| customer(no).unwrap()).collect();
    let acknowledged = Acknowledged::default();
    let writing = try_join_all(customers.into_iter().map(|customer| acknowledged.write(customer)));
    let story = async {
        acknowledged.more(50).await?;
        let stopped = Stopped::kafka(&directory)?;
        acknowledged.more(200).await?;
        let held = gauge(&stack, "weft_spool_records ").await.map_err(anyhow::Error::msg)?;
        ensure!(held > 0.0, "the spool is empty though Kafka stands still");
        ingest.kill()?;
        drop(stopped);
        let ingest = Ingest::start(&stack, &log).await?;
        acknowledged.more(50).await?;
        acknowledged.enough.store(true, Ordering::Relaxed);
        wait_for("the spool to be empty", PROGRESS_MAX, || async {
            let held = gauge(&stack, "weft_spool_records ").await?;
            if held == 0.0 { Ok(()) } else { Err(format!("{held} records")) }
        })
        .await?;
        anyhow::Ok((ingest, held))
    };
    let (wrote, told) = tokio::join!(writing, story);
    let (_ingest, held) = told.unwrap();
    wrote.unwrap();
    let expected = acknowledged.by_customer.into_inner().unwrap();
    let arrived = arrived(&stack, &company.tenant).await.unwrap();
    let mut repeats = 0;
    for (customer, ids) in &expected {
        let mut seen = BTreeSet::new();
        let all = arrived.get(customer).cloned().unwrap_or_default();
        let once: Vec<String> = all.iter().filter(|id| seen.insert((*id).clone())).cloned().collect();
        repeats += all.len() - once.len();
        assert_eq!(&once, ids, "customer {customer}");
    }
    let count: usize = expected.values().map(Vec::len).sum();
    println!(
        "{count} messages acknowledged, {held} records on disk when ingest was killed, {repeats} repeats in Kafka"
    );
}
