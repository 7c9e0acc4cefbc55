//! The runtime's metrics; names are those of the contract.

use prometheus::core::Collector;
use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use std::time::Duration;

/// One struct for all loops of a process; every metric carries the label `service`.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    service: String,
    records_in: IntCounterVec,
    records_out: IntCounterVec,
    dead_letters: IntCounterVec,
    transaction_seconds: HistogramVec,
    transactions: IntCounterVec,
    overlapped: IntCounterVec,
    loop_seconds: CounterVec,
    lag_records: IntGaugeVec,
    lag_seconds: GaugeVec,
    lso_gap: IntGaugeVec,
    rebalances: IntCounterVec,
    restore_seconds: HistogramVec,
    state_rows: IntGaugeVec,
    waiting: IntGaugeVec,
    stopped: IntGaugeVec,
    open_requests: IntGaugeVec,
    digests: IntGaugeVec,
}

/// Where a loop's time goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Phase {
    Idle,
    Collect,
    Process,
    Produce,
    Commit,
}

impl Phase {
    fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Collect => "collect",
            Self::Process => "process",
            Self::Produce => "produce",
            Self::Commit => "commit",
        }
    }
}

const TRANSACTION_SECONDS: [f64; 12] = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
const RESTORE_SECONDS: [f64; 8] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0];

impl Metrics {
    /// Registers everything, once per registry and service.
    pub(crate) fn register(registry: &Registry, service: &str) -> prometheus::Result<Self> {
        let made = Maker { registry };
        Ok(Self {
            service: service.to_owned(),
            records_in: made.counter("records_in_total", "Records read and processed.", &["topic"])?,
            records_out: made.counter("records_out_total", "Records committed.", &["topic"])?,
            dead_letters: made.counter(
                "dead_letters_total",
                "Records that could not be processed, by reason.",
                &["topic", "reason"],
            )?,
            transaction_seconds: made.histogram(
                "transaction_seconds",
                "From the first record produced to the commit, in seconds.",
                &TRANSACTION_SECONDS,
            )?,
            transactions: made.counter("transactions_total", "Transactions by end.", &["outcome"])?,
            overlapped: made.counter(
                "transactions_overlapped_total",
                "Transactions during which the next batch was worked.",
                &[],
            )?,
            loop_seconds: made.register(CounterVec::new(
                Opts::new("weft_loop_seconds_total", "Time of the loop threads, in seconds."),
                &["service", "phase"],
            ))?,
            lag_records: made.gauge(
                "consumer_lag_records",
                "Offsets between the position and the high watermark.",
                &["topic", "partition"],
            )?,
            lag_seconds: made.register(GaugeVec::new(
                Opts::new("weft_consumer_lag_seconds", "Age of the next record, in seconds."),
                &["service", "topic", "partition"],
            ))?,
            lso_gap: made.gauge(
                "lso_gap_records",
                "Offsets between the last stable offset and the high watermark.",
                &["topic", "partition"],
            )?,
            rebalances: made.counter("rebalances_total", "Assignments given or taken.", &[])?,
            restore_seconds: made.histogram(
                "restore_seconds",
                "From an assignment to restored state, in seconds.",
                &RESTORE_SECONDS,
            )?,
            state_rows: made.gauge("state_rows", "Rows of state.", &["table"])?,
            waiting: made.gauge(
                "partition_waiting",
                "1 while a partition waits for something outside.",
                &["topic", "partition"],
            )?,
            stopped: made.gauge(
                "partition_stopped",
                "1 once a partition has stopped because too many records were refused.",
                &["topic", "partition"],
            )?,
            open_requests: made.gauge(
                "requests_open",
                "Requests to the outside world without an outcome yet.",
                &["slot"],
            )?,
            digests: made.gauge(
                "state_digest",
                "Fingerprint of a table when its task was restored or left, if kafka.state_digests is on.",
                &["when", "table", "partition"],
            )?,
        })
    }

