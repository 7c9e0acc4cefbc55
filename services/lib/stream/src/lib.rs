//! The Kafka runtime: bytes, partitions and time; no business word in it.

pub mod clock;
mod machine;
mod table;
mod task;
pub mod testing;
mod timestamp;

pub use machine::{Machine, Scope, State, Tick};
pub use table::{Change, Derived, Index, Row, RowError, Stored, Table};
pub use timestamp::Timestamp;
