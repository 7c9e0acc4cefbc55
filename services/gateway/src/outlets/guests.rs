//! What guests say, and what is kept of them, as records.

use std::sync::Arc;

use schemas::codec::Codec;
use schemas::records::{GuestView, InboundEvent};
use schemas::topics::{CHANNEL_INBOUND, GUEST_VIEWS};
use stream::{Output, TRACE_HEADER};
use telemetry::TraceContext;

use super::commands::{Log, NotDurable};
use crate::metrics::Metrics;

/// A record of `guest.views` under its key; none: a tombstone.
pub type Kept = (String, Option<Box<GuestView>>);

/// Encodes and publishes.
#[derive(Clone)]
pub struct GuestLog {
    codec: Arc<Codec>,
    log: Arc<dyn Log>,
    metrics: Metrics,
}

impl GuestLog {
    /// Writes to this log.
    pub fn new(codec: Arc<Codec>, log: Arc<dyn Log>, metrics: Metrics) -> Self {
        Self { codec, log, metrics }
    }

    /// Resolves once it is durable.
    ///
    /// # Errors
    /// It is not known to be.
    pub async fn say(&self, event: &InboundEvent) -> Result<(), NotDurable> {
        let topic = CHANNEL_INBOUND.name;
        let payload = self.codec.encode(topic, event)?;
        let key = event.customer_key.unwrap_or_default().to_string();
        let trace = TraceContext::root(event.event_id.as_u128().to_be_bytes()).to_string();
        let output = Output::new(topic, key.into_bytes(), payload).header(TRACE_HEADER, trace.into_bytes());
        self.publish(topic, vec![output]).await
    }

    /// Resolves once all of them are durable.
    ///
    /// # Errors
    /// They are not known to be.
    pub async fn keep(&self, kept: &[Kept]) -> Result<(), NotDurable> {
        let topic = GUEST_VIEWS.name;
        let mut outputs = Vec::with_capacity(kept.len());
        for (key, view) in kept {
            outputs.push(match view {
                Some(view) => Output::new(topic, key.clone().into_bytes(), self.codec.encode(topic, &**view)?),
                None => Output::tombstone(topic, key.clone()),
            });
        }
        self.publish(topic, outputs).await
    }

    async fn publish(&self, topic: &str, outputs: Vec<Output>) -> Result<(), NotDurable> {
        let count = u64::try_from(outputs.len()).unwrap_or_default();
        self.log.publish(outputs).await?;
        self.metrics.records_out.with_label_values(&["gateway", topic]).inc_by(count);
        Ok(())
    }
}
