#![doc = include_str!("../README.md")]

pub mod config;
pub mod core;
pub mod intake;
pub mod metrics;
pub mod outlets;
pub mod station;

pub use station::{RoutingStation, TOPICS};
