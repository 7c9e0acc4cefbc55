//! ingest

pub mod core;
pub mod intake;
mod report;

pub use report::parse_report;
