//! Records → the log, acknowledged; and the disk, for as long as the log does not acknowledge.

pub mod spool;

use std::future::Future;
use std::pin::Pin;

use stream::{Output, PublishError, Publisher};

/// The answer of a [`Log`], later.
pub type Appending<'a> = Pin<Box<dyn Future<Output = Result<(), NotAppended>> + Send + 'a>>;

/// Records are not known to be durable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAppended {
    /// Kafka did not acknowledge.
    #[error(transparent)]
    Kafka(#[from] PublishError),
    /// Kafka did not, and the disk has no room.
    #[error("the spool is full")]
    SpoolFull,
    /// Kafka did not, and the disk cannot be written.
    #[error("the spool cannot be written: {0}")]
    Disk(String),
}

/// Where records become durable; Kafka, and a fake in tests.
pub trait Log: Send + Sync {
    /// Resolves once every one of these records is durable; they are written in order.
    fn append(&self, records: Vec<Output>) -> Appending<'_>;
}

impl Log for Publisher {
    fn append(&self, records: Vec<Output>) -> Appending<'_> {
        Box::pin(async move { Ok(self.publish(records).await?) })
    }
}
