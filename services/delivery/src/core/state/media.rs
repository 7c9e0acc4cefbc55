//! Attachments that are not copied yet.

use stream::Timestamp;

use super::{Deliveries, ExtendOne};
use crate::core::media::{CopyKey, CopyPhase, Wanted};

/// What a row stands in.
#[derive(Default)]
struct Places {
    due: Option<(Timestamp, CopyKey)>,
    ready: Option<(Timestamp, CopyKey)>,
    out: Option<CopyKey>,
}

fn places(key: CopyKey, wanted: &Wanted) -> Places {
    match wanted.phase {
        CopyPhase::Waiting(at) | CopyPhase::GivenUp(at) => Places { due: Some((at, key)), ..Places::default() },
        CopyPhase::Ready(since) => Places { ready: Some((since, key)), ..Places::default() },
        CopyPhase::Out => Places { out: Some(key), ..Places::default() },
    }
}

impl Deliveries {
    /// An attachment that is not copied yet.
    pub fn wanted(&self, key: CopyKey) -> Option<&Wanted> {
        self.media.get(&key)
    }

    /// All of them.
    pub fn all_wanted(&self) -> impl Iterator<Item = (&CopyKey, &Wanted)> {
        self.media.iter()
    }

    /// Sets, changes or forgets one.
    pub fn set_wanted(&mut self, key: CopyKey, wanted: Option<Wanted>) {
        if let Some(old) = self.media.remove(&key) {
            let Places { due, ready, out } = places(key, &old);
            due.map(|entry| self.copies_due.remove(&entry));
            ready.map(|entry| self.copies_ready.remove(&entry));
            out.map(|entry| self.copies_out.remove(&entry));
        }
        if let Some(wanted) = wanted {
            let Places { due, ready, out } = places(key, &wanted);
            self.copies_due.extend_one(due);
            self.copies_ready.extend_one(ready);
            self.copies_out.extend_one(out);
            self.media.put(key, wanted);
        }
    }

    pub(super) fn rebuild_media(&mut self) {
        for (key, wanted) in &self.media {
            let Places { due, ready, out } = places(*key, wanted);
            self.copies_due.extend_one(due);
            self.copies_ready.extend_one(ready);
            self.copies_out.extend_one(out);
        }
    }

    /// How many are being fetched.
    pub fn copies_out(&self) -> usize {
        self.copies_out.len()
    }

    /// The one that waits longest for its turn.
    pub fn first_copy(&self) -> Option<CopyKey> {
        self.copies_ready.first().map(|(_, key)| *key)
    }

    /// One whose wait is over.
    pub fn due_copy(&self, now: Timestamp) -> Option<CopyKey> {
        self.copies_due.first().filter(|(at, _)| *at <= now).map(|(_, key)| *key)
    }

    pub(super) fn check_media(&self) -> Result<(), String> {
        let indexed = self.copies_due.len() + self.copies_ready.len() + self.copies_out.len();
        let rows = self.media.len();
        if indexed == rows { Ok(()) } else { Err(format!("{rows} wanted copies have {indexed} places")) }
    }
}
