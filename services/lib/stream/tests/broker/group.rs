//! Several processes and loops of one group, on the same topics.

use crate::child::Process;
use crate::cluster::{Cluster, Seen, wait_for};
use crate::exactly_once::{lines, totals};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{Offset, TopicPartitionList};
use stream::{KafkaSettings, ServiceName};

const KEYS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn assert_counted(cluster: &Cluster, each: usize) {
    let mut out = Vec::new();
    wait_for("all answers", || {
        out = cluster.read("out");
        if out.len() >= each * KEYS.len() { Ok(()) } else { Err(format!("{}", out.len())) }
    });
    for key in KEYS {
        let said = out.iter().filter(|record| record.key == key.as_bytes()).map(Seen::text);
        assert_eq!(said.collect::<Vec<_>>(), totals(1, each), "key {key}");
    }
}

fn send_round(cluster: &Cluster, count: usize) {
    for key in KEYS {
        cluster.send("in", key, &lines(&format!("add {key} 1"), count));
    }
}

#[test]
fn partitions_move_under_load_between_loops_and_processes() {
    let cluster = Cluster::new("moving", 4);
    let settings =
        |instance, slots| KafkaSettings { instance, slots, session_timeout_ms: 6_000, ..cluster.settings.clone() };
    let mut sent = 0;
    let mut load = |rounds: usize| {
        for _ in 0..rounds {
            send_round(&cluster, 10);
            sent += 10;
        }
        sent
    };
    let first = cluster.start_with(settings(0, 1));
    load(5);
    let second = cluster.start_with(settings(1, 2));
    for _ in 0..200 {
        load(1);
        if second.progress.ready().is_ok() && first.progress.ready().is_ok() {
            break;
        }
    }
    load(5);
    first.stop().unwrap();
    load(5);
    let first = cluster.start_with(settings(0, 1));
    load(20);
    second.stop().unwrap();
    let sent = load(5);
    assert_counted(&cluster, sent);
    first.stop().unwrap();
}

#[test]
fn a_process_that_slept_past_its_session_does_no_harm_when_it_wakes() {
    let cluster = Cluster::new("zombie", 2);
    let settings = KafkaSettings { session_timeout_ms: 6_000, ..cluster.settings.clone() };
    let sleeper = Process::start(&cluster, &settings);
    send_round(&cluster, 10);
    cluster.wait_for_texts("out", 80);
    send_round(&cluster, 200);
    sleeper.signal("STOP");
    let second = cluster.start_with(KafkaSettings { instance: 1, ..settings });
    wait_for("the sleeper's partitions to move", || second.progress.ready());
    send_round(&cluster, 10);
    cluster.wait_for_texts("out", 8 * 220);
    sleeper.signal("CONT");
    for _ in 0..20 {
        send_round(&cluster, 10);
    }
    assert_counted(&cluster, 420);
    drop(sleeper);
    second.stop().unwrap();
}

fn admin(cluster: &Cluster) -> AdminClient<DefaultClientContext> {
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", &cluster.settings.bootstrap);
    config.create().unwrap()
}

#[test]
fn a_log_that_lost_the_offset_of_its_group_ends_the_process_instead_of_jumping() {
    let cluster = Cluster::new("truncated", 1);
    cluster.send("in", "a", &lines("add a 1", 10));
    let running = cluster.start();
    cluster.wait_for_texts("out", 10);
    running.stop().unwrap();
    cluster.send("in", "a", &lines("add a 1", 20));
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&cluster.topic("in"), 0, Offset::Offset(25)).unwrap();
    let deleted = cluster.block_on(admin(&cluster).delete_records(&before, &AdminOptions::new())).unwrap();
    deleted.elements().iter().for_each(|spot| spot.error().unwrap());
    let error = cluster.start().ended().unwrap_err().to_string();
    assert!(error.contains("the log does not have the offset we stand at"), "{error}");
    assert_eq!(cluster.texts("out"), totals(1, 10));
}

#[test]
fn a_group_that_was_forgotten_goes_on_from_the_offsets_in_the_state() {
    let cluster = Cluster::new("forgotten", 2);
    send_round(&cluster, 10);
    let running = cluster.start();
    assert_counted(&cluster, 10);
    running.stop().unwrap();
    let admin = admin(&cluster);
    let group = ServiceName::new(&cluster.service).group();
    wait_for("the group to be deleted", || {
        let deleted = cluster.block_on(admin.delete_groups(&[&group], &AdminOptions::new())).unwrap();
        deleted.into_iter().try_for_each(|group| group.map(drop).map_err(|(_, code)| code.to_string()))
    });
    let running = cluster.start();
    send_round(&cluster, 5);
    assert_counted(&cluster, 15);
    running.stop().unwrap();
}
