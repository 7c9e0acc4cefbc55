//! The crash journal: what a loop was working when its process died. Outside Kafka, since whoever
//! dies commits nothing.
//!
//! It is written before a batch is worked and marked once it is worked; not fsynced, for a record
//! that kills its process does not take the page cache along. After two deaths in one range its
//! records are worked one by one; the one that kills the process even then is set aside.

use crate::kafka::{Fault, Record, Spot};
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Deaths in one range after which its records are worked one by one.
const DEATHS_BEFORE_CARE: u32 = 2;

/// Offsets of one partition, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) spot: Spot,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Span {
    pub(crate) fn of(record: &Record) -> Self {
        Self { spot: (Arc::clone(&record.topic), record.partition), first: record.offset, last: record.offset }
    }

    fn meets(&self, other: &Self) -> bool {
        self.spot == other.spot && self.first <= other.last && other.first <= self.last
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let spot = (Arc::from(words.next()?), words.next()?.parse().ok()?);
        Some(Self { spot, first: words.next()?.parse().ok()?, last: words.next()?.parse().ok()? })
    }
}

/// One loop's journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: Option<(PathBuf, File)>,
    memory: Memory,
    working: Cell<bool>,
}

/// What is known of deaths.
#[derive(Debug, Default, PartialEq, Eq)]
struct Memory {
    deaths: u32,
    suspects: Vec<Span>,
    condemned: Option<Span>,
}

impl Journal {
    /// Reads what the last process of this slot left; without a directory nothing is kept.
    pub(crate) fn open(directory: Option<&Path>, slot: &str) -> Result<Self, Fault> {
        let Some(directory) = directory else {
            return Ok(Self { file: None, memory: Memory::default(), working: Cell::new(false) });
        };
        let path = directory.join(format!("{slot}.crash"));
        let fault = |error: io::Error| Fault::Fatal(format!("kafka.state_dir: {}: {error}", path.display()));
        std::fs::create_dir_all(directory).map_err(fault)?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(fault)?;
        let memory = Memory::of(&std::fs::read_to_string(&path).unwrap_or_default());
        if memory.deaths > 0 {
            let Memory { deaths, suspects, condemned } = &memory;
            tracing::error!(slot, deaths, ?suspects, ?condemned, "the last process died at work");
        }
        let journal = Self { file: Some((path, file)), memory, working: Cell::new(false) };
        journal.write(false, &[], false)?;
        Ok(journal)
    }

    /// Whether records are to be worked one by one.
    pub(crate) fn is_careful(&self) -> bool {
        self.memory.deaths >= DEATHS_BEFORE_CARE && !self.memory.suspects.is_empty()
    }

    /// Coordinates of a record that is not to be worked again, and how often it was.
    pub(crate) fn condemned(&self) -> Option<(String, u32)> {
        let Span { spot: (topic, partition), first, .. } = self.memory.condemned.as_ref()?;
        Some((format!("{topic}-{partition}@{first}"), self.memory.deaths))
    }

    /// A batch from these spans is about to be worked.
    pub(crate) fn batch(&self, spans: &[Span]) -> Result<(), Fault> {
        if spans.is_empty() { Ok(()) } else { self.write(true, spans, false) }
    }

    /// One record is about to be worked alone.
    pub(crate) fn alone(&self, record: &Record) -> Result<(), Fault> {
        self.write(true, &[Span::of(record)], true)
    }

    /// What was worked did not kill.
    pub(crate) fn worked(&self) -> Result<(), Fault> {
        if self.working.replace(false)
            && let Some((path, file)) = &self.file
        {
            file.write_all_at(b"I", 0).map_err(|error| fault(path, &error))?;
        }
        Ok(())
    }

    /// Everything of a partition below `next` is committed.
    pub(crate) fn passed(&mut self, spot: &Spot, next: i64) -> Result<(), Fault> {
        self.forget(|span| span.spot == *spot && span.last < next)
    }

    /// Only these partitions are ours.
    pub(crate) fn keep(&mut self, ours: impl Fn(&Spot) -> bool) -> Result<(), Fault> {
        self.forget(|span| !ours(&span.spot))
    }

    fn forget(&mut self, is_over: impl Fn(&Span) -> bool) -> Result<(), Fault> {
        if self.memory.deaths == 0 {
            return Ok(());
        }
        let Memory { suspects, condemned, .. } = &mut self.memory;
        suspects.retain(|span| !is_over(span));
        condemned.take_if(|span| is_over(span));
        if suspects.is_empty() && condemned.is_none() {
            self.memory = Memory::default();
        }
        self.write(false, &[], false)
    }

