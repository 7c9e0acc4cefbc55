//! Records → the log, acknowledged.

use std::future::Future;
use std::pin::Pin;

use stream::{Output, PublishError, Publisher};

/// The answer of a [`Log`], later.
pub type Appending<'a> = Pin<Box<dyn Future<Output = Result<(), PublishError>> + Send + 'a>>;

/// Where records become durable; Kafka, and a fake in tests.
pub trait Log: Send + Sync {
    /// Resolves once every one of these records is durable; they are written in order.
    fn append(&self, records: Vec<Output>) -> Appending<'_>;
}

impl Log for Publisher {
    fn append(&self, records: Vec<Output>) -> Appending<'_> {
        Box::pin(self.publish(records))
    }
}
