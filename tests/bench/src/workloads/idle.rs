//! Services with nothing to do.

use std::time::Duration;

use stream::clock::Stamp;

use crate::cluster::rest;
use crate::house::House;
use crate::proc;
use crate::report::{Goal, Report, Row};

const READY_MAX: Duration = Duration::from_secs(120);
/// For what a start leaves behind.
const SETTLE: Duration = Duration::from_secs(5);
const WATCHED: Duration = Duration::from_secs(20);
/// The services on Kafka alone.
const SERVICES: [&str; 5] = ["ingest", "threading", "routing", "delivery", "gateway"];

/// Measures it.
///
/// # Errors
/// If a service does not come up.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    let watched = if house.options.short { WATCHED / 4 } else { WATCHED };
    house.renew(&schemas::topics::plan(house.options.partitions, house.options.partitions))?;
    let sizes = format!(
        "{} partitions, watched for {} s each, one after the other",
        house.options.partitions,
        watched.as_secs()
    );
    let mut report = Report::new("idle", sizes);
    for name in SERVICES {
        let (mut starts, mut shares, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for repetition in 0..house.options.repetitions() {
            let listen = format!("127.0.0.1:{}", crate::service::free_port()?);
            let setting = format!("WEFT_{}__LISTEN", name.to_uppercase());
            let settings = [(setting.as_str(), listen)];
            let settings: &[(&str, String)] = if ["ingest", "gateway"].contains(&name) { &settings } else { &[] };
            let mut service = house.launch(name, settings)?;
            starts.push(service.ready(READY_MAX)?.as_secs_f64() * 1000.0);
            if repetition < 2 {
                rest(SETTLE);
                let (before, began) = (proc::cpu_s(service.pid())?, Stamp::now());
                rest(watched);
                let used = proc::cpu_s(service.pid())? - before;
                shares.push(used / began.elapsed().as_secs_f64() * 100.0);
                memory.push(service.rss_bytes()? as f64 / f64::from(1 << 20));
            }
            service.stop()?;
        }
        house.say(&format!("{name} done"));
        let goal = Goal::AtMost { must: 5.0, target: 0.5 };
        report.row(Row::of(format!("{name}: CPU"), "% of a core", &shares, goal));
        report.row(Row::of(format!("{name}: memory"), "MiB", &memory, Goal::AtMost { must: 64.0, target: 64.0 }));
        report.row(Row::of(
            format!("{name}: start to ready"),
            "ms",
            &starts,
            Goal::AtMost { must: 300.0, target: 300.0 },
        ));
    }
    Ok(report)
}
