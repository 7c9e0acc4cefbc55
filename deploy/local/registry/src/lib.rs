//! A schema registry for one machine: the part of Confluent's HTTP protocol that producers, consumers and `weft
//! schemas` use, over one file.
//!
//! Larger installations run Karapace or Confluent's server. So that nothing comes to lean on this one, it answers as
//! they do where they are strict: schemas come back re-serialised with sorted keys, an id belongs to a schema and not to
//! a subject, an unsuitable `Accept` is refused.
//!
//! `http` speaks the protocol, `store` keeps what was registered, `compatibility` judges a new version.

mod compatibility;
mod error;
mod http;
mod store;

pub use http::router;
pub use store::{Store, StoreError};
