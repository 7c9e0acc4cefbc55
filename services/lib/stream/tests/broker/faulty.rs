//! Deaths at every fault point, and planted bugs that must show.

use crate::cluster::{Cluster, wait_for};
use crate::exactly_once::{lines, totals};
use stream::faults::{POINTS, Part, Point};
use stream::planted::Planted;
use stream::{KafkaSettings, Output, Publisher};

#[test]
fn a_death_at_any_point_of_the_loop_or_of_a_restore_loses_and_doubles_nothing() {
    let cluster = Cluster::new("points", 1);
    let mut sent = 0;
    let parts = [Part::Turn, Part::Transaction, Part::Abort, Part::Restore];
    for point in POINTS.iter().filter(|point| parts.contains(&point.part())) {
        let name = point.name();
        cluster.send("in", "a", &lines("add a 1", 20));
        sent += 20;
        let mut faults = format!("{name}=error");
        if point.part() == Part::Abort {
            faults = format!("after_drain=abort,{faults}");
        }
        let running = cluster.start_with(cluster.faulty(&faults));
        if *point == Point::AfterRevoke {
            cluster.wait_for_texts("out", sent);
            let second = cluster.start_with(KafkaSettings { instance: 1, ..cluster.settings.clone() });
            assert_eq!(running.ended().unwrap_err().to_string(), format!("fault point {name}"));
            second.stop().unwrap();
        } else {
            assert_eq!(running.ended().unwrap_err().to_string(), format!("fault point {name}"));
        }
    }
    let running = cluster.start();
    assert_eq!(cluster.wait_for_texts("out", sent), totals(1, sent));
    running.stop().unwrap();
    assert_eq!(cluster.texts("out"), totals(1, sent));
}

#[test]
fn a_publisher_that_fails_says_so_before_and_after_its_records_are_durable() {
    let cluster = Cluster::new("publisher", 1);
    let publisher = Publisher::connect(&cluster.faulty("before_publish=error,after_publish=error"), "weft-test");
    let publisher = publisher.unwrap();
    for (name, durable) in [("before_publish", 0), ("after_publish", 1)] {
        let output = Output::new(cluster.topic("in"), "a", "add a 1");
        let error = cluster.block_on(publisher.publish(vec![output])).unwrap_err();
        assert_eq!(error.to_string(), format!("fault point {name}"));
        assert_eq!(cluster.texts("in").len(), durable);
    }
}

/// What a service with a planted bug says of sixty additions, through one fault and one restart.
fn told(bug: Planted, faults: &str) -> Vec<String> {
    let cluster = Cluster::new("planted", 1);
    let planted = KafkaSettings { planted: bug.name().to_owned(), ..cluster.settings.clone() };
    cluster.send("in", "a", &lines("add a 1", 30));
    let running = cluster.start_with(KafkaSettings { faults: faults.to_owned(), ..planted.clone() });
    let wait_for_answer = |name: &str| {
        wait_for("an answer", || {
            cluster.send("in", "a", &[format!("add {name} 1")]);
            let out = cluster.read("out");
            out.iter().find(|record| record.key == name.as_bytes()).map(drop).ok_or_else(|| format!("{}", out.len()))
        });
    };
    if faults.ends_with("error") {
        running.ended().unwrap_err();
    } else {
        wait_for_answer("1st");
        running.stop().unwrap();
    }
    let running = cluster.start_with(planted);
    cluster.send("in", "a", &lines("add a 1", 30));
    wait_for_answer("2nd");
    running.stop().unwrap();
    let out = cluster.read("out");
    out.iter().filter(|record| record.key == b"a").map(|record| record.text()).collect()
}

#[test]
fn each_planted_bug_of_the_loop_shows() {
    for (bug, faults) in [
        (Planted::OffsetsOutside, "after_offsets=error"),
        (Planted::OutputsApart, "after_drain=error"),
        (Planted::OverlayKept, "after_drain=abort"),
        (Planted::SeekShort, "after_drain=abort"),
        (Planted::AbortIgnored, "after_drain=abort"),
        (Planted::LastRowDropped, ""),
        (Planted::TableNotRestored, ""),
        (Planted::RestoreToSilence, ""),
    ] {
        assert_ne!(told(bug, faults), totals(1, 60), "{} is not seen", bug.name());
    }
    assert_eq!(told(Planted::StampAtCommit, "after_drain=abort"), totals(1, 60), "alone, without a zombie");
}
