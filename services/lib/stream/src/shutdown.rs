//! From a signal to an orderly end.

use std::io;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Asks everything in the process to finish; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// Triggered by hand only.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Triggered by SIGTERM or SIGINT; the second of them ends the process at once.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::new();
        let trigger = shutdown.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
            runtime.block_on(async {
                if let Err(error) = watch_signals(&trigger).await {
                    tracing::error!(%error, "cannot listen for signals");
                    trigger.request();
                }
            });
        })?;
        Ok(shutdown)
    }

    /// Asks for the end.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether the end was asked for.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once the end is asked for.
    pub async fn wait(&self) {
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

async fn watch_signals(shutdown: &Shutdown) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    loop {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        if shutdown.requested() {
            tracing::warn!(signal = name, "second signal: leaving at once");
            std::process::exit(130);
        }
        tracing::info!(signal = name, "finishing");
        shutdown.request();
    }
}
