#![doc = include_str!("../README.md")]

pub mod asyncapi;
pub mod config;
pub mod core;
pub mod hub;
pub mod intake;
pub mod lobby;
pub mod metrics;
pub mod outlets;
pub mod run;
