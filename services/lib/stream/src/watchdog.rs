//! Ends the process when a call into the client library does not come back.
//!
//! `send_offsets_to_transaction` can hang for ever (librdkafka #5456). Ending is safe by
//! construction: the next process restores the state and replays the input. Hanging is not.

use crate::clock::Stamp;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Watches the calls of one loop; its thread ends with it.
#[derive(Debug)]
pub(crate) struct Watchdog {
    call: Arc<Mutex<Option<Call>>>,
    _stop: Sender<()>,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    name: &'static str,
    began: Stamp,
    limit: Duration,
}

const LOOK_EVERY: Duration = Duration::from_millis(250);

impl Watchdog {
    pub(crate) fn start(owner: String) -> std::io::Result<Self> {
        let call: Arc<Mutex<Option<Call>>> = Arc::default();
        let (stop, stopped) = bounded::<()>(0);
        let watched = Arc::clone(&call);
        let look = move || {
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                let overdue = lock(&watched).filter(|call| call.began.elapsed() > call.limit);
                if let Some(call) = overdue {
                    tracing::error!(
                        owner,
                        call = call.name,
                        limit_ms = call.limit.as_millis(),
                        "call does not come back: ending the process"
                    );
                    std::process::abort();
                }
            }
        };
        std::thread::Builder::new().name("watchdog".to_owned()).spawn(look)?;
        Ok(Self { call, _stop: stop })
    }

    /// Runs a call that has a time-out of its own; twice that is the end.
    pub(crate) fn watch<T>(&self, name: &'static str, timeout: Duration, call: impl FnOnce() -> T) -> T {
        *lock(&self.call) = Some(Call { name, began: Stamp::now(), limit: timeout * 2 });
        let result = call();
        *lock(&self.call) = None;
        result
    }
}

fn lock(call: &Mutex<Option<Call>>) -> MutexGuard<'_, Option<Call>> {
    call.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
