//! A service of its own on a real Kafka for each test.

use crate::counter::{CounterStation, Oracle};
use std::collections::BTreeMap;
use std::sync::Once;
use std::thread::JoinHandle;
use std::time::Duration;
use stream::clock::{self, Stamp};
use stream::{
    Admin, Follow, KafkaSettings, Output, Progress, Publisher, RunError, ServiceName, Setup, Shutdown, Timestamp,
    TopicPlan,
};

/// How to reach the broker: `WEFT_KAFKA__BOOTSTRAP`, from the environment or from the file `env`
/// in the directory that `WEFT_TEST_STACK` names.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where Kafka is")]
pub(crate) fn settings() -> KafkaSettings {
    let from_stack = || {
        let path = format!("{}/env", std::env::var("WEFT_TEST_STACK").ok()?);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let line = text.lines().find_map(|line| line.strip_prefix("WEFT_KAFKA__BOOTSTRAP="));
        Some(line.unwrap_or_else(|| panic!("{path} has no WEFT_KAFKA__BOOTSTRAP")).to_owned())
    };
    let bootstrap = std::env::var("WEFT_KAFKA__BOOTSTRAP").ok().or_else(from_stack);
    let bootstrap = bootstrap.expect(
        "these tests need a real Kafka: set WEFT_KAFKA__BOOTSTRAP, or WEFT_TEST_STACK to the \
         directory of a running stack",
    );
    KafkaSettings { bootstrap, ..KafkaSettings::default() }
}

/// A record as tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Timestamp,
    pub(crate) key: Vec<u8>,
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Seen {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.payload.as_deref().unwrap_or_default()).into_owned()
    }
}

/// One test's service: its topics and how to run it.
pub(crate) struct Cluster {
    pub(crate) service: String,
    pub(crate) settings: KafkaSettings,
    tokio: tokio::runtime::Runtime,
    publisher: Publisher,
}

/// A running service.
pub(crate) struct Running {
    pub(crate) progress: Progress,
    registry: prometheus::Registry,
    shutdown: Shutdown,
    thread: JoinHandle<Result<(), RunError>>,
}

impl Running {
    /// Asks for the end and waits for it.
    pub(crate) fn stop(self) -> Result<(), RunError> {
        self.shutdown.request();
        self.ended()
    }

    /// The sum of a counter over all its labels.
    pub(crate) fn counted(&self, metric: &str) -> u64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == metric);
        let values = family.into_iter().flat_map(|family| family.get_metric());
        values.map(|value| value.get_counter().get_value() as u64).sum()
    }

    /// The value of a gauge, the first with these labels.
    pub(crate) fn gauge(&self, metric: &str, labels: &[(&str, &str)]) -> Option<i64> {
        gauge(&self.registry, metric, labels)
    }

    /// What its metrics show, even after its end.
    pub(crate) fn registry(&self) -> prometheus::Registry {
        self.registry.clone()
    }

    /// Waits for its end.
    pub(crate) fn ended(self) -> Result<(), RunError> {
        self.thread.join().unwrap()
    }
}

impl Cluster {
    /// All topics but the configuration with this many partitions.
    pub(crate) fn new(test: &str, partitions: i32) -> Self {
        Self::sized(test, |_| partitions)
    }

    /// Each topic with as many partitions as `partitions` says.
    pub(crate) fn sized(test: &str, partitions: impl Fn(&str) -> i32) -> Self {
        static LOGS: Once = Once::new();
        LOGS.call_once(|| {
            let filter = tracing_subscriber::EnvFilter::new("warn");
            tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().init();
        });
        let settings = settings();
        let service = format!("{test}-{}", clock::now().as_ms());
        let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let publisher = Publisher::connect(&settings, &service).unwrap();
        let cluster = Self { service, settings, tokio, publisher };
        cluster.create(partitions, &["in", "side", "config", "out", "replay"]);
        cluster
    }

    /// Creates topics with their dead letters, and the changelogs.
    fn create(&self, partitions: impl Fn(&str) -> i32, topics: &[&str]) {
        let mut plans = Vec::new();
        for topic in topics {
            let count = if *topic == "config" { 1 } else { partitions(topic) };
            for name in [self.topic(topic), format!("{}.dlq", self.topic(topic))] {
                plans.push(plan(name, count, &[("message.timestamp.type", "LogAppendTime")]));
            }
        }
        for service in [&self.service, &self.replay()] {
            for table in ["counts", "limits", "task"] {
                let name = ServiceName::new(service).changelog(table);
                plans.push(plan(name, partitions(table), &[("cleanup.policy", "compact")]));
            }
        }
        self.tokio.block_on(Admin::new(&self.settings).unwrap().create(&plans)).unwrap();
    }

    pub(crate) fn topic(&self, name: &str) -> String {
        format!("{}.{name}", self.service)
    }

