//! One file per channel: bytes of a webhook → readings.

pub mod open;
pub mod whatsapp;
