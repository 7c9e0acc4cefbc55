//! The disk behind Kafka: what was acknowledged is there after any end of the process, once and in
//! order, and nobody can read it.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ingest::metrics::Metrics;
use ingest::outlets::spool::{LastKnown, Spool, SpoolFault, SpoolSettings, Spooled, drain};
use ingest::outlets::{Appending, Log, NotAppended};
use stream::{Output, PublishError};

/// Bytes before the first frame of a file, and before the body of a frame.
const PREAMBLE_BYTES: usize = 72;
const HEAD_BYTES: usize = 16;

/// Kafka as the spool sees it: away or there, and what it was given.
#[derive(Default)]
struct Broker {
    away: AtomicBool,
    hangs: AtomicBool,
    /// After this many it goes away; 0: never.
    patience: AtomicUsize,
    given: Mutex<Vec<String>>,
}

impl Broker {
    fn given(&self) -> Vec<String> {
        self.given.lock().unwrap().clone()
    }
}

impl Log for Broker {
    fn append(&self, records: Vec<Output>) -> Appending<'_> {
        Box::pin(async move {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.away.load(Ordering::SeqCst) {
                return Err(PublishError::Failed("no leader".into()).into());
            }
            if self.patience.load(Ordering::SeqCst) == 1 {
                self.away.store(true, Ordering::SeqCst);
            }
            let keys = records.into_iter().map(|record| String::from_utf8(record.key).unwrap());
            self.given.lock().unwrap().extend(keys);
            Ok(())
        })
    }
}

fn settings(directory: &Path) -> SpoolSettings {
    SpoolSettings {
        directory: directory.to_owned(),
        bytes_max: 1 << 20,
        age_max: Duration::from_secs(3_600),
        after: Duration::from_millis(100),
    }
}

fn metrics() -> Metrics {
    Metrics::register(&prometheus::Registry::new()).unwrap()
}

fn open(directory: &Path) -> Result<Arc<Spool>, SpoolFault> {
    Spool::open(settings(directory), b"a secret", metrics())
}

/// The spool behind a broker that is away.
fn alone(spool: &Arc<Spool>) -> Spooled {
    let broker = Arc::<Broker>::default();
    broker.away.store(true, Ordering::SeqCst);
    Spooled::new(broker, Arc::clone(spool))
}

fn record(key: &str) -> Vec<Output> {
    vec![Output::new("channel.inbound", key, format!("words of {key}")).header("traceparent", "00-1")]
}

fn keys(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("key {n}")).collect()
}

/// The first file of frames of the first process.
fn file(directory: &Path) -> PathBuf {
    let all = std::fs::read_dir(directory.join("0")).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|extension| extension == "spool")).min().unwrap()
}

/// Files beside the lock.
fn files(directory: &Path) -> usize {
    std::fs::read_dir(directory.join("0")).unwrap().count() - 1
}

/// Puts records one after another, each acknowledged before the next.
async fn put(spool: &Arc<Spool>, keys: &[String]) {
    let log = alone(spool);
    for key in keys {
        log.append(record(key)).await.unwrap();
    }
}

async fn drained(spool: &Arc<Spool>, broker: &Arc<Broker>) {
    let draining = tokio::spawn(drain(Arc::clone(spool), Arc::clone(broker) as Arc<dyn Log>));
    let empty = async {
        while spool.holds_something() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), empty).await.expect("the spool to be drained");
    draining.abort();
    assert!(draining.await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn while_kafka_is_away_everything_goes_to_disk_and_later_to_kafka_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, metrics) = (Arc::<Broker>::default(), metrics());
    let spool = Spool::open(settings(folder.path()), b"a secret", metrics.clone()).unwrap();
    let log = Spooled::new(Arc::clone(&broker) as Arc<dyn Log>, Arc::clone(&spool));
    log.append(record("key 0")).await.unwrap();
    broker.away.store(true, Ordering::SeqCst);
    for key in keys(1..20) {
        log.append(record(&key)).await.unwrap();
    }
    assert_eq!((broker.given(), metrics.spool_records.get()), (keys(0..1), 19));
    broker.away.store(false, Ordering::SeqCst);
    log.append(record("key 20")).await.unwrap();
    assert_eq!(broker.given(), keys(0..1), "nothing overtakes what is on disk");
    drained(&spool, &broker).await;
    log.append(record("key 21")).await.unwrap();
    assert_eq!(broker.given(), keys(0..22));
    assert_eq!((files(folder.path()), metrics.spool_records.get(), metrics.spool_bytes.get()), (0, 0, 0));
}

