//! The runtime on a real Kafka: nothing lost, nothing doubled, nothing aborted ever seen.

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/counter.rs"]
mod counter;

use cluster::{Cluster, wait_for};
use stream::{Fault, RunError, faults};

fn lines(line: &str, count: usize) -> Vec<String> {
    vec![line.to_owned(); count]
}

fn totals(from: usize, to: usize) -> Vec<String> {
    (from..=to).map(|total| format!("total {total}")).collect()
}

#[test]
fn a_counter_counts_each_record_once_across_a_restart() {
    let cluster = Cluster::new("restart", 2);
    cluster.send("in", "a", &lines("add a 1", 100));
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 100), totals(1, 100));
    running.progress.ready().unwrap();
    running.stop().unwrap();
    cluster.send("in", "a", &lines("add a 1", 50));
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", 150), totals(1, 150));
    running.stop().unwrap();
}
