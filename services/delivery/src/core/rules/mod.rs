//! One file per rule.

pub mod accept;
pub mod ambiguous;
pub mod bots;
pub mod breaker;
pub mod capabilities;
pub mod claim;
pub mod consent;
pub mod deadlines;
pub mod early;
pub mod echoes;
pub mod failures;
pub mod lifecycle;
pub mod media;
pub mod order;
pub mod outcome;
pub mod receipts;
pub mod replies;
pub mod resend;
pub mod schedule;
pub mod settings;
pub mod shared_health;
pub mod signals;
pub mod watermark;
pub mod window;

#[cfg(test)]
pub(crate) mod support;
