//! The counts, from records alone.

use std::collections::{BTreeMap, BTreeSet};

use schemas::ids::MessageId;

use crate::journal::Entry;

/// Examples named in remarks.
const EXAMPLES_MAX: usize = 3;

/// What went in and what came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Balance {
    pub(super) what: String,
    pub(super) expected: i64,
    pub(super) found: i64,
    pub(super) remarks: String,
}

impl Balance {
    pub(super) fn new(what: impl Into<String>, expected: i64, found: i64, remarks: impl Into<String>) -> Self {
        Self { what: what.into(), expected, found, remarks: remarks.into() }
    }

    pub(super) fn is_even(&self) -> bool {
        self.expected == self.found
    }
}

#[derive(Debug, Default)]
struct Message {
    times: i64,
    /// Outbound and ours to send.
    to_send: bool,
    customer_key: String,
}

/// Everything that was read, by what it is about.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Inbound messages and postbacks: id → coordinates of their records.
    accepted: BTreeMap<String, Vec<String>>,
    /// Coordinates in `channel.inbound` of dead letters.
    dead: BTreeSet<String>,
    messages: BTreeMap<String, Message>,
    /// Sequence numbers by conversation.
    numbers: BTreeMap<String, BTreeSet<i64>>,
    /// Whether a send came to an end, by message.
    sends: BTreeMap<String, bool>,
    delivery_changes: i64,
    stints_begun: BTreeSet<String>,
    stints_ended: BTreeSet<String>,
    stints_live: BTreeMap<String, String>,
    queued: i64,
    visits_ended: i64,
    /// Open work: key → (state, part).
    work: BTreeMap<String, (String, String)>,
    parts_begun: BTreeSet<String>,
    parts_ended: BTreeMap<String, i64>,
    /// First offset seen by topic and partition.
    first: BTreeMap<String, i64>,
}

impl Tally {
    pub(super) fn add(&mut self, entry: &Entry) {
        self.remember_first(entry);
        match entry.topic.as_str() {
            "channel.inbound" => self.add_inbound(entry),
            "channel.inbound.dlq" => {
                let (topic, value) = (entry.text("source_topic"), &entry.value);
                self.dead.insert(format!("{topic}-{}@{}", value["source_partition"], value["source_offset"]));
            }
            "conversation.events" => self.add_conversation(entry),
            "conversation.views" => latest(&mut self.stints_live, entry, |entry| entry.text("stint_id").to_owned()),
            "routing.events" => self.add_routing(entry),
            "routing.views" if entry.value.is_null() => drop(self.work.remove(&entry.key)),
            "routing.views" if entry.kind() == "work" => {
                let text = |name: &str| entry.shape()[name].as_str().unwrap_or_default().to_owned();
                self.work.insert(entry.key.clone(), (text("state"), text("part_id")));
            }
            "delivery.events" => self.add_delivery(entry),
            _ => {}
        }
    }

    fn remember_first(&mut self, entry: &Entry) {
        if let Some((partition, offset)) = entry.coordinates.rsplit_once('@') {
            let offset = offset.parse().unwrap_or(0);
            self.first.entry(partition.to_owned()).or_insert(offset);
        }
    }

    /// A topic that no longer holds its first records; compacted ones never do.
    pub(super) fn cut_off(&self) -> Option<&str> {
        let mut cut = self.first.iter().filter(|(partition, first)| **first > 0 && !partition.contains(".views-"));
        cut.next().and_then(|(partition, _)| partition.rsplit_once('-')).map(|(topic, _)| topic)
    }

    fn add_inbound(&mut self, entry: &Entry) {
        if matches!(entry.kind(), "message" | "postback") {
            let parts = ["tenant", "channel", "account_id", "provider_event_id"].map(|name| entry.text(name));
            let id = MessageId::derive(&parts).to_string();
            self.accepted.entry(id).or_default().push(entry.coordinates.clone());
        }
    }

