//! I-12 and I-19: the state that would be restored says what the events say, stands where the group
//! stands, and everything that was there to be read is read.

use std::collections::BTreeMap;

use super::{Findings, faults, story};
use crate::chaos::evidence::{Detail, Evidence, Record, Threaded};

/// Last number and owner epoch, while there is a live stint.
type View = Option<(i64, i64)>;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    views(evidence, findings);
    positions(evidence, findings);
    caught_up(evidence, findings);
}

/// The last view of a customer and threading's row say the last number and epoch of its events.
fn views(evidence: &Evidence, findings: &mut Findings) {
    let mut folded: BTreeMap<u128, (i64, i64, &Record)> = BTreeMap::new();
    let mut shown: BTreeMap<u128, (View, &Record)> = BTreeMap::new();
    for record in &evidence.records {
        if let Detail::Threaded { customer, seq, what, .. } = &record.detail {
            let entry = folded.entry(*customer).or_insert((0, 0, record));
            match what {
                Threaded::In { .. } | Threaded::Out { .. } => (entry.0, entry.2) = (*seq, record),
                Threaded::Owner { epoch } => (entry.1, entry.2) = (*epoch, record),
                Threaded::Refused { .. } | Threaded::Other => {}
            }
        } else if let Detail::View { customer, shown: view } = &record.detail {
            shown.insert(*customer, (*view, record));
        }
    }
    for (customer, (view, record)) in &shown {
        let (Some((seq, epoch)), Some((last_seq, last_epoch, last))) = (view, folded.get(customer)) else { continue };
        findings.looked("I-12", 1);
        if seq != last_seq || epoch != last_epoch {
            let what = format!(
                "the view of customer {customer:032x} says number {seq}, epoch {epoch}; its events say {last_seq}, {last_epoch}"
            );
            findings.differs("I-12", what, story(evidence, &[last, record]));
        }
    }
    for (customer, seq) in &evidence.numbers {
        findings.looked("I-12", 1);
        let expected = folded.get(customer).map_or(0, |(seq, _, _)| *seq);
        if *seq != expected {
            let what =
                format!("threading's row of customer {customer:032x} says number {seq}, its events say {expected}");
            let records: Vec<&Record> = folded.get(customer).map(|(_, _, record)| *record).into_iter().collect();
            findings.differs("I-12", what, story(evidence, &records));
        }
    }
}

/// A task's state has seen every input that has outputs, and none that the group has not.
fn positions(evidence: &Evidence, findings: &mut Findings) {
    let mut last: BTreeMap<(&str, i32, &str), &Record> = BTreeMap::new();
    for record in &evidence.records {
        let (Some(source), Some(part)) = (record.source, record.part) else { continue };
        let key = (evidence.service_of(part), source.partition, source.topic);
        let known = last.entry(key).or_insert(record);
        if known.source.is_some_and(|known| known.offset < source.offset) {
            *known = record;
        }
    }
    for ((service, partition, topic), next) in &evidence.positions {
        findings.looked("I-12", 1);
        let group = evidence.groups.get(service).into_iter().flatten();
        let committed = group.filter(|at| at.partition == *partition && at.topic == *topic).find_map(|at| at.committed);
        if committed.is_some_and(|committed| committed < *next) {
            let what = format!(
                "{service}'s state of {topic}-{partition} stands at {next}, its group at {}: that much would be taken twice",
                committed.unwrap_or_default()
            );
            findings.differs("I-12", what, Vec::new());
        }
        let seen = last.get(&(*service, *partition, topic.as_str()));
        if let Some((record, source)) = seen.and_then(|record| Some((record, record.source?)))
            && source.offset >= *next
        {
            let what = format!("{service}'s state of {topic}-{partition} stands at {next} and has outputs of {source}");
            findings.differs("I-12", what, story(evidence, &[record]));
        }
    }
}

/// No committed record lies behind what a group has committed.
fn caught_up(evidence: &Evidence, findings: &mut Findings) {
    let mut last: BTreeMap<(&str, i32), &Record> = BTreeMap::new();
    for record in &evidence.records {
        last.insert((record.place.topic, record.place.partition), record);
    }
    for (service, offsets) in &evidence.groups {
        for at in offsets {
            findings.looked("I-19", 1);
            let Some(record) = last.get(&(at.topic.as_str(), at.partition)) else { continue };
            if at.committed.unwrap_or(0) <= record.place.offset {
                let what = format!(
                    "{service} stands at {} in {}-{}, where {} is still to be read",
                    at.committed.unwrap_or(0),
                    at.topic,
                    at.partition,
                    record.place
                );
                findings.missing("I-19", what, faults(evidence, record.at_ms));
            }
        }
    }
}