#[tokio::test]
async fn a_broker_that_says_nothing_is_waited_for_once() {
    let folder = tempfile::tempdir().unwrap();
    let (broker, spool) = (Arc::<Broker>::default(), open(folder.path()).unwrap());
    broker.hangs.store(true, Ordering::SeqCst);
    let log = Spooled::new(Arc::clone(&broker) as Arc<dyn Log>, Arc::clone(&spool));
    log.append(record("key 0")).await.unwrap();
    let quick = tokio::time::timeout(Duration::from_secs(60), log.append(record("key 1")));
    quick.await.expect("no second wait").unwrap();
    broker.hangs.store(false, Ordering::SeqCst);
    drained(&spool, &broker).await;
    assert_eq!(broker.given(), keys(0..2));
}

#[tokio::test]
async fn what_a_killed_process_left_is_there_for_the_next_one_and_comes_before_anything_new() {
    let folder = tempfile::tempdir().unwrap();
    let former = open(folder.path()).unwrap();
    put(&former, &keys(0..10)).await;
    let beside = open(folder.path()).unwrap();
    assert!(!beside.holds_something(), "what a living process has is its own");
    drop((former, beside));
    let (broker, spool) = (Arc::<Broker>::default(), open(folder.path()).unwrap());
    let log = Spooled::new(Arc::clone(&broker) as Arc<dyn Log>, Arc::clone(&spool));
    log.append(record("key 10")).await.unwrap();
    drained(&spool, &broker).await;
    assert_eq!(broker.given(), keys(0..11));
    drop((log, spool));
    assert!(!open(folder.path()).unwrap().holds_something());
}

#[tokio::test]
async fn what_several_dead_processes_left_is_taken_by_the_next_one_oldest_first() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (open(folder.path()).unwrap(), open(folder.path()).unwrap());
    put(&first, &keys(0..3)).await;
    let named = file(folder.path());
    put(&second, &keys(3..6)).await;
    drop((first, second));
    let early = named.with_file_name("000000000000001-0000000001.spool");
    std::fs::rename(&named, early).unwrap();
    let (broker, spool) = (Arc::<Broker>::default(), open(folder.path()).unwrap());
    drained(&spool, &broker).await;
    assert_eq!(broker.given(), keys(0..6));
}

#[tokio::test]
async fn an_unfinished_end_is_dropped_whatever_it_looks_like() {
    for cut in [1, 5, 20, 40] {
        let folder = tempfile::tempdir().unwrap();
        let former = open(folder.path()).unwrap();
        put(&former, &keys(0..3)).await;
        drop(former);
        let path = file(folder.path());
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let (broker, spool) = (Arc::<Broker>::default(), open(folder.path()).unwrap());
        drained(&spool, &broker).await;
        assert_eq!(broker.given(), keys(0..2), "cut by {cut}");
        drop(spool);
        std::fs::write(&path, [&whole, &vec![0; cut][..]].concat()).unwrap();
        let (broker, spool) = (Arc::<Broker>::default(), open(folder.path()).unwrap());
        drained(&spool, &broker).await;
        assert_eq!(broker.given(), keys(0..3), "zeroes behind the end: {cut}");
    }
}

#[tokio::test]
async fn a_file_whose_beginning_was_never_finished_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    std::fs::write(folder.path().join("0/000000000000001-0000000001.spool"), b"weftspl1 too short").unwrap();
    assert!(!open(folder.path()).unwrap().holds_something());
}

#[tokio::test]
async fn damage_in_front_of_something_readable_stops_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let former = open(folder.path()).unwrap();
    put(&former, &keys(0..3)).await;
    drop(former);
    let path = file(folder.path());
    let whole = std::fs::read(&path).unwrap();
    for at in [PREAMBLE_BYTES, PREAMBLE_BYTES + 5, PREAMBLE_BYTES + HEAD_BYTES + 3] {
        let mut broken = whole.clone();
        broken[at] ^= 1;
        std::fs::write(&path, &broken).unwrap();
        let found = open(folder.path()).err().map(|fault| fault.to_string()).unwrap_or_default();
        assert!(found.contains("expected records"), "byte {at}: {found:?}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(open(folder.path()).unwrap().holds_something());
}

#[tokio::test]
async fn another_secret_cannot_read_it_and_nobody_finds_words_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let former = open(folder.path()).unwrap();
    put(&former, &keys(0..3)).await;
    drop(former);
    let bytes = std::fs::read(file(folder.path())).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"words"));
    let other = Spool::open(settings(folder.path()), b"another secret", metrics());
    assert!(matches!(other, Err(SpoolFault::OtherKey(_))));
    assert!(open(folder.path()).unwrap().holds_something(), "and nothing is lost by trying");
}

