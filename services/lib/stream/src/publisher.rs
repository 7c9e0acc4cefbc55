//! Writing without transactions: for who has no input offsets to keep in step (HTTP, sockets,
//! the command line).

use crate::faults::{Faults, Point};
use crate::kafka::Fault;
use crate::kafka::producer::PlainProducer;
use crate::{KafkaSettings, Output};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// An idempotent producer; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    producer: PlainProducer,
    places: Arc<Semaphore>,
    places_max: u32,
    timeout: Duration,
    faults: Arc<Faults>,
    id: Arc<str>,
}

/// Why records are not known to be durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Too many records are under way already; nothing was sent.
    #[error("too many records under way (publish_records_max)")]
    Full,
    /// Not acknowledged in time, or refused; some of the records may be there even so.
    #[error("{0}")]
    Failed(String),
}

impl Publisher {
    /// Makes the producer; it connects at its first use.
    pub fn connect(settings: &KafkaSettings, client_id: &str) -> Result<Self, Fault> {
        let timeout = Duration::from_millis(settings.publish_timeout_ms);
        let places_max = settings.publish_records_max;
        Ok(Self {
            producer: PlainProducer::connect(settings, client_id, timeout)?,
            places: Arc::new(Semaphore::new(places_max as usize)),
            places_max,
            timeout,
            faults: Arc::new(settings.armed().map_err(|error| Fault::Fatal(error.to_string()))?),
            id: Arc::from(client_id),
        })
    }

    /// Resolves once all in-sync replicas have every one of these records; they are sent in order.
    pub async fn publish(&self, outputs: Vec<Output>) -> Result<(), PublishError> {
        let wanted = u32::try_from(outputs.len()).unwrap_or(u32::MAX).min(self.places_max);
        let places = tokio::time::timeout(self.timeout, self.places.acquire_many(wanted)).await;
        let Ok(Ok(_places)) = places else { return Err(PublishError::Full) };
        let failed = |error: Fault| PublishError::Failed(error.to_string());
        self.faults.hit(&self.id, Point::BeforePublish).map_err(failed)?;
        self.producer.publish(&outputs).await.map_err(failed)?;
        self.faults.hit(&self.id, Point::AfterPublish).map_err(failed)
    }
}
