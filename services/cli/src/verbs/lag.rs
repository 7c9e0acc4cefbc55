//! `weft lag`: how far each service is behind its inputs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use schemas::topics::TOPICS;
use serde_json::{Value as Json, json};
use stream::{Admin, Fault, ServiceName, Shutdown};

use crate::output::{Output, Rows};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Services that read with a group.
const SERVICES: [&str; 4] = ["threading", "routing", "delivery", "analytics"];
const WATCH_EVERY: Duration = Duration::from_secs(2);
/// Clears a terminal and goes to its first line.
const CLEAR: &[u8] = b"\x1b[2J\x1b[H";

/// Say how far each service is behind, in records and seconds
///
/// Records are counted to the high watermark: what an open transaction holds back counts, and so does
/// the marker behind a transaction until the service's next commit. Seconds: the age of the oldest
/// record not worked yet. Exit code 1 if anything is behind longer than --max-s.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft lag\n  weft lag --watch\n  weft lag --service threading -o json\n  weft lag --max-s 30   # for scripts"
)]
pub(super) struct Lag {
    /// Only of this service
    #[arg(long, value_parser = SERVICES)]
    service: Option<String>,
    /// Again every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// What is still good, seconds
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    max_s: u32,
}

/// One partition of one input.
struct Behind {
    service: &'static str,
    topic: String,
    partition: i32,
    /// Next offset.
    next: i64,
    records: i64,
    age_ms: i64,
}

impl Lag {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let admin = reach.admin()?;
        let shutdown = if self.watch { Some(Shutdown::on_signals()?) } else { None };
        loop {
            let all = self.measured(reach, &admin)?;
            if self.watch && !output.is_json() {
                output.raw(CLEAR)?;
            }
            show(&all, output)?;
            let Some(shutdown) = &shutdown else {
                let limit_ms = i64::from(self.max_s) * 1000;
                return Ok(Verdict::good_if(all.iter().all(|one| one.age_ms <= limit_ms)));
            };
            reach.pause(WATCH_EVERY);
            if shutdown.requested() {
                return Ok(Verdict::Good);
            }
        }
    }

    fn measured(&self, reach: &Reach, admin: &Admin) -> Result<Vec<Behind>, Failure> {
        let asked = SERVICES.into_iter().filter(|one| self.service.as_ref().is_none_or(|asked| asked == one));
        let measured = asked.map(|service| of_service(service, admin).map_err(|fault| reach.kafka_away(&fault)));
        Ok(measured.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }
}

fn of_service(service: &'static str, admin: &Admin) -> Result<Vec<Behind>, Fault> {
    let topics: Vec<_> = TOPICS.iter().map(|topic| topic.name.to_owned()).collect();
    let offsets = admin.group(&ServiceName::new(service).group(), &topics)?;
    let has_read = offsets.iter().filter(|one| one.committed.is_some());
    let inputs: BTreeSet<_> = has_read.map(|one| one.topic.clone()).collect();
    let mut all = Vec::new();
    for one in offsets.into_iter().filter(|one| inputs.contains(&one.topic)) {
        let next = one.committed.unwrap_or(0).min(one.end);
        let (topic, partition) = (one.topic, one.partition);
        all.push(Behind { service, topic, partition, next, records: one.end - next, age_ms: 0 });
    }
    let waiting: Vec<_> = all.iter_mut().filter(|one| one.records > 0).collect();
    let places: Vec<_> = waiting.iter().map(|one| (one.topic.clone(), one.partition, one.next)).collect();
    let times = admin.appended_at(&places)?;
    let now = stream::clock::now();
    for (one, time) in waiting.into_iter().zip(times) {
        one.age_ms = time.map_or(0, |time| (now.as_ms() - time.as_ms()).max(0));
    }
    Ok(all)
}

fn show(all: &[Behind], output: &mut Output) -> Result<(), Failure> {
    let mut inputs: BTreeMap<(&str, &str), (i64, i64, usize, usize)> = BTreeMap::new();
    for one in all {
        let sum = inputs.entry((one.service, &one.topic)).or_default();
        *sum = (sum.0 + one.records, sum.1.max(one.age_ms), sum.2 + usize::from(one.records > 0), sum.3 + 1);
    }
    let mut rows = Rows::new(["service", "topic", "records", "seconds", "partitions behind"]);
    for ((service, topic), (records, age_ms, behind, partitions)) in &inputs {
        let seconds = format!("{}.{}", age_ms / 1000, age_ms % 1000 / 100);
        rows.push([
            (*service).to_owned(),
            (*topic).to_owned(),
            records.to_string(),
            seconds,
            format!("{behind} of {partitions}"),
        ]);
    }
    let list = all.iter().map(|one| {
        json!({
            "service": one.service, "topic": one.topic, "partition": one.partition,
            "records": one.records, "age_ms": one.age_ms,
        })
    });
    output.result(&Json::Array(list.collect()), &rows)
}
