//! I-01, I-02, I-04, I-05, I-06 for what the house says: each send asked for is answered once, reaches
//! its customer once or as often as ambiguities were recorded, in order, never before it was
//! committed, and comes to an end.

use std::collections::{BTreeMap, HashMap};

use super::{Findings, faults, story};
use crate::chaos::evidence::{Detail, Evidence, Record, Threaded};
use crate::providers::Seen;

/// Between a provider's clock of a request and the broker's of its claim.
const NEAR_MS: i64 = 1_500;
/// What ends the story of a send.
const FINAL: [&str; 6] = ["sent", "delivered", "read", "failed", "refused", "exhausted"];

struct Send<'a> {
    record: &'a Record,
    customer: u128,
    text: &'a str,
    attempts: Vec<&'a Record>,
    requests: Vec<&'a Seen>,
}

impl Send<'_> {
    fn count(&self, kind: &str) -> usize {
        self.attempts.iter().filter(|attempt| attempt.kind == kind).count()
    }

    fn taken(&self) -> usize {
        self.requests.iter().filter(|request| request.taken).count()
    }
}

pub(super) fn check(evidence: &Evidence, findings: &mut Findings) {
    commands(evidence, findings);
    let mut sends: BTreeMap<u128, Send<'_>> = BTreeMap::new();
    for record in &evidence.records {
        if let Detail::Threaded { customer, what: Threaded::Out { message, text, .. }, .. } = &record.detail {
            let send = Send { record, customer: *customer, text, attempts: Vec::new(), requests: Vec::new() };
            sends.entry(*message).or_insert(send);
        }
    }
    for record in &evidence.records {
        if let Detail::Attempt { message } = &record.detail {
            match sends.get_mut(message) {
                Some(send) => send.attempts.push(record),
                None => {
                    let what = format!("an attempt for message {message:032x}, which no conversation holds");
                    findings.wrong("I-04", what, story(evidence, &[record]));
                }
            }
        }
    }
    requests(evidence, &mut sends, findings);
    for send in sends.values() {
        findings.looked("I-04", 1);
        findings.looked("I-05", 1);
        ended(evidence, send, findings);
        at_most(evidence, send, findings);
    }
    order(evidence, &sends, findings);
}

/// Joins what reached the providers to the messages it came from.
fn requests<'a>(evidence: &'a Evidence, sends: &mut BTreeMap<u128, Send<'a>>, findings: &mut Findings) {
    let by_text: HashMap<&str, u128> = sends.iter().map(|(id, send)| (send.text, *id)).collect();
    for request in &evidence.requests {
        let text = request.text.as_deref().unwrap_or_default();
        match by_text.get(text).and_then(|id| sends.get_mut(id)) {
            Some(send) => send.requests.push(request),
            None => {
                let what =
                    format!("request {} to a provider says {text:?}, which no committed message says", request.n);
                findings.wrong("I-04", what, faults(evidence, request.at_ms));
            }
        }
        if let Some(problem) = &request.problem {
            let what = format!("a provider refused request {}: {problem}", request.n);
            findings.wrong("I-04", what, faults(evidence, request.at_ms));
        }
    }
}

fn ended(evidence: &Evidence, send: &Send<'_>, findings: &mut Findings) {
    let is_final = |attempt: &&&Record| FINAL.contains(&attempt.kind);
    if send.attempts.iter().find(is_final).is_none() {
        let last = send.attempts.last().map_or("nothing", |last| last.kind);
        let what = format!("{:?} came to no end: the last that is recorded is {last}", send.text);
        let records: Vec<&Record> = std::iter::once(send.record).chain(send.attempts.iter().copied()).collect();
        findings.missing("I-05", what, story(evidence, &records));
    }
    if send.count("sent") > 0 && send.taken() == 0 {
        let what = format!("{:?} is recorded as sent and no provider took it", send.text);
        findings.wrong("I-05", what, story(evidence, &[send.record]));
    }
}

