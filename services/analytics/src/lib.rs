#![doc = include_str!("../README.md")]

pub mod config;
pub mod core;
mod intake;
pub mod metrics;
pub mod outlets;
mod station;

pub use intake::TOPICS;
pub use station::AnalyticsStation;
