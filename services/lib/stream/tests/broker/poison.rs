//! Records that cannot be worked: refused, panicking, killing; and the brake.

use crate::child::{Process, aborted};
use crate::cluster::{Cluster, Seen, wait_for};
use crate::exactly_once::{lines, totals};
use std::collections::BTreeSet;
use stream::KafkaSettings;

#[test]
fn a_refused_record_becomes_a_dead_letter_in_the_same_transaction() {
    let cluster = Cluster::new("letters", 1);
    let sent = ["add a 1", "add a lot", "add a 1", "what", "ignore", "add a 1"];
    cluster.send("in", "a", &sent.map(str::to_owned));
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 3), totals(1, 3));
    let letters = cluster.read("in.dlq");
    let source = |offset| format!("{}-0@{offset}", cluster.topic("in"));
    let said: Vec<String> = letters.iter().map(Seen::text).collect();
    let (number, unknown) = ("not_a_number attempt 1", "unknown_command attempt 1");
    assert_eq!(said, [format!("{} {number}", source(1)), format!("{} {unknown}", source(3))]);
    let out = cluster.read("out");
    let transactions: BTreeSet<_> = out.iter().chain(&letters).map(|record| &record.headers["weft-txn"]).collect();
    assert_eq!(transactions.len(), 1, "one batch, one transaction");
    assert_eq!(letters[0].key, b"a");
    wait_for("the metric", || match running.counted("weft_dead_letters_total") {
        2 => Ok(()),
        other => Err(other.to_string()),
    });
    running.stop().unwrap();
}

#[test]
fn a_record_that_panics_is_tried_alone_and_then_set_aside() {
    let cluster = Cluster::new("panic", 1);
    let mut sent = lines("add a 1", 5);
    sent.push("explode".to_owned());
    sent.extend(lines("add a 1", 5));
    cluster.send("in", "a", &sent);
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 10), totals(1, 10));
    running.stop().unwrap();
    let letter = format!("{}-0@5 panic attempt 3", cluster.topic("in"));
    assert_eq!(cluster.texts("in.dlq"), [letter]);
}

#[test]
fn a_record_that_kills_its_process_is_set_aside_after_the_third_death() {
    let cluster = Cluster::new("killing", 1);
    let directory = tempfile::tempdir().unwrap();
    let mut sent = lines("add a 1", 20);
    sent.insert(7, "die".to_owned());
    cluster.send("in", "a", &sent);
    let settings = KafkaSettings { state_dir: Some(directory.path().to_owned()), ..cluster.settings.clone() };
    for death in 1..=3 {
        let status = Process::start(&cluster, &settings).wait();
        assert!(aborted(status), "death {death}: {status}");
    }
    let mut process = Process::start(&cluster, &settings);
    assert_eq!(cluster.wait_for_texts("out", 20), totals(1, 20));
    process.signal("TERM");
    assert!(process.wait().success());
    assert_eq!(cluster.texts("in.dlq"), [format!("{}-0@7 crash attempt 3", cluster.topic("in"))]);
}

#[test]
fn a_partition_stops_instead_of_draining_into_its_dead_letters() {
    let cluster = Cluster::new("brake", 1);
    cluster.send("in", "a", &lines("what", 200));
    let running = cluster.start();
    cluster.wait_for_texts("in.dlq", 50);
    cluster.send("in", "a", &lines("add a 1", 1));
    running.stop().unwrap();
    assert_eq!(cluster.texts("in.dlq").len(), 50);
    assert_eq!(cluster.texts("out").len(), 0);
}

#[test]
fn one_refused_record_in_four_stops_a_partition_before_the_dead_letters_are_many() {
    let cluster = Cluster::new("share", 1);
    let sent: Vec<String> = (0..400).map(|i| if i % 4 == 0 { "what" } else { "add a 1" }.to_owned()).collect();
    cluster.send("in", "a", &sent);
    let running = cluster.start();
    cluster.wait_for_texts("in.dlq", 51);
    cluster.send("in", "a", &lines("add a 1", 1));
    wait_for("the alarm", || match running.gauge("weft_partition_stopped", &[("topic", &cluster.topic("in"))]) {
        Some(1) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    running.stop().unwrap();
    assert_eq!(cluster.texts("in.dlq").len(), 51);
    assert_eq!(cluster.texts("out"), totals(1, 150));
}
