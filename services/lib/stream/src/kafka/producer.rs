//! Writing: the transactional producer of a loop, and the plain one of everybody else.

use super::client::{self, log};
use super::consumer::{GroupStamp, offsets};
use super::{Fault, Spot};
use crate::batch::{NUMBER_HEADER, SOURCE_HEADER, TRANSACTION_HEADER};
use crate::clock::Stamp;
use crate::{KafkaSettings, Output};
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{BaseProducer, BaseRecord, FutureProducer, FutureRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use std::borrow::Cow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A slower commit or abort leaves the producer in doubt.
const SLOW: Duration = Duration::from_secs(2);
/// One wait for acknowledgements; between them errors are served.
const FLUSH_STEP_MS: i32 = 20;
/// A full queue is tried again after this long.
const QUEUE_PAUSE: Duration = Duration::from_millis(5);
/// Calls that may be repeated are repeated this often.
const RETRIES_MAX: u32 = 5;

/// What the client library reports on its own.
#[derive(Debug, Default)]
struct Reports {
    doubt: AtomicBool,
    failed: Mutex<Option<String>>,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.doubt.store(true, Ordering::Release);
        tracing::warn!(%error, reason, "kafka producer");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            let mut failed = self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            failed.get_or_insert_with(|| error.to_string());
        }
    }
}

/// The transactional producer of a loop. All calls block; none may run on an async executor.
pub(crate) struct TxnProducer {
    producer: BaseProducer<Reports>,
    timeout: Duration,
    doubt: bool,
}

impl TxnProducer {
    /// Connects, ends what a former holder of the id left open, and fences it.
    pub(crate) fn connect(settings: &KafkaSettings, id: &str) -> Result<Self, Fault> {
        let config = client::transactional(settings, id);
        let producer = config.create_with_context(Reports::default());
        let producer = producer.map_err(|error| Fault::of("making a producer", &error))?;
        let timeout = Duration::from_millis(settings.transaction_timeout_ms / 2);
        let mut connected = Self { producer, timeout, doubt: false };
        connected.retry("init_transactions", |p, timeout| p.init_transactions(timeout * 6))?;
        connected.producer.context().doubt.store(false, Ordering::Release);
        connected.doubt = false;
        Ok(connected)
    }

    /// The time-out of each call.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether a delayed answer may still be under way: the producer is to be made anew before
    /// the next transaction.
    pub(crate) fn in_doubt(&self) -> bool {
        self.producer.poll(Duration::ZERO);
        self.doubt || self.producer.context().doubt.load(Ordering::Acquire)
    }

    pub(crate) fn begin(&self) -> Result<(), Fault> {
        let result = self.producer.begin_transaction();
        result.map_err(|error| Fault::of("begin", &error))
    }

    /// Hands one record to the client; waits while its queue is full.
    pub(crate) fn send(&self, record: &Outgoing<'_>) -> Result<(), Fault> {
        let began = Stamp::now();
        loop {
            let error = match self.producer.send(record.base()) {
                Ok(()) => return Ok(()),
                Err((error, _)) => error,
            };
            let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !full || began.elapsed() > self.timeout {
                return Err(match Fault::of("send", &error) {
                    Fault::Retriable(text) => Fault::Abort(text),
                    fault @ (Fault::Abort(_) | Fault::Fatal(_)) => fault,
                });
            }
            self.flush_step();
        }
    }

    /// Waits until every record is acknowledged.
    pub(crate) fn drain(&mut self) -> Result<(), Fault> {
        let began = Stamp::now();
        self.producer.poll(Duration::ZERO);
        while !self.flush_step() {
            if began.elapsed() > self.timeout * 2 {
                self.doubt = true;
                return Err(Fault::Abort("records are not acknowledged in time".to_owned()));
            }
        }
        self.producer.poll(Duration::ZERO);
        let context = self.producer.context();
        let mut failed = context.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match failed.take() {
            Some(error) => Err(Fault::Abort(format!("a record was not accepted: {error}"))),
            None => Ok(()),
        }
    }

