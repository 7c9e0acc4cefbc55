//! Dead letters, and what was done about each since: that stands on `audit.events`, because a log
//! takes nothing back.

use std::collections::BTreeMap;

use clap::Args;
use schemas::codec::Codec;
use schemas::ids::EventId;
use schemas::records::{AuditEvent, DeadLetter};
use schemas::topics::{AUDIT_EVENTS, CONVERSATION_EVENTS, DELIVERY_REQUESTS, TOPICS, Topic, dead_letter_topic};
use serde_json::{Value as Json, json};
use stream::{InputRecord, Output as Written, Timestamp};

use crate::Failure;
use crate::journal::topic_named;
use crate::reach::{Reach, registry};

/// Which dead letters.
#[derive(Args, Clone, Default)]
pub(crate) struct Which {
    /// Places as `weft dlq list` shows them, e.g. routing.commands.dlq-0@17
    #[arg(value_name = "PLACE")]
    places: Vec<String>,
    /// Only of this topic
    #[arg(long)]
    topic: Option<String>,
    /// Only those that this service gave up on
    #[arg(long)]
    service: Option<String>,
    /// Only with this reason
    #[arg(long)]
    reason: Option<String>,
    /// Only with this record key
    #[arg(long)]
    key: Option<String>,
}

/// What was done about a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Redriven,
    Discarded,
}

impl Deed {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Redriven => "redriven",
            Self::Discarded => "discarded",
        }
    }

    fn action(self) -> String {
        format!("dlq.{}", self.word())
    }
}

/// One dead letter.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    /// `topic-partition@offset` on the dead-letter topic.
    pub(crate) place: String,
    pub(crate) at: Timestamp,
    /// The last thing done about it; none: it is open.
    pub(crate) deed: Option<Deed>,
    pub(crate) dead: DeadLetter,
}

impl Letter {
    pub(crate) fn key(&self) -> String {
        self.dead.source_key.as_deref().map(|key| String::from_utf8_lossy(key).into_owned()).unwrap_or_default()
    }

    pub(crate) fn standing(&self) -> &'static str {
        self.deed.map_or("open", Deed::word)
    }

    /// All of it but the original's bytes.
    pub(crate) fn json(&self) -> Json {
        let dead = &self.dead;
        json!({
            "place": self.place, "at_ms": self.at.as_ms(), "standing": self.standing(), "service": dead.service,
            "version": dead.version, "reason": dead.reason, "detail": dead.detail, "attempt": dead.attempt,
            "tenant": dead.tenant, "key": self.key(),
            "source": format!("{}-{}@{}", dead.source_topic, dead.source_partition, dead.source_offset),
            "source_timestamp_ms": dead.source_timestamp, "source_headers": dead.source_headers,
            "source_bytes": dead.source_value.as_ref().map(Vec::len),
        })
    }

    /// The record that says what was done.
    pub(crate) fn mark(&self, deed: Deed, by: &str, codec: &Codec) -> Result<Written, Failure> {
        let now = stream::clock::now().as_ms();
        let event = AuditEvent {
            event_id: EventId::derive(&[&deed.action(), &self.place, &now.to_string()]),
            tenant: self.dead.tenant.clone(),
            occurred_at: now,
            recorded_at: now,
            actor: by.to_owned(),
            action: deed.action(),
            object: self.place.clone(),
            detail: Some(self.dead.reason.clone()),
        };
        let bytes = codec.encode(AUDIT_EVENTS.name, &event).map_err(|error| registry(&error))?;
        Ok(Written::new(AUDIT_EVENTS.name, self.dead.tenant.as_str().as_bytes(), bytes))
    }
}

impl Which {
    /// Whether anything narrows it.
    pub(crate) fn is_narrowed(&self) -> bool {
        !self.places.is_empty()
            || [&self.topic, &self.service, &self.reason, &self.key].iter().any(|filter| filter.is_some())
    }

    fn topics(&self) -> Result<Vec<Topic>, Failure> {
        let Some(asked) = &self.topic else {
            return Ok(TOPICS.iter().copied().filter(|topic| topic.dead_letters).collect());
        };
        let topic = topic_named(asked)?;
        if topic.dead_letters { Ok(vec![topic]) } else { Err(Failure::Usage(format!("{asked} has no dead letters"))) }
    }

    /// What reading and marking need.
    pub(crate) fn codec(&self, reach: &Reach) -> Result<Codec, Failure> {
        let mut topics = self.topics()?;
        topics.extend([AUDIT_EVENTS, CONVERSATION_EVENTS, DELIVERY_REQUESTS]);
        reach.codec(&topics)
    }

    fn wants(&self, letter: &Letter) -> bool {
        let same = |filter: &Option<String>, found: &str| filter.as_ref().is_none_or(|filter| filter == found);
        (self.places.is_empty() || self.places.contains(&letter.place))
            && same(&self.service, &letter.dead.service)
            && same(&self.reason, &letter.dead.reason)
            && same(&self.key, &letter.key())
    }

    /// Hands on each of them; those of one key in the order in which they were given up.
    pub(crate) fn each(
        &self,
        reach: &Reach,
        codec: &Codec,
        mut handle: impl FnMut(Letter) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let deeds = deeds(reach, codec)?;
        let names: Vec<_> = self.topics()?.iter().map(|topic| dead_letter_topic(topic.name)).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let mut result = Ok(());
        reach.read(&names, |record| {
            if result.is_ok() {
                result = letter(codec, &record, &deeds).and_then(|letter| match letter {
                    Some(letter) if self.wants(&letter) => handle(letter),
                    Some(_) | None => Ok(()),
                });
            }
        })?;
        result
    }
}

fn letter(codec: &Codec, record: &InputRecord<'_>, deeds: &BTreeMap<String, Deed>) -> Result<Option<Letter>, Failure> {
    let place = record.coordinates();
    let Some(payload) = record.payload else { return Ok(None) };
    let dead = codec.decode(payload).map_err(|error| Failure::Wrong(format!("{place}: {error}")))?;
    Ok(Some(Letter { deed: deeds.get(&place).copied(), place, at: record.timestamp, dead }))
}

/// The last deed for each place.
fn deeds(reach: &Reach, codec: &Codec) -> Result<BTreeMap<String, Deed>, Failure> {
    let mut deeds = BTreeMap::new();
    reach.read(&[AUDIT_EVENTS.name], |record| {
        let event = record.payload.and_then(|payload| codec.decode::<AuditEvent>(payload).ok());
        let Some(event) = event else { return };
        let deed = [Deed::Redriven, Deed::Discarded].into_iter().find(|deed| deed.action() == event.action);
        if let Some(deed) = deed {
            deeds.insert(event.object, deed);
        }
    })?;
    Ok(deeds)
}
