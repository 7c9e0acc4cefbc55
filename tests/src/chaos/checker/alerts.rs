//! I-10: every offer ends once, and none runs out before its time or long after.

use std::collections::BTreeMap;

use super::{Findings, story};
use crate::chaos::evidence::{Detail, Evidence, Record};
use crate::chaos::timeline::away_ms;

/// Clocks and the runtime's slack.
const EARLY_MS_MAX: i64 = 2_000;
/// A busy machine's delay on top of the time that somebody was away: takeovers, restores, catching up.
const LATE_MS_MAX: i64 = 30_000;
/// Who must be well for a deadline to fire.
const NEEDED: [&str; 2] = ["routing", "kafka"];

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    let mut offers: BTreeMap<(u128, i64), Vec<&Record>> = BTreeMap::new();
    for record in &evidence.records {
        if let Detail::Offer { stint, no, .. } = &record.detail {
            offers.entry((*stint, *no)).or_default().push(record);
        }
    }
    findings.looked("I-10", offers.len());
    for ((_, no), records) in &offers {
        let began: Vec<&&Record> = records.iter().filter(|record| record.kind == "offered").collect();
        let ends = records.len() - began.len();
        match (began.as_slice(), ends) {
            ([offered], 1) => in_time(evidence, offered, records, findings),
            ([_], 0) => {
                findings.missing("I-10", format!("offer {no} came to no end"), story(evidence, records));
            }
            (begins, ends) => {
                let what =
                    format!("offer {no} began {} times and ended {ends} times, expected once each", begins.len());
                findings.wrong("I-10", what, story(evidence, records));
            }
        }
    }
}

fn in_time(evidence: &Evidence, offered: &Record, records: &[&Record], findings: &mut Findings) {
    let Detail::Offer { expires_at_ms: Some(expires_ms), .. } = offered.detail else { return };
    let Some(end) = records.iter().find(|record| record.kind == "not_answered") else { return };
    let late_ms = end.at_ms - expires_ms;
    // In a backlog an offer is made and runs out at the times of the records, both long ago.
    let since_ms = offered.at_ms.min(expires_ms);
    let away_ms = away_ms(&evidence.faults, &NEEDED, since_ms, end.at_ms);
    if late_ms < -EARLY_MS_MAX {
        let what = format!("an offer ran out {} ms before its time", -late_ms);
        findings.wrong("I-10", what, story(evidence, records));
    } else if late_ms > LATE_MS_MAX + away_ms {
        let what = format!("an offer ran out {late_ms} ms after its time, with routing or Kafka away for {away_ms} ms");
        findings.wrong("I-10", what, story(evidence, records));
    }
}
