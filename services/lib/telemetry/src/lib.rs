//! What a service says about itself: logs, traces, metrics, health.

mod admin;
mod health;
mod http;
mod labels;
mod logs;
mod metrics;
mod redacted;
mod trace;

pub use admin::Admin;
pub use health::{Check, Health, Report};
pub use http::HttpMetrics;
pub use labels::CappedLabel;
pub use logs::{LogFormat, LogSettings, start};
pub use redacted::Redacted;
pub use trace::{TraceContext, TraceError};

pub use metrics::MakeMetric;
/// For [`metrics!`].
#[doc(hidden)]
pub use prometheus as __prometheus;
