//! [`metrics!`](crate::metrics): a service's metrics as one struct.

/// Makes a struct of Prometheus metrics with `register(&Registry) -> prometheus::Result<Self>`.
/// The doc comment of a field is its help text; the name follows, with `weft_` put before it; then
/// the labels, and a histogram's buckets:
///
/// ```
/// telemetry::metrics! {
///     /// What the service counts.
///     pub struct Metrics {
///         /// Webhooks by channel and outcome.
///         webhooks: IntCounterVec = "webhooks_total" ["channel", "outcome"],
///         /// Records that wait for Kafka.
///         spool: IntGauge = "spool_records" [],
///         /// From webhook to socket, in seconds.
///         end_to_end: HistogramVec = "end_to_end_seconds" ["channel"] buckets [0.01, 0.1, 1.0],
///     }
/// }
/// let registry = prometheus::Registry::new();
/// let metrics = Metrics::register(&registry).unwrap();
/// metrics.webhooks.with_label_values(&["open", "accepted"]).inc();
/// metrics.spool.set(3);
/// ```
#[macro_export]
macro_rules! metrics {
    (
        $(#[$outer:meta])*
        $vis:vis struct $name:ident {
            $(
                #[doc = $help:literal]
                $(#[doc = $more:literal])*
                $field:ident : $type:ident = $metric:literal [$($label:literal),* $(,)?]
                $(buckets [$($bucket:expr),* $(,)?])?
            ),* $(,)?
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $(
                #[doc = $help]
                $(#[doc = $more])*
                pub $field: $crate::__prometheus::$type,
            )*
        }

        impl $name {
            /// Makes all metrics and registers them.
            $vis fn register(registry: &$crate::__prometheus::Registry) -> $crate::__prometheus::Result<Self> {
                Ok(Self {
                    $($field: {
                        let help = concat!($help $(, $more)*).trim();
                        let opts = $crate::__prometheus::Opts::new(concat!("weft_", $metric), help);
                        let labels: &[&str] = &[$($label),*];
                        let buckets: Option<&[f64]> = None $(.or(Some(&[$($bucket),*] as &[f64])))?;
                        let metric = <$crate::__prometheus::$type as $crate::MakeMetric>::make(opts, labels, buckets)?;
                        registry.register(Box::new(metric.clone()))?;
                        metric
                    },)*
                })
            }
        }
    };
}

use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Result,
};

/// How each kind of metric is made; for [`metrics!`](crate::metrics).
#[doc(hidden)]
pub trait MakeMetric: Sized {
    /// A metric of this kind.
    fn make(opts: Opts, labels: &[&str], buckets: Option<&[f64]>) -> Result<Self>;
}

macro_rules! plain {
    ($($type:ident)*) => {$(
        impl MakeMetric for $type {
            fn make(opts: Opts, _: &[&str], _: Option<&[f64]>) -> Result<Self> {
                Self::with_opts(opts)
            }
        }
    )*};
}

macro_rules! labelled {
    ($($type:ident)*) => {$(
        impl MakeMetric for $type {
            fn make(opts: Opts, labels: &[&str], _: Option<&[f64]>) -> Result<Self> {
                Self::new(opts, labels)
            }
        }
    )*};
}

plain! { Counter Gauge IntCounter IntGauge }
labelled! { CounterVec GaugeVec IntCounterVec IntGaugeVec }

impl MakeMetric for Histogram {
    fn make(opts: Opts, _: &[&str], buckets: Option<&[f64]>) -> Result<Self> {
        Self::with_opts(histogram(opts, buckets))
    }
}

impl MakeMetric for HistogramVec {
    fn make(opts: Opts, labels: &[&str], buckets: Option<&[f64]>) -> Result<Self> {
        Self::new(histogram(opts, buckets), labels)
    }
}

fn histogram(opts: Opts, buckets: Option<&[f64]>) -> HistogramOpts {
    let opts = HistogramOpts::from(opts);
    match buckets {
        Some(buckets) => opts.buckets(buckets.to_vec()),
        None => opts,
    }
}
