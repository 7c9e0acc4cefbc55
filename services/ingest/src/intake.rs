//! Bytes from outside → events: HTTP, signatures, configuration, and one parser per channel.

pub mod channels;
pub mod http;
pub mod json;
pub mod knowledge;
pub mod reading;
pub mod secrets;
pub mod signature;
