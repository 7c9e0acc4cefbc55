//! Reading without a group.

use crate::cluster::{Cluster, wait_for};
use std::sync::{Arc, Mutex};
use stream::{Follow, FollowFrom, Follower, FollowerSetup, Progress, Shutdown};

#[test]
fn a_follower_is_ready_once_it_has_what_was_there_and_goes_on_from_that() {
    let cluster = Cluster::new("follow", 3);
    for key in ["a", "b", "c", "d"] {
        cluster.send("in", key, &["first".to_owned(), "second".to_owned()]);
    }
    let setup = FollowerSetup {
        client_id: cluster.service.clone(),
        settings: cluster.settings.clone(),
        progress: Progress::new(),
        shutdown: Shutdown::new(),
    };
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&seen);
    let take = move |record: stream::InputRecord<'_>| {
        let text = String::from_utf8_lossy(record.payload.unwrap_or_default()).into_owned();
        sink.lock().unwrap().push(text);
    };
    let follower = Follower::start(Follow::new([cluster.topic("in")]), &setup, take).unwrap();
    wait_for("readiness", || setup.progress.ready());
    assert!(follower.caught_up());
    assert_eq!(seen.lock().unwrap().len(), 8);
    cluster.send("in", "a", &["third".to_owned()]);
    wait_for("the third", || match seen.lock().unwrap().last() {
        Some(last) if last == "third" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    setup.shutdown.request();
    follower.join().unwrap();
}

#[test]
fn following_from_the_end_shows_nothing_old_and_a_missing_topic_is_named() {
    let cluster = Cluster::new("tail", 1);
    cluster.send("in", "a", &["old".to_owned()]);
    let mut count = 0;
    let follow = Follow::new([cluster.topic("in")]).from(FollowFrom::End);
    follow.to_end(&cluster.settings, "weft-test", |_| count += 1).unwrap();
    assert_eq!(count, 0);
    let missing = Follow::new(["nothing.here"]);
    let error = missing.to_end(&cluster.settings, "weft-test", |_| ()).unwrap_err().to_string();
    assert!(error.contains("nothing.here is missing"), "{error}");
}
