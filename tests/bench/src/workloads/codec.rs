//! Records to bytes and back, and the schema's price.

use std::hint::black_box;

use schemas::codec::Codec;
use schemas::records::{ConversationEvent, InboundEvent};
use schemas::topics::{CHANNEL_INBOUND, CONVERSATION_EVENTS, TOPICS};
use stream::clock::Stamp;

use crate::corpus::Corpus;
use crate::kernels;
use crate::options::Options;
use crate::report::{Goal, Report, Row};

const RECORDS: u64 = 200_000;
const SAMPLES: u64 = 1_000;

/// Measures the codec alone.
///
/// # Errors
/// None; the signature is every workload's.
pub(super) fn run(options: &Options) -> anyhow::Result<Report> {
    let mut report = Report::new("codec", format!("{} records a repetition", options.records(RECORDS)));
    rows(&mut report, options);
    Ok(report)
}

/// The codec's lines.
pub(super) fn rows(report: &mut Report, options: &Options) {
    let codec = Codec::offline(TOPICS);
    let corpus = Corpus::new(options.seed, SAMPLES);
    let inbound: Vec<InboundEvent> = (0..SAMPLES).map(|number| corpus.message(number)).collect();
    let events: Vec<ConversationEvent> = inbound.iter().map(kernels::message_added).collect();
    let encoded = |result: Result<Vec<u8>, _>| {
        result.unwrap_or_else(|error: schemas::codec::CodecError| error.to_string().into_bytes())
    };
    let inbound_bytes: Vec<Vec<u8>> =
        inbound.iter().map(|event| encoded(codec.encode(CHANNEL_INBOUND.name, event))).collect();
    let event_bytes: Vec<Vec<u8>> =
        events.iter().map(|event| encoded(codec.encode(CONVERSATION_EVENTS.name, event))).collect();
    let mut timed = |name: &str, work: &dyn Fn(usize)| {
        let values: Vec<f64> = (0..options.repetitions()).map(|_| each_ns(options.records(RECORDS), work)).collect();
        report.row(Row::of(name, "ns", &values, Goal::Told));
    };
    let size = inbound.len();
    timed("encode InboundEvent", &|n| drop(black_box(codec.encode(CHANNEL_INBOUND.name, &inbound[n % size]))));
    timed("decode InboundEvent", &|n| drop(black_box(codec.decode::<InboundEvent>(&inbound_bytes[n % size]))));
    timed("encode ConversationEvent", &|n| drop(black_box(codec.encode(CONVERSATION_EVENTS.name, &events[n % size]))));
    timed("decode ConversationEvent", &|n| drop(black_box(codec.decode::<ConversationEvent>(&event_bytes[n % size]))));
}

fn each_ns(times: u64, work: &dyn Fn(usize)) -> f64 {
    let began = Stamp::now();
    for n in 0..times {
        work(usize::try_from(n).unwrap_or(0));
    }
    began.elapsed().as_nanos() as f64 / times as f64
}
