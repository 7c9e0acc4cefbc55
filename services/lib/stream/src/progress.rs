//! What `/livez` and `/readyz` look at: progress stamps of the loops, never Kafka itself.

use crate::clock::Stamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// The state of all loops of a process; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Debug)]
struct Entry {
    moved: Stamp,
    waits_for: Option<String>,
}

impl Progress {
    /// No loops yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Alive unless a loop has not moved for `limit`; the error names it.
    pub fn alive(&self, limit: Duration) -> Result<(), String> {
        for (name, entry) in &*self.entries() {
            let stood = entry.moved.elapsed();
            if stood > limit {
                return Err(format!("{name} has not moved for {} s", stood.as_secs()));
            }
        }
        Ok(())
    }

    /// Ready once every loop has what it needs; the error names what is missing.
    pub fn ready(&self) -> Result<(), String> {
        let entries = self.entries();
        if entries.is_empty() {
            return Err("nothing has started".to_owned());
        }
        for (name, entry) in &*entries {
            if let Some(missing) = &entry.waits_for {
                return Err(format!("{name} waits for {missing}"));
            }
        }
        Ok(())
    }

    pub(crate) fn track(&self, name: String) -> Tracked {
        let entry = Entry { moved: Stamp::now(), waits_for: Some("start".to_owned()) };
        self.entries().insert(name.clone(), entry);
        Tracked { progress: self.clone(), name }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One loop's own line; gone when the loop has ended.
#[derive(Debug)]
pub(crate) struct Tracked {
    progress: Progress,
    name: String,
}

impl Tracked {
    pub(crate) fn moved(&self) {
        if let Some(entry) = self.progress.entries().get_mut(&self.name) {
            entry.moved = Stamp::now();
        }
    }

    pub(crate) fn waits_for(&self, what: &str) {
        self.set(Some(what.to_owned()));
    }

    pub(crate) fn ready(&self) {
        self.set(None);
    }

    fn set(&self, waits_for: Option<String>) {
        if let Some(entry) = self.progress.entries().get_mut(&self.name) {
            entry.waits_for = waits_for;
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.progress.entries().remove(&self.name);
    }
}
