//! The stateful loop through restarts, aborts, deaths, fencing and rebalances.

use crate::cluster::{Cluster, Seen, wait_for};
use std::collections::{BTreeMap, BTreeSet};
use stream::clock::Stamp;
use stream::{KafkaSettings, RunError};

pub(crate) fn lines(line: &str, count: usize) -> Vec<String> {
    vec![line.to_owned(); count]
}

pub(crate) fn totals(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|total| format!("total {total}")).collect()
}

#[test]
fn a_counter_counts_each_record_once_across_a_restart() {
    let cluster = Cluster::new("restart", 2);
    cluster.send("in", "a", &lines("add a 1", 100));
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 100), totals(1, 100));
    wait_for("readiness", || running.progress.ready());
    running.stop().unwrap();
    cluster.send("in", "a", &lines("add a 1", 50));
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 150), totals(1, 150));
    running.stop().unwrap();
}

#[test]
fn aborted_work_is_never_seen_and_is_done_again() {
    let cluster = Cluster::new("abort", 1);
    cluster.send("in", "a", &lines("add a 1", 200));
    let running = cluster.start_with(cluster.faulty("after_drain=abort,after_offsets=abort,after_output:450=abort"));
    assert_eq!(cluster.wait_for_texts("out", 200), totals(1, 200));
    running.stop().unwrap();
    let written = cluster.read_uncommitted("out").len();
    assert!(written >= 600, "the aborted outputs were really written: {written}");
    assert_eq!(cluster.texts("out"), totals(1, 200));
}

#[test]
fn what_is_worked_beside_a_commit_is_taken_back_with_it_or_alone() {
    let cluster = Cluster::new("beside", 2);
    let mut sent = lines("add a 1", 2_000);
    sent.insert(777, "explode".to_owned());
    cluster.send("in", "a", &sent);
    let faults = "after_begin:4=abort,after_drain:7=abort,after_offsets:11=abort,after_drain:23=abort";
    let small = KafkaSettings { batch_records_max: 25, ..cluster.faulty(faults) };
    let running = cluster.start_with(small);
    assert_eq!(cluster.wait_for_texts("out", 2_000), totals(1, 2_000));
    let overlapped = running.counted("weft_transactions_overlapped_total");
    running.stop().unwrap();
    assert!(overlapped > 20, "{overlapped} transactions had work beside them");
    assert_eq!(cluster.texts("out"), totals(1, 2_000));
    assert_eq!(
        cluster.texts("in.dlq"),
        [format!("{}-{}@777 panic attempt 3", cluster.topic("in"), partition(&cluster))]
    );
}

/// Where the records of key `a` are.
fn partition(cluster: &Cluster) -> String {
    let source = &cluster.read("out")[0].headers["weft-src"];
    let (spot, _) = source.rsplit_once('@').unwrap();
    spot.rsplit_once('-').unwrap().1.to_owned()
}

#[test]
fn a_changed_row_is_written_once_a_transaction() {
    let cluster = Cluster::new("rows", 1);
    cluster.send("in", "a", &lines("add a 1", 1000));
    let running = cluster.start();
    cluster.wait_for_texts("out", 1000);
    running.stop().unwrap();
    let out = cluster.read("out");
    let transactions: BTreeSet<&String> = out.iter().map(|r| &r.headers["weft-txn"]).collect();
    assert!(transactions.len() < 100, "{} transactions", transactions.len());
    assert_eq!(cluster.changelog("counts").len(), transactions.len());
}

#[test]
fn every_output_names_its_source_and_its_place_in_its_transaction() {
    let cluster = Cluster::new("headers", 1);
    cluster.send("in", "a", &lines("add a 1", 300));
    let running = cluster.start();
    cluster.wait_for_texts("out", 300);
    running.stop().unwrap();
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (i, record) in cluster.read("out").into_iter().enumerate() {
        assert_eq!(record.headers["weft-src"], format!("{}-0@{i}", cluster.topic("in")));
        places.entry(record.headers["weft-txn"].clone()).or_default().push(record.headers["weft-n"].clone());
    }
    for (transaction, found) in places {
        let whole: Vec<_> = (1..=found.len()).map(|i| format!("{i}/{}", found.len())).collect();
        assert_eq!(found, whole, "transaction {transaction} is whole");
    }
}

#[test]
fn a_backlog_gives_the_same_answers_as_a_live_run() {
    let cluster = Cluster::new("replay", 1);
    let running = cluster.start();
    let mut heard = 0;
    for round in 0..4 {
        let (first, second) = if round % 2 == 0 { ("in", "side") } else { ("side", "in") };
        cluster.send(first, "a", &["add a 1".to_owned(), "ring a 150".to_owned()]);
        heard += 2;
        cluster.wait_for_texts("out", heard);
        cluster.send(second, "a", &["add a 10".to_owned()]);
        heard += 1;
        cluster.wait_for_texts("out", heard);
    }
    running.stop().unwrap();
    let live = cluster.texts("out");
    let expected = |n: usize| format!("rang at total {}", 11 * n + 1);
    assert_eq!((&live[1], &live[4]), (&expected(0), &expected(1)));
    let replay = cluster.start_replay();
    assert_eq!(cluster.wait_for_texts("replay", heard), live);
    replay.stop().unwrap();
}

#[test]
fn a_broken_invariant_ends_the_process_and_names_the_record() {
    let cluster = Cluster::new("broken", 1);
    cluster.send("in", "a", &["add a 1".to_owned(), "add a -5".to_owned()]);
    let error = cluster.start().ended().unwrap_err().to_string();
    assert!(error.contains("a stands at -4"), "{error}");
    assert!(error.contains(&format!("{}-0@1", cluster.topic("in"))), "{error}");
}

