//! The only importer of rdkafka: clients, their settings, their errors by class.
//!
//! Everything above this module speaks in [`Record`]s, positions and [`Fault`]s.

pub(crate) mod admin;
mod client;
pub(crate) mod consumer;
pub(crate) mod producer;

use crate::{InputRecord, Timestamp};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::types::RDKafkaErrorCode;
use std::sync::Arc;

/// An error of the world, by what may be done about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The same call with the same arguments may succeed.
    #[error("{0}")]
    Retriable(String),
    /// The transaction must be aborted; the producer lives on.
    #[error("{0}")]
    Abort(String),
    /// The client is of no use any more; the process ends and starts again.
    #[error("{0}")]
    Fatal(String),
}

impl Fault {
    /// Classes as librdkafka names them; an error of none of its classes is fatal, on its advice.
    pub(crate) fn of(doing: &str, error: &KafkaError) -> Self {
        let text = format!("{doing}: {error}");
        if let KafkaError::Transaction(e) = error {
            return match (e.is_fatal(), e.txn_requires_abort(), e.is_retriable()) {
                (true, _, _) => Self::Fatal(text),
                (_, true, _) => Self::Abort(text),
                (_, _, true) => Self::Retriable(text),
                (false, false, false) => Self::Fatal(text),
            };
        }
        if error.rdkafka_error_code().is_some_and(passes) {
            return Self::Retriable(text);
        }
        Self::Fatal(text)
    }
}

/// Whether a client is only cut off for a while.
fn passes(code: RDKafkaErrorCode) -> bool {
    [
        RDKafkaErrorCode::AllBrokersDown,
        RDKafkaErrorCode::BrokerTransportFailure,
        RDKafkaErrorCode::CoordinatorLoadInProgress,
        RDKafkaErrorCode::CoordinatorNotAvailable,
        RDKafkaErrorCode::FencedLeaderEpoch,
        RDKafkaErrorCode::LeaderNotAvailable,
        RDKafkaErrorCode::NetworkException,
        RDKafkaErrorCode::NotCoordinator,
        RDKafkaErrorCode::NotLeaderForPartition,
        RDKafkaErrorCode::OffsetNotAvailable,
        RDKafkaErrorCode::OperationTimedOut,
        RDKafkaErrorCode::QueueFull,
        RDKafkaErrorCode::ReplicaNotAvailable,
        RDKafkaErrorCode::RequestTimedOut,
        RDKafkaErrorCode::Resolve,
        RDKafkaErrorCode::UnknownLeaderEpoch,
        RDKafkaErrorCode::UnstableOffsetCommit,
        RDKafkaErrorCode::WaitingForCoordinator,
    ]
    .contains(&code)
}

/// A partition of a topic.
pub(crate) type Spot = (Arc<str>, i32);

/// A record in our own memory.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) timestamp: Timestamp,
    pub(crate) key: Option<Box<[u8]>>,
    pub(crate) payload: Option<Box<[u8]>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    fn copy(message: &BorrowedMessage<'_>, topics: &[Arc<str>]) -> Self {
        let topic = message.topic();
        let known = topics.iter().find(|known| &***known == topic);
        let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
        Self {
            topic: known.map_or_else(|| Arc::from(topic), Arc::clone),
            partition: message.partition(),
            offset: message.offset(),
            timestamp: Timestamp::from_ms(message.timestamp().to_millis().unwrap_or(0)),
            key: message.key().map(Into::into),
            payload: message.payload().map(Into::into),
            headers: headers.map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec())).collect(),
        }
    }

    pub(crate) fn view(&self) -> InputRecord<'_> {
        InputRecord {
            topic: &self.topic,
            partition: self.partition,
            offset: self.offset,
            timestamp: self.timestamp,
            key: self.key.as_deref(),
            payload: self.payload.as_deref(),
            headers: &self.headers,
        }
    }

    /// Bytes of key and payload.
    pub(crate) fn size(&self) -> usize {
        let length = |part: &Option<Box<[u8]>>| part.as_deref().map_or(0, <[u8]>::len);
        length(&self.key) + length(&self.payload)
    }
}
