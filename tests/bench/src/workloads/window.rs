//! Many conversations resting in their window: what each takes in memory, read from outside, and
//! what their number does to throughput.

use std::time::Duration;

use schemas::topics::CHANNEL_INBOUND;

use crate::corpus::Corpus;
use crate::house::House;
use crate::raw::Measured;
use crate::report::{Goal, Report, Row};

use super::resting::Resting;

const CONVERSATIONS: u64 = 10_000_000;
const FEW: u64 = 100_000;
const READY_MAX: Duration = Duration::from_secs(900);
/// Bytes that a remembered provider id may take beside the conversation.
const ID_BYTES: f64 = 16.0;

/// A service with so many conversations in memory.
struct Loaded {
    rss_bytes: u64,
    /// After messages have woken some of the conversations.
    rss_worked: u64,
    replayed: Vec<Measured>,
}

/// Measures it.
///
/// # Errors
/// If anything fails.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    let conversations = house.options.records(CONVERSATIONS);
    let messages = conversations.min(200_000);
    let empty = loaded(house, 0, messages)?;
    let few = loaded(house, FEW.min(conversations), messages)?;
    let many = loaded(house, conversations, messages)?;
    let sizes = format!(
        "{conversations} conversations with {} remembered ids each, {} partitions; {messages} messages of resting customers",
        house.options.remembered, house.options.partitions
    );
    let mut report = Report::new("window", sizes);
    let each = |rss: u64| rss.saturating_sub(empty.rss_bytes) as f64 / conversations as f64;
    let ids = ID_BYTES * house.options.remembered as f64;
    let goal = Goal::AtMost { must: 400.0, target: 200.0 };
    report.row(Row::of("memory of a conversation without its ids (RSS)", "bytes", &[each(many.rss_bytes) - ids], goal));
    report.row(Row::of("memory of a conversation, all in (RSS)", "bytes", &[each(many.rss_bytes)], Goal::Told));
    let worked = each(many.rss_worked);
    report.row(Row::of("memory of a conversation after messages, all in (RSS)", "bytes", &[worked], Goal::Told));
    let megabytes = |rss: u64| rss as f64 / 1e6;
    report.row(Row::of("memory of the process, empty", "MB", &[megabytes(empty.rss_bytes)], Goal::Told));
    report.row(Row::of("memory of the process, full", "MB", &[megabytes(many.rss_bytes)], Goal::Told));
    let rates = |of: fn(&Measured) -> f64| -> Vec<(f64, f64)> {
        many.replayed.iter().zip(&few.replayed).map(|(many, few)| (of(many), of(few))).collect()
    };
    let goal = Goal::AtLeast { must: 0.7, target: 0.9 };
    report.row(Row::beside("throughput ÷ that with 100 000", "records/s", &rates(Measured::rate), goal));
    report.row(Row::beside("CPU a record ÷ that with 100 000", "µs", &rates(Measured::cpu_us), Goal::Told));
    Ok(report)
}

/// Fills the changelogs, starts the service, and sends messages of customers who rest.
fn loaded(house: &House<'_>, conversations: u64, messages: u64) -> anyhow::Result<Loaded> {
    house.say(&format!("{conversations} conversations"));
    let corpus = Corpus::new(house.options.seed, conversations.max(1));
    house.renew(&house.threading_topics())?;
    if conversations > 0 {
        Resting::new(house, &corpus)?.write(house, &corpus, conversations)?;
    }
    let mut service = house.launch("threading", &[])?;
    let took = service.ready(READY_MAX)?;
    let rss_bytes = service.rss_bytes()?;
    house.say(&format!("ready after {:.1} s with {:.0} MB", took.as_secs_f64(), rss_bytes as f64 / 1e6));
    let mut replayed = Vec::new();
    if conversations > 0 {
        for repetition in 0..house.options.repetitions() as u64 {
            let (from, until) = (repetition * messages, (repetition + 1) * messages);
            service.stop()?;
            house.produce(CHANNEL_INBOUND.name, &corpus, from..until)?;
            service = house.launch("threading", &[])?;
            replayed.push(house.watch(&mut service, from, until)?);
        }
    }
    let rss_worked = service.rss_bytes()?;
    service.stop()?;
    Ok(Loaded { rss_bytes, rss_worked, replayed })
}
