//! Negative controls: every planted bug of the runtime must be found, else the bench proves little.

use std::path::Path;
use std::time::Duration;

use stream::clock::Stamp;
use stream::planted::{PLANTED, Planted};

use super::nemesis::Kind;
use super::report::{Report, table};
use super::{Plan, last_words, run};

/// Runs with other seeds before a bug counts as not found.
const RUNS_MAX: u64 = 3;

/// What came of one planted bug.
#[derive(Debug, Clone)]
pub struct Control {
    /// The bug.
    pub bug: Planted,
    /// The first violation that showed it; none: not found.
    pub found: Option<String>,
    /// How many runs it took.
    pub runs: u64,
    /// From the first start to the violation.
    pub took: Duration,
}

/// What brings a bug to light: faults, and the share of time between them.
fn plan(bug: Planted, directory: &Path, seed: u64) -> Plan {
    let kinds: &[Kind] = match bug {
        Planted::LeaseNeverEnds => &[Kind::Zombie, Kind::Kill],
        Planted::StampAtCommit | Planted::BatchAcrossRebalance => &[Kind::Zombie, Kind::Storm, Kind::Kill, Kind::Point],
        Planted::BatchWithoutPlan | Planted::TokenFromTime => {
            &[Kind::Kill, Kind::KillTwice, Kind::Point, Kind::ClickHouseStopped]
        }
        Planted::InputsNotWaitedFor => &[Kind::KillService, Kind::Zombie, Kind::Kill],
        Planted::OverlayKept | Planted::SeekShort | Planted::AbortIgnored | Planted::ReadUncommitted => {
            &[Kind::Abort, Kind::Kill]
        }
        Planted::OffsetsOutside
        | Planted::OutputsApart
        | Planted::LastRowDropped
        | Planted::DeadlineRowsDropped
        | Planted::RestoreToStableEnd
        | Planted::RestoreToSilence
        | Planted::TableNotRestored
        | Planted::RequestsBeforeCommit => &[Kind::Kill, Kind::KillTwice, Kind::Point, Kind::Zombie],
    };
    let mut plan = Plan::slice(directory, seed).only(kinds);
    plan.variables.push(("WEFT_KAFKA__PLANTED".into(), bug.name().into()));
    // What a bug holds up for ever is a finding too; it need not be waited for as long.
    plan.healed_max = Duration::from_secs(45);
    plan
}

/// Looks for every planted bug, or those named.
///
/// # Errors
/// If the bench itself cannot go on.
pub async fn look_for(names: &[String], directory: &Path, seed: u64, report: &Report) -> anyhow::Result<Vec<Control>> {
    for name in names {
        anyhow::ensure!(
            PLANTED.iter().any(|bug| bug.name() == name),
            "there is no planted bug named {name}; there are {}",
            PLANTED.iter().map(|bug| bug.name()).collect::<Vec<_>>().join(", ")
        );
    }
    let mut controls = Vec::new();
    for bug in PLANTED.iter().filter(|bug| names.is_empty() || names.iter().any(|name| name == bug.name())) {
        report.say(&format!("planted: {} ({})", bug.name(), bug.story()));
        let begun = Stamp::now();
        let mut control = Control { bug: *bug, found: None, runs: 0, took: Duration::ZERO };
        while control.found.is_none() && control.runs < RUNS_MAX {
            let ran = run(&plan(*bug, directory, seed + control.runs), report).await;
            control.runs += 1;
            control.found = match ran {
                Ok(outcome) => outcome.findings.violations.first().map(|v| format!("{} {}", v.invariant, v.what)),
                // A house that does not get well again is a find only if a process says which promise broke.
                Err(error) => {
                    report.say(&format!("the bench stopped: {error:#}"));
                    last_words(&directory.join("logs"))?.into_iter().next()
                }
            };
        }
        control.took = begun.elapsed();
        report.say(&match &control.found {
            Some(found) => format!("found after {:.0} s: {found}", control.took.as_secs_f64()),
            None => format!("NOT FOUND after {:.0} s", control.took.as_secs_f64()),
        });
        controls.push(control);
    }
    report.write(&summary(&controls));
    Ok(controls)
}

fn summary(controls: &[Control]) -> String {
    let mut table = table(&["planted bug", "found", "runs", "seconds", "by"]);
    for control in controls {
        let found = control.found.as_deref();
        let by: String = found.unwrap_or_default().chars().take(90).collect();
        let is_found = if found.is_some() { "yes" } else { "NO" };
        let seconds = format!("{:.0}", control.took.as_secs_f64());
        table.add_row([control.bug.name(), is_found, &control.runs.to_string(), &seconds, &by]);
    }
    table.to_string()
}
