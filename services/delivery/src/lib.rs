#![doc = include_str!("../README.md")]

pub mod config;
pub mod core;
pub mod intake;
pub mod metrics;
pub mod outlets;
pub mod station;

pub use outlets::preview::{capability_table, render_report};
pub use station::{DeliveryStation, TOPICS};
