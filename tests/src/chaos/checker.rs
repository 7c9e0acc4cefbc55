//! Judges a run from its evidence alone. One file for each group of invariants (numbers as in the
//! fault bench's documentation); none shares a line with the services' rules.

mod alerts;
mod inbound;
mod outbound;
mod rows;
mod state;
mod transactions;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{Evidence, Record};
use super::timeline::around;

/// The invariants that are computed, with what each says.
pub const INVARIANTS: [(&str, &str); 11] = [
    ("I-01", "what was acknowledged is in its conversation, or a dead letter says why not"),
    ("I-02", "each message and each input counts once"),
    ("I-03", "a transaction is visible whole or not at all"),
    ("I-04", "a customer gets a message once, and once more at most for each recorded ambiguity"),
    ("I-05", "every send comes to an end that is recorded"),
    ("I-06", "numbers and order of a conversation hold at every stage"),
    ("I-10", "every offer ends once, not before its time"),
    ("I-12", "state equals the fold of the events"),
    ("I-15", "ClickHouse has each record's rows once, and no others"),
    ("I-19", "healed means caught up"),
    ("alive", "no process broke one of its own invariants"),
];

/// One broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its number.
    pub invariant: &'static str,
    /// What is wrong, and what was expected.
    pub what: String,
    /// The few records that show it.
    pub story: Vec<String>,
    /// How sure that is.
    pub verdict: Verdict,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whatever comes, this does not get right again.
    Wrong,
    /// Waiting may still mend it: something has not come yet.
    Missing,
    /// Two things that were not read at one moment differ: wrong if the next look finds the same.
    Momentary,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// In the order found.
    pub violations: Vec<Violation>,
    /// Things compared, by invariant: a check that looked at nothing proves nothing.
    pub looked_at: BTreeMap<&'static str, usize>,
}

impl Findings {
    fn looked(&mut self, invariant: &'static str, at: usize) {
        *self.looked_at.entry(invariant).or_default() += at;
    }

    fn wrong(&mut self, invariant: &'static str, what: String, story: Vec<String>) {
        self.violations.push(Violation { invariant, what, story, verdict: Verdict::Wrong });
    }

    fn missing(&mut self, invariant: &'static str, what: String, story: Vec<String>) {
        self.violations.push(Violation { invariant, what, story, verdict: Verdict::Missing });
    }

    fn differs(&mut self, invariant: &'static str, what: String, story: Vec<String>) {
        self.violations.push(Violation { invariant, what, story, verdict: Verdict::Momentary });
    }

    /// Whether everything that is amiss may still come.
    pub fn may_heal(&self) -> bool {
        self.violations.iter().all(|violation| violation.verdict != Verdict::Wrong)
    }

    /// Makes sure of what the look before has found as well, word for word; what this look has
    /// found that the next one may make sure of.
    pub fn confirm(&mut self, before: &BTreeSet<String>) -> BTreeSet<String> {
        let momentary = self.violations.iter_mut().filter(|violation| violation.verdict == Verdict::Momentary);
        let mut found = BTreeSet::new();
        for violation in momentary {
            if before.contains(&violation.what) {
                violation.verdict = Verdict::Wrong;
            }
            found.insert(violation.what.clone());
        }
        found
    }

    /// Without what is only missing so far: for who does not wait, because something is wrong already.
    pub fn forget_missing(&mut self) {
        self.violations.retain(|violation| violation.verdict == Verdict::Wrong);
    }
}

/// Checks everything.
pub fn judge(evidence: &Evidence) -> Findings {
    let mut findings = Findings::default();
    transactions::check(evidence, &mut findings);
    inbound::check(evidence, &mut findings);
    outbound::check(evidence, &mut findings);
    alerts::check(evidence, &mut findings);
    state::check(evidence, &mut findings);
    rows::check(evidence, &mut findings);
    findings.looked("alive", 1);
    for words in &evidence.last_words {
        findings.wrong("alive", "a process died of a promise it broke".into(), vec![words.clone()]);
    }
    findings
}

/// Records as lines, with the faults around the last of them.
fn story(evidence: &Evidence, records: &[&Record]) -> Vec<String> {
    let mut lines: Vec<String> = records.iter().map(|record| evidence.tell(record)).collect();
    if let Some(last) = records.last() {
        lines.extend(around(&evidence.faults, last.at_ms).into_iter().map(|line| format!("fault {line}")));
    }
    lines
}

/// The faults around a moment.
fn faults(evidence: &Evidence, at_ms: i64) -> Vec<String> {
    around(&evidence.faults, at_ms).into_iter().map(|line| format!("fault {line}")).collect()
}
