//! The checker checked: a good history has no violations, and each way of spoiling it is found.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stream::GroupOffset;

use super::judge;
use crate::chaos::evidence::{Detail, Evidence, Part, Place, Record, RowSeen, Threaded};
use crate::chaos::history::Said;
use crate::providers::Seen;

const ADA: u128 = 0xada;
const TALK: u128 = 0x7a1;
const STINT: u128 = 0x57;
const REPLY: u128 = 0x4e;

fn place(topic: &'static str, offset: i64) -> Place {
    Place { topic, partition: 0, offset }
}

fn record(at: Place, kind: &'static str, detail: Detail) -> Record {
    Record { place: at, at_ms: 1_000 + at.offset * 10, source: None, part: None, kind, detail }
}

fn caused(record: Record, source: Place, transaction: usize, no: u32, of: u32) -> Record {
    Record { source: Some(source), part: Some(Part { transaction, no, of }), ..record }
}

fn threaded(seq: i64, what: Threaded) -> Detail {
    Detail::Threaded { conversation: TALK, customer: ADA, seq, what }
}

fn message(offset: i64, seq: i64, id: &str) -> Record {
    let what = Threaded::In { id: id.to_owned() };
    record(place("conversation.events", offset), "message_added", threaded(seq, what))
}

fn request(n: u64, at_ms: i64) -> Seen {
    let (account, body) = ("shop".to_owned(), Value::Null);
    let text = Some("out 1".to_owned());
    let (problem, id, to, tracker) = (None, None, None, None);
    Seen { n, at_ms, account, status: 200, taken: true, repeat: false, problem, id, to, tracker, text, body }
}

fn offer(offset: i64, kind: &'static str, expires_at_ms: Option<i64>) -> Record {
    record(place("routing.events", offset), kind, Detail::Offer { stint: STINT, no: 1, expires_at_ms })
}

fn attempt(offset: i64, kind: &'static str) -> Record {
    record(place("delivery.events", offset), kind, Detail::Attempt { message: REPLY })
}

/// Two messages of a customer, a reply that was sent, an offer that ran out; rows, views and positions
/// that say so.
fn good() -> Evidence {
    let inbound = |offset, id: &str| {
        let detail = Detail::Heard { customer: ADA, id: id.to_owned() };
        record(place("channel.inbound", offset), "message", detail)
    };
    let out = Threaded::Out { message: REPLY, command: Some("c1".into()), text: "out 1".into() };
    let reply = record(place("conversation.events", 2), "message_added", threaded(3, out));
    let view = |offset, seq| {
        let detail = Detail::View { customer: ADA, shown: Some((seq, 0)) };
        record(place("conversation.views", offset), "view", detail)
    };
    let asked = place("conversation.commands", 0);
    let records = vec![
        inbound(0, "m1"),
        inbound(1, "m2"),
        record(asked, "send", Detail::Plain),
        caused(message(0, 1, "m1"), place("channel.inbound", 0), 0, 1, 2),
        caused(view(0, 1), place("channel.inbound", 0), 0, 2, 2),
        caused(message(1, 2, "m2"), place("channel.inbound", 1), 1, 1, 1),
        caused(reply, asked, 2, 1, 2),
        caused(view(1, 3), asked, 2, 2, 2),
        attempt(0, "claimed"),
        attempt(1, "sent"),
        offer(0, "offered", Some(4_000)),
        Record { at_ms: 4_200, ..offer(1, "not_answered", None) },
    ];
    let said = |id: &str| Said { id: id.to_owned(), acknowledged: true, at_ms: 1_000 };
    let rows = |topic, offsets: &[i64]| {
        offsets.iter().map(|offset| RowSeen { source: place(topic, *offset), ordinal: 0, times: 1 }).collect::<Vec<_>>()
    };
    let at =
        |topic: &str, committed| GroupOffset { topic: topic.into(), partition: 0, committed: Some(committed), end: 9 };
    Evidence {
        customers: BTreeMap::from([(ADA, vec![said("m1"), said("m2")])]),
        commands: vec![said("c1")],
        records,
        transactions: ["weft.threading.0/1/1", "weft.threading.0/1/2", "weft.threading.0/1/3"]
            .map(str::to_owned)
            .into(),
        requests: vec![request(1, 1_005)],
        rows: BTreeMap::from([
            ("messages".to_owned(), rows("conversation.events", &[0, 1, 2])),
            ("deliveries".to_owned(), rows("delivery.events", &[0, 1])),
        ]),
        groups: BTreeMap::from([("threading", vec![at("channel.inbound", 2), at("conversation.commands", 1)])]),
        positions: BTreeMap::from([(("threading", 0, "channel.inbound".to_owned()), 2)]),
        numbers: BTreeMap::from([(ADA, 3)]),
        ..Evidence::default()
    }
}

