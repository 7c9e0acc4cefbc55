//! What leaves: commands to Kafka, questions to ClickHouse.

pub mod commands;

pub mod transcripts;
