//! Bytes from outside → events: HTTP, signatures, and one parser per channel.

pub mod channels;
pub mod json;
pub mod reading;
