//! What comes out: a table for people, a file for programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde::Serialize;

use crate::proc;

/// What a measure must reach, and shall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// None: a denominator, or told beside.
    Told,
    /// More is better.
    AtLeast {
        /// The least that is accepted.
        must: f64,
        /// What it shall be.
        target: f64,
    },
    /// Less is better.
    AtMost {
        /// The most that is accepted.
        must: f64,
        /// What it shall be.
        target: f64,
    },
}

impl Goal {
    fn bounds(self) -> Option<(f64, f64)> {
        match self {
            Self::Told => None,
            Self::AtLeast { must, target } | Self::AtMost { must, target } => Some((must, target)),
        }
    }

    fn met(self, value: f64, pick: fn((f64, f64)) -> f64) -> Option<bool> {
        let bound = pick(self.bounds()?);
        match self {
            Self::Told => None,
            Self::AtLeast { .. } => Some(value >= bound),
            Self::AtMost { .. } => Some(value <= bound),
        }
    }
}

/// One line of a result.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What was measured.
    pub measure: String,
    /// The median over the repetitions.
    pub value: f64,
    /// Of the value.
    pub unit: &'static str,
    /// The raw loop's figure of the same run.
    pub limit: Option<f64>,
    /// Value ÷ limit.
    pub ratio: Option<f64>,
    /// What it shall reach; compared with the ratio where there is one.
    pub target: Option<f64>,
    /// What it must reach.
    pub must: Option<f64>,
    /// Whether the target is met; null without one.
    pub met: Option<bool>,
    /// Whether the must is met; null without one.
    pub must_met: Option<bool>,
    /// Lowest and highest over the repetitions, of what is compared.
    pub range: (f64, f64),
}

impl Row {
    /// The median of repetitions against a goal.
    pub fn of(measure: impl Into<String>, unit: &'static str, values: &[f64], goal: Goal) -> Self {
        let value = median(values);
        Self {
            measure: measure.into(),
            value,
            unit,
            limit: None,
            ratio: None,
            target: goal.bounds().map(|(_, target)| target),
            must: goal.bounds().map(|(must, _)| must),
            met: goal.met(value, |(_, target)| target),
            must_met: goal.met(value, |(must, _)| must),
            range: range(values),
        }
    }

    /// Repetitions beside the raw loop's of the same repetitions; the goal is the ratio's.
    pub fn beside(measure: impl Into<String>, unit: &'static str, pairs: &[(f64, f64)], goal: Goal) -> Self {
        let ratios: Vec<f64> = pairs.iter().map(|(value, limit)| value / limit).collect();
        let values: Vec<f64> = pairs.iter().map(|(value, _)| *value).collect();
        let limits: Vec<f64> = pairs.iter().map(|(_, limit)| *limit).collect();
        let compared = Self::of(measure, unit, &ratios, goal);
        Self { value: median(&values), limit: Some(median(&limits)), ratio: Some(compared.value), ..compared }
    }
}

/// A workload's result.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Which.
    pub workload: String,
    /// Of this tree; `-dirty` with changes on top.
    pub commit: String,
    /// RFC 3339, UTC.
    pub when: String,
    /// Processors of the machine, and its load before and after.
    pub machine: String,
    /// The sizes that were run.
    pub sizes: String,
    /// The lines.
    pub rows: Vec<Row>,
    #[serde(skip)]
    load: f64,
}

impl Report {
    /// An empty one; notes the machine's load now.
    pub fn new(workload: impl Into<String>, sizes: impl Into<String>) -> Self {
        let when = jiff::Timestamp::from_millisecond(stream::clock::now().as_ms()).unwrap_or_default();
        Self {
            workload: workload.into(),
            commit: commit(),
            when: when.to_string(),
            machine: String::new(),
            sizes: sizes.into(),
            rows: Vec::new(),
            load: proc::load(),
        }
    }

    /// Adds a line.
    pub fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Notes the machine's load after the work.
    #[must_use]
    pub fn finished(mut self) -> Self {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        self.machine = format!("{cores} processors, load {:.1} before, {:.1} after", self.load, proc::load());
        self
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["measure", "median", "unit", "raw loop", "ratio", "range", "must", "target", "met"]);
        for row in &self.rows {
            let goal = |bound: Option<f64>| bound.map_or_else(String::new, shown);
            table.add_row([
                row.measure.clone(),
                shown(row.value),
                row.unit.to_owned(),
                goal(row.limit),
                goal(row.ratio),
                format!("{}–{}", shown(row.range.0), shown(row.range.1)),
                goal(row.must),
                goal(row.target),
                verdict(row).to_owned(),
            ]);
        }
        for at in [1, 3, 4, 5, 6, 7] {
            if let Some(column) = table.column_mut(at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let head = format!("{}: {} ({}; commit {})", self.workload, self.sizes, self.machine, self.commit);
        format!("\n{head}\n{table}\n")
    }

    /// Writes `<workload>.json` and gives its path.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn save(&self, directory: &Path) -> anyhow::Result<PathBuf> {
        std::fs::create_dir_all(directory)?;
        let file = directory.join(format!("{}.json", self.workload));
        std::fs::write(&file, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(file)
    }
}

fn verdict(row: &Row) -> &'static str {
    match (row.met, row.must_met) {
        (Some(true), _) => "target",
        (_, Some(true)) => "must",
        (Some(false), _) => "NO",
        (None, _) => "",
    }
}

/// With as many digits as one reads.
fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1000.0 => grouped(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// The middle one, the mean of the two middle ones of an even number.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => (sorted[even / 2 - 1] + sorted[even / 2]) / 2.0,
    }
}

fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(head) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let changed = git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    if changed { format!("{head}-dirty") } else { head }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_within_each_repetition_and_judged_by_its_goal() {
        let goal = Goal::AtLeast { must: 0.6, target: 0.75 };
        let row = Row::beside("throughput", "records/s", &[(70.0, 100.0), (80.0, 100.0), (35.0, 50.0)], goal);
        assert_eq!((row.value, row.limit, row.ratio), (70.0, Some(100.0), Some(0.7)));
        assert_eq!((row.met, row.must_met, row.range), (Some(false), Some(true), (0.7, 0.8)));
        assert_eq!(verdict(&row), "must");
    }

    #[test]
    fn what_shall_be_small_is_met_from_below() {
        let goal = Goal::AtMost { must: 8.0, target: 6.0 };
        assert_eq!(verdict(&Row::of("cpu", "µs", &[5.0], goal)), "target");
        assert_eq!(verdict(&Row::of("cpu", "µs", &[9.0], goal)), "NO");
        assert_eq!(verdict(&Row::of("cpu", "µs", &[9.0], Goal::Told)), "");
    }

    #[test]
    fn large_numbers_are_grouped() {
        assert_eq!(
            (shown(1_234_567.8), shown(0.7512), shown(12.34)),
            ("1 234 568".into(), "0.75".into(), "12.3".into())
        );
    }
}