    /// One wait for acknowledgements; true once nothing is under way.
    ///
    /// `BaseProducer::flush` waits in steps of 100 ms that never return early; librdkafka's own
    /// flush wakes at the last acknowledgement and does not wait for linger.
    #[expect(unsafe_code, reason = "the safe flush costs a flat 100 ms a transaction")]
    fn flush_step(&self) -> bool {
        // SAFETY: the pointer is that of a live producer, which outlives the call; librdkafka's
        // functions may be called from any thread.
        let result = unsafe { rdkafka::bindings::rd_kafka_flush(self.producer.client().native_ptr(), FLUSH_STEP_MS) };
        self.producer.poll(Duration::ZERO);
        result == rdkafka::bindings::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Puts the next offsets of the inputs into the transaction.
    pub(crate) fn offsets(&mut self, positions: &[(Spot, i64)], stamp: &GroupStamp) -> Result<(), Fault> {
        let list = offsets(positions)?;
        self.retry("send_offsets", |producer, timeout| producer.send_offsets_to_transaction(&list, &stamp.0, timeout))
    }

    pub(crate) fn commit(&mut self) -> Result<(), Fault> {
        self.timed("commit", BaseProducer::commit_transaction)
    }

    /// Aborts, whatever is still under way.
    pub(crate) fn abort(&mut self) -> Result<(), Fault> {
        // Without it the reports of purged records are never served, and the abort times out.
        let _ = self.drain();
        self.timed("abort", BaseProducer::abort_transaction)
    }

    fn timed(
        &mut self,
        name: &str,
        call: impl Fn(&BaseProducer<Reports>, Duration) -> Result<(), KafkaError>,
    ) -> Result<(), Fault> {
        let began = Stamp::now();
        let result = self.retry(name, call);
        self.doubt |= is_slow(began.elapsed());
        result
    }

    /// Repeats a call with the same arguments while that is allowed.
    fn retry(
        &mut self,
        name: &str,
        call: impl Fn(&BaseProducer<Reports>, Duration) -> Result<(), KafkaError>,
    ) -> Result<(), Fault> {
        let mut tries = 0;
        loop {
            let Err(error) = call(&self.producer, self.timeout) else { return Ok(()) };
            tries += 1;
            let fault = Fault::of(name, &error);
            tracing::warn!(call = name, %error, tries, "transactional call failed");
            self.doubt = true;
            match fault {
                Fault::Retriable(_) if tries < RETRIES_MAX => self.producer.poll(Duration::ZERO),
                Fault::Retriable(text) => return Err(Fault::Fatal(text)),
                Fault::Abort(_) | Fault::Fatal(_) => return Err(fault),
            }
        }
    }
}

fn is_slow(took: Duration) -> bool {
    took > SLOW
}

/// A record about to be sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) key: &'a [u8],
    pub(crate) payload: Option<&'a [u8]>,
    pub(crate) headers: &'a [(Cow<'static, str>, Vec<u8>)],
    pub(crate) origin: Option<Origin<'a>>,
}

/// What the runtime's headers say of an output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    pub(crate) source: &'a str,
    pub(crate) transaction: &'a str,
    pub(crate) number: &'a str,
}

impl<'a> Outgoing<'a> {
    pub(crate) fn of(output: &'a Output) -> Self {
        Self {
            topic: &output.topic,
            partition: output.partition,
            key: &output.key,
            payload: output.payload.as_deref(),
            headers: &output.headers,
            origin: None,
        }
    }

    fn base(&self) -> BaseRecord<'a, [u8], [u8], ()> {
        let mut record = BaseRecord::to(self.topic).key(self.key);
        record.partition = self.partition;
        record.payload = self.payload;
        record.headers = native(self.headers, self.origin);
        record
    }
}

fn native(headers: &[(Cow<'static, str>, Vec<u8>)], origin: Option<Origin<'_>>) -> Option<OwnedHeaders> {
    let given = headers.iter().map(|(key, value)| (&**key, value.as_slice()));
    let ours = origin.into_iter().flat_map(|origin| {
        let Origin { source, transaction, number } = origin;
        [(SOURCE_HEADER, source), (TRANSACTION_HEADER, transaction), (NUMBER_HEADER, number)]
    });
    let ours = ours.map(|(key, value)| (key, value.as_bytes()));
    (!headers.is_empty() || origin.is_some()).then(|| {
        let empty = OwnedHeaders::new_with_capacity(headers.len() + 3);
        given.chain(ours).fold(empty, |all, (key, value)| all.insert(Header { key, value: Some(value) }))
    })
}

/// An idempotent producer without transactions.
#[derive(Clone)]
pub(crate) struct PlainProducer {
    producer: FutureProducer,
    timeout: Duration,
}

impl PlainProducer {
    pub(crate) fn connect(settings: &KafkaSettings, client_id: &str, timeout: Duration) -> Result<Self, Fault> {
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let producer = client::idempotent(settings, client_id, timeout_ms).create();
        let producer = producer.map_err(|error| Fault::of("making a producer", &error))?;
        Ok(Self { producer, timeout })
    }

    /// Resolves once all in-sync replicas have every record, or one of them was given up. The
    /// records are handed over in order; a full queue is waited for.
    pub(crate) async fn publish(&self, outputs: &[Output]) -> Result<(), Fault> {
        let fault = |error: KafkaError| Fault::of("publishing", &error);
        let mut reports = Vec::with_capacity(outputs.len());
        for output in outputs {
            reports.push(self.enqueue(output).await.map_err(fault)?);
        }
        for report in reports {
            let report = report.await.map_err(|_| Fault::Fatal("producer dropped".to_owned()))?;
            report.map_err(|(error, _)| fault(error))?;
        }
        Ok(())
    }

    async fn enqueue(&self, output: &Output) -> Result<DeliveryFuture, KafkaError> {
        let began = Stamp::now();
        loop {
            let mut record = FutureRecord::to(&output.topic).key(output.key.as_slice());
            record.partition = output.partition;
            record.payload = output.payload.as_deref();
            record.headers = native(&output.headers, None);
            let error = match self.producer.send_result(record) {
                Ok(report) => return Ok(report),
                Err((error, _)) => error,
            };
            let full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
            if !full || began.elapsed() > self.timeout {
                return Err(error);
            }
            tokio::time::sleep(QUEUE_PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_or_a_slow_call_leaves_a_producer_in_doubt() {
        let reports = Reports::default();
        assert!(!reports.doubt.load(Ordering::Acquire));
        let error = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
        reports.error(error, "disconnected");
        assert!(reports.doubt.load(Ordering::Acquire));
        assert!(!is_slow(SLOW) && is_slow(SLOW + Duration::from_millis(1)));
    }
}
