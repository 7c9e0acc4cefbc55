//! Small histories that add up, and what is said about ones that do not.

use serde_json::{Value as Json, json};

use super::*;

struct History {
    tally: Tally,
    offset: i64,
}

impl History {
    fn new() -> Self {
        Self { tally: Tally::default(), offset: 0 }
    }

    fn record(&mut self, topic: &str, key: &str, value: Json) {
        let coordinates = format!("{topic}-0@{}", self.offset);
        self.offset += 1;
        self.tally.add(&Entry {
            topic: topic.into(),
            coordinates,
            timestamp_ms: 0,
            key: key.into(),
            cause: None,
            value,
        });
    }

    fn inbound(&mut self, provider_id: &str) {
        let event = json!({"kind": "message", "tenant": "acme", "channel": "open", "account_id": "shop",
            "provider_event_id": provider_id});
        self.record("channel.inbound", "k", event);
    }

    fn joined(&mut self, provider_id: &str, seq: i64) {
        let id = MessageId::derive(&["acme", "open", "shop", provider_id]).to_string();
        self.message(&id, "inbound", seq);
    }

    fn message(&mut self, id: &str, direction: &str, seq: i64) {
        let event = json!({"kind": "message_added", "seq": seq, "conversation_id": "c", "customer_key": "k",
            "message_added": {"message_id": id, "direction": direction, "already_sent": false}});
        self.record("conversation.events", "k", event);
    }

    fn delivery(&mut self, id: &str, state: &str) {
        self.record("delivery.events", "k", json!({"kind": state, "message_id": id}));
    }

    fn uneven(&self) -> Vec<String> {
        let uneven = self.tally.balances().into_iter().filter(|balance| !balance.is_even());
        uneven
            .map(|balance| format!("{}: {}/{} {}", balance.what, balance.expected, balance.found, balance.remarks))
            .collect()
    }
}

#[test]
fn a_whole_journey_adds_up() {
    let mut history = History::new();
    history.inbound("m1");
    history.inbound("m1");
    history.record("conversation.events", "k", json!({"kind": "opened", "stint_id": "s"}));
    history.record("conversation.views", "k", json!({"stint_id": "s"}));
    history.joined("m1", 1);
    history.record("routing.events", "acme", json!({"kind": "queued"}));
    history.record("routing.views", "acme/work/c", json!({"kind": "work", "work": {"state": "waiting"}}));
    assert_eq!(history.uneven(), Vec::<String>::new(), "while waiting");
    history.record("routing.events", "acme", json!({"kind": "queue_visit_ended"}));
    history.record("routing.events", "acme", json!({"kind": "connected", "part_id": "p"}));
    let work = json!({"kind": "work", "work": {"state": "interacting", "part_id": "p"}});
    history.record("routing.views", "acme/work/c", work);
    history.message("reply", "outbound", 2);
    history.delivery("reply", "claimed");
    assert_eq!(history.uneven(), Vec::<String>::new(), "while talking");
    history.delivery("reply", "sent");
    history.record("routing.events", "acme", json!({"kind": "part_ended", "part_id": "p"}));
    history.record("routing.views", "acme/work/c", Json::Null);
    history.record("conversation.events", "k", json!({"kind": "stint_ended", "stint_id": "s"}));
    history.record("conversation.views", "k", Json::Null);
    assert_eq!(history.uneven(), Vec::<String>::new(), "at the end");
    assert!(history.tally.facts().contains(&("messages", 2)));
}

#[test]
fn a_message_that_joined_no_conversation_is_named_by_its_record() {
    let mut history = History::new();
    history.inbound("m1");
    let uneven = history.uneven();
    assert_eq!(uneven.len(), 1);
    assert!(uneven[0].ends_with("in no conversation: channel.inbound-0@0"), "{uneven:?}");
    let dead = json!({"source_topic": "channel.inbound", "source_partition": 0, "source_offset": 0});
    history.record("channel.inbound.dlq", "k", dead);
    assert_eq!(history.uneven(), Vec::<String>::new(), "a dead letter accounts for it");
}

#[test]
fn doubled_messages_gaps_and_sends_that_nobody_took_up_are_told() {
    let mut history = History::new();
    history.message("a", "inbound", 1);
    history.message("a", "inbound", 1);
    history.message("b", "outbound", 3);
    let uneven = history.uneven().join("\n");
    assert!(uneven.contains("more than once: 0/1 a"), "{uneven}");
    assert!(uneven.contains("gap in their numbers: 0/1 c"), "{uneven}");
    assert!(uneven.contains("never taken up: b"), "{uneven}");
    history.message("earlier", "outbound", 2);
    history.delivery("earlier", "claimed");
    assert!(!history.uneven().join("\n").contains("never taken up"), "it waits behind the earlier one");
}

#[test]
fn a_topic_whose_first_records_are_gone_is_named() {
    let mut history = History::new();
    history.offset = 7;
    history.inbound("m1");
    assert_eq!(history.tally.cut_off(), Some("channel.inbound"));
}
