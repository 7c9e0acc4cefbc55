//! Open transactions of others: in a changelog, an input, the configuration.

use crate::cluster::{Cluster, Running, wait_for, wait_for_position};
use crate::counter::Count;
use crate::exactly_once::lines;
use crate::peer::{Peer, encoded};
use stream::clock;
use stream::planted::Planted;
use stream::{KafkaSettings, ServiceName};

/// Five are counted; then a peer dies with a transaction open that says a hundred.
fn left_behind(cluster: &Cluster) -> Peer {
    cluster.send("in", "a", &lines("add a 5", 1));
    let running = cluster.start();
    cluster.wait_for_texts("out", 1);
    running.stop().unwrap();
    let peer = Peer::begin(cluster);
    let count = Count { total: 100, ..Count::default() };
    peer.write(&ServiceName::new(&cluster.service).changelog("counts"), &encoded(&"a"), &encoded(&count));
    cluster.send("in", "a", &lines("add a 1", 1));
    peer
}

#[test]
fn a_restore_waits_for_the_open_transaction_of_a_dead_peer() {
    let cluster = Cluster::new("peer", 1);
    let peer = left_behind(&cluster);
    let running = cluster.start();
    wait_for("the restore", || match running.progress.ready() {
        Err(missing) if missing.ends_with("waits for its state") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(cluster.texts("out").len(), 1, "nothing is worked before the state is whole");
    peer.commit();
    assert_eq!(cluster.wait_for_texts("out", 2)[1], "total 101");
    running.stop().unwrap();
}

#[test]
fn a_restore_to_the_last_stable_offset_misses_what_a_dead_peer_commits() {
    let cluster = Cluster::new("stable", 1);
    let peer = left_behind(&cluster);
    let planted = Planted::RestoreToStableEnd.name().to_owned();
    let running = cluster.start_with(KafkaSettings { planted, ..cluster.settings.clone() });
    assert_eq!(cluster.wait_for_texts("out", 2)[1], "total 6");
    peer.abort();
    running.stop().unwrap();
}

fn wait_for_gauge(running: &Running, metric: &str, topic: &str, wanted: i64) {
    wait_for(metric, || match running.gauge(metric, &[("topic", topic)]) {
        Some(value) if value == wanted => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_hanging_transaction_stops_the_clock_and_shows_in_the_metrics_exactly() {
    let cluster = Cluster::new("clock", 1);
    let topic = cluster.topic("in");
    let running = cluster.start();
    wait_for("readiness", || running.progress.ready());
    let peer = Peer::begin(&cluster);
    cluster.send("in", "a", &lines("add a 1", 1));
    cluster.wait_for_texts("out", 1);
    peer.write(&topic, b"a", b"add a 10");
    cluster.send("side", "a", &lines("ring a 100", 1));
    let rings_at = clock::now().plus_ms(100);
    wait_for_gauge(&running, "weft_lso_gap_records", &topic, 1);
    wait_for_gauge(&running, "weft_consumer_lag_records", &topic, 1);
    wait_for("a second after the deadline", || match clock::now().ms_since(rings_at) {
        1_000.. => Ok(()),
        late => Err(format!("{late} ms")),
    });
    assert_eq!(cluster.texts("out"), ["total 1"], "the window is not closed over an unread record");
    peer.commit();
    assert_eq!(cluster.wait_for_texts("out", 3), ["total 1", "total 11", "rang at total 11"]);
    wait_for_gauge(&running, "weft_lso_gap_records", &topic, 0);
    wait_for_gauge(&running, "weft_consumer_lag_records", &topic, 0);
    running.stop().unwrap();
}

#[test]
fn a_service_is_ready_once_it_has_read_the_configuration_that_stands() {
    let cluster = Cluster::new("ready", 1);
    let peer = Peer::begin(&cluster);
    peer.write(&cluster.topic("config"), b"a", b"limit a 5");
    let running = cluster.start();
    wait_for("the configuration", || match running.progress.ready() {
        Err(missing) if missing.ends_with("waits for the configuration that stands") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    peer.commit();
    wait_for("readiness", || running.progress.ready());
    cluster.send("in", "a", &lines("add a 9", 1));
    assert_eq!(cluster.wait_for_texts("out", 1), ["total 5"]);
    running.stop().unwrap();
}

#[test]
fn positions_past_markers_are_committed_without_records() {
    let cluster = Cluster::new("idle", 1);
    let peer = Peer::begin(&cluster);
    peer.write(&cluster.topic("in"), b"a", b"add a 1");
    peer.abort();
    let running = cluster.start_with(KafkaSettings { idle_commit_ms: 200, ..cluster.settings.clone() });
    wait_for_position(&cluster, 2);
    running.stop().unwrap();
}
