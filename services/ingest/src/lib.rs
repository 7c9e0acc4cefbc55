#![doc = include_str!("../README.md")]

pub mod acceptance;
pub mod config;
pub mod core;
pub mod intake;
pub mod metrics;
pub mod outlets;
mod pupil;
mod report;
pub mod run;

pub use report::parse_report;
