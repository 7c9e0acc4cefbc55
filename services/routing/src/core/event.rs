//! What can happen to routing.

use schemas::config::Entity;
use schemas::ids::{EventId, TenantId};
use schemas::records::RoutingCommand;
use stream::Tick;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A deadline came due.
    Tick,
    /// Somebody told or asked something.
    Command(Box<RoutingCommand>),
    /// A configuration document was applied or removed.
    Configured(Box<Configured>),
}

/// A change of configuration.
#[derive(Debug, Clone)]
pub struct Configured {
    /// The record that said so.
    pub event_id: EventId,
    /// Whose.
    pub tenant: TenantId,
    /// `Queue`, `Agent` …
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its version; null when it was removed.
    pub version: Option<i64>,
    /// What it says; null when it was removed or routing knows no such kind.
    pub entity: Option<Entity>,
}

impl From<Tick> for Event {
    fn from(_: Tick) -> Self {
        Self::Tick
    }
}
