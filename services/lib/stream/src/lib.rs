#![doc = include_str!("../README.md")]

mod batch;
mod brake;
pub mod clock;
mod commit;
mod committer;
pub mod faults;
mod feed;
mod follower;
mod journal;
mod kafka;
mod lane;
mod look;
mod machine;
mod metrics;
mod patience;
mod pile;
pub mod planted;
mod progress;
mod publisher;
mod reply;
mod restore;
mod run;
mod settings;
mod shutdown;
mod sink;
mod slot;
mod station;
mod table;
mod task;
pub mod testing;
mod timestamp;
mod watchdog;
mod worker;

pub use batch::{NUMBER_HEADER, SOURCE_HEADER, TRACE_HEADER, TRANSACTION_HEADER};
pub use follower::{Follow, FollowFrom, Follower, FollowerSetup};
pub use kafka::Fault;
pub use kafka::admin::{Admin, GroupOffset, TopicPlan};
pub use machine::{Machine, Scope, State, Tick};
pub use progress::Progress;
pub use publisher::{PublishError, Publisher};
pub use reply::Reply;
pub use run::{RunError, Setup, run};
pub use settings::{KafkaSettings, SecurityProtocol, SettingsError};
pub use shutdown::Shutdown;
pub use sink::{SinkBatch, SinkFault, SinkStation, run_sink};
pub use station::{
    DeadLetter, EffectOf, EventOf, InputRecord, Inputs, NoPerformer, Outbox, Output, Performer, Reject, ServiceName,
    StateOf, Station,
};
pub use table::{Change, Derived, Index, Row, RowError, Stored, Table};
pub use timestamp::Timestamp;

/// Records are taken in by the ten thousand, live for one transaction and are freed by another
/// thread: for that, glibc's allocator took a third of a backlog's time.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