#[tokio::test]
async fn a_full_or_an_old_spool_takes_nothing_more_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let tight = SpoolSettings { bytes_max: 1, ..settings(folder.path()) };
    let spool = Spool::open(tight, b"a secret", metrics()).unwrap();
    put(&spool, &keys(0..1)).await;
    assert_eq!(alone(&spool).append(record("key 1")).await, Err(NotAppended::SpoolFull));
    drop(spool);
    let path = file(folder.path());
    let old = folder.path().join("0/000000000000001-0000000001.spool");
    std::fs::rename(path, old).unwrap();
    let (broker, spool) = (Arc::<Broker>::default(), open(folder.path()).unwrap());
    assert_eq!(alone(&spool).append(record("key 1")).await, Err(NotAppended::SpoolFull));
    drained(&spool, &broker).await;
    assert_eq!(broker.given(), keys(0..1));
    put(&spool, &keys(1..2)).await;
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_refuses_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("spool");
    let spool = open(&inside).unwrap();
    std::fs::remove_dir_all(&inside).unwrap();
    assert!(matches!(alone(&spool).append(record("key 0")).await, Err(NotAppended::Disk(_))));
    std::fs::create_dir_all(inside.join("0")).unwrap();
    put(&spool, &keys(1..3)).await;
    let broker = Arc::<Broker>::default();
    drained(&spool, &broker).await;
    assert_eq!(broker.given(), keys(1..3));
}

#[tokio::test]
async fn what_is_in_kafka_already_does_not_go_again_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let former = open(folder.path()).unwrap();
    put(&former, &keys(0..200)).await;
    let broker = Arc::<Broker>::default();
    broker.patience.store(1, Ordering::SeqCst);
    let draining = tokio::spawn(drain(Arc::clone(&former), Arc::clone(&broker) as Arc<dyn Log>));
    let some = async {
        while broker.given().is_empty() || files(folder.path()) < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), some).await.expect("some to be drained and noted");
    draining.abort();
    assert!(draining.await.unwrap_err().is_cancelled());
    drop(former);
    let first = broker.given().len();
    assert!(first > 0 && first < 200, "{first}");
    let (broker, spool) = (Arc::<Broker>::default(), open(folder.path()).unwrap());
    drained(&spool, &broker).await;
    assert_eq!(broker.given(), keys(first..200));
}

#[tokio::test]
async fn many_at_once_are_all_there_each_once() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path()).unwrap();
    let all = keys(0..500);
    let log = alone(&spool);
    let results = futures::future::join_all(all.iter().map(|key| log.append(record(key)))).await;
    assert!(results.iter().all(Result::is_ok));
    drop((log, spool));
    let (broker, spool) = (Arc::<Broker>::default(), open(folder.path()).unwrap());
    drained(&spool, &broker).await;
    let mut given = broker.given();
    given.sort();
    let mut expected = all;
    expected.sort();
    assert_eq!(given, expected);
}

#[test]
fn what_was_known_is_read_by_the_next_process_and_by_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let keys = |known: &LastKnown| -> Vec<String> {
        known.read().into_iter().map(|record| String::from_utf8(record.key).unwrap()).collect()
    };
    let copy = || LastKnown::of(open(folder.path()).unwrap(), b"a secret");
    let add = |copy: &mut LastKnown, key: &str| copy.add(record(key).remove(0)).unwrap();
    let mut first = copy();
    assert!(keys(&first).is_empty());
    add(&mut first, "a");
    add(&mut first, "b");
    assert!(keys(&first).is_empty(), "what is not whole is of no use");
    first.complete().unwrap();
    add(&mut first, "c");
    drop(first);
    let mut second = copy();
    assert_eq!(keys(&second), ["a", "b", "c"]);
    assert_eq!(second.read()[1].payload.as_deref(), Some(&b"words of b"[..]));
    add(&mut second, "d");
    drop(second);
    assert_eq!(keys(&copy()), ["a", "b", "c"], "the next one did not come to its end");
    let path = folder.path().join("0/last-known");
    let bytes = std::fs::read(&path).unwrap();
    assert!(!String::from_utf8_lossy(&bytes).contains("words of"), "it can be read on the disk");
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(keys(&copy()), ["a", "b"], "a torn end is passed over");
    let stranger = LastKnown::of(open(folder.path()).unwrap(), b"another");
    assert!(keys(&stranger).is_empty());
}