    fn add_conversation(&mut self, entry: &Entry) {
        let stint = || entry.text("stint_id").to_owned();
        match entry.kind() {
            "opened" if stint().is_empty() => {}
            "opened" | "reopened" => drop(self.stints_begun.insert(stint())),
            "stint_ended" => drop(self.stints_ended.insert(stint())),
            "message_added" => {
                let shape = entry.shape();
                let id = shape["message_id"].as_str().unwrap_or_default();
                let message = self.messages.entry(id.to_owned()).or_default();
                message.times += 1;
                message.to_send = shape["direction"] == "outbound" && shape["already_sent"] == false;
                message.customer_key = entry.text("customer_key").to_owned();
                let number = entry.value["seq"].as_i64().unwrap_or_default();
                self.numbers.entry(entry.text("conversation_id").to_owned()).or_default().insert(number);
            }
            _ => {}
        }
    }

    fn add_routing(&mut self, entry: &Entry) {
        let part = || entry.text("part_id").to_owned();
        match entry.kind() {
            "queued" => self.queued += 1,
            "queue_visit_ended" => self.visits_ended += 1,
            "connected" => drop(self.parts_begun.insert(part())),
            "part_ended" => *self.parts_ended.entry(part()).or_default() += 1,
            _ => {}
        }
    }

    fn add_delivery(&mut self, entry: &Entry) {
        let state = entry.kind();
        if matches!(state, "part_sent" | "bot_turn_finished" | "data_action_finished" | "media_stored" | "media_failed")
        {
            return;
        }
        self.delivery_changes += 1;
        let ended = matches!(state, "sent" | "delivered" | "read" | "failed" | "refused" | "exhausted");
        *self.sends.entry(entry.text("message_id").to_owned()).or_default() |= ended;
    }

    pub(super) fn balances(&self) -> Vec<Balance> {
        vec![
            self.received(),
            self.once(),
            self.numbered(),
            self.sent(),
            self.known_sends(),
            self.stints(),
            self.offered(),
            self.parts(),
            Balance::new(
                "parts that ended more than once",
                0,
                count(self.parts_ended.values().filter(|n| **n > 1)),
                "",
            ),
        ]
    }

    /// What ClickHouse must hold.
    pub(super) fn facts(&self) -> Vec<(&'static str, i64)> {
        let messages = self.messages.values().map(|message| message.times).sum();
        let stints = count(self.stints_ended.iter());
        let parts = self.parts_ended.values().sum();
        vec![
            ("messages", messages),
            ("delivery changes", self.delivery_changes),
            ("ended stints", stints),
            ("queue entries", self.queued),
            ("queue visits", self.visits_ended),
            ("parts", parts),
            ("stints in report_interactions", stints),
            ("agent parts in report_interaction_details", parts),
        ]
    }

    fn received(&self) -> Balance {
        let is_dead = |records: &[String]| records.iter().any(|one| self.dead.contains(one));
        let joined = self.accepted.keys().filter(|id| self.messages.contains_key(*id)).count();
        let missing = self.accepted.iter().filter(|(id, _)| !self.messages.contains_key(*id));
        let (dead, lost): (Vec<_>, Vec<_>) = missing.partition(|(_, records)| is_dead(records));
        let records: usize = self.accepted.values().map(Vec::len).sum();
        let repeated = records - self.accepted.len();
        let mut remarks = format!("{records} records: {repeated} repeated, {} dead letters", dead.len());
        if !lost.is_empty() {
            let places: Vec<_> = lost.iter().filter_map(|(_, records)| records.first().cloned()).collect();
            remarks += &format!("; in no conversation: {}", examples(&places));
        }
        let found = joined + dead.len();
        Balance::new(
            "messages received = joined a conversation + dead letters",
            whole(self.accepted.len()),
            whole(found),
            remarks,
        )
    }

    fn once(&self) -> Balance {
        let twice: Vec<_> =
            self.messages.iter().filter(|(_, message)| message.times > 1).map(|(id, _)| id.clone()).collect();
        Balance::new("messages in a conversation more than once", 0, whole(twice.len()), examples(&twice))
    }