    pub(crate) fn record_in(&self, topic: &str, count: u64) {
        self.records_in.with_label_values(&[&self.service, topic]).inc_by(count);
    }

    pub(crate) fn record_out(&self, topic: &str, count: u64) {
        self.records_out.with_label_values(&[&self.service, topic]).inc_by(count);
    }

    pub(crate) fn dead_letter(&self, topic: &str, reason: &str) {
        self.dead_letters.with_label_values(&[self.service.as_str(), topic, reason]).inc();
    }

    pub(crate) fn transaction(&self, outcome: &str, seconds: f64) {
        self.transactions.with_label_values(&[self.service.as_str(), outcome]).inc();
        self.transaction_seconds.with_label_values(&[&self.service]).observe(seconds);
    }

    pub(crate) fn overlapped(&self) {
        self.overlapped.with_label_values(&[&self.service]).inc();
    }

    pub(crate) fn spent(&self, phase: Phase, seconds: f64) {
        let labels = [self.service.as_str(), phase.as_str()];
        self.loop_seconds.with_label_values(&labels).inc_by(seconds);
    }

    pub(crate) fn rebalanced(&self) {
        self.rebalances.with_label_values(&[&self.service]).inc();
    }

    pub(crate) fn restored(&self, seconds: f64) {
        self.restore_seconds.with_label_values(&[&self.service]).observe(seconds);
    }

    pub(crate) fn lag(&self, topic: &str, partition: i32, records: i64, age_ms: i64) {
        let partition = partition.to_string();
        let labels = [self.service.as_str(), topic, &partition];
        self.lag_records.with_label_values(&labels).set(records);
        let seconds = Duration::from_millis(u64::try_from(age_ms).unwrap_or(0)).as_secs_f64();
        self.lag_seconds.with_label_values(&labels).set(seconds);
    }

    pub(crate) fn lso_gap(&self, topic: &str, partition: i32) -> IntGauge {
        self.by_partition(&self.lso_gap, topic, partition)
    }

    pub(crate) fn waiting(&self, topic: &str, partition: i32) -> IntGauge {
        self.by_partition(&self.waiting, topic, partition)
    }

    pub(crate) fn stopped(&self, topic: &str, partition: i32) -> IntGauge {
        self.by_partition(&self.stopped, topic, partition)
    }

    pub(crate) fn state_rows(&self, table: &str) -> IntGauge {
        self.state_rows.with_label_values(&[self.service.as_str(), table])
    }

    pub(crate) fn digest(&self, when: &str, table: &str, partition: i32, digest: u64) {
        let labels = [self.service.as_str(), when, table, &partition.to_string()];
        self.digests.with_label_values(&labels).set(i64::try_from(digest).unwrap_or(i64::MAX));
    }

    pub(crate) fn open_requests(&self, slot: &str) -> IntGauge {
        self.open_requests.with_label_values(&[self.service.as_str(), slot])
    }

    fn by_partition(&self, gauge: &IntGaugeVec, topic: &str, partition: i32) -> IntGauge {
        gauge.with_label_values(&[self.service.as_str(), topic, &partition.to_string()])
    }
}

/// Makes and registers metrics with the prefix and the label that all share.
struct Maker<'a> {
    registry: &'a Registry,
}

impl Maker<'_> {
    fn register<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> prometheus::Result<C> {
        let metric = made?;
        self.registry.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntCounterVec> {
        let labels: Vec<&str> = ["service"].iter().chain(labels).copied().collect();
        self.register(IntCounterVec::new(Opts::new(format!("weft_{name}"), help), &labels))
    }

    fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> prometheus::Result<IntGaugeVec> {
        let labels: Vec<&str> = ["service"].iter().chain(labels).copied().collect();
        self.register(IntGaugeVec::new(Opts::new(format!("weft_{name}"), help), &labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> prometheus::Result<HistogramVec> {
        let options = HistogramOpts::new(format!("weft_{name}"), help).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, &["service"]))
    }
}
