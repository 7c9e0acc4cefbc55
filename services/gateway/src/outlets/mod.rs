//! What leaves: commands and guests' words to Kafka, questions to ClickHouse.

pub mod commands;
pub mod guests;
pub mod transcripts;