    fn numbered(&self) -> Balance {
        let whole_run = |numbers: &BTreeSet<i64>| numbers.iter().copied().eq(1..=whole(numbers.len()));
        let gaps: Vec<_> =
            self.numbers.iter().filter(|(_, numbers)| !whole_run(numbers)).map(|(id, _)| id.clone()).collect();
        Balance::new("conversations with a gap in their numbers", 0, whole(gaps.len()), examples(&gaps))
    }

    /// A message that waits behind an open one of its customer is open too.
    fn sent(&self) -> Balance {
        let to_send: Vec<_> = self.messages.iter().filter(|(_, message)| message.to_send).collect();
        let state = |id: &String| self.sends.get(id).copied();
        let busy: BTreeSet<_> = to_send
            .iter()
            .filter(|(id, _)| state(id) == Some(false))
            .map(|(_, message)| &message.customer_key)
            .collect();
        let ended = to_send.iter().filter(|(id, _)| state(id) == Some(true)).count();
        let open = to_send.iter().filter(|(id, _)| state(id) == Some(false)).count();
        let idle: Vec<_> = to_send.iter().filter(|(id, _)| state(id).is_none()).collect();
        let (held, lost): (Vec<_>, Vec<_>) =
            idle.into_iter().partition(|(_, message)| busy.contains(&message.customer_key));
        let lost: Vec<_> = lost.into_iter().map(|(id, _)| (*id).clone()).collect();
        let mut remarks = format!("{ended} settled, {open} under way, {} waiting their turn", held.len());
        if !lost.is_empty() {
            remarks += &format!("; never taken up: {}", examples(&lost));
        }
        let found = ended + open + held.len();
        Balance::new("messages to send = settled + under way", whole(to_send.len()), whole(found), remarks)
    }

    fn known_sends(&self) -> Balance {
        let strange: Vec<_> = self.sends.keys().filter(|id| !self.messages.contains_key(*id)).cloned().collect();
        Balance::new("sends of messages that no conversation has", 0, whole(strange.len()), examples(&strange))
    }

    fn stints(&self) -> Balance {
        let live = self.stints_live.values().filter(|id| !self.stints_ended.contains(*id)).count();
        let ended = self.stints_ended.len();
        let found = ended + live;
        let remarks = format!("{ended} ended, {live} live");
        Balance::new("stints begun = ended + live", whole(self.stints_begun.len()), whole(found), remarks)
    }

    fn offered(&self) -> Balance {
        let waiting = count(self.work.values().filter(|(state, _)| matches!(state.as_str(), "waiting" | "alerting")));
        let remarks = format!("{} resolved, {waiting} waiting", self.visits_ended);
        Balance::new("offered = resolved + waiting", self.queued, self.visits_ended + waiting, remarks)
    }

    fn parts(&self) -> Balance {
        let ended = self.parts_ended.len();
        let open = self
            .work
            .values()
            .filter(|(_, part)| self.parts_begun.contains(part) && !self.parts_ended.contains_key(part));
        let open = open.count();
        let remarks = format!("{ended} ended, {open} open");
        Balance::new("agents' parts begun = ended + open", whole(self.parts_begun.len()), whole(ended + open), remarks)
    }
}

fn latest(map: &mut BTreeMap<String, String>, entry: &Entry, value: impl Fn(&Entry) -> String) {
    if entry.value.is_null() {
        map.remove(&entry.key);
    } else {
        map.insert(entry.key.clone(), value(entry));
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn count<T>(items: impl Iterator<Item = T>) -> i64 {
    whole(items.count())
}

fn examples(all: &[String]) -> String {
    let shown: Vec<_> = all.iter().take(EXAMPLES_MAX).cloned().collect();
    let more = if all.len() > EXAMPLES_MAX { ", …" } else { "" };
    shown.join(", ") + more
}

#[cfg(test)]
mod tests;
