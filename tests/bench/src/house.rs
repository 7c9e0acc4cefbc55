//! What every workload on Kafka needs: the cluster, schemas, topics, programs.

use std::io::Write;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use rdkafka::producer::BaseRecord;
use schemas::codec::Codec;
use schemas::topics::{self, PlannedTopic, TOPICS};
use stream::clock::Stamp;
use tokio::runtime::Handle;

use crate::cluster::{Cluster, drain, rest, send};
use crate::config::Environment;
use crate::corpus::Corpus;
use crate::options::Options;
use crate::proc;
use crate::raw::{Mark, Measured};
use crate::service::Service;

const READY_MAX: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const SILENCE_MAX: Duration = Duration::from_secs(120);

/// A workload's surroundings.
pub struct House<'a> {
    /// What was asked for.
    pub options: &'a Options,
    /// Where things are.
    pub environment: Environment,
    /// The brokers.
    pub cluster: Cluster,
    /// Of every topic.
    pub codec: Codec,
    /// The broker's process, if it is the stack's own.
    pub broker: Option<u32>,
    runtime: Handle,
}

impl<'a> House<'a> {
    /// Finds everything; registers the schemas.
    ///
    /// # Errors
    /// If something is missing or away.
    pub fn open(options: &'a Options, runtime: &Handle) -> anyhow::Result<Self> {
        let environment = Environment::read()?;
        let weft = environment.programs.join("weft");
        let registered = Command::new(&weft).args(["schemas", "register"]).output();
        let registered = registered.with_context(|| format!("{} is missing: run `make bench`", weft.display()))?;
        let complaint = String::from_utf8_lossy(&registered.stderr).into_owned();
        ensure!(registered.status.success(), "`weft schemas register` failed: {complaint}");
        let codec = runtime.block_on(Codec::connect(&environment.registry, TOPICS))?;
        Ok(Self {
            options,
            cluster: Cluster::new(&environment.bootstrap),
            environment,
            codec,
            broker: proc::stack_pid(&options.stack, "kafka"),
            runtime: runtime.clone(),
        })
    }

    /// Says how far the workload is.
    pub fn say(&self, text: &str) {
        say(text);
    }

    /// Empty topics by these plans.
    ///
    /// # Errors
    /// If the brokers do not follow.
    pub fn renew(&self, plans: &[PlannedTopic]) -> anyhow::Result<()> {
        self.runtime.block_on(self.cluster.renew(plans))
    }

    /// Everything that threading reads and writes, dead letters and changelogs included.
    pub fn threading_topics(&self) -> Vec<PlannedTopic> {
        let ours: Vec<&str> = threading::TOPICS.iter().map(|topic| topic.name).collect();
        let plans = topics::plan(self.options.partitions, self.options.partitions).into_iter();
        plans
            .filter(|plan| {
                let source = plan.name.strip_suffix(".dlq").unwrap_or(&plan.name);
                ours.contains(&source) || plan.name.starts_with("weft-threading-")
            })
            .collect()
    }

    /// Writes messages of a corpus to a topic; what it took this process.
    ///
    /// # Errors
    /// If the brokers refuse.
    pub fn produce(&self, topic: &str, corpus: &Corpus, numbers: std::ops::Range<u64>) -> anyhow::Result<Measured> {
        let producer = self.cluster.producer()?;
        let began = Mark::now(std::process::id(), self.broker, numbers.start)?;
        for number in numbers.clone() {
            let (key, payload) = self.encoded(corpus, number)?;
            send(&producer, BaseRecord::to(topic).key(key.as_bytes()).payload(payload.as_slice()))?;
        }
        drain(&producer)?;
        Ok(Mark::now(std::process::id(), self.broker, numbers.end)?.since(&began))
    }

    /// Key and payload of a message on `channel.inbound`.
    ///
    /// # Errors
    /// If it does not fit its schema.
    pub fn encoded(&self, corpus: &Corpus, number: u64) -> anyhow::Result<(String, Vec<u8>)> {
        let message = corpus.message(number);
        let key = message.customer_key.map(|key| key.to_string()).unwrap_or_default();
        Ok((key, self.codec.encode(schemas::topics::CHANNEL_INBOUND.name, &message)?))
    }

    /// Starts a service and waits until it is ready.
    ///
    /// # Errors
    /// If it does not come up.
    pub fn start(&self, name: &str, settings: &[(&str, String)]) -> anyhow::Result<Service> {
        let mut service = self.launch(name, settings)?;
        service.ready(READY_MAX)?;
        Ok(service)
    }

    /// Starts a service.
    ///
    /// # Errors
    /// If its program is missing.
    pub fn launch(&self, name: &str, settings: &[(&str, String)]) -> anyhow::Result<Service> {
        Service::start(&self.environment.programs, &self.options.stack.join("logs"), name, settings)
    }

    /// Watches threading work off `channel.inbound` from `from` committed records up to `until`;
    /// measured from the first commit seen beyond `from`.
    ///
    /// # Errors
    /// If it ends, or stands still.
    pub fn watch(&self, service: &mut Service, from: u64, until: u64) -> anyhow::Result<Measured> {
        let inbound = schemas::topics::CHANNEL_INBOUND.name;
        let progress = self.cluster.progress("weft.threading", inbound, self.options.partitions)?;
        let pid = service.pid();
        let mark = |records| Mark::now(pid, self.broker, records);
        let mut first = None;
        let (mut last, mut moved) = (from, Stamp::now());
        loop {
            // A coordinator that is just being found is asked again.
            let committed = progress.committed().unwrap_or(last);
            if committed > last {
                (last, moved) = (committed, Stamp::now());
                let now = mark(committed)?;
                let first = *first.get_or_insert(now);
                if committed >= until {
                    return Ok(now.since(&first));
                }
            }
            if moved.elapsed() > SILENCE_MAX {
                service.expect_alive()?;
                anyhow::bail!("threading stands at {last} of {until} records");
            }
            rest(LOOK_EVERY);
        }
    }
}

/// Says how far a workload is.
pub fn say(text: &str) {
    // Progress is for whoever looks.
    let _closed = writeln!(std::io::stderr(), "  {text}");
}
