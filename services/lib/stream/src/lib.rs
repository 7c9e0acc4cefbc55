//! The Kafka runtime: bytes, partitions and time; no business word in it.

pub mod clock;
mod machine;
mod reply;
mod station;
mod table;
mod task;
pub mod testing;
mod timestamp;

pub use machine::{Machine, Scope, State, Tick};
pub use reply::Reply;
pub use station::{
    DeadLetter, EffectOf, EventOf, InputRecord, Inputs, NoPerformer, Outbox, Output, Performer, Reject, ServiceName,
    StateOf, Station,
};
pub use table::{Change, Derived, Index, Row, RowError, Stored, Table};
pub use timestamp::Timestamp;