#[test]
fn a_slot_taken_over_by_another_process_ends_with_an_error() {
    let cluster = Cluster::new("fenced", 1);
    let first = cluster.start();
    cluster.send("in", "a", &lines("add a 1", 20));
    cluster.wait_for_texts("out", 20);
    let second = cluster.start();
    for round in 1..=20 {
        cluster.send("in", "a", &lines("add a 1", 20));
        cluster.wait_for_texts("out", 20 + round * 20);
    }
    let error = first.ended().unwrap_err().to_string();
    assert!(error.to_lowercase().contains("fenced"), "{error}");
    second.stop().unwrap();
    assert_eq!(cluster.texts("out"), totals(1, 420));
}

#[test]
fn partitions_move_to_a_second_process_and_back_without_loss_or_doubles() {
    let cluster = Cluster::new("rebalance", 4);
    let keys = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let send = |count: usize| {
        for key in keys {
            cluster.send("in", key, &lines(&format!("add {key} 1"), count));
        }
    };
    let settings = |instance| KafkaSettings { instance, session_timeout_ms: 6_000, ..cluster.settings.clone() };
    let first = cluster.start_with(settings(0));
    send(20);
    cluster.wait_for_texts("out", 160);
    let second = cluster.start_with(settings(1));
    wait_for("the second process to get its share", || second.progress.ready());
    send(20);
    cluster.wait_for_texts("out", 320);
    first.stop().unwrap();
    send(20);
    cluster.wait_for_texts("out", 480);
    second.stop().unwrap();
    let out = cluster.read("out");
    for key in keys {
        let said = out.iter().filter(|record| record.key == key.as_bytes()).map(Seen::text);
        assert_eq!(said.collect::<Vec<_>>(), totals(1, 60), "key {key}");
    }
}

#[test]
fn a_request_is_made_after_the_commit_and_its_outcome_comes_back() {
    let cluster = Cluster::new("requests", 1);
    cluster.send("in", "a", &["ask a".to_owned(), "ask silence".to_owned()]);
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 1), ["answer 42"]);
    running.stop().unwrap();
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 2)[1], "answer lost", "its asker died");
    running.stop().unwrap();
    let running = cluster.start();
    cluster.send("in", "a", &lines("add a 1", 1));
    assert_eq!(cluster.wait_for_texts("out", 3)[2], "total 1", "and that is told once");
    running.stop().unwrap();
}

#[test]
fn configuration_reaches_every_partition_and_is_not_read_again_after_a_restart() {
    let cluster = Cluster::new("config", 3);
    cluster.send("config", "a", &["limit a 5".to_owned(), "limit b 5".to_owned()]);
    cluster.send("in", "a", &lines("add a 3", 3));
    cluster.send("in", "b", &lines("add b 3", 3));
    let running = cluster.start();
    cluster.wait_for_texts("out", 6);
    running.stop().unwrap();
    let mut texts = cluster.texts("out");
    texts.sort();
    assert_eq!(texts, ["total 3", "total 3", "total 5", "total 5", "total 5", "total 5"]);
    let rows = cluster.changelog("limits").len();
    let running = cluster.start();
    cluster.send("in", "a", &lines("add a 3", 1));
    cluster.wait_for_texts("out", 7);
    running.stop().unwrap();
    assert_eq!(cluster.changelog("limits").len(), rows);
}

#[test]
fn a_missing_topic_and_unequal_partitions_are_refused_by_name() {
    let cluster = Cluster::sized("refused", |topic| if topic == "side" { 3 } else { 2 });
    let error = cluster.start_as("nobody", "out", cluster.settings.clone()).ended().unwrap_err();
    assert!(matches!(error, RunError::Topics(_)));
    let text = error.to_string();
    assert!(text.contains("weft-nobody-counts-changelog"), "{text}");
    assert!(text.ends_with("create them with `weft topics apply`"), "{text}");
    let text = cluster.start().ended().unwrap_err().to_string();
    assert!(text.contains("needs equal partition counts"), "{text}");
}

#[test]
fn a_quiet_service_stops_at_once() {
    let cluster = Cluster::new("stop", 1);
    let running = cluster.start();
    wait_for("readiness", || running.progress.ready());
    let began = Stamp::now();
    running.stop().unwrap();
    assert!(began.elapsed().as_secs() < 5, "took {} ms", began.elapsed_ms());
}

#[test]
fn two_loops_in_one_process_share_the_partitions() {
    let cluster = Cluster::new("slots", 4);
    let running = cluster.start_with(KafkaSettings { slots: 2, ..cluster.settings.clone() });
    wait_for("readiness of both loops", || running.progress.ready());
    let keys = ["a", "b", "c", "d", "e", "f"];
    for key in keys {
        cluster.send("in", key, &lines(&format!("add {key} 1"), 30));
    }
    cluster.wait_for_texts("out", 180);
    running.stop().unwrap();
    let out = cluster.read("out");
    let slots: BTreeSet<_> = out.iter().map(|r| r.headers["weft-txn"].split('/').next()).collect();
    assert_eq!(slots.len(), 2, "both loops did something: {slots:?}");
    for key in keys {
        let said = out.iter().filter(|record| record.key == key.as_bytes()).map(Seen::text);
        assert_eq!(said.collect::<Vec<_>>(), totals(1, 30), "key {key}");
    }
}
