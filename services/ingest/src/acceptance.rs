//! From what was heard in a request to durable records: the raw request, its events in their
//! order, and a dead letter for what could not be used; all acknowledged, or the sender keeps it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::codec::Codec;
use schemas::ids::{EndpointId, EventId, KeySecret};
use schemas::records::{ConversationCommand, DeadLetter, InboundEvent, RawRequest, Record};
use schemas::topics::{
    CHANNEL_INBOUND, CHANNEL_RAW, CONFIG_ENTITIES, CONVERSATION_COMMANDS, CUSTOMER_ALIASES, Topic, dead_letter_topic,
};
use sha2::{Digest, Sha256};
use stream::Output;
use stream::clock::Stamp;
use telemetry::TraceContext;

use crate::core::{Addressed, Arrival, Heard, Refusal, address};
use crate::intake::knowledge::Knowledge;
use crate::metrics::{Metrics, SERVICE};
use crate::outlets::{Log, NotAppended};

/// The topics that ingest writes and reads.
pub const TOPICS: [Topic; 5] = [CHANNEL_RAW, CHANNEL_INBOUND, CONVERSATION_COMMANDS, CONFIG_ENTITIES, CUSTOMER_ALIASES];

/// A request whose sender is known.
#[derive(Debug, Clone)]
pub struct Request {
    /// Whose it is and when it came.
    pub arrival: Arrival,
    /// Key of the raw record: the endpoint, or the integration of open messaging.
    pub source: EndpointId,
    /// HTTP method.
    pub method: String,
    /// Query as it came.
    pub query: String,
    /// The headers that matter.
    pub headers: BTreeMap<String, String>,
    /// The bytes as they came.
    pub body: Vec<u8>,
    /// The trace that the sender is in.
    pub trace: Option<TraceContext>,
}

/// Something in a request that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// From a closed set; see the README.
    pub reason: &'static str,
    /// What was expected and what came; no personal data.
    pub detail: String,
}

/// All records of one request.
#[derive(Debug)]
pub struct Batch {
    /// The records of `channel.inbound`, in the request's order.
    pub events: Vec<InboundEvent>,
    /// What was refused, with how often.
    pub faults: BTreeMap<Fault, usize>,
    /// What the rules refused.
    pub refusals: Vec<Refusal>,
    outputs: Vec<Output>,
}

/// Neither Kafka nor the spool has it for certain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDurable {
    /// It says why.
    #[error(transparent)]
    Failed(#[from] NotAppended),
    /// It says nothing.
    #[error("no acknowledgement within {0:?}")]
    Late(Duration),
}

/// Makes records and has them written.
pub struct Acceptance {
    /// Bytes of records.
    pub codec: Arc<Codec>,
    /// Makes customer keys.
    pub secret: KeySecret,
    /// Configuration and aliases.
    pub knowledge: Knowledge,
    /// Where records become durable.
    pub log: Arc<dyn Log>,
    /// How long that may take.
    pub ack_timeout: Duration,
    /// Counters.
    pub metrics: Metrics,
}

impl NotDurable {
    /// Whether it makes sense to come again at once.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Failed(NotAppended::SpoolFull))
    }
}

impl Acceptance {
    /// The records of a request. `faults` is what the parser could not understand.
    pub fn prepare(&self, request: Request, heard: Vec<Heard>, faults: Vec<Fault>) -> Batch {
        let directory = self.knowledge.now();
        let addressed = heard.into_iter().map(|event| address(event, &request.arrival, &directory, &self.secret));
        let addressed = addressed.collect();
        drop(directory);
        self.gather(request, addressed, faults)
    }

    /// The records of a request whose events are known already.
    pub fn gather(&self, request: Request, addressed: Vec<Result<Addressed, Refusal>>, faults: Vec<Fault>) -> Batch {
        let digest = hex(&Sha256::digest(&request.body));
        let source = request.source.clone();
        let raw_id = EventId::derive(&[request.arrival.tenant.as_str(), source.as_str(), &digest]);
        let trace = request.trace.unwrap_or_else(|| TraceContext::root(raw_id.as_u128().to_be_bytes()));
        let mut batch =
            Batch { events: Vec::new(), faults: BTreeMap::new(), refusals: Vec::new(), outputs: Vec::new() };
        for fault in faults {
            *batch.faults.entry(fault).or_default() += 1;
        }
        let mut keys = Vec::new();
        for one in addressed {
            match one {
                Ok(addressed) => {
                    keys.push(addressed.key);
                    batch.events.push(addressed.event);
                }
                Err(refusal) => {
                    *batch.faults.entry(fault_of(&refusal)).or_default() += 1;
                    batch.refusals.push(refusal);
                }
            }
        }
        let raw = raw_request(request, raw_id);
        let raw_output = self.output(CHANNEL_RAW.name, source.as_str().to_owned(), &raw, step(trace, raw_id));
        for (fault, count) in &batch.faults {
            let letter = dead_letter(&raw, raw_output.payload.as_deref(), fault, *count);
            let (topic, trace) = (dead_letter_topic(CHANNEL_RAW.name), step(trace, letter.event_id));
            batch.outputs.push(self.output(&topic, source.as_str().to_owned(), &letter, trace));
        }
        batch.outputs.insert(0, raw_output);
        for (key, event) in keys.into_iter().zip(&batch.events) {
            let trace = step(trace, event.event_id);
            batch.outputs.push(self.output(CHANNEL_INBOUND.name, key.to_string(), event, trace));
        }
        batch
    }