    fn write(&self, working: bool, spans: &[Span], alone: bool) -> Result<(), Fault> {
        let Some((path, file)) = &self.file else { return Ok(()) };
        self.working.set(working);
        let mut text = String::with_capacity(256);
        let _ = writeln!(text, "{}\ndeaths {}", if working { "W" } else { "I" }, self.memory.deaths);
        let kinds = [("suspect", self.memory.suspects.as_slice()), (if alone { "alone" } else { "working" }, spans)];
        for (kind, spans) in kinds {
            for Span { spot: (topic, partition), first, last } in spans {
                let _ = writeln!(text, "{kind} {topic} {partition} {first} {last}");
            }
        }
        text.push_str("end\n");
        file.write_all_at(text.as_bytes(), 0).map_err(|error| fault(path, &error))
    }
}

fn fault(path: &Path, error: &io::Error) -> Fault {
    Fault::Fatal(format!("writing {}: {error}", path.display()))
}

impl Memory {
    /// What a journal's text means to the process that comes after.
    fn of(text: &str) -> Self {
        let mut memory = Self::default();
        let (mut working, mut alone, mut whole) = (Vec::new(), None, false);
        for line in text.lines() {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            match kind {
                "deaths" => memory.deaths = rest.parse().unwrap_or(0),
                "suspect" => memory.suspects.extend(Span::parse(rest)),
                "working" => working.extend(Span::parse(rest)),
                "alone" => alone = Span::parse(rest),
                "end" => {
                    whole = true;
                    break;
                }
                _ => (),
            }
        }
        if !whole {
            return Self::default();
        }
        let again = |spans: &[Span]| spans.iter().any(|span| memory.suspects.iter().any(|s| s.meets(span)));
        if !text.starts_with('W') {
            return memory;
        }
        let spans = alone.clone().map_or(working, |span| vec![span]);
        if !again(&spans) {
            return Self { deaths: 1, suspects: spans, condemned: None };
        }
        memory.deaths += 1;
        memory.condemned = alone;
        if memory.condemned.is_none() {
            memory.suspects = spans;
        }
        memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn span(first: i64, last: i64) -> Span {
        Span { spot: (Arc::from("t"), 0), first, last }
    }

    fn record(offset: i64) -> Record {
        Record {
            topic: Arc::from("t"),
            partition: 0,
            offset,
            timestamp: Timestamp::ZERO,
            key: None,
            payload: None,
            headers: Vec::new(),
        }
    }

    fn open(directory: &Path) -> Journal {
        Journal::open(Some(directory), "weft.t.0").unwrap()
    }

    #[test]
    fn two_deaths_in_one_range_bring_care_and_the_third_condemns_the_record_worked_alone() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        open(directory).batch(&[span(0, 99)]).unwrap();
        let journal = open(directory);
        assert!(!journal.is_careful(), "one death may be anybody's fault");
        journal.batch(&[span(0, 150)]).unwrap();
        let journal = open(directory);
        assert!(journal.is_careful() && journal.condemned().is_none());
        for offset in 0..=41 {
            journal.worked().unwrap();
            journal.alone(&record(offset)).unwrap();
        }
        let mut journal = open(directory);
        assert_eq!(journal.condemned(), Some(("t-0@41".to_owned(), 3)));
        journal.passed(&(Arc::from("t"), 0), 42).unwrap();
        assert!(journal.condemned().is_none() && journal.is_careful(), "the rest of the range is still suspect");
        journal.passed(&(Arc::from("t"), 0), 151).unwrap();
        assert!(!open(directory).is_careful());
    }

    #[test]
    fn a_death_elsewhere_or_after_the_work_is_not_counted_together() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        open(directory).batch(&[span(0, 99)]).unwrap();
        open(directory).batch(&[span(100, 120)]).unwrap();
        let journal = open(directory);
        assert_eq!(journal.memory.deaths, 1, "another range");
        journal.batch(&[span(100, 120)]).unwrap();
        journal.worked().unwrap();
        assert_eq!(open(directory).memory.deaths, 1, "that work had ended");
        assert_eq!(Memory::of("W\ndeaths 7\nworking t 0 1"), Memory::default(), "cut short");
    }
}
