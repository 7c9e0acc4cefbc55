//! `weft trace`: one conversation over all topics, in the order it happened.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use schemas::codec::Codec;
use schemas::topics::{self, Topic};
use serde_json::{Value as Json, json};
use stream::Timestamp;

use crate::journal::Entry;
use crate::output::{Output, Rows, duration};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Tell one conversation's story over all topics
///
/// Every record about it in the order the brokers took them: when, how long after what caused it,
/// and what it says. Texts are hidden unless --text is given.
#[derive(Args)]
#[command(after_help = "Example:\n  weft trace 6a1c0d5e-… --text")]
pub(super) struct Trace {
    /// Conversation id
    conversation: String,
    /// Show what people wrote
    #[arg(long)]
    text: bool,
}

/// Where a conversation leaves traces, in the order data flows.
const TRACED: &[Topic] = &[
    topics::CHANNEL_INBOUND,
    topics::CONVERSATION_COMMANDS,
    topics::CONVERSATION_EVENTS,
    topics::ROUTING_COMMANDS,
    topics::ROUTING_EVENTS,
    topics::DELIVERY_REQUESTS,
    topics::DELIVERY_EVENTS,
];

impl Trace {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let codec = reach.codec(TRACED)?;
        let entries = self.entries(reach, &codec)?;
        if entries.is_empty() {
            let text = format!("no record says anything about conversation {}", self.conversation);
            return Err(Failure::Wrong(text));
        }
        let began = entries[0].timestamp_ms;
        let at: BTreeMap<_, _> = entries.iter().map(|entry| (entry.coordinates.as_str(), entry.timestamp_ms)).collect();
        let mut rows = Rows::new(["time", "after", "hop", "topic", "kind", "what"]);
        let mut list = Vec::new();
        for entry in &entries {
            let caused_at = entry.cause.as_deref().and_then(|cause| at.get(cause));
            let hop = caused_at.map(|caused_at| entry.timestamp_ms - caused_at);
            rows.push([
                Timestamp::from_ms(entry.timestamp_ms).to_string()[11..23].to_owned(),
                duration(entry.timestamp_ms - began),
                hop.map(duration).unwrap_or_default(),
                entry.topic.clone(),
                entry.kind().to_owned(),
                what(entry, self.text),
            ]);
            let mut json = entry.json();
            json["after_ms"] = json!(entry.timestamp_ms - began);
            json["hop_ms"] = json!(hop);
            list.push(json);
        }
        let customer = entries.iter().map(|entry| entry.text("customer_key")).find(|key| !key.is_empty());
        let day = &Timestamp::from_ms(began).to_string()[..10];
        output.say(format_args!(
            "conversation {}, customer {}, {day} UTC",
            self.conversation,
            customer.unwrap_or("?")
        ))?;
        output.result(&Json::Array(list), &rows)?;
        output.say("hop: time since the record that caused it was taken")?;
        Ok(Verdict::Good)
    }

    /// Everything that names the conversation, and what came in from its customer meanwhile.
    fn entries(&self, reach: &Reach, codec: &Codec) -> Result<Vec<Entry>, Failure> {
        let mut ours = Vec::new();
        let mut inbound = Vec::new();
        let names: Vec<_> = TRACED.iter().map(|topic| topic.name).collect();
        reach.read(&names, |record| {
            let entry = Entry::of(codec, &record);
            if entry.topic == topics::CHANNEL_INBOUND.name {
                inbound.push(entry);
            } else if entry.text("conversation_id") == self.conversation {
                ours.push(entry);
            }
        })?;
        let causes: BTreeSet<_> = ours.iter().filter_map(|entry| entry.cause.clone()).collect();
        let messages: BTreeSet<_> =
            ours.iter().map(|entry| provider_id(entry).to_owned()).filter(|id| !id.is_empty()).collect();
        let customers: BTreeSet<_> = ours.iter().map(|entry| entry.text("customer_key").to_owned()).collect();
        inbound.retain(|entry| {
            let message = provider_id(entry);
            let named = causes.contains(&entry.coordinates) || messages.contains(message);
            named && customers.contains(entry.text("customer_key"))
        });
        ours.extend(inbound);
        ours.sort_by_key(|entry| (entry.timestamp_ms, station(&entry.topic), entry.coordinates.clone()));
        Ok(ours)
    }
}

fn station(topic: &str) -> Option<usize> {
    TRACED.iter().position(|one| one.name == topic)
}

/// The platform's id of the message that a record is about; empty if it is about none.
fn provider_id(entry: &Entry) -> &str {
    let shape = entry.shape();
    let named = shape["provider_message_id"].as_str().or(shape["provider_event_id"].as_str());
    named.or(entry.value["provider_event_id"].as_str()).unwrap_or_default()
}

/// One line about a record.
fn what(entry: &Entry, with_text: bool) -> String {
    let shape = entry.shape();
    let mut parts = Vec::new();
    if let Some(seq) = entry.value["seq"].as_i64().or(shape["seq"].as_i64()) {
        parts.push(format!("#{seq}"));
    }
    for name in ["queue_id", "agent_id"] {
        parts.extend(entry.value[name].as_str().map(|value| format!("{} {value}", &name[..5])));
    }
    for name in [
        "direction",
        "owner_kind",
        "owner_id",
        "owner_epoch",
        "cause",
        "reason",
        "rule",
        "chosen",
        "outcome",
        "segment",
        "status",
        "presence",
        "routing_status",
        "code",
        "end_cause",
        "wrap_up_code",
        "who",
        "signal",
        "acw_open",
        "agent_id",
    ] {
        parts.extend(said(&shape[name]).map(|value| format!("{name} {value}")));
    }
    for name in ["alert_ms", "wait_ms", "talk_ms", "acw_ms"] {
        parts.extend(shape[name].as_i64().map(|ms| format!("{} {}", name.trim_end_matches("_ms"), duration(ms))));
    }
    let content = &shape["content"];
    if let Some(text) = content["text"].as_str() {
        parts.push(if with_text { format!("“{text}”") } else { format!("{} characters", text.chars().count()) });
    } else if let Some(kind) = content["content_kind"].as_str() {
        parts.push(kind.to_owned());
    }
    parts.join(" · ")
}

fn said(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(true) => Some("yes".into()),
        Json::String(_) | Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: Json) -> Entry {
        Entry {
            topic: "conversation.events".into(),
            coordinates: "conversation.events-0@1".into(),
            timestamp_ms: 0,
            key: String::new(),
            cause: None,
            value,
        }
    }

    #[test]
    fn a_message_is_told_without_its_text_unless_that_is_asked_for() {
        let message = json!({"kind": "message_added", "seq": 3, "message_added": {
            "direction": "inbound", "content": {"content_kind": "text", "text": "Hello"}}});
        assert_eq!(what(&entry(message.clone()), false), "#3 · direction inbound · 5 characters");
        assert_eq!(what(&entry(message), true), "#3 · direction inbound · “Hello”");
    }

    #[test]
    fn queue_agent_and_durations_are_told() {
        let ended = json!({"kind": "queue_visit_ended", "queue_id": "help", "agent_id": "ana",
            "queue_visit_ended": {"outcome": "answered", "wait_ms": 1500, "cause": "accepted"}});
        assert_eq!(
            what(&entry(ended), false),
            "queue help · agent ana · cause accepted · outcome answered · wait 1.5 s"
        );
    }
}