    /// Has the records written; comes back when all are durable.
    ///
    /// # Errors
    /// [`NotDurable`]; some of them may be there even so, and the sender's repetition makes the same.
    pub async fn publish(&self, batch: Batch) -> Result<(), NotDurable> {
        self.append(batch.outputs).await?;
        for event in &batch.events {
            let channel = event.channel.map_or("none", |channel| channel.as_str());
            self.metrics.events.with_label_values(&[channel, event.kind.name()]).inc();
        }
        for fault in batch.faults.keys() {
            self.metrics.dead_letter(CHANNEL_RAW.name, fault.reason);
        }
        Ok(())
    }

    /// Has what a program asks of a conversation written; comes back when it is durable.
    ///
    /// # Errors
    /// [`NotDurable`], as in [`Self::publish`].
    pub async fn command(&self, command: &ConversationCommand, trace: Option<TraceContext>) -> Result<(), NotDurable> {
        let id = command.event_id;
        let trace = step(trace.unwrap_or_else(|| TraceContext::root(id.as_u128().to_be_bytes())), id);
        let key = command.customer_key.to_string();
        self.append(vec![self.output(CONVERSATION_COMMANDS.name, key, command, trace)]).await
    }

    async fn append(&self, outputs: Vec<Output>) -> Result<(), NotDurable> {
        let written: Vec<String> = outputs.iter().map(|output| output.topic.to_string()).collect();
        let began = Stamp::now();
        let appended = tokio::time::timeout(self.ack_timeout, self.log.append(outputs)).await;
        let result = match appended {
            Ok(appended) => appended.map_err(NotDurable::from),
            Err(_) => Err(NotDurable::Late(self.ack_timeout)),
        };
        let outcome = if result.is_ok() { "durable" } else { "failed" };
        self.metrics.acknowledge.with_label_values(&[outcome]).observe(began.elapsed().as_secs_f64());
        result?;
        for topic in written {
            self.metrics.records_out.with_label_values(&[SERVICE, &topic]).inc();
        }
        Ok(())
    }

    fn output<R: Record>(&self, topic: &str, key: String, record: &R, trace: TraceContext) -> Output {
        let bytes = self.codec.encode(topic, record).expect("records fit their schemas; tests/schemas.rs");
        Output::new(topic.to_owned(), key, bytes).header("traceparent", trace.to_string())
    }
}

fn step(trace: TraceContext, id: EventId) -> TraceContext {
    trace.child(id.as_u128().to_be_bytes())
}

fn fault_of(refusal: &Refusal) -> Fault {
    let detail = match refusal {
        Refusal::UnknownAccount(id) => format!("expected an account of this endpoint, found {id:?}"),
        Refusal::NoCustomer => "expected somebody's id, found none".to_owned(),
    };
    Fault { reason: refusal.reason(), detail }
}

fn raw_request(request: Request, event_id: EventId) -> RawRequest {
    let at = request.arrival.received_at;
    RawRequest {
        event_id,
        tenant: request.arrival.tenant,
        occurred_at: at,
        recorded_at: at,
        endpoint: request.source,
        method: request.method,
        query: request.query,
        headers: request.headers,
        body: request.body,
        received_at: at,
    }
}

/// One letter per reason and request, however many events it is about: it holds the whole request.
fn dead_letter(raw: &RawRequest, bytes: Option<&[u8]>, fault: &Fault, count: usize) -> DeadLetter {
    DeadLetter {
        event_id: EventId::derive(&["dead letter", &raw.event_id.to_string(), fault.reason, &fault.detail]),
        tenant: raw.tenant.clone(),
        occurred_at: raw.received_at,
        recorded_at: raw.recorded_at,
        source_topic: CHANNEL_RAW.name.to_owned(),
        // The raw record is written together with this one: it has no place yet.
        source_partition: -1,
        source_offset: -1,
        source_key: Some(raw.endpoint.as_str().as_bytes().to_vec()),
        source_value: bytes.map(<[u8]>::to_vec),
        source_headers: BTreeMap::new(),
        source_timestamp: raw.received_at,
        reason: fault.reason.to_owned(),
        detail: if count > 1 { format!("{} ({count} events)", fault.detail) } else { fault.detail.clone() },
        service: SERVICE.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        attempt: 1,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
