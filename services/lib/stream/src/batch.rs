//! What one transaction carries.

use crate::kafka::Record;
use crate::station::{Outbox, Output};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Header: coordinates of the record that caused an output, `topic-partition@offset`.
pub const SOURCE_HEADER: &str = "weft-src";
/// Header: slot, start of its process and number of the transaction, `slot/start/number`.
pub const TRANSACTION_HEADER: &str = "weft-txn";
/// Header: number of the output in its transaction and how many it has, `i/n` from 1.
pub const NUMBER_HEADER: &str = "weft-n";
/// Header: W3C trace context, handed from a record to what it causes.
pub const TRACE_HEADER: &str = "traceparent";

/// An output and what it goes back to.
#[derive(Debug)]
pub(crate) struct Caused {
    pub(crate) output: Output,
    pub(crate) source: Arc<str>,
}

/// Outputs, requests and counts of one transaction.
#[derive(Debug)]
pub(crate) struct Batch<R> {
    pub(crate) outputs: Vec<Caused>,
    pub(crate) requests: Vec<(i32, R)>,
    pub(crate) records: usize,
    pub(crate) read: BTreeMap<Arc<str>, u64>,
    pub(crate) letters: Vec<(Arc<str>, &'static str)>,
}

impl<R> Batch<R> {
    pub(crate) const fn new() -> Self {
        Self { outputs: Vec::new(), requests: Vec::new(), records: 0, read: BTreeMap::new(), letters: Vec::new() }
    }

    /// Counts a record in.
    pub(crate) fn count(&mut self, topic: &Arc<str>) {
        self.records += 1;
        match self.read.get_mut(topic) {
            Some(count) => *count += 1,
            None => drop(self.read.insert(Arc::clone(topic), 1)),
        }
    }

    /// Takes what one event led to.
    pub(crate) fn take(&mut self, partition: i32, out: Outbox<R>, cause: &Cause<'_>) {
        self.requests.extend(out.requests.into_iter().map(|request| (partition, request)));
        if out.records.is_empty() {
            return;
        }
        let source: Arc<str> = cause.name().into();
        for mut output in out.records {
            let traced = output.headers.iter().any(|(name, _)| name == TRACE_HEADER);
            if let Some(trace) = cause.trace().filter(|_| !traced) {
                output.headers.push((Cow::Borrowed(TRACE_HEADER), trace.to_vec()));
            }
            self.outputs.push(Caused { output, source: Arc::clone(&source) });
        }
    }

    /// Outputs by topic.
    pub(crate) fn written(&self) -> Vec<(&str, u64)> {
        let mut written: Vec<(&str, u64)> = Vec::new();
        for Caused { output, .. } in &self.outputs {
            match written.iter_mut().find(|(topic, _)| *topic == output.topic) {
                Some((_, count)) => *count += 1,
                None => written.push((&output.topic, 1)),
            }
        }
        written
    }
}

/// What an output goes back to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause<'a> {
    Record(&'a Record),
    Deadline,
    Outcome,
    Restart,
}

impl Cause<'_> {
    /// The value of the source header.
    pub(crate) fn name(&self) -> String {
        match self {
            Cause::Record(record) => record.view().coordinates(),
            Cause::Deadline => "deadline".to_owned(),
            Cause::Outcome => "outcome".to_owned(),
            Cause::Restart => "restart".to_owned(),
        }
    }

    fn trace(&self) -> Option<&[u8]> {
        match self {
            Cause::Record(record) => record.view().header(TRACE_HEADER),
            Cause::Deadline | Cause::Outcome | Cause::Restart => None,
        }
    }
}
