//! What the reports must say, computed only from what the simulated outside saw: customers, their
//! providers and agents. Nothing of weft's own records goes in.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::company::Account;
use crate::reports::{self, Row};

/// How far a duration in a report may be from what was seen outside, seconds: the network, the time
/// until a frame came back, and a second for WhatsApp's clock, which has no finer grain.
const TOLERANCE_S: f64 = 2.0;

/// One agent's part of a conversation as seen from outside.
#[derive(Debug, Clone)]
pub struct Part {
    /// Whose it was.
    pub customer_key: String,
    /// Where they wrote to; also the queue and the channel.
    pub account: Account,
    /// Who had it.
    pub agent: String,
    /// From the customer's message to the accepted offer, seconds; none: the agent wrote first, and nobody waited.
    pub wait_s: Option<f64>,
    /// From the accepted offer, or the agent's first word, to the disconnect, seconds.
    pub talk_s: f64,
    /// From the disconnect to the wrap-up, seconds.
    pub acw_s: f64,
    /// The customer's messages, those in the queue included.
    pub messages_in: i64,
    /// The agent's messages.
    pub messages_out: i64,
    /// Wrap-up code.
    pub code: String,
    /// Why the talk ended.
    pub end_cause: String,
}

/// A stay in a queue that no agent ended.
#[derive(Debug, Clone)]
pub struct Abandoned {
    /// Whose it was.
    pub customer_key: String,
    /// Where they wrote to.
    pub account: Account,
    /// From the first message until they left, seconds.
    pub wait_s: f64,
}

/// How an offer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferEnd {
    /// The agent took it.
    Accepted,
    /// The agent refused it.
    Declined,
    /// The agent did nothing.
    NotAnswered,
}

/// All that was seen in one tenant.
#[derive(Debug, Default)]
pub struct Oracle {
    seen: Mutex<Observed>,
}

#[derive(Debug, Default)]
struct Observed {
    parts: Vec<Part>,
    abandoned: Vec<Abandoned>,
    offers: Vec<(String, Account, OfferEnd)>,
    of_no_agent: Vec<Account>,
}

/// What a report says of one thing, beside what it must say.
#[derive(Debug, PartialEq)]
struct Compared {
    what: String,
    expected: f64,
    tolerance: f64,
    found: f64,
}

impl Oracle {
    /// A part that was finished.
    pub fn part(&self, part: &Part) {
        self.observed().parts.push(part.clone());
    }

    /// Somebody who left the queue.
    pub fn abandoned(&self, abandoned: &Abandoned) {
        self.observed().abandoned.push(abandoned.clone());
    }

    /// An offer that ended.
    pub fn offer(&self, agent: &str, account: Account, end: OfferEnd) {
        self.observed().offers.push((agent.to_owned(), account, end));
    }

