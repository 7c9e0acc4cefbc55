//! The end of a process: asked for, hanging, or sudden.

use crate::child::{Process, aborted};
use crate::cluster::{Cluster, gauge, wait_for};
use crate::exactly_once::{lines, totals};
use std::time::Duration;
use stream::KafkaSettings;
use stream::planted::Planted;

#[test]
fn a_second_signal_ends_a_process_at_once() {
    let cluster = Cluster::new("signals", 1);
    cluster.send("in", "a", &lines("add a 1", 1));
    let mut process = Process::start(&cluster, &cluster.faulty("after_wake=hang"));
    cluster.wait_for_texts("out", 1);
    wait_for("the end", || {
        if let Some(status) = process.ended() {
            assert_eq!(status.code(), Some(130), "{status}");
            return Ok(());
        }
        process.signal("INT");
        Err("it runs".to_owned())
    });
}

#[test]
fn a_call_that_does_not_come_back_ends_the_process_and_the_next_one_goes_on() {
    let cluster = Cluster::new("hang", 1);
    cluster.send("in", "a", &lines("add a 1", 30));
    let settings = KafkaSettings { transaction_timeout_ms: 2_000, ..cluster.faulty("after_drain=hang") };
    let status = Process::start(&cluster, &settings).wait();
    assert!(aborted(status), "{status}");
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 30), totals(1, 30));
    running.stop().unwrap();
}

#[test]
fn a_sudden_death_in_the_middle_of_a_transaction_loses_and_doubles_nothing() {
    let cluster = Cluster::new("sudden", 1);
    for (sent, point) in ["after_output:7", "after_row", "after_offsets"].iter().enumerate() {
        cluster.send("in", "a", &lines("add a 1", 30));
        let status = Process::start(&cluster, &cluster.faulty(&format!("{point}=exit"))).wait();
        assert!(aborted(status), "{sent}: {status}");
    }
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 90), totals(1, 90));
    running.stop().unwrap();
}

#[test]
fn liveness_sees_a_loop_that_stands_still_and_nothing_else() {
    let cluster = Cluster::new("alive", 1);
    let quiet = cluster.start();
    wait_for("readiness", || quiet.progress.ready());
    quiet.progress.alive(Duration::from_secs(10)).unwrap();
    quiet.stop().unwrap();
    let standing = cluster.start_with(cluster.faulty("after_collect:30=hang"));
    wait_for("a standstill", || match standing.progress.alive(Duration::from_secs(1)) {
        Err(text) if text.contains("has not moved") => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// Digests of the tables as a task left them and as the next one found them.
fn digests(cluster: &Cluster, next: KafkaSettings) -> Vec<(Option<i64>, Option<i64>)> {
    let running = cluster.start_with(KafkaSettings { state_digests: true, ..cluster.settings.clone() });
    for i in 0..20 {
        cluster.send("in", "a", &[format!("add {} {i}", i % 7), format!("ring {} 60000", i % 5)]);
    }
    cluster.send("config", "a", &lines("limit 3 10", 1));
    cluster.wait_for_texts("out", 20);
    let left = running.registry();
    running.stop().unwrap();
    let running = cluster.start_with(KafkaSettings { state_digests: true, ..next });
    wait_for("readiness", || running.progress.ready());
    let restored = running.registry();
    running.stop().unwrap();
    let of = |registry, when, table| gauge(registry, "weft_state_digest", &[("when", when), ("table", table)]);
    ["counts", "limits"].map(|table| (of(&left, "left", table), of(&restored, "restored", table))).to_vec()
}

#[test]
fn what_a_task_leaves_is_what_the_next_restore_finds() {
    let cluster = Cluster::new("digest", 1);
    for (left, restored) in digests(&cluster, cluster.settings.clone()) {
        assert!(left.is_some());
        assert_eq!(left, restored);
    }
    let cluster = Cluster::new("nodigest", 1);
    let planted = Planted::TableNotRestored.name().to_owned();
    let found = digests(&cluster, KafkaSettings { planted, ..cluster.settings.clone() });
    assert!(found.iter().any(|(left, restored)| left != restored), "a table that is not restored shows");
}
