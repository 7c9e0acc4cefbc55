//! The simulated outside of weft: people who write, people who answer, the platforms between them,
//! and the journeys that they make through a running stack. `weft-demo` plays them for people,
//! `tests/pipeline.rs` as tests; [`chaos`] hits the services meanwhile and judges what remains.

pub mod agents;
pub mod chaos;
pub mod company;
pub mod config;
pub mod customers;
pub mod demo;
pub mod guests;
pub mod journeys;
pub mod load;
pub mod narrator;
pub mod oracle;
pub mod outside;
pub mod providers;
pub mod reports;
pub mod services;
pub mod stack;
pub mod tables;
pub mod talk;
pub mod wait;
pub mod world;
