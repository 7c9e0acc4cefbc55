//! One transaction, from its begin to its commit. It knows nothing of tasks: while it is under way,
//! the loop may work on the next one.

use crate::Timestamp;
use crate::batch::{Batch, Caused};
use crate::clock::{self, Stamp};
use crate::faults::Point;
use crate::kafka::consumer::{GroupStamp, Member};
use crate::kafka::producer::{Origin, Outgoing, TxnProducer};
use crate::kafka::{Fault, Spot};
use crate::metrics::Phase;
use crate::planted::Planted;
use crate::run::Shared;
use crate::table::Change;
use crate::watchdog::Watchdog;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// What one transaction carries: outputs, changed rows by partition and table, input positions.
pub(crate) struct Carried<R> {
    pub(crate) batch: Batch<R>,
    pub(crate) rows: Vec<(i32, &'static str, Vec<Change>)>,
    pub(crate) positions: Vec<(Spot, i64)>,
    /// Group and generation before the first record of it was read.
    pub(crate) stamp: GroupStamp,
}

/// The half of a loop that writes.
pub(crate) struct Committer<S, P> {
    pub(crate) id: String,
    pub(crate) shared: Arc<Shared<S, P>>,
    pub(crate) watchdog: Watchdog,
    pub(crate) producer: TxnProducer,
    /// When this loop began; with the number of a transaction it tells it from all others.
    started: Timestamp,
    /// Begun so far by this loop.
    transactions: u64,
}

impl<S, P> Committer<S, P> {
    /// Connects; fences a former holder of the slot.
    pub(crate) fn connect(shared: &Arc<Shared<S, P>>, id: &str) -> Result<Self, Fault> {
        let watchdog = Watchdog::start(id.to_owned()).map_err(|e| Fault::Fatal(e.to_string()))?;
        let producer = connect(&watchdog, shared, id)?;
        let (id, shared) = (id.to_owned(), Arc::clone(shared));
        Ok(Self { id, shared, watchdog, producer, started: clock::now(), transactions: 0 })
    }

    /// Begins, writes, commits. [`Fault::Abort`]: it is still open.
    pub(crate) fn transact<R>(&mut self, carried: &Carried<R>, member: &Member) -> Result<(), Fault> {
        let began = Stamp::now();
        let committed = self.write(carried, member);
        let outcome = if committed.is_ok() { "committed" } else { "aborted" };
        self.shared.metrics.transaction(outcome, began.elapsed().as_secs_f64());
        committed
    }

    /// Aborts what [`Committer::transact`] has left open.
    pub(crate) fn abort(&mut self) -> Result<(), Fault> {
        let timeout = self.producer.timeout();
        let producer = &mut self.producer;
        self.watchdog.watch("abort", timeout * 3, || producer.abort())
    }

    fn write<R>(&mut self, carried: &Carried<R>, member: &Member) -> Result<(), Fault> {
        self.hit(Point::BeforeBegin)?;
        if self.producer.in_doubt() {
            tracing::warn!(slot = self.id, "producer in doubt: making a new one");
            // Under the same id: fences whatever of the old one is still under way.
            self.producer = connect(&self.watchdog, &self.shared, &self.id)?;
        }
        self.transactions += 1;
        let began = Stamp::now();
        self.producer.begin()?;
        self.hit(Point::AfterBegin)?;
        self.produce(carried)?;
        let produced = Stamp::now();
        self.shared.metrics.spent(Phase::Produce, produced.since(began).as_secs_f64());
        if member.lost() {
            return Err(Fault::Abort("the group has given our partitions away".to_owned()));
        }
        self.send_offsets(&carried.positions, &carried.stamp, member)?;
        self.hit(Point::AfterOffsets)?;
        self.commit()?;
        self.shared.metrics.spent(Phase::Commit, produced.elapsed().as_secs_f64());
        Ok(())
    }

    /// Hands outputs and rows to the client and waits until all are acknowledged.
    fn produce<R>(&mut self, carried: &Carried<R>) -> Result<(), Fault> {
        let transaction = format!("{}/{}/{}", self.id, self.started.as_ms(), self.transactions);
        let total = carried.batch.outputs.len();
        let mut number = String::new();
        for (i, Caused { output, source }) in carried.batch.outputs.iter().enumerate() {
            number.clear();
            // Into memory; it cannot fail.
            let _written = write!(number, "{}/{total}", i + 1);
            let origin = Origin { source, transaction: &transaction, number: &number };
            self.producer.send(&Outgoing { origin: Some(origin), ..Outgoing::of(output) })?;
            self.hit(Point::AfterOutput)?;
        }
        if self.plants(Planted::OutputsApart) {
            self.drain()?;
            self.commit()?;
            self.producer.begin()?;
        }
        for (partition, table, rows) in &carried.rows {
            let topic = self.shared.changelog(table);
            for (key, payload) in rows {
                let payload = payload.as_deref();
                let partition = Some(*partition);
                self.producer.send(&Outgoing { topic, partition, key, payload, headers: &[], origin: None })?;
                self.hit(Point::AfterRow)?;
            }
        }
        self.drain()
    }

    fn drain(&mut self) -> Result<(), Fault> {
        let timeout = self.producer.timeout();
        let producer = &mut self.producer;
        self.watchdog.watch("flush", timeout * 2, || producer.drain())
    }

    fn send_offsets(&mut self, positions: &[(Spot, i64)], stamp: &GroupStamp, member: &Member) -> Result<(), Fault> {
        let fresh = self.plants(Planted::StampAtCommit).then(|| member.stamp()).flatten();
        let stamp = fresh.as_ref().unwrap_or(stamp);
        let timeout = self.producer.timeout();
        let (shared, producer, id) = (&self.shared, &mut self.producer, &self.id);
        let outside = shared.settings.plants(Planted::OffsetsOutside);
        self.watchdog.watch("send_offsets", timeout, || {
            shared.faults.hit(id, Point::AfterDrain)?;
            if outside {
                let entries = positions.iter().map(|(spot, at)| (spot.clone(), *at, String::new()));
                return member.commit(&entries.collect::<Vec<_>>());
            }
            if positions.is_empty() { Ok(()) } else { producer.offsets(positions, stamp) }
        })
    }

    fn commit(&mut self) -> Result<(), Fault> {
        let timeout = self.producer.timeout();
        let producer = &mut self.producer;
        self.watchdog.watch("commit", timeout, || producer.commit())
    }

    fn hit(&self, point: Point) -> Result<(), Fault> {
        self.shared.faults.hit(&self.id, point)
    }

    fn plants(&self, bug: Planted) -> bool {
        self.shared.settings.plants(bug)
    }
}

fn connect<S, P>(watchdog: &Watchdog, shared: &Shared<S, P>, id: &str) -> Result<TxnProducer, Fault> {
    let limit = Duration::from_millis(shared.settings.transaction_timeout_ms * 18);
    watchdog.watch("init_transactions", limit, || TxnProducer::connect(&shared.settings, id))
}
