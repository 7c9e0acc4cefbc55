//! threading
pub mod core;
