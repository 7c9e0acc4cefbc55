//! What leaves: commands to Kafka, frames to sockets, questions to ClickHouse.

pub mod commands;
pub mod frames;
pub mod transcripts;
