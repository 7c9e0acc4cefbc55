//! Decide: which account and customer an event belongs to, and what its record says. No I/O, no
//! clock.

mod heard;

pub use heard::{Heard, HeardAccount, Party, PartyId};
