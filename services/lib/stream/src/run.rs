//! Starts the loops of a service and waits for their end.

use crate::faults::Faults;
use crate::kafka::Fault;
use crate::kafka::admin::Admin;
use crate::lane::dead_letter_topic;
use crate::metrics::Metrics;
use crate::slot::Slot;
use crate::station::{Inputs, Performer, ServiceName, Station};
use crate::task::Task;
use crate::{KafkaSettings, Progress, SettingsError, Shutdown};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a service brings along beside its station.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Its name.
    pub service: ServiceName,
    /// The section `[kafka]`.
    pub settings: KafkaSettings,
    /// Where the runtime's metrics are registered.
    pub registry: prometheus::Registry,
    /// What `/livez` and `/readyz` ask.
    pub progress: Progress,
    /// Asks for the end, and is asked for it when a loop fails.
    pub shutdown: Shutdown,
}

/// Why a service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Topics are missing or have the wrong number of partitions.
    #[error("{0}")]
    Topics(String),
    /// The world: the process ends, and a new one restores the state and replays the input.
    #[error("{0}")]
    Fault(#[from] Fault),
    /// The operating system refused a thread, or metrics could not be registered.
    #[error("{0}")]
    Start(String),
}

/// What all loops of a process share.
pub(crate) struct Shared<S, P> {
    pub(crate) service: ServiceName,
    pub(crate) settings: KafkaSettings,
    pub(crate) faults: Faults,
    pub(crate) metrics: Metrics,
    pub(crate) progress: Progress,
    pub(crate) shutdown: Shutdown,
    pub(crate) station: S,
    pub(crate) performer: P,
    pub(crate) inputs: Topics,
    pub(crate) changelogs: BTreeMap<&'static str, Arc<str>>,
}

impl<S, P> Shared<S, P> {
    pub(crate) fn changelog(&self, table: &str) -> &str {
        self.changelogs.get(table).expect("changelogs are made from the same tables")
    }
}

/// The input topics by name.
pub(crate) struct Topics {
    pub(crate) group: Vec<Arc<str>>,
    pub(crate) config: Vec<Arc<str>>,
}

impl Topics {
    fn of(inputs: &Inputs) -> Self {
        let shared = |names: &[String]| names.iter().map(|name| Arc::from(name.as_str())).collect();
        Self { group: shared(&inputs.group), config: shared(&inputs.config) }
    }

    /// Order among records of equal time: configuration first, then as the station lists them.
    pub(crate) fn position(&self, topic: &str) -> usize {
        let all = self.config.iter().chain(&self.group);
        all.take_while(|known| ***known != *topic).count()
    }
}

/// Runs a stateful service until shutdown is asked for or something fails.
///
/// Blocks; each loop has a thread of its own. An error means that the process should end with a
/// non-zero code: its successor restores the state and replays the input from the last commit.
pub fn run<S: Station, P: Performer<S>>(setup: Setup, station: S, performer: P) -> Result<(), RunError> {
    setup.settings.check()?;
    let inputs = station.inputs();
    let tables = Task::<S::Machine>::table_names();
    let changelogs: BTreeMap<&'static str, Arc<str>> =
        tables.iter().map(|table| (*table, Arc::from(setup.service.changelog(table)))).collect();
    check_topics(&setup, &inputs, changelogs.values())?;
    let metrics = Metrics::register(&setup.registry, setup.service.as_str());
    let slots = setup.settings.slots;
    let first = setup.settings.instance * slots;
    let shared = Arc::new(Shared {
        metrics: metrics.map_err(|error| RunError::Start(error.to_string()))?,
        inputs: Topics::of(&inputs),
        service: setup.service,
        faults: setup.settings.armed()?,
        settings: setup.settings,
        progress: setup.progress,
        shutdown: setup.shutdown,
        station,
        performer,
        changelogs,
    });
    let mut threads = Vec::new();
    for number in first..first + slots {
        let shared = Arc::clone(&shared);
        let name = format!("slot-{number}");
        let thread = std::thread::Builder::new().name(name).spawn(move || slot(shared, number));
        threads.push(thread.map_err(|error| RunError::Start(error.to_string()))?);
    }
    let mut result = Ok(());
    for thread in threads {
        let ended =
            thread.join().unwrap_or_else(|_| Err(Fault::Fatal("a loop panicked outside of processing".to_owned())));
        result = result.and(ended);
    }
    Ok(result?)
}

fn slot<S: Station, P: Performer<S>>(shared: Arc<Shared<S, P>>, number: u32) -> Result<(), Fault> {
    let ended = Slot::connect(Arc::clone(&shared), number).and_then(Slot::run);
    if let Err(error) = &ended {
        tracing::error!(slot = number, %error, "loop ended");
        shared.shutdown.request();
    }
    ended
}

/// The topics of a sink and their dead letters exist.
pub(crate) fn check_sink_topics(setup: &Setup, topics: &[String]) -> Result<(), RunError> {
    let there = Admin::new(&setup.settings)?.partitions()?;
    let letters: Vec<String> = topics.iter().map(|topic| dead_letter_topic(topic)).collect();
    exist(&there, topics.iter().chain(&letters))
}

fn exist<'a>(there: &BTreeMap<String, i32>, needed: impl Iterator<Item = &'a String>) -> Result<(), RunError> {
    let missing: Vec<&str> = needed.filter(|topic| !there.contains_key(*topic)).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(RunError::Topics(format!("topics are missing: {missing}; create them with `weft topics apply`")))
}

/// All inputs with the group have one partition count, and everything that will be written to
/// exists with it.
fn check_topics<'a>(
    setup: &Setup,
    inputs: &Inputs,
    changelogs: impl Iterator<Item = &'a Arc<str>>,
) -> Result<(), RunError> {
    let there = Admin::new(&setup.settings)?.partitions()?;
    let letters: Vec<String> =
        inputs.group.iter().chain(&inputs.config).map(|topic| dead_letter_topic(topic)).collect();
    let changelogs: Vec<String> = changelogs.map(ToString::to_string).collect();
    let needed = inputs.group.iter().chain(&inputs.config).chain(&letters).chain(&changelogs);
    exist(&there, needed)?;
    let service = &setup.service;
    let Some(first) = inputs.group.first() else {
        return Err(RunError::Topics(format!("{service} reads no topic")));
    };
    let expected = there[first];
    for topic in inputs.group.iter().chain(&changelogs) {
        let count = there[topic];
        if count != expected {
            return Err(RunError::Topics(format!(
                "{service} needs equal partition counts: {first} has {expected}, {topic} has {count}"
            )));
        }
    }
    for topic in &inputs.config {
        let count = there[topic];
        if count != 1 {
            return Err(RunError::Topics(format!("{topic} must have 1 partition, it has {count}")));
        }
    }
    Ok(())
}
