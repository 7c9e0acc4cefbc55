//! One file per channel; one folder where it has parts.

pub mod facebook;
pub mod instagram;
mod messenger;
pub mod open;
pub mod twitter;
pub mod whatsapp;