/// What is found once something was spoilt.
fn found<T>(spoil: impl FnOnce(&mut Evidence) -> T) -> Vec<&'static str> {
    let mut evidence = good();
    let _spoilt = spoil(&mut evidence);
    let mut found: Vec<&str> = judge(&evidence).violations.iter().map(|violation| violation.invariant).collect();
    found.dedup();
    found
}

fn of<'a>(evidence: &'a mut Evidence, topic: &str, offset: i64) -> &'a mut Record {
    let is_it = |record: &&mut Record| record.place.topic == topic && record.place.offset == offset;
    evidence.records.iter_mut().find(is_it).unwrap()
}

#[test]
fn a_good_history_has_no_violations_and_every_invariant_compared_something() {
    let findings = judge(&good());
    assert_eq!(findings.violations, []);
    for (invariant, _) in super::INVARIANTS {
        assert!(findings.looked_at.get(invariant).copied().unwrap_or_default() > 0, "{invariant} looked at nothing");
    }
}

#[test]
fn what_is_lost_doubled_or_out_of_order_inside_is_found() {
    let lost = found(|e| {
        e.records.retain(|r| !matches!(&r.detail, Detail::Heard { id, .. } | Detail::Threaded { what: Threaded::In { id }, .. } if id == "m2"))
    });
    assert!(lost.contains(&"I-01"), "{lost:?}");
    let never_threaded =
        found(|e| e.customers.get_mut(&ADA).unwrap().push(Said { id: "m3".into(), acknowledged: true, at_ms: 5 }));
    assert_eq!(never_threaded, ["I-01"]);
    let unacknowledged =
        found(|e| e.customers.get_mut(&ADA).unwrap().push(Said { id: "m3".into(), acknowledged: false, at_ms: 5 }));
    assert_eq!(unacknowledged, [""; 0]);
    let doubled = found(|e| of(e, "conversation.events", 1).detail = threaded(2, Threaded::In { id: "m1".into() }));
    assert!(doubled.contains(&"I-02") && doubled.contains(&"I-01"), "{doubled:?}");
    let swapped = found(|e| e.customers.get_mut(&ADA).unwrap().reverse());
    assert_eq!(swapped, ["I-06"]);
    let foreign = found(|e| e.customers.remove(&ADA));
    assert_eq!(foreign, ["I-02"]);
    let gap = found(|e| of(e, "conversation.events", 1).detail = threaded(3, Threaded::In { id: "m2".into() }));
    assert!(gap.contains(&"I-06"), "{gap:?}");
    let late = found(|e| of(e, "channel.inbound", 0).at_ms = 60_000);
    assert_eq!(late, ["I-06"]);
}

#[test]
fn torn_repeated_and_unfounded_transactions_are_found() {
    let torn = found(|e| e.records.retain(|r| r.place != place("conversation.views", 0)));
    assert!(torn.contains(&"I-03"), "{torn:?}");
    let twice = found(|e| of(e, "conversation.events", 1).source = Some(place("channel.inbound", 0)));
    assert_eq!(twice, ["I-02"]);
    let told_to_all = |partition| {
        found(move |e| {
            let again = |no: usize, partition| {
                let place = Place { partition, ..place("delivery.events", 90) };
                let record = record(place, "claimed", Detail::Plain);
                caused(record, self::place("delivery.accounts", 0), no, 1, 1)
            };
            let no = e.transactions.len();
            e.transactions.extend(["weft.delivery.0/1/1".to_owned(), "weft.delivery.1/1/1".to_owned()]);
            e.records.extend([again(no, 7), again(no + 1, partition)]);
        })
    };
    assert!(!told_to_all(8).contains(&"I-02"), "each task reads it");
    assert!(told_to_all(7).contains(&"I-02"), "the same task did so twice");
    let unfounded = found(|e| e.aborted.insert(place("channel.inbound", 0)));
    assert_eq!(unfounded, ["I-03"]);
    let letter = found(|e| {
        let detail = Detail::Letter { why: "undecodable".into() };
        e.records.push(record(place("channel.inbound.dlq", 0), "dead letter", detail));
    });
    assert_eq!(letter, ["I-01"]);
}