    /// Somebody answered in the platform's own app, or a bot did: a message of the queue, but of no agent.
    pub fn of_no_agent(&self, account: Account) {
        self.observed().of_no_agent.push(account);
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is wrong with the rows of Queue Performance, one line each.
    pub fn faults_of_queues(&self, rows: &[Row]) -> Vec<String> {
        let observed = self.observed();
        let mut compared = Vec::new();
        for account in observed.accounts() {
            let parts: Vec<&Part> = observed.parts.iter().filter(|part| part.account == account).collect();
            let left: Vec<&Abandoned> = observed.abandoned.iter().filter(|one| one.account == account).collect();
            let waits: Vec<f64> = parts.iter().filter_map(|part| part.wait_s).collect();
            let (handled, answered, abandoned) = (parts.len() as f64, waits.len() as f64, left.len() as f64);
            let wait_s = waits.into_iter().chain(left.iter().map(|one| one.wait_s)).sum();
            let mut sheet =
                Sheet::new(find(rows, &[("queue_id", account.queue()), ("message_type", account.channel())]));
            sheet.what = format!("queue {}", account.queue());
            sheet.count("offered", answered + abandoned);
            sheet.count("answered", answered);
            sheet.count("abandoned", abandoned);
            sheet.count("handled", handled);
            let of_no_agent = observed.of_no_agent.iter().filter(|of| **of == account).count() as f64;
            let by_agents: f64 = parts.iter().map(|part| part.messages_out as f64).sum();
            sheet.count("messages_out", by_agents + of_no_agent);
            sheet.seconds("wait_s", wait_s, answered + abandoned);
            sheet.seconds("talk_s", parts.iter().map(|part| part.talk_s).sum(), handled);
            sheet.seconds("acw_s", parts.iter().map(|part| part.acw_s).sum(), handled);
            compared.append(&mut sheet.compared);
        }
        faults(compared)
    }

    /// What is wrong with the rows of Agent Performance, one line each.
    pub fn faults_of_agents(&self, rows: &[Row]) -> Vec<String> {
        let observed = self.observed();
        let mut by_agent: BTreeMap<(&str, Account), Vec<&Part>> = BTreeMap::new();
        for (agent, account, _) in &observed.offers {
            by_agent.entry((agent, *account)).or_default();
        }
        for part in &observed.parts {
            by_agent.entry((&part.agent, part.account)).or_default().push(part);
        }
        let mut compared = Vec::new();
        for ((agent, account), parts) in by_agent {
            let offers = observed.offers.iter().filter(|(to, of, _)| to == agent && *of == account);
            let ended = |end| offers.clone().filter(|(_, _, how)| *how == end).count() as f64;
            let handled = parts.len() as f64;
            let mut sheet = Sheet::new(find(rows, &[("agent_id", agent), ("queue_id", account.queue())]));
            sheet.what = format!("agent {agent} in queue {}", account.queue());
            sheet.count("alerted", offers.clone().count() as f64);
            sheet.count("declined", ended(OfferEnd::Declined));
            sheet.count("not_answered", ended(OfferEnd::NotAnswered));
            sheet.count("answered", ended(OfferEnd::Accepted));
            sheet.count("handled", handled);
            sheet.count("messages_out", parts.iter().map(|part| part.messages_out as f64).sum());
            sheet.seconds("talk_s", parts.iter().map(|part| part.talk_s).sum(), handled);
            sheet.seconds("acw_s", parts.iter().map(|part| part.acw_s).sum(), handled);
            compared.append(&mut sheet.compared);
        }
        faults(compared)
    }

    /// How many parts and abandoned visits Interaction Details must hold.
    pub fn rows_of_details(&self) -> usize {
        let observed = self.observed();
        observed.parts.len() + observed.abandoned.len()
    }
}

impl Observed {
    fn accounts(&self) -> Vec<Account> {
        let parts = self.parts.iter().map(|part| part.account);
        let mut all: Vec<Account> = parts.chain(self.abandoned.iter().map(|one| one.account)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// What is wrong with a row of Interaction Details that shall be this part, one line each.
pub fn faults_of_part(part: &Part, row: &Row) -> Vec<String> {
    let mut sheet = Sheet::new(Some(row));
    sheet.what = format!("{}'s part", part.agent);
    sheet.count("messages_in", part.messages_in as f64);
    sheet.count("messages_out", part.messages_out as f64);
    if let Some(wait_s) = part.wait_s {
        sheet.seconds("wait_s", wait_s, 1.0);
    }
    sheet.seconds("talk_s", part.talk_s, 1.0);
    sheet.seconds("acw_s", part.acw_s, 1.0);
    let mut found = faults(sheet.compared);
    for (column, expected) in [
        ("agent_id", part.agent.as_str()),
        ("queue_id", part.account.queue()),
        ("message_type", part.account.channel()),
        ("account_id", part.account.id()),
        ("wrap_up_code", &part.code),
        ("end_cause", &part.end_cause),
    ] {
        let says = reports::text(row, column);
        if says != expected {
            found.push(format!("{}'s part: {column} is {says:?}, expected {expected:?}", part.agent));
        }
    }
    if reports::flag(row, "is_answered") != part.wait_s.is_some() {
        found.push(format!("{}'s part: is_answered is {}", part.agent, part.wait_s.is_none()));
    }
    found
}

/// What is wrong with a row of Interaction Details that shall be this abandoned visit.
pub fn faults_of_abandoned(abandoned: &Abandoned, row: &Row) -> Vec<String> {
    let mut sheet = Sheet::new(Some(row));
    sheet.what = "abandoned visit".into();
    sheet.seconds("wait_s", abandoned.wait_s, 1.0);
    let mut found = faults(sheet.compared);
    if !reports::flag(row, "is_abandoned") || reports::text(row, "queue_id") != abandoned.account.queue() {
        found.push(format!("expected an abandoned visit of {}, found {row:?}", abandoned.account.queue()));
    }
    found
}

/// The comparisons of one row.
struct Sheet<'a> {
    what: String,
    row: Option<&'a Row>,
    compared: Vec<Compared>,
}

impl<'a> Sheet<'a> {
    fn new(row: Option<&'a Row>) -> Self {
        Self { what: String::new(), row, compared: Vec::new() }
    }

    fn count(&mut self, column: &str, expected: f64) {
        self.compare(column, expected, 0.0);
    }

    /// A sum of `of` durations.
    fn seconds(&mut self, column: &str, expected: f64, of: f64) {
        self.compare(column, expected, TOLERANCE_S * of);
    }

    fn compare(&mut self, column: &str, expected: f64, tolerance: f64) {
        let found = self.row.and_then(|row| reports::number(row, column)).unwrap_or(0.0);
        let what = format!("{}: {column}", self.what);
        self.compared.push(Compared { what, expected, tolerance, found });
    }
}

fn find<'a>(rows: &'a [Row], keys: &[(&str, &str)]) -> Option<&'a Row> {
    rows.iter().find(|row| keys.iter().all(|(column, value)| reports::text(row, column) == *value))
}

fn faults(compared: Vec<Compared>) -> Vec<String> {
    let wrong = compared.into_iter().filter(|one| (one.found - one.expected).abs() > one.tolerance);
    wrong.map(|one| format!("{} is {}, expected {}", one.what, one.found, one.expected)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn part() -> Part {
        Part {
            customer_key: "k".into(),
            account: Account::Parcels,
            agent: "ana".into(),
            wait_s: Some(1.0),
            talk_s: 4.0,
            acw_s: 0.5,
            messages_in: 2,
            messages_out: 1,
            code: "resolved".into(),
            end_cause: "agent_disconnect".into(),
        }
    }

    fn row(value: &serde_json::Value) -> Row {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_report_that_says_what_was_seen_has_no_faults() {
        let oracle = Oracle::default();
        oracle.part(&part());
        oracle.offer("ana", Account::Parcels, OfferEnd::Accepted);
        let queue = json!({"queue_id": "parcels", "message_type": "whatsapp", "offered": 1, "answered": "1",
            "abandoned": 0, "handled": 1, "messages_out": 1, "wait_s": 1.4, "talk_s": 3.2, "acw_s": 0.5});
        assert_eq!(oracle.faults_of_queues(&[row(&queue)]), Vec::<String>::new());
        let agent = json!({"agent_id": "ana", "queue_id": "parcels", "alerted": 1, "answered": 1, "handled": 1,
            "declined": 0, "not_answered": 0, "messages_out": 1, "talk_s": 4.0, "acw_s": 0.5});
        assert_eq!(oracle.faults_of_agents(&[row(&agent)]), Vec::<String>::new());
    }

    #[test]
    fn a_count_that_is_off_by_one_and_a_missing_row_are_faults() {
        let oracle = Oracle::default();
        oracle.part(&part());
        let queue = json!({"queue_id": "parcels", "message_type": "whatsapp", "offered": 2, "answered": 1,
            "abandoned": 0, "handled": 1, "messages_out": 1, "wait_s": 1.0, "talk_s": 4.0, "acw_s": 0.5});
        assert_eq!(oracle.faults_of_queues(&[row(&queue)]), ["queue parcels: offered is 2, expected 1"]);
        assert!(!oracle.faults_of_queues(&[]).is_empty());
        assert!(!oracle.faults_of_agents(&[]).is_empty());
    }
}
