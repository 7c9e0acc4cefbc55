//! One file per rule.

pub mod account;
pub mod customer;
pub mod reply_window;