fn at_most(evidence: &Evidence, send: &Send<'_>, findings: &mut Findings) {
    let (claimed, ambiguous, taken) = (send.count("claimed"), send.count("ambiguous"), send.taken());
    let mut wrong = Vec::new();
    if taken > 1 + ambiguous {
        wrong.push(format!("taken {taken} times, expected 1 and {ambiguous} for ambiguities"));
    }
    if send.requests.len() > claimed {
        wrong.push(format!("{} requests for {claimed} committed claims", send.requests.len()));
    }
    let claims: Vec<i64> =
        send.attempts.iter().filter(|attempt| attempt.kind == "claimed").map(|claim| claim.at_ms).collect();
    for (no, at_ms) in claims.iter().enumerate() {
        let later = send.requests.iter().filter(|request| request.at_ms > at_ms + NEAR_MS).count();
        if later > claims.len() - no {
            let claims = claims.len() - no;
            wrong.push(format!(
                "{later} requests after claim {}, expected at most {claims}: an old one came late",
                no + 1
            ));
        }
    }
    for what in wrong {
        let mut lines: Vec<String> = send
            .requests
            .iter()
            .map(|request| {
                let at = stream::Timestamp::from_ms(request.at_ms);
                format!("request {} at {at}, status {}, taken {}", request.n, request.status, request.taken)
            })
            .collect();
        let records: Vec<&Record> = std::iter::once(send.record).chain(send.attempts.iter().copied()).collect();
        lines.extend(story(evidence, &records));
        findings.wrong("I-04", format!("{:?}: {what}", send.text), lines);
    }
}

/// What a customer was shown first stands first in the conversation.
fn order(evidence: &Evidence, sends: &BTreeMap<u128, Send<'_>>, findings: &mut Findings) {
    let mut of_customer: BTreeMap<u128, Vec<&Send<'_>>> = BTreeMap::new();
    for send in sends.values().filter(|send| send.taken() > 0) {
        of_customer.entry(send.customer).or_default().push(send);
    }
    for mut sends in of_customer.into_values() {
        sends.sort_by_key(|send| send.record.place);
        let first =
            |send: &Send<'_>| send.requests.iter().filter(|seen| seen.taken).map(|seen| (seen.at_ms, seen.n)).min();
        for pair in sends.windows(2) {
            findings.looked("I-06", 1);
            let (Some(earlier), Some(later)) = (first(pair[0]), first(pair[1])) else { continue };
            if later < earlier {
                let what = format!("{:?} reached its customer before {:?}", pair[1].text, pair[0].text);
                findings.wrong("I-06", what, story(evidence, &[pair[0].record, pair[1].record]));
            }
        }
    }
}

/// Each send that was asked for is let out or refused, once.
fn commands(evidence: &Evidence, findings: &mut Findings) {
    let mut answered: HashMap<&str, &Record> = HashMap::new();
    for record in &evidence.records {
        let Detail::Threaded { what, .. } = &record.detail else { continue };
        let command = match what {
            Threaded::Out { command, .. } => command.as_deref(),
            Threaded::Refused { command } => Some(command.as_str()),
            Threaded::In { .. } | Threaded::Owner { .. } | Threaded::Other => None,
        };
        let Some(command) = command else { continue };
        findings.looked("I-02", 1);
        if let Some(before) = answered.insert(command, record) {
            let what = format!("command {command} was answered twice, expected once");
            findings.wrong("I-02", what, story(evidence, &[before, record]));
        }
    }
    for asked in evidence.commands.iter().filter(|asked| asked.acknowledged) {
        findings.looked("I-01", 1);
        if !answered.contains_key(asked.id.as_str()) {
            let what = format!("command {} was acknowledged and is lost", asked.id);
            findings.missing("I-01", what, faults(evidence, asked.at_ms));
        }
    }
}
