//! The one thread that writes: everything that waits becomes one frame, synced once.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use stream::{Output, clock};
use tokio::sync::mpsc;

use super::frame::{Master, PREAMBLE_BYTES};
use super::segment::{FrameRef, Segment};
use super::{Job, Spool};

/// Requests of one frame.
const FRAME_JOBS_MAX: usize = 128;
/// Bytes of one frame, more or less.
const FRAME_BYTES_MAX: usize = 8 << 20;
/// Bytes of one file, more or less.
const SEGMENT_BYTES_MAX: u64 = 32 << 20;

/// The thread's state.
pub(super) struct Writer {
    spool: Weak<Spool>,
    directory: PathBuf,
    master: Master,
    /// Files begun.
    begun: u64,
    open: Option<Open>,
}

struct Open {
    segment: Arc<Segment>,
    file: File,
    length: u64,
    frames: u64,
}

impl Writer {
    pub(super) fn new(spool: Weak<Spool>, directory: PathBuf, master: Master) -> Self {
        Self { spool, directory, master, begun: 0, open: None }
    }

    /// Until nobody can put anything any more.
    pub(super) fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.blocking_recv() {
            let mut bytes = size(&first);
            let mut jobs = vec![first];
            while jobs.len() < FRAME_JOBS_MAX && bytes < FRAME_BYTES_MAX {
                let Ok(job) = queue.try_recv() else { break };
                bytes += size(&job);
                jobs.push(job);
            }
            self.write(jobs);
        }
    }

    fn write(&mut self, mut jobs: Vec<Job>) {
        let Some(spool) = self.spool.upgrade() else {
            return;
        };
        let records: Vec<Output> = jobs.iter_mut().flat_map(|job| std::mem::take(&mut job.records)).collect();
        let written = self.append(&spool, &records);
        {
            let mut state = spool.state();
            state.waiting -= jobs.len();
            match &written {
                Ok(frame) => {
                    state.bytes += frame.length;
                    state.frames.push_back(frame.clone());
                }
                // Whatever stands at the end of the file now, nothing may come behind it.
                Err(_) => state.current = None,
            }
        }
        spool.show();
        spool.filled.notify_one();
        if let Err(error) = &written {
            self.open = None;
            tracing::error!(error, "the spool cannot be written");
        }
        let answer = written.map(drop);
        // Whoever hears the answer may end everything at once: nothing here outlives it.
        drop(spool);
        for job in jobs {
            // Whoever asked may have gone.
            job.done.send(answer.clone()).ok();
        }
    }

    fn append(&mut self, spool: &Spool, records: &[Output]) -> Result<FrameRef, String> {
        let current = spool.state().current.clone();
        let is_ours = |open: &Open| current.as_ref().is_some_and(|current| Arc::ptr_eq(current, &open.segment));
        let kept = self.open.take().filter(|open| is_ours(open) && open.length < SEGMENT_BYTES_MAX);
        let mut open = match kept {
            Some(open) => open,
            None => self.begin(spool)?,
        };
        let frame = open.segment.cipher().seal(open.frames, records).ok_or("a frame of more than 4 GiB")?;
        let synced = open.file.write_all(&frame).and_then(|()| open.file.sync_data());
        synced.map_err(|error| error.to_string())?;
        let written = FrameRef {
            segment: Arc::clone(&open.segment),
            number: open.frames,
            offset: open.length,
            length: frame.len() as u64,
            records: records.len() as u64,
            written_at: clock::now().as_ms(),
        };
        open.length += written.length;
        open.frames += 1;
        self.open = Some(open);
        Ok(written)
    }

    fn begin(&mut self, spool: &Spool) -> Result<Open, String> {
        self.begun += 1;
        let begun = Segment::begin(&self.directory, &self.master, self.begun);
        let (segment, file) = begun.map_err(|error| error.to_string())?;
        spool.state().current = Some(Arc::clone(&segment));
        Ok(Open { segment, file, length: PREAMBLE_BYTES as u64, frames: 0 })
    }
}

fn size(job: &Job) -> usize {
    job.records.iter().map(|record| record.payload.as_ref().map_or(0, Vec::len) + record.key.len()).sum()
}
