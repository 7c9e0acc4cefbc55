//! What crosses a topic, and nothing else: ids, records, topics, configuration entities, and the
//! codec between a record and its Avro bytes.
//!
//! Reading order: [`topics`] (every arrow of the picture), [`records`] (what travels on it),
//! [`ids`] (how ids and keys are derived), [`config`] (what `weft apply` puts on the
//! configuration topic), [`codec`] (bytes).

mod avro;
pub mod codec;
pub mod config;
pub mod ids;
pub mod records;
pub mod topics;
