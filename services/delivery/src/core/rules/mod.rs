//! One file per rule.

pub mod accept;
pub mod ambiguous;
pub mod breaker;
pub mod capabilities;
pub mod claim;
pub mod deadlines;
pub mod early;
pub mod failures;
pub mod order;
pub mod outcome;
pub mod receipts;
pub mod schedule;
pub mod settings;
pub mod window;

#[cfg(test)]
pub(crate) mod support;
