//! `kill -9` under load: how long until the next output is there for readers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use rdkafka::consumer::Consumer;
use rdkafka::producer::BaseRecord;
use schemas::topics::{CHANNEL_INBOUND, CONVERSATION_EVENTS};
use stream::clock::Stamp;

use crate::answers;
use crate::cluster::{drain, rest, send};
use crate::corpus::Corpus;
use crate::house::House;
use crate::report::{Goal, Report, Row};

use super::resting::Resting;

const CONVERSATIONS: u64 = 1_000_000;
const LIMIT: Duration = Duration::from_secs(120);
/// Under load between two crashes.
const STEADY: Duration = Duration::from_secs(5);

/// Measures it.
///
/// # Errors
/// If an answer is lost or doubled, or anything fails.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    let conversations = house.options.records(CONVERSATIONS);
    house.renew(&house.threading_topics())?;
    let resting = Corpus::new(house.options.seed, conversations);
    Resting::new(house, &resting)?.write(house, &resting, conversations)?;
    // Others than those who rest: every one of their messages is numbered from 1.
    let corpus = Corpus::from(house.options.seed, conversations, 10_000);
    let (sent, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let recovered = std::thread::scope(|scope| {
        let load = scope.spawn(|| pour(house, &corpus, &sent, &stop));
        let recovered = crashes(house);
        stop.store(true, Ordering::Release);
        load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        recovered
    })?;
    let messages = sent.load(Ordering::Acquire);
    let mut service = house.start("threading", &[])?;
    let progress = house.cluster.progress("weft.threading", CHANNEL_INBOUND.name, house.options.partitions)?;
    let began = Stamp::now();
    while progress.committed().unwrap_or(0) < messages {
        ensure!(began.elapsed() < LIMIT, "the backlog is not worked off");
        service.expect_alive()?;
        rest(Duration::from_millis(50));
    }
    service.stop()?;
    answers::compare(house, &corpus, messages)?;
    let sizes =
        format!("{conversations} resting conversations, {} messages/s, {messages} compared", house.options.rate);
    let mut report = Report::new("recover", sizes);
    let goal = Goal::AtMost { must: 15.0, target: 10.0 };
    report.row(Row::of("kill -9 → first committed output", "s", &recovered, goal));
    Ok(report)
}

/// A constant rate of messages until told to stop.
fn pour(house: &House<'_>, corpus: &Corpus, sent: &AtomicU64, stop: &AtomicBool) -> anyhow::Result<()> {
    let producer = house.cluster.producer()?;
    let began = Stamp::now();
    let mut number = 0;
    while !stop.load(Ordering::Acquire) {
        let due = (began.elapsed().as_secs_f64() * house.options.rate) as u64;
        while number < due {
            let (key, payload) = house.encoded(corpus, number)?;
            send(&producer, BaseRecord::to(CHANNEL_INBOUND.name).key(key.as_bytes()).payload(payload.as_slice()))?;
            number += 1;
        }
        producer.poll(Duration::ZERO);
        rest(Duration::from_millis(5));
    }
    drain(&producer)?;
    sent.store(number, Ordering::Release);
    Ok(())
}

/// Kills the service again and again, starts it at once as a supervisor does, and waits for output.
fn crashes(house: &House<'_>) -> anyhow::Result<Vec<f64>> {
    let mut recovered = Vec::new();
    let mut service = house.start("threading", &[])?;
    let group = format!("weft-bench.recover.{}", stream::clock::now().as_ms());
    let events = house.cluster.consumer(&group, "read_committed")?;
    events.subscribe(&[CONVERSATION_EVENTS.name])?;
    for repetition in 1..=house.options.repetitions() {
        let steady = Stamp::now();
        let mut seen = 0;
        while steady.elapsed() < STEADY || seen == 0 {
            ensure!(steady.elapsed() < LIMIT, "there is no output under load");
            seen += u64::from(events.poll(Duration::from_millis(10)).transpose()?.is_some());
        }
        service.kill()?;
        let killed = Stamp::now();
        // What was committed before the crash, and is still on its way to a reader.
        while events.poll(Duration::from_millis(100)).transpose()?.is_some() {}
        service = house.launch("threading", &[])?;
        while events.poll(Duration::from_millis(10)).transpose()?.is_none() {
            ensure!(killed.elapsed() < LIMIT, "there is no output after the crash");
            service.expect_alive()?;
        }
        recovered.push(killed.elapsed().as_secs_f64());
        house.say(&format!("{repetition}: {:.2} s", recovered.last().context("one was just added")?));
    }
    service.stop()?;
    Ok(recovered)
}
