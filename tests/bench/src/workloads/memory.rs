//! Threading without Kafka: what decoding, the rules, and state cost in memory.

use schemas::codec::Codec;
use schemas::ids::KeySecret;
use schemas::topics::{CHANNEL_INBOUND, TOPICS};
use stream::clock::Stamp;
use stream::{Outbox, Station};
use threading::ThreadingStation;
use threading::metrics::Metrics;

use crate::corpus::Corpus;
use crate::kernels::{self, Rooms};
use crate::report::{Goal, Report, Row};

/// Adds the lines of the rooms one by one.
///
/// # Errors
/// If a record is refused.
pub(super) fn rows(report: &mut Report, corpus: &Corpus, records: u64, repetitions: usize) -> anyhow::Result<()> {
    let codec = Codec::offline(TOPICS);
    let mut spent: [Vec<f64>; 4] = Default::default();
    for _ in 0..repetitions {
        let registry = telemetry::Admin::new("bench")?.registry;
        let station =
            ThreadingStation::new(Codec::offline(TOPICS), KeySecret::new("bench"), Metrics::register(&registry)?);
        let mut rooms = Rooms::new(&station);
        let mut took = [0.0; 4];
        for batch in 0..records.div_ceil(kernels::BATCH) {
            let numbers = batch * kernels::BATCH..((batch + 1) * kernels::BATCH).min(records);
            let inputs = numbers.map(|number| {
                let message = corpus.message(number);
                let key = message.customer_key.map(|key| key.to_string()).unwrap_or_default();
                Ok((key, codec.encode(CHANNEL_INBOUND.name, &message)?))
            });
            let inputs: Vec<(String, Vec<u8>)> = inputs.collect::<anyhow::Result<_>>()?;
            let mut timed = |at: usize, began: Stamp| took[at] += began.elapsed().as_nanos() as f64;
            let began = Stamp::now();
            let events = rooms.intake(&inputs)?;
            timed(0, began);
            let began = Stamp::now();
            let effects = rooms.apply(events);
            timed(1, began);
            let began = Stamp::now();
            let mut out = Outbox::new();
            effects.into_iter().for_each(|effect| station.outlet(effect, &mut out));
            timed(2, began);
            let began = Stamp::now();
            rooms.changes();
            timed(3, began);
        }
        spent.iter_mut().zip(took).for_each(|(all, took)| all.push(took / records as f64));
    }
    let names = ["intake (decode)", "apply", "outlets (encode)", "changelog rows"];
    for (name, values) in names.iter().zip(&spent) {
        report.row(Row::of(format!("threading in memory: {name}, a record"), "ns", values, Goal::Told));
    }
    Ok(())
}
