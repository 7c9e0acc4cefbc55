#![doc = include_str!("../README.md")]

mod config;
mod documents;
mod failure;
mod journal;
mod letters;
mod output;
mod reach;
mod resends;
mod verbs;

pub use failure::{Failure, Verdict};
pub use verbs::{Arguments, run};
