//! Health: named checks, each good or not with the reason in words.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// All checks of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Health {
    inner: Arc<Mutex<Inner>>,
}

type Asked = Box<dyn Fn() -> Result<(), String> + Send>;

#[derive(Default)]
struct Inner {
    ready: BTreeMap<&'static str, Result<(), String>>,
    ready_if: BTreeMap<&'static str, Asked>,
    live: BTreeMap<&'static str, Asked>,
    started: bool,
}

/// The handle of one readiness check; not good until it is said to be.
#[derive(Clone)]
pub struct Check {
    health: Health,
    name: &'static str,
}

/// What a probe answers: 200 if `ok`, else 503.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether all is well.
    pub ok: bool,
    /// `ok` or the reason, by check.
    pub checks: BTreeMap<&'static str, String>,
}

impl Health {
    /// Adds a readiness check, which is not good yet.
    pub fn check(&self, name: &'static str) -> Check {
        self.lock().ready.insert(name, Err("not started yet".to_owned()));
        Check { health: self.clone(), name }
    }

    /// Adds a readiness check that is asked at every probe.
    pub fn ready(&self, name: &'static str, state: impl Fn() -> Result<(), String> + Send + 'static) {
        self.lock().ready_if.insert(name, Box::new(state));
    }

    /// Adds a liveness check: asked at every probe; an error means that only a restart helps.
    pub fn live(&self, name: &'static str, progress: impl Fn() -> Result<(), String> + Send + 'static) {
        self.lock().live.insert(name, Box::new(progress));
    }

    /// Whether the process makes progress.
    pub fn liveness(&self) -> Report {
        let inner = self.lock();
        Report::of(inner.live.iter().map(|(name, progress)| (*name, progress())))
    }

    /// Whether the process can do its work now.
    pub fn readiness(&self) -> Report {
        let mut inner = self.lock();
        let told = inner.ready.iter().map(|(name, state)| (*name, state.clone()));
        let report = Report::of(told.chain(inner.ready_if.iter().map(|(name, state)| (*name, state()))));
        inner.started |= report.ok;
        report
    }

    /// Whether the process was ready once.
    pub fn startup(&self) -> Report {
        let report = self.readiness();
        if self.lock().started { Report { ok: true, ..report } } else { report }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.lock().ready).finish()
    }
}

impl Check {
    /// All is well.
    pub fn ok(&self) {
        self.set(Ok(()));
    }

    /// Something is wrong; `reason` for the person who looks.
    pub fn not_ok(&self, reason: impl Into<String>) {
        self.set(Err(reason.into()));
    }

    fn set(&self, state: Result<(), String>) {
        let before = self.health.lock().ready.insert(self.name, state.clone());
        if before.as_ref() == Some(&state) {
            return;
        }
        match state {
            Ok(()) => tracing::info!(check = self.name, "check is good"),
            Err(reason) => tracing::warn!(check = self.name, reason, "check is not good"),
        }
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

impl Report {
    fn of(states: impl Iterator<Item = (&'static str, Result<(), String>)>) -> Self {
        let mut ok = true;
        let checks = states
            .map(|(name, state)| {
                ok &= state.is_ok();
                (name, state.err().unwrap_or_else(|| "ok".to_owned()))
            })
            .collect();
        Self { ok, checks }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn ready_means_every_check_is_good_and_started_means_it_was_once() {
        let health = Health::default();
        assert!(health.readiness().ok, "nothing to wait for");
        let health = Health::default();
        let (kafka, codec) = (health.check("kafka"), health.check("codec"));
        kafka.ok();
        assert!(!health.startup().ok);
        assert_eq!(health.readiness().checks["codec"], "not started yet");
        codec.ok();
        assert!(health.startup().ok);
        kafka.not_ok("no broker answers");
        assert!(!health.readiness().ok && health.startup().ok);
        assert_eq!(health.readiness().checks["kafka"], "no broker answers");
    }

    #[test]
    fn liveness_and_readiness_are_asked_at_every_probe() {
        let health = Health::default();
        let stuck = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stuck);
        let restoring = Arc::clone(&stuck);
        health.ready("task", move || if restoring.load(Ordering::Relaxed) { Err("restoring".into()) } else { Ok(()) });
        health.live("loop", move || if seen.load(Ordering::Relaxed) { Err("stuck".into()) } else { Ok(()) });
        assert!(health.liveness().ok && health.readiness().ok);
        stuck.store(true, Ordering::Relaxed);
        assert_eq!(health.liveness().checks["loop"], "stuck");
        assert_eq!(health.readiness().checks["task"], "restoring");
    }
}
