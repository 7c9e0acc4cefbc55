//! I-02, I-03: each input's outputs come from one transaction, each transaction is whole, and nothing
//! rests on work that was taken back.

use std::collections::HashMap;

use schemas::topics;

use super::{Findings, story};

use crate::chaos::collect::GROUPS;
use crate::chaos::evidence::{Detail, Evidence, Part, Place, Record};

/// Topics of one partition: it does not tell whose output a record is.
const SHARED: [&str; 1] = [topics::DELIVERY_ACCOUNTS.name];

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    whole(evidence, findings);
    once(evidence, findings);
    committed_causes(evidence, findings);
    for record in &evidence.records {
        if let Detail::Letter { why } = &record.detail {
            let what = format!("a dead letter, though everything sent in was good: {why}");
            findings.wrong("I-01", what, story(evidence, &[record]));
        }
    }
}

fn whole(evidence: &Evidence, findings: &mut Findings) {
    let mut parts: Vec<Vec<(Part, &Record)>> = vec![Vec::new(); evidence.transactions.len()];
    for record in &evidence.records {
        if let Some(part) = record.part
            && let Some(of_it) = parts.get_mut(part.transaction)
        {
            of_it.push((part, record));
        }
    }
    findings.looked("I-03", parts.len());
    for mut seen in parts {
        seen.sort_by_key(|(part, _)| part.no);
        let Some((first, _)) = seen.first() else { continue };
        let name = evidence.transactions.get(first.transaction).map_or("?", String::as_str);
        let numbers: Vec<u32> = seen.iter().map(|(part, _)| part.no).collect();
        if numbers.iter().copied().eq(1..=first.of) {
            continue;
        }
        let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        let what = match twice {
            Some(no) => format!("output {no} of transaction {name} is visible twice, expected once"),
            None => {
                let lost: Vec<u32> = (1..=first.of).filter(|no| !numbers.contains(no)).take(5).collect();
                format!("transaction {name} is torn: {} of {} visible, lacking {lost:?}", seen.len(), first.of)
            }
        };
        let around = |no: u32| seen.iter().filter(move |(part, _)| part.no == no).map(|(_, record)| *record);
        let shown: Vec<&Record> = match twice {
            Some(no) => around(no).collect(),
            None => seen.iter().map(|(_, record)| *record).take(3).collect(),
        };
        findings.wrong("I-03", what, story(evidence, &shown));
    }
}

/// What is read with the group has one transaction. What every task reads has one for each of them,
/// told apart by the partition that its outputs go to.
fn once(evidence: &Evidence, findings: &mut Findings) {
    let mut first: HashMap<(&str, Place, Option<i32>), &Record> = HashMap::new();
    for record in &evidence.records {
        let (Some(source), Some(part)) = (record.source, record.part) else { continue };
        let service = evidence.service_of(part);
        let of_group = GROUPS.iter().any(|(name, topics)| *name == service && topics.contains(&source.topic));
        if !of_group && SHARED.contains(&record.place.topic) {
            continue;
        }
        let task = (!of_group).then_some(record.place.partition);
        let before = *first.entry((service, source, task)).or_insert(record);
        if before.part.is_some_and(|before| before.transaction != part.transaction) {
            let what = format!("{service} processed {source} in two committed transactions, expected one");
            findings.wrong("I-02", what, story(evidence, &[before, record]));
        }
    }
    findings.looked("I-02", first.len());
}

fn committed_causes(evidence: &Evidence, findings: &mut Findings) {
    for record in &evidence.records {
        if let Some(source) = record.source.filter(|source| evidence.aborted.contains(source)) {
            let what = format!("a committed output rests on {source}, which was aborted");
            findings.wrong("I-03", what, story(evidence, &[record]));
        }
    }
}
