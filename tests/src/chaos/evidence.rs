//! What the outside saw of a run, as the checker gets it: nothing in here is a service's own opinion
//! of itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use stream::GroupOffset;

use super::history::Said;
use super::timeline::Entry;
use crate::providers::Seen;

/// A record's coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Topic.
    pub topic: &'static str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}@{}", self.topic, self.partition, self.offset)
    }
}

/// A record's place in its transaction, from `weft-txn` and `weft-n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Index into [`Evidence::transactions`].
    pub transaction: usize,
    /// From 1.
    pub no: u32,
    /// How many outputs the transaction has.
    pub of: u32,
}

/// One committed record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where.
    pub place: Place,
    /// When the broker took it.
    pub at_ms: i64,
    /// The record that caused it, from `weft-src`; none: a deadline, an outcome, or nobody of ours.
    pub source: Option<Place>,
    /// Its place in a transaction.
    pub part: Option<Part>,
    /// Its kind, as written.
    pub kind: &'static str,
    /// What the checker wants to know of it.
    pub detail: Detail,
}

/// The parts of a record that are compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// `channel.inbound`: a customer's message.
    Heard {
        /// Whose.
        customer: u128,
        /// The platform's id of it.
        id: String,
    },
    /// `conversation.events`.
    Threaded {
        /// Conversation.
        conversation: u128,
        /// Whose.
        customer: u128,
        /// Number.
        seq: i64,
        /// What it is about.
        what: Threaded,
    },
    /// `delivery.events`.
    Attempt {
        /// Message.
        message: u128,
    },
    /// `routing.events`: an offer or its end.
    Offer {
        /// Stint.
        stint: u128,
        /// Number of the offer in its stint.
        no: i64,
        /// When it runs out; the begin alone says it.
        expires_at_ms: Option<i64>,
    },
    /// `conversation.views`, the last word on a customer; none: no live stint.
    View {
        /// Whose.
        customer: u128,
        /// Last number and owner epoch.
        shown: Option<(i64, i64)>,
    },
    /// A dead letter.
    Letter {
        /// Where it comes from and why it lies there.
        why: String,
    },
    /// Nothing beyond coordinates and headers.
    Plain,
}

/// What an event of a conversation is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Threaded {
    /// A message of the customer.
    In {
        /// The platform's id of it.
        id: String,
    },
    /// A message to the customer.
    Out {
        /// Our id of it.
        message: u128,
        /// Who asked for it.
        command: Option<String>,
        /// What it says; unique in a run.
        text: String,
    },
    /// A send that was not let out.
    Refused {
        /// Who asked for it.
        command: String,
    },
    /// A new owner.
    Owner {
        /// Its epoch.
        epoch: i64,
    },
    /// Anything else.
    Other,
}

/// How a fact table of ClickHouse says where a row comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowSeen {
    /// The record it was made from.
    pub source: Place,
    /// Its number among the rows of that record.
    pub ordinal: u16,
    /// How often it is there.
    pub times: u64,
}

/// Everything.
#[derive(Debug, Default)]
pub struct Evidence {
    /// What customers said, in order, and whether it was acknowledged.
    pub customers: BTreeMap<u128, Vec<Said>>,
    /// Sends that were asked for.
    pub commands: Vec<Said>,
    /// All committed records, those of one partition in order.
    pub records: Vec<Record>,
    /// Names of transactions: `slot/start/number`.
    pub transactions: Vec<String>,
    /// Records that only a reader of uncommitted work sees.
    pub aborted: BTreeSet<Place>,
    /// Requests that reached a provider.
    pub requests: Vec<Seen>,
    /// Rows of the fact tables.
    pub rows: BTreeMap<String, Vec<RowSeen>>,
    /// Where each service's group stands.
    pub groups: BTreeMap<&'static str, Vec<GroupOffset>>,
    /// Where each task's state stands: service, partition, topic → next offset.
    pub positions: BTreeMap<(&'static str, i32, String), i64>,
    /// Last number of each customer's conversation according to threading's changelog.
    pub numbers: BTreeMap<u128, i64>,
    /// What was done to the house.
    pub faults: Vec<Entry>,
    /// Broken promises that a process died of, from its log.
    pub last_words: Vec<String>,
}

impl Evidence {
    /// The service that made a transaction: `threading` of `weft.threading.0/…`.
    pub fn service_of(&self, part: Part) -> &str {
        self.transactions.get(part.transaction).and_then(|name| name.split('.').nth(1)).unwrap_or_default()
    }

    /// The committed records of one topic.
    pub fn of<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Record> {
        self.records.iter().filter(move |record| record.place.topic == topic)
    }

    /// A record in one line of a story.
    pub fn tell(&self, record: &Record) -> String {
        let mut line = format!("{} {} at {}", record.place, record.kind, stream::Timestamp::from_ms(record.at_ms));
        if let Some(source) = record.source {
            line += &format!(", weft-src {source}");
        }
        if let Some(part) = record.part {
            let name = self.transactions.get(part.transaction).map_or("?", String::as_str);
            line += &format!(", weft-txn {name}, weft-n {}/{}", part.no, part.of);
        }
        line
    }
}
