//! Configuration is state: it arrives as events, in order with everything else, so that a replay
//! decides by the configuration of that time.

use crate::core::effect::Effect;
use crate::core::event::Configured;
use crate::core::state::Threads;

/// Takes a changed entity.
pub(crate) fn configure(state: &mut Threads, change: Configured) -> Vec<Effect> {
    match change.setting {
        Some(setting) => drop(state.settings.put(change.key, setting)),
        None => drop(state.settings.remove(&change.key)),
    }
    Vec::new()
}
