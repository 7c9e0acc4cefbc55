//! A backlog of messages through the real program, exactly once, beside the raw transactional loop
//! that writes as many records and bytes.

use schemas::topics::{CHANNEL_INBOUND, PlannedTopic};

use crate::answers;
use crate::corpus::Corpus;
use crate::house::House;
use crate::raw::{Measured, Mode, RawLoop};
use crate::report::{Goal, Report, Row};
use crate::shape::Shape;

const RECORDS: u64 = 1_000_000;

/// Threading and the raw loop in one repetition.
struct Pair {
    threading: Measured,
    raw: Measured,
}

/// Measures it.
///
/// # Errors
/// If an answer is wrong, or anything fails.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    let records = house.options.records(RECORDS);
    let repetitions = house.options.repetitions();
    let corpus = Corpus::new(house.options.seed, (records / house.options.messages).max(1));
    house.say(&format!("warming up: {records} records of {} customers", corpus.customers()));
    replay(house, &corpus, records)?;
    let written: Vec<PlannedTopic> = outputs(house);
    let shape = Shape::of(&house.cluster, &written, records)?;
    let mut pairs = Vec::new();
    for repetition in 1..=repetitions {
        // Whoever goes first meets the fuller disk cache; so they take turns.
        let pair = if repetition % 2 == 1 {
            let threading = replay(house, &corpus, records)?;
            Pair { threading, raw: raw(house, &shape, records, repetition)? }
        } else {
            let raw = raw(house, &shape, records, repetition)?;
            Pair { threading: replay(house, &corpus, records)?, raw }
        };
        house.say(&format!(
            "{repetition} of {repetitions}: threading {:.0} records/s, {:.1} µs; raw loop {:.0} records/s, {:.1} µs",
            pair.threading.rate(),
            pair.threading.cpu_us(),
            pair.raw.rate(),
            pair.raw.cpu_us()
        ));
        pairs.push(pair);
    }
    let sizes = format!(
        "{records} records, {} customers, {} partitions; each record leads to {:.1} records of {:.0} bytes in all",
        corpus.customers(),
        house.options.partitions,
        shape.records_per_record(),
        shape.bytes_per_record
    );
    Ok(report(sizes, &pairs))
}

/// One replay from an empty state; the answers are compared before the times are told.
fn replay(house: &House<'_>, corpus: &Corpus, records: u64) -> anyhow::Result<Measured> {
    house.renew(&house.threading_topics())?;
    house.produce(CHANNEL_INBOUND.name, corpus, 0..records)?;
    let mut service = house.launch("threading", &[])?;
    let measured = house.watch(&mut service, 0, records)?;
    let transactions = service.metric("weft_transactions_total", "committed")?;
    service.stop()?;
    answers::compare(house, corpus, records)?;
    house.say(&format!("{:.0} records a transaction", records as f64 / transactions));
    Ok(measured)
}

/// The raw loop over the same input.
fn raw(house: &House<'_>, shape: &Shape, records: u64, repetition: usize) -> anyhow::Result<Measured> {
    let plans = outputs(house).into_iter();
    let plans: Vec<PlannedTopic> = plans.map(|plan| PlannedTopic { name: Shape::raw(&plan.name), ..plan }).collect();
    house.renew(&plans)?;
    let looped = RawLoop {
        cluster: &house.cluster,
        input: CHANNEL_INBOUND.name,
        shape,
        mode: Mode::Transactional,
        broker: house.broker,
    };
    looped.run(&format!("weft-bench.raw.{repetition}.{}", stream::clock::now().as_ms()), records)
}

/// What threading writes.
fn outputs(house: &House<'_>) -> Vec<PlannedTopic> {
    let inputs = ["channel.inbound", "conversation.commands", "config.entities"];
    let is_output = |plan: &PlannedTopic| !inputs.contains(&plan.name.as_str()) && !plan.name.ends_with(".dlq");
    house.threading_topics().into_iter().filter(is_output).collect()
}

fn report(sizes: String, pairs: &[Pair]) -> Report {
    let mut report = Report::new("threading", sizes);
    let of = |read: fn(&Measured) -> f64| -> Vec<(f64, f64)> {
        pairs.iter().map(|pair| (read(&pair.threading), read(&pair.raw))).collect()
    };
    let goal = Goal::AtLeast { must: 0.60, target: 0.75 };
    report.row(Row::beside("throughput, exactly once", "records/s", &of(Measured::rate), goal));
    let cpu: Vec<f64> = pairs.iter().map(|pair| pair.threading.cpu_us()).collect();
    let goal = Goal::AtMost { must: 8.0, target: 6.0 };
    report.row(Row::of("CPU of threading a record", "µs", &cpu, goal));
    let raw: Vec<f64> = pairs.iter().map(|pair| pair.raw.cpu_us()).collect();
    report.row(Row::of("CPU of the raw loop a record", "µs", &raw, Goal::Told));
    let own: Vec<f64> = pairs.iter().map(|pair| pair.threading.cpu_us() - pair.raw.cpu_us()).collect();
    report.row(Row::of("CPU of threading beyond the raw loop", "µs", &own, Goal::Told));
    let broker: Vec<(f64, f64)> =
        pairs.iter().filter_map(|pair| pair.threading.broker_us().zip(pair.raw.broker_us())).collect();
    if !broker.is_empty() {
        report.row(Row::beside("CPU of the broker a record", "µs", &broker, Goal::Told));
    }
    report
}
