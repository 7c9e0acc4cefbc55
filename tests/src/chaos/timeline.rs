//! What the bench did to the house, and when: beside a violation stand the faults around it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use stream::{Timestamp, clock};

/// Faults this long before and after a record belong to its story.
const AROUND_MS: i64 = 10_000;

/// One fault.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When it began, milliseconds since 1970.
    pub from_ms: i64,
    /// When its victim was well again; none: not yet.
    pub until_ms: Option<i64>,
    /// What was done, with the fault's number in the matrix.
    pub what: String,
    /// To whom: a service, `kafka`, `clickhouse`, `registry`.
    pub on: String,
}

/// All faults of a run, on disk as they happen.
#[derive(Debug)]
pub struct Timeline {
    begun: Timestamp,
    entries: Mutex<Vec<Entry>>,
    file: Mutex<std::fs::File>,
}

impl Timeline {
    /// An empty one that is written to a file.
    ///
    /// # Errors
    /// If the file cannot be made.
    pub fn new(file: &Path) -> anyhow::Result<Self> {
        let file = Mutex::new(std::fs::File::create(file)?);
        Ok(Self { begun: clock::now(), entries: Mutex::default(), file })
    }

    /// Notes that something is done to somebody; gives its number.
    pub fn begin(&self, what: &str, on: &str) -> usize {
        let from_ms = clock::now().as_ms();
        let mut entries = self.lock();
        entries.push(Entry { from_ms, until_ms: None, what: what.to_owned(), on: on.to_owned() });
        self.write(&format!("{:>9.3} s  {what}", self.seconds(from_ms)));
        entries.len() - 1
    }

    /// Notes that the victim of a fault is well again.
    pub fn end(&self, no: usize) {
        let until_ms = clock::now().as_ms();
        if let Some(entry) = self.lock().get_mut(no) {
            entry.until_ms = Some(until_ms);
            let took_ms = until_ms - entry.from_ms;
            self.write(&format!("{:>9.3} s  well again after {took_ms} ms: {}", self.seconds(until_ms), entry.what));
        }
    }

    /// A remark that is no fault.
    pub fn note(&self, text: &str) {
        self.write(&format!("{:>9.3} s  {text}", self.seconds(clock::now().as_ms())));
    }

    /// Everything so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    fn seconds(&self, at_ms: i64) -> f64 {
        (at_ms - self.begun.as_ms()) as f64 / 1000.0
    }

    fn write(&self, line: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // The run matters more than its diary.
        let _full = writeln!(file, "{line}");
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Faults under way or just over around a moment, one line each.
pub fn around(entries: &[Entry], at_ms: i64) -> Vec<String> {
    let near =
        |entry: &&Entry| entry.from_ms <= at_ms + AROUND_MS && entry.until_ms.unwrap_or(i64::MAX) >= at_ms - AROUND_MS;
    let line = |entry: &Entry| {
        let mut line = format!("{:+.1} s {}", (entry.from_ms - at_ms) as f64 / 1000.0, entry.what);
        if let Some(until_ms) = entry.until_ms {
            // Writing into a String cannot fail.
            let _infallible = write!(line, " (well again {:+.1} s)", (until_ms - at_ms) as f64 / 1000.0);
        }
        line
    };
    entries.iter().filter(near).map(line).collect()
}

/// How long somebody among `on` was not well between two moments, milliseconds.
pub fn away_ms(entries: &[Entry], on: &[&str], from_ms: i64, to_ms: i64) -> i64 {
    let hit = entries.iter().filter(|entry| on.iter().any(|name| entry.on.starts_with(name)));
    let overlap = |entry: &Entry| entry.until_ms.unwrap_or(to_ms).min(to_ms) - entry.from_ms.max(from_ms);
    hit.map(|entry| overlap(entry).max(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(from_ms: i64, until_ms: i64, on: &str) -> Entry {
        Entry { from_ms, until_ms: Some(until_ms), what: "F01 kill".into(), on: on.into() }
    }

    #[test]
    fn a_story_holds_the_faults_of_ten_seconds_around_it() {
        let entries = [entry(0, 1_000, "routing-0"), entry(20_000, 21_000, "routing-0")];
        assert_eq!(around(&entries, 11_000).len(), 2);
        assert_eq!(around(&entries, 40_000).len(), 0);
    }

    #[test]
    fn time_away_counts_the_overlap_of_the_victims_asked_for() {
        let entries = [entry(1_000, 4_000, "routing-0"), entry(2_000, 9_000, "delivery-0")];
        assert_eq!(away_ms(&entries, &["routing"], 2_000, 10_000), 2_000);
        assert_eq!(away_ms(&entries, &["kafka"], 0, 10_000), 0);
    }
}
