//! The sink: a batch is the same batch however often it comes.

use crate::cluster::{Cluster, wait_for, wait_for_position};
use crate::peer::Peer;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use stream::faults::{POINTS, Part};
use stream::planted::Planted;
use stream::{
    DeadLetter, InputRecord, KafkaSettings, Progress, Reject, RunError, ServiceName, Setup, Shutdown, SinkBatch,
    SinkFault, SinkStation,
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
            "explode" => panic!("told to explode"),
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

fn start(
    cluster: &Cluster,
    database: &Database,
    settings: &KafkaSettings,
) -> (Shutdown, std::thread::JoinHandle<Result<(), RunError>>) {
    let setup = Setup {
        service: ServiceName::new(&cluster.service),
        settings: settings.clone(),
        registry: prometheus::Registry::new(),
        progress: Progress::new(),
        shutdown: Shutdown::new(),
    };
    let shutdown = setup.shutdown.clone();
    let station = Lines { topic: cluster.topic("in"), database: database.clone() };
    (shutdown, std::thread::spawn(move || stream::run_sink(setup, station)))
}

/// Runs it until a fault point ends it; what it says then.
fn die(cluster: &Cluster, database: &Database, faults: &str) -> String {
    let (_, thread) = start(cluster, database, &cluster.faulty(faults));
    thread.join().unwrap().unwrap_err().to_string()
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
    assert_eq!(die(&cluster, &database, "after_insert=error"), "fault point after_insert");
    cluster.send("in", "a", &sent(100, 150));
    let (shutdown, thread) = start(&cluster, &database, &cluster.settings);
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
fn a_death_at_any_point_of_a_sink_loses_and_doubles_nothing() {
    let cluster = Cluster::new("sinkdeath", 1);
    let database = Database::default();
    let mut lines = 0;
    for point in POINTS.iter().filter(|point| point.part() == Part::Sink) {
        let name = point.name();
        cluster.send("in", "a", &sent(lines, lines + 30));
        lines += 30;
        assert_eq!(die(&cluster, &database, &format!("{name}=error")), format!("fault point {name}"));
    }
    let (shutdown, thread) = start(&cluster, &database, &cluster.settings);
    assert_eq!(wait_for_rows(&database, lines), numbered(0, lines));
    shutdown.request();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_sink_without_plans_or_with_tokens_from_the_clock_writes_rows_twice() {
    for bug in [Planted::BatchWithoutPlan, Planted::TokenFromTime] {
        let cluster = Cluster::new("sinkbug", 1);
        let database = Database::default();
        let planted = KafkaSettings { planted: bug.name().to_owned(), ..cluster.faulty("after_insert=error") };
        cluster.send("in", "a", &sent(0, 30));
        let (_, thread) = start(&cluster, &database, &planted);
        thread.join().unwrap().unwrap_err();
        cluster.send("in", "a", &sent(30, 40));
        let (shutdown, thread) = start(&cluster, &database, &KafkaSettings { faults: String::new(), ..planted });
        assert_eq!(wait_for_rows(&database, 70).len(), 70, "{}", bug.name());
        shutdown.request();
        thread.join().unwrap().unwrap();
    }
}

#[test]
fn a_database_that_is_away_is_waited_for_and_bad_records_are_set_aside() {
    let cluster = Cluster::new("sinkwait", 1);
    let database = Database::default();
    database.0.lock().unwrap().away = 3;
    let mut lines = sent(0, 5);
    lines.push("bad".to_owned());
    cluster.send("in", "a", &lines);
    let (shutdown, thread) = start(&cluster, &database, &cluster.settings);
    wait_for_rows(&database, 5);
    cluster.send("in", "a", &sent(6, 9));
    let mut expected = numbered(0, 5);
    expected.extend(numbered(6, 9));
    assert_eq!(wait_for_rows(&database, 8), expected);
    assert_eq!(cluster.texts("in.dlq"), [format!("{}-0@5 bad", cluster.topic("in"))]);
    shutdown.request();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_record_whose_rows_panic_is_set_aside_and_a_flood_of_them_stops_the_partition() {
    let cluster = Cluster::new("sinkpanic", 1);
    let database = Database::default();
    let settings = KafkaSettings { batch_records_max: 20, ..cluster.settings.clone() };
    cluster.send("in", "a", &vec!["explode".to_owned(); 50]);
    cluster.send("in", "a", &sent(0, 30));
    let (shutdown, thread) = start(&cluster, &database, &settings);
    let letters = cluster.wait_for_texts("in.dlq", 50);
    assert!(letters.iter().all(|letter| letter.ends_with(" panic")), "{letters:?}");
    shutdown.request();
    thread.join().unwrap().unwrap();
    let rows = database.0.lock().unwrap().rows.len();
    assert!(rows <= 10, "stopped with the batch that held the fiftieth: {rows} rows");
}

#[test]
fn a_sink_commits_positions_past_markers_without_records() {
    let cluster = Cluster::new("sinkidle", 1);
    let peer = Peer::begin(&cluster);
    peer.write(&cluster.topic("in"), b"a", b"line");
    peer.abort();
    let settings = KafkaSettings { idle_commit_ms: 200, ..cluster.settings.clone() };
    let (shutdown, thread) = start(&cluster, &Database::default(), &settings);
    wait_for_position(&cluster, 2);
    shutdown.request();
    thread.join().unwrap().unwrap();
}
