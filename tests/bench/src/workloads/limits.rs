//! The denominators: what the client library, the broker and memory give without us.

use std::time::Duration;

use rdkafka::consumer::Consumer;
use schemas::topics::PlannedTopic;
use stream::clock::Stamp;

use super::{codec, memory};
use crate::corpus::Corpus;
use crate::house::House;
use crate::raw::{Mark, Measured, Mode, RawLoop};
use crate::report::{Goal, Report, Row};
use crate::shape::{Sample, Shape};

const RECORDS: u64 = 500_000;
const INPUT: &str = "raw.input";
const OUTPUTS: [&str; 2] = ["raw.output.1", "raw.output.2"];
const SAMPLES: u64 = 5_000;

/// One loop over the repetitions.
struct Loop {
    name: String,
    mode: Mode,
    outputs: usize,
    measured: Vec<Measured>,
}

/// Measures them.
///
/// # Errors
/// If anything fails.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    let records = house.options.records(RECORDS);
    let corpus = Corpus::new(house.options.seed, (records / house.options.messages).max(1));
    let samples = (0..SAMPLES.min(records)).map(|number| {
        let (key, payload) = house.encoded(&corpus, number)?;
        Ok(Sample { key: key.into_bytes(), payload: Some(payload) })
    });
    let samples: Vec<Sample> = samples.collect::<anyhow::Result<_>>()?;
    let one = Shape::copies(samples.clone(), &OUTPUTS[..1]);
    let two = Shape::copies(samples, &OUTPUTS);
    let mut loops = Vec::new();
    for (name, mode) in [
        ("at least once", Mode::AtLeastOnce),
        ("exactly once", Mode::Transactional),
        ("exactly once, two producers", Mode::Alternating),
    ] {
        for outputs in [1, 2] {
            loops.push(Loop { name: format!("1→{outputs}, {name}"), mode, outputs, measured: Vec::new() });
        }
    }
    let (mut produced, mut consumed) = (Vec::new(), Vec::new());
    let repetitions = house.options.repetitions();
    for repetition in 1..=repetitions {
        house.renew(&[plan(house, INPUT)])?;
        produced.push(house.produce(INPUT, &corpus, 0..records)?);
        consumed.push(consume(house, records)?);
        for looped in &mut loops {
            house.renew(&OUTPUTS.map(|topic| plan(house, topic)))?;
            let shape = if looped.outputs == 1 { &one } else { &two };
            let raw = RawLoop { cluster: &house.cluster, input: INPUT, shape, mode: looped.mode, broker: house.broker };
            let group = format!("weft-bench.limits.{}", stream::clock::now().as_ms());
            looped.measured.push(raw.run(&group, records)?);
        }
        house.say(&format!("{repetition} of {repetitions} on Kafka"));
    }
    let sizes =
        format!("{records} records of {:.0} bytes, {} partitions", one.bytes_per_record, house.options.partitions);
    let mut report = Report::new("limits", sizes);
    both(&mut report, "encode and produce", &produced);
    both(&mut report, "consume", &consumed);
    for looped in &loops {
        both(&mut report, &looped.name, &looped.measured);
    }
    ratios(&mut report, &loops);
    house.say("in memory");
    codec::rows(&mut report, house.options);
    memory::rows(&mut report, &corpus, records, repetitions)?;
    Ok(report)
}

fn plan(house: &House<'_>, topic: &str) -> PlannedTopic {
    let settings = [("message.timestamp.type".to_owned(), "LogAppendTime".to_owned())].into();
    PlannedTopic { name: topic.to_owned(), partitions: house.options.partitions, settings, schema: None }
}

fn consume(house: &House<'_>, records: u64) -> anyhow::Result<Measured> {
    let consumer =
        house.cluster.consumer(&format!("weft-bench.consume.{}", stream::clock::now().as_ms()), "read_committed")?;
    consumer.subscribe(&[INPUT])?;
    let (mut done, mut bytes) = (0, 0);
    let mut first = None;
    let began = Stamp::now();
    while done < records {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(300), "{done} of {records} records came");
        let Some(message) = consumer.poll(Duration::from_millis(20)) else { continue };
        bytes += message?.payload_len();
        done += 1;
        if first.is_none() {
            first = Some(Mark::now(std::process::id(), house.broker, done)?);
        }
    }
    let last = Mark::now(std::process::id(), house.broker, done)?;
    anyhow::ensure!(bytes > 0, "the records are empty");
    Ok(first.map_or_else(|| last.since(&last), |first| last.since(&first)))
}

fn both(report: &mut Report, name: &str, measured: &[Measured]) {
    let of = |read: fn(&Measured) -> f64| -> Vec<f64> { measured.iter().map(read).collect() };
    report.row(Row::of(name, "records/s", &of(Measured::rate), Goal::Told));
    report.row(Row::of(format!("{name}: CPU a record"), "µs", &of(Measured::cpu_us), Goal::Told));
    let broker: Vec<f64> = measured.iter().filter_map(Measured::broker_us).collect();
    if !broker.is_empty() {
        report.row(Row::of(format!("{name}: CPU of the broker"), "µs", &broker, Goal::Told));
    }
}

/// What exactly-once costs, with two outputs.
fn ratios(report: &mut Report, loops: &[Loop]) {
    let of = |mode: Mode| loops.iter().find(|looped| looped.outputs == 2 && looped.mode == mode);
    let Some(plain) = of(Mode::AtLeastOnce) else { return };
    for (mode, name, target) in [
        (Mode::Transactional, "exactly once ÷ at least once, raw, one producer", 0.70),
        (Mode::Alternating, "exactly once ÷ at least once, raw, two producers", 0.85),
    ] {
        let Some(exact) = of(mode) else { continue };
        let pairs: Vec<(f64, f64)> =
            exact.measured.iter().zip(&plain.measured).map(|(exact, plain)| (exact.rate(), plain.rate())).collect();
        report.row(Row::beside(name, "records/s", &pairs, Goal::AtLeast { must: 0.50, target }));
    }
}
