//! What the bench says while it runs and at the end.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use comfy_table::{Table, presets};
use stream::clock::Stamp;

use super::checker::{INVARIANTS, Violation};
use super::history::History;
use super::nemesis::House;
use super::timeline::Entry;
use super::{Outcome, Plan};

const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Violations told in full, of each invariant.
const TOLD_MAX: usize = 3;
const STORY_LINES_MAX: usize = 14;

/// Where it is said.
pub struct Report {
    to: Mutex<Box<dyn Write + Send>>,
    begun: Stamp,
}

impl Report {
    /// A report on any writer.
    pub fn new(to: Box<dyn Write + Send>) -> Self {
        Self { to: Mutex::new(to), begun: Stamp::now() }
    }

    /// One line.
    pub fn say(&self, text: &str) {
        self.write(&format!("{:>5.0} s  {text}", self.begun.elapsed().as_secs_f64()));
    }

    /// Lines without a time.
    pub fn write(&self, text: &str) {
        let mut to = self.to.lock().unwrap_or_else(PoisonError::into_inner);
        // Without a reader the exit code speaks alone.
        let _closed = writeln!(to, "{text}").and_then(|()| to.flush());
    }

    /// Says how far it is, for as long as it is polled.
    pub async fn progress(&self, house: &House, history: &History) {
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            let entries = house.timeline.entries();
            let last = entries.last().map_or("nothing yet", |entry| entry.what.as_str());
            self.say(&format!(
                "{} kills, {} zombies, {} messages; last: {last}",
                house.kills.load(Ordering::Relaxed),
                house.zombies.load(Ordering::Relaxed),
                history.acknowledged()
            ));
        }
    }

    /// Everything at the end, on screen and in files of the run's directory.
    ///
    /// # Errors
    /// If the files cannot be written.
    pub fn verdict(&self, plan: &Plan, house: &House, outcome: &Outcome) -> anyhow::Result<()> {
        self.write(&faults(&house.timeline.entries()).to_string());
        self.write(&invariants(outcome).to_string());
        let reached = outcome.points.values().filter(|times| **times > 0).count();
        if reached > 0 {
            self.write(&format!("{reached} of {} fault points were come by", outcome.points.len()));
        }
        let deaths = house.fleet.deaths();
        if !deaths.is_empty() {
            let text =
                format!("{} processes ended by themselves and were started again: {}", deaths.len(), few(&deaths));
            self.write(&text);
        }
        let mut told = BTreeMap::<&str, usize>::new();
        let mut all = String::new();
        for violation in &outcome.findings.violations {
            let text = self::told(violation);
            let count = told.entry(violation.invariant).or_default();
            *count += 1;
            if *count <= TOLD_MAX {
                self.write(&text);
            }
            all += &text;
        }
        std::fs::write(plan.directory.join("violations.txt"), all)?;
        if !outcome.findings.violations.is_empty() {
            let path = plan.directory.display();
            self.write(&format!(
                "all of them: {path}/violations.txt; what was done when: {path}/timeline.txt; logs: {path}/logs\n\
                 the same choices again: --seed {}",
                plan.seed
            ));
        }
        Ok(())
    }
}

/// The last line.
pub fn last_line(outcome: &Outcome) -> String {
    format!(
        "chaos: {} kills, {} zombies, {} messages checked, {} violations",
        outcome.kills,
        outcome.zombies,
        outcome.messages,
        outcome.findings.violations.len()
    )
}

/// A violation and its story.
pub fn told(violation: &Violation) -> String {
    let mut text = format!("{} {}\n", violation.invariant, violation.what);
    for line in violation.story.iter().take(STORY_LINES_MAX) {
        text += &format!("     {line}\n");
    }
    let more = violation.story.len().saturating_sub(STORY_LINES_MAX);
    if more > 0 {
        text += &format!("     … and {more} lines more\n");
    }
    text
}

fn few(texts: &[String]) -> String {
    let mut counts = BTreeMap::<&str, usize>::new();
    for text in texts {
        *counts.entry(text).or_default() += 1;
    }
    counts.iter().map(|(text, count)| format!("{text} ({count})")).collect::<Vec<_>>().join(", ")
}

/// A word of a fault's text without what differs from one to the next.
fn kind_of_word(word: &str) -> &str {
    let is_number = word.chars().all(|c| c.is_ascii_digit());
    let name = word.split(['-', ':', '(']).next().unwrap_or(word);
    match (is_number, word.starts_with('-'), word.contains('=')) {
        (true, ..) | (_, _, true) => "",
        (false, true, false) => word,
        (false, false, false) => name,
    }
}

/// What was done, how often, and how long until the victim was well again.
fn faults(entries: &[Entry]) -> Table {
    let mut kinds = BTreeMap::<String, Vec<i64>>::new();
    for entry in entries {
        let kind: Vec<&str> = entry.what.split(' ').map(kind_of_word).filter(|word| !word.is_empty()).collect();
        let took = entry.until_ms.map_or(0, |until_ms| until_ms - entry.from_ms);
        kinds.entry(kind.join(" ")).or_default().push(took);
    }
    let mut table = table(&["fault", "times", "well again p50", "slowest"]);
    for (kind, mut took) in kinds {
        took.sort_unstable();
        let seconds = |ms: i64| format!("{:.1} s", ms as f64 / 1000.0);
        let (median, most) = (took[took.len() / 2], took.last().copied().unwrap_or_default());
        table.add_row([kind, took.len().to_string(), seconds(median), seconds(most)]);
    }
    table
}

fn invariants(outcome: &Outcome) -> Table {
    let mut table = table(&["invariant", "says", "compared", "violations"]);
    for (name, says) in INVARIANTS {
        let compared = outcome.findings.looked_at.get(name).copied().unwrap_or_default();
        let broken = outcome.findings.violations.iter().filter(|violation| violation.invariant == name).count();
        table.add_row([name, says, &compared.to_string(), &broken.to_string()]);
    }
    table
}

/// An empty table.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table
}
