//! A service's state from its changelog, by the real program.

use std::time::Duration;

use stream::clock::Stamp;

use crate::cluster::rest;
use crate::corpus::Corpus;
use crate::house::House;
use crate::proc;
use crate::report::{Goal, Report, Row};

use super::resting::Resting;

const CONVERSATIONS: u64 = 2_000_000;
const READY_MAX: Duration = Duration::from_secs(600);
/// Until the service has counted its rows.
const GAUGES_MAX: Duration = Duration::from_secs(60);

/// Measures it.
///
/// # Errors
/// If anything fails.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    let conversations = house.options.records(CONVERSATIONS);
    let corpus = Corpus::new(house.options.seed, conversations);
    house.renew(&house.threading_topics())?;
    let rows = Resting::new(house, &corpus)?.write(house, &corpus, conversations)?;
    let (mut wall, mut core) = (Vec::new(), Vec::new());
    for repetition in 1..=house.options.repetitions() {
        let mut service = house.launch("threading", &[])?;
        service.ready(READY_MAX)?;
        let cpu_s = proc::cpu_s(service.pid())?;
        let seconds = service.metric("weft_restore_seconds_sum", "")?;
        let began = Stamp::now();
        let mut there = 0.0;
        while there < rows as f64 && began.elapsed() < GAUGES_MAX {
            rest(Duration::from_millis(100));
            there = service.metric("weft_state_rows", "")?;
        }
        service.stop()?;
        anyhow::ensure!(there as u64 == rows, "{rows} rows were written, {there} are there after the restore");
        house.say(&format!("{repetition}: {rows} rows in {seconds:.1} s, {cpu_s:.1} s of CPU"));
        wall.push(rows as f64 / seconds);
        core.push(rows as f64 / cpu_s);
    }
    let sizes = format!("{conversations} resting conversations, {rows} rows, {} partitions", house.options.partitions);
    let mut report = Report::new("restore", sizes);
    let goal = Goal::AtLeast { must: 100_000.0, target: 400_000.0 };
    report.row(Row::of(
        "changelog records a second of one core (CPU time of the whole start)",
        "records/s",
        &core,
        goal,
    ));
    report.row(Row::of("changelog records a second, wall clock", "records/s", &wall, Goal::Told));
    Ok(report)
}
