#![doc = include_str!("../README.md")]

mod caller;
mod paced;
mod place;
mod privacy;
mod rates;
mod seats;
mod serve;

pub use caller::Caller;
pub use place::{BadPlace, Place, is_in};
pub use rates::Rates;
pub use serve::{Metrics, PortSettings, serve};
