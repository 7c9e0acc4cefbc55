//! The sink: a batch is the same batch however often it comes.

use crate::cluster::{Cluster, wait_for};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use stream::{
    DeadLetter, Fault, InputRecord, Progress, Reject, RunError, ServiceName, Setup, Shutdown, SinkBatch, SinkFault,
    SinkStation, faults,
};

/// A database that remembers tokens, and everything that was ever sent to it.
#[derive(Clone, Default)]
struct Database(Arc<Mutex<Contents>>);

#[derive(Default)]
struct Contents {
    rows: Vec<String>,
    tokens: BTreeSet<String>,
    inserts: BTreeMap<String, Vec<Vec<String>>>,
    away: u32,
}

struct Lines {
    topic: String,
    database: Database,
}

impl SinkStation for Lines {
    type Row = String;

    fn topics(&self) -> Vec<String> {
        vec![self.topic.clone()]
    }

    fn rows(&self, record: &InputRecord<'_>) -> Result<Vec<String>, Reject> {
        let text = String::from_utf8_lossy(record.payload.unwrap_or_default());
        match text.as_ref() {
            "bad" => Err(Reject::new("bad", "told so")),
            _ => Ok(vec![format!("{} {text}", record.offset)]),
        }
    }

    fn insert(&self, batch: &SinkBatch<String>, token: &str) -> Result<(), SinkFault> {
        let mut contents = self.database.0.lock().unwrap();
        if contents.away > 0 {
            contents.away -= 1;
            return Err(SinkFault::Wait("away".to_owned()));
        }
        contents.inserts.entry(token.to_owned()).or_default().push(batch.rows.clone());
        if contents.tokens.insert(token.to_owned()) {
            contents.rows.extend(batch.rows.iter().cloned());
        }
        Ok(())
    }

    fn dead_letter(&self, letter: &DeadLetter<'_>) -> Vec<u8> {
        format!("{} {}", letter.record.coordinates(), letter.reason).into_bytes()
    }
}

fn start(cluster: &Cluster, database: &Database) -> (Shutdown, std::thread::JoinHandle<Result<(), RunError>>) {
    let setup = Setup {
        service: ServiceName::new(&cluster.service),
        settings: cluster.settings.clone(),
        registry: prometheus::Registry::new(),
        progress: Progress::new(),
        shutdown: Shutdown::new(),
    };
    let shutdown = setup.shutdown.clone();
    let station = Lines { topic: cluster.topic("in"), database: database.clone() };
    (shutdown, std::thread::spawn(move || stream::run_sink(setup, station)))
}

fn wait_for_rows(database: &Database, count: usize) -> Vec<String> {
    wait_for(&format!("{count} rows"), || match database.0.lock().unwrap().rows.len() {
        rows if rows >= count => Ok(()),
        rows => Err(format!("{rows} rows")),
    });
    database.0.lock().unwrap().rows.clone()
}

fn numbered(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|i| format!("{i} line {i}")).collect()
}

fn sent(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|i| format!("line {i}")).collect()
}

#[test]
fn a_batch_interrupted_after_its_insert_is_repeated_with_exactly_its_range() {
    let cluster = Cluster::new("sinkcrash", 1);
    let database = Database::default();
    cluster.send("in", "a", &sent(0, 100));
    faults::arm(&cluster.slot(), "after_insert", Fault::Fatal("died".to_owned()));
    let (_, thread) = start(&cluster, &database);
    assert_eq!(thread.join().unwrap().unwrap_err().to_string(), "died");
    cluster.send("in", "a", &sent(100, 150));
    let (shutdown, thread) = start(&cluster, &database);
    assert_eq!(wait_for_rows(&database, 150), numbered(0, 150));
    shutdown.request();
    thread.join().unwrap().unwrap();
    let contents = database.0.lock().unwrap();
    let token = format!("{}:0:0-99", cluster.topic("in"));
    let repeated = &contents.inserts[&token];
    assert_eq!(repeated.len(), 2, "inserted, and inserted again after the death");
    assert_eq!(repeated[0], repeated[1]);
}

#[test]
fn a_planned_batch_that_was_never_inserted_is_inserted_after_a_restart() {
    let cluster = Cluster::new("sinkplan", 1);
    let database = Database::default();
    cluster.send("in", "a", &sent(0, 10));
    faults::arm(&cluster.slot(), "after_plan", Fault::Fatal("died".to_owned()));
    let (_, thread) = start(&cluster, &database);
    thread.join().unwrap().unwrap_err();
    let (shutdown, thread) = start(&cluster, &database);
    assert_eq!(wait_for_rows(&database, 10), numbered(0, 10));
    shutdown.request();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_database_that_is_away_is_waited_for_and_bad_records_are_set_aside() {
    let cluster = Cluster::new("sinkwait", 1);
    let database = Database::default();
    database.0.lock().unwrap().away = 3;
    let mut lines = sent(0, 5);
    lines.push("bad".to_owned());
    cluster.send("in", "a", &lines);
    let (shutdown, thread) = start(&cluster, &database);
    wait_for_rows(&database, 5);
    cluster.send("in", "a", &sent(6, 9));
    let mut expected = numbered(0, 5);
    expected.extend(numbered(6, 9));
    assert_eq!(wait_for_rows(&database, 8), expected);
    assert_eq!(cluster.texts("in.dlq"), [format!("{}-0@5 bad", cluster.topic("in"))]);
    shutdown.request();
    thread.join().unwrap().unwrap();
}
