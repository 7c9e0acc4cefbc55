//! I-01, I-02, I-06 for what customers say: acknowledged means threaded, once, numbered without gaps,
//! in the order said.

use std::collections::{BTreeMap, HashMap};

use super::{Findings, faults, story};
use crate::chaos::evidence::{Detail, Evidence, Place, Record, Threaded};
use crate::chaos::history::Said;

/// Live, a record waits for no other topic; what is older than this had been there to be read first.
const OUT_OF_TIME_MS_MAX: i64 = 5_000;

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    numbers(evidence, findings);
    merged_by_time(evidence, findings);
    let mut threaded: BTreeMap<u128, Vec<(&str, &Record)>> = BTreeMap::new();
    let mut raw: HashMap<(u128, &str), &Record> = HashMap::new();
    for record in &evidence.records {
        match &record.detail {
            Detail::Heard { customer, id } => {
                raw.entry((*customer, id)).or_insert(record);
            }
            Detail::Threaded { customer, what: Threaded::In { id }, .. } => {
                threaded.entry(*customer).or_default().push((id, record));
            }
            Detail::Threaded { .. }
            | Detail::Attempt { .. }
            | Detail::Offer { .. }
            | Detail::View { .. }
            | Detail::Letter { .. }
            | Detail::Plain => {}
        }
    }
    let none = Vec::new();
    for (customer, said) in &evidence.customers {
        let threaded = threaded.remove(customer).unwrap_or_default();
        of_customer(evidence, &Customer { key: *customer, said, threaded: &threaded, raw: &raw }, findings);
    }
    for (customer, messages) in threaded {
        of_customer(evidence, &Customer { key: customer, said: &none, threaded: &messages, raw: &raw }, findings);
    }
}

struct Customer<'a> {
    key: u128,
    said: &'a [Said],
    threaded: &'a [(&'a str, &'a Record)],
    raw: &'a HashMap<(u128, &'a str), &'a Record>,
}

fn of_customer(evidence: &Evidence, customer: &Customer<'_>, findings: &mut Findings) {
    let order: HashMap<&str, usize> =
        customer.said.iter().enumerate().map(|(no, said)| (said.id.as_str(), no)).collect();
    let mut first: HashMap<&str, &Record> = HashMap::new();
    let mut last: Option<(usize, &Record)> = None;
    let key = customer.key;
    for (id, record) in customer.threaded {
        if let Some(before) = first.insert(id, record) {
            let what = format!("message {id} of customer {key:032x} stands twice in its conversation, expected once");
            findings.wrong("I-02", what, story(evidence, &[before, record]));
            continue;
        }
        let Some(no) = order.get(id).copied() else {
            let what = format!("message {id} of customer {key:032x} was never written by anybody");
            findings.wrong("I-02", what, story(evidence, &[record]));
            continue;
        };
        if let Some((_, before)) = last.filter(|(before, _)| *before > no) {
            let what = format!("message {id} of customer {key:032x} stands behind one that was written after it");
            findings.wrong("I-06", what, story(evidence, &[before, record]));
        }
        last = Some((no, record));
    }
    let acknowledged = customer.said.iter().filter(|said| said.acknowledged);
    findings.looked("I-06", customer.threaded.len());
    for said in acknowledged {
        findings.looked("I-01", 1);
        if first.contains_key(said.id.as_str()) {
            continue;
        }
        let (where_lost, mut lines) = match customer.raw.get(&(key, said.id.as_str())) {
            Some(record) => ("it is on channel.inbound and in no conversation", story(evidence, &[record])),
            None => ("it is on no topic", faults(evidence, said.at_ms)),
        };
        lines.insert(0, format!("acknowledged at {}", stream::Timestamp::from_ms(said.at_ms)));
        let what = format!("message {} of customer {key:032x} was acknowledged and is lost: {where_lost}", said.id);
        findings.missing("I-01", what, lines);
    }
}

/// Every message of a conversation has the next number.
fn numbers(evidence: &Evidence, findings: &mut Findings) {
    let mut last: HashMap<u128, (i64, &Record)> = HashMap::new();
    for record in &evidence.records {
        let Detail::Threaded { conversation, seq, what, .. } = &record.detail else { continue };
        if !matches!(what, Threaded::In { .. } | Threaded::Out { .. }) {
            continue;
        }
        findings.looked("I-06", 1);
        let before = last.insert(*conversation, (*seq, record));
        let expected = before.map_or(1, |(seq, _)| seq + 1);
        if *seq != expected {
            let what = format!("number {seq} in conversation {conversation:032x}, expected {expected}");
            let records: Vec<&Record> = before.map(|(_, record)| record).into_iter().chain([record]).collect();
            findings.wrong("I-06", what, story(evidence, &records));
        }
    }
}

/// What came by different topics stands in the order of the broker's clock.
fn merged_by_time(evidence: &Evidence, findings: &mut Findings) {
    let taken: HashMap<Place, i64> = evidence.records.iter().map(|record| (record.place, record.at_ms)).collect();
    let mut latest: HashMap<u128, (i64, &Record)> = HashMap::new();
    for record in &evidence.records {
        let Detail::Threaded { conversation, .. } = &record.detail else { continue };
        let Some(at_ms) = record.source.and_then(|source| taken.get(&source)) else { continue };
        findings.looked("I-06", 1);
        let known = latest.entry(*conversation).or_insert((*at_ms, record));
        if known.0 > at_ms + OUT_OF_TIME_MS_MAX {
            let ms = known.0 - at_ms;
            let what = format!("conversation {conversation:032x} took a record {ms} ms after one that is younger");
            findings.wrong("I-06", what, story(evidence, &[known.1, record]));
        }
        if known.0 < *at_ms {
            *known = (*at_ms, record);
        }
    }
}
