//! I-15: ClickHouse has the rows of every committed record once, and none of any other.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Findings, story};
use crate::chaos::evidence::{Evidence, Place, Record};
use schemas::topics::{CONVERSATION_EVENTS, DELIVERY_EVENTS, ROUTING_EVENTS};

/// Tables in which each record of these kinds has a row.
const MADE_FROM: [(&str, &str, &[&str]); 7] = [
    ("messages", CONVERSATION_EVENTS.name, &["message_added"]),
    (
        "conversation_changes",
        CONVERSATION_EVENTS.name,
        &["opened", "reopened", "owner_changed", "stint_ended", "closed"],
    ),
    ("turns", CONVERSATION_EVENTS.name, &["turn_ended"]),
    ("deliveries", DELIVERY_EVENTS.name, &["claimed", "sent", "ambiguous", "retrying", "delivered", "failed"]),
    ("parts", ROUTING_EVENTS.name, &["part_ended"]),
    ("queue_visits", ROUTING_EVENTS.name, &["queue_visit_ended"]),
    ("segments", ROUTING_EVENTS.name, &["segment_ended"]),
];

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let committed: HashMap<Place, &Record> = evidence.records.iter().map(|record| (record.place, record)).collect();
    for (table, rows) in &evidence.rows {
        findings.looked("I-15", rows.len());
        for row in rows {
            let record = committed.get(&row.source);
            if row.times > 1 {
                let what =
                    format!("{table} has row {} of {} {} times, expected once", row.ordinal, row.source, row.times);
                let records: Vec<&Record> = record.into_iter().copied().collect();
                findings.wrong("I-15", what, story(evidence, &records));
            }
            if record.is_none() {
                let why = if evidence.aborted.contains(&row.source) { "was aborted" } else { "is not there" };
                findings.wrong("I-15", format!("{table} has a row of {}, which {why}", row.source), Vec::new());
            }
        }
    }
    let seen: BTreeMap<&str, HashSet<Place>> = evidence
        .rows
        .iter()
        .map(|(table, rows)| (table.as_str(), rows.iter().map(|row| row.source).collect()))
        .collect();
    let nothing = HashSet::new();
    for (table, topic, kinds) in MADE_FROM {
        let seen = seen.get(table).unwrap_or(&nothing);
        for record in evidence.of(topic).filter(|record| kinds.contains(&record.kind)) {
            findings.looked("I-15", 1);
            if !seen.contains(&record.place) {
                findings.missing(
                    "I-15",
                    format!("{table} lacks the row of {}", record.place),
                    story(evidence, &[record]),
                );
            }
        }
    }
}
