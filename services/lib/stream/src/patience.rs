//! Bounded waiting between two tries.

use crate::clock::Stamp;
use std::time::Duration;

/// Between two tries of something that brokers could not answer just now.
const PAUSE: Duration = Duration::from_millis(100);

/// How long something may still be tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    until: Stamp,
}

impl Patience {
    pub(crate) fn of(limit: Duration) -> Self {
        Self { until: Stamp::now().plus(limit) }
    }

    /// Whether the time is used up.
    pub(crate) fn is_over(self) -> bool {
        self.until.remaining().is_zero()
    }

    /// Pauses; false once the time is used up.
    pub(crate) fn pause(self) -> bool {
        std::thread::park_timeout(PAUSE.min(self.until.remaining()));
        !self.is_over()
    }
}