#[test]
fn what_customers_get_too_often_never_or_too_early_is_found() {
    assert_eq!(found(|e| e.requests.push(request(2, 1_006))), ["I-04"]);
    let allowed = found(|e| {
        let (claim, unknown) = (attempt(2, "claimed"), attempt(3, "ambiguous"));
        e.records.extend([claim, unknown]);
        e.rows.get_mut("deliveries").unwrap().extend([2, 3].map(|no| RowSeen {
            source: place("delivery.events", no),
            ordinal: 0,
            times: 1,
        }));
        e.requests.push(request(2, 1_030));
    });
    assert_eq!(allowed, [""; 0]);
    assert_eq!(found(|e| e.requests[0].at_ms += 60_000), [""; 0]);
    assert_eq!(found(|e| e.requests[0].text = Some("nobody said this".into())), ["I-04", "I-05"]);
    assert_eq!(found(|e| e.requests.clear()), ["I-05"]);
    assert!(found(|e| e.records.retain(|r| r.kind != "sent")).contains(&"I-05"));
    assert!(found(|e| e.records.retain(|r| r.kind != "claimed")).contains(&"I-04"));
    let lost = found(|e| e.commands.push(Said { id: "c2".into(), acknowledged: true, at_ms: 5 }));
    assert_eq!(lost, ["I-01"]);
}

#[test]
fn offers_that_end_never_twice_early_or_late_are_found() {
    assert_eq!(found(|e| e.records.retain(|r| r.kind != "not_answered")), ["I-10"]);
    assert_eq!(found(|e| e.records.push(offer(2, "accepted", None))), ["I-10"]);
    assert_eq!(found(|e| of(e, "routing.events", 1).at_ms = 1_500), ["I-10"]);
    assert_eq!(found(|e| of(e, "routing.events", 1).at_ms = 400_000), ["I-10"]);
}

#[test]
fn state_that_differs_from_the_events_is_found() {
    let stale = found(|e| of(e, "conversation.views", 1).detail = Detail::View { customer: ADA, shown: Some((2, 0)) });
    assert_eq!(stale, ["I-12"]);
    assert_eq!(found(|e| e.numbers.insert(ADA, 2)), ["I-12"]);
    let inbound = || ("threading", 0, "channel.inbound".to_owned());
    assert_eq!(found(|e| e.positions.insert(inbound(), 3)), ["I-12"]);
    assert_eq!(found(|e| e.positions.insert(inbound(), 1)), ["I-12"]);
    assert_eq!(found(|e| e.groups.get_mut("threading").unwrap()[1].committed = Some(0)), ["I-19"]);
}

#[test]
fn what_two_readings_differ_in_counts_once_the_next_look_finds_the_same() {
    let look = |next| {
        let mut evidence = good();
        evidence.positions.insert(("threading", 0, "channel.inbound".to_owned()), next);
        judge(&evidence)
    };
    let mut first = look(3);
    let found = first.confirm(&BTreeSet::new());
    assert!(first.may_heal() && !first.violations.is_empty());
    let mut moved = look(4);
    let found = moved.confirm(&found);
    assert!(moved.may_heal(), "it went on meanwhile");
    let mut stuck = look(4);
    stuck.confirm(&found);
    assert!(!stuck.may_heal());
    stuck.forget_missing();
    assert_eq!(stuck.violations.len(), 1);
}

#[test]
fn rows_that_lack_repeat_or_rest_on_nothing_are_found() {
    assert_eq!(found(|e| e.rows.get_mut("messages").unwrap().pop()), ["I-15"]);
    assert_eq!(found(|e| e.rows.get_mut("messages").unwrap()[0].times = 2), ["I-15"]);
    let baseless = found(|e| {
        let row = RowSeen { source: place("conversation.events", 7), ordinal: 0, times: 1 };
        e.rows.insert("turns".into(), vec![row])
    });
    assert_eq!(baseless, ["I-15"]);
    assert_eq!(found(|e| e.last_words.push("broken invariant".into())), ["alive"]);
}