    /// Writes lines under one key, so to one partition, in order.
    pub(crate) fn send(&self, topic: &str, key: &str, lines: &[String]) {
        let topic = self.topic(topic);
        let line = |line: &String| Output::new(topic.clone(), key, line.as_bytes());
        self.tokio.block_on(self.publisher.publish(lines.iter().map(line).collect())).unwrap();
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.tokio.block_on(work)
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(self.settings.clone())
    }

    pub(crate) fn start_with(&self, settings: KafkaSettings) -> Running {
        self.start_as(&self.service, "out", settings)
    }

    /// Settings with these fault points armed.
    pub(crate) fn faulty(&self, faults: &str) -> KafkaSettings {
        KafkaSettings { faults: faults.to_owned(), ..self.settings.clone() }
    }

    /// A second service that reads the same inputs and says what it makes of them in `replay`.
    pub(crate) fn start_replay(&self) -> Running {
        self.start_as(&self.replay(), "replay", self.settings.clone())
    }

    fn replay(&self) -> String {
        format!("{}-replay", self.service)
    }

    pub(crate) fn start_as(&self, service: &str, output: &str, settings: KafkaSettings) -> Running {
        let setup = Setup {
            service: ServiceName::new(service),
            settings,
            registry: prometheus::Registry::new(),
            progress: Progress::new(),
            shutdown: Shutdown::new(),
        };
        let (progress, shutdown) = (setup.progress.clone(), setup.shutdown.clone());
        let registry = setup.registry.clone();
        let station = CounterStation { inputs: self.service.clone(), output: self.topic(output) };
        let thread = std::thread::spawn(move || stream::run(setup, station, Oracle));
        Running { progress, shutdown, registry, thread }
    }

    /// Everything committed to a topic, by partition and offset.
    pub(crate) fn read(&self, topic: &str) -> Vec<Seen> {
        self.follow(Follow::new([self.topic(topic)]))
    }

    /// Everything ever written to a topic, aborted work included.
    pub(crate) fn read_uncommitted(&self, topic: &str) -> Vec<Seen> {
        self.follow(Follow::new([self.topic(topic)]).uncommitted())
    }

    /// Everything committed to a table's changelog.
    pub(crate) fn changelog(&self, table: &str) -> Vec<Seen> {
        self.follow(Follow::new([ServiceName::new(&self.service).changelog(table)]))
    }

    fn follow(&self, follow: Follow) -> Vec<Seen> {
        let mut seen = Vec::new();
        let take = |record: stream::InputRecord<'_>| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let headers = record.headers.iter().map(|(k, v)| (k.clone(), text(v))).collect();
            seen.push(Seen {
                partition: record.partition,
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key.unwrap_or_default().to_vec(),
                payload: record.payload.map(<[u8]>::to_vec),
                headers,
            });
        };
        follow.to_end(&self.settings, "weft-test", take).unwrap();
        seen.sort_by_key(|record| (record.partition, record.offset));
        seen
    }

    /// What a topic says, in order.
    pub(crate) fn texts(&self, topic: &str) -> Vec<String> {
        self.read(topic).iter().map(Seen::text).collect()
    }

    /// Waits until a topic says this many lines; gives all of them.
    pub(crate) fn wait_for_texts(&self, topic: &str, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        wait_for(&format!("{count} records in {topic}"), || {
            texts = self.texts(topic);
            if texts.len() >= count { Ok(()) } else { Err(format!("{} records", texts.len())) }
        });
        texts
    }
}

fn plan(name: String, partitions: i32, config: &[(&str, &str)]) -> TopicPlan {
    let config = config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    TopicPlan { name, partitions, replication: 1, config }
}

/// Looks again until the predicate holds; fails with what it last saw.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> Result<(), String>) {
    let deadline = Stamp::now().plus(Duration::from_secs(60));
    loop {
        let Err(saw) = holds() else { return };
        assert!(!deadline.remaining().is_zero(), "waited 60 s for {what}; last saw {saw}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// The value of a gauge, the first with these labels.
pub(crate) fn gauge(registry: &prometheus::Registry, metric: &str, labels: &[(&str, &str)]) -> Option<i64> {
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == metric)?;
    let mut values = family.get_metric().iter();
    let value = values.find(|value| {
        let has = |(name, wanted): &(&str, &str)| {
            value.get_label().iter().any(|label| label.name() == *name && label.value() == *wanted)
        };
        labels.iter().all(has)
    });
    value.map(|value| value.get_gauge().get_value() as i64)
}

/// Waits until the service's group has committed the end of `in`, which is at this offset.
pub(crate) fn wait_for_position(cluster: &Cluster, end: i64) {
    let admin = Admin::new(&cluster.settings).unwrap();
    let group = ServiceName::new(&cluster.service).group();
    wait_for("the position", || match admin.group(&group, &[cluster.topic("in")]).unwrap()[..] {
        [ref at] if at.committed == Some(end) && at.end == end => Ok(()),
        ref other => Err(format!("{other:?}")),
    });
}
