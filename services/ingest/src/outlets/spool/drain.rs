//! From disk to Kafka, in order.

use std::sync::Arc;
use std::time::Duration;

use stream::Output;

use super::segment::{FrameRef, Segment};
use super::{Log, Spool, SpoolFault};

/// Frames, and bytes, that go to Kafka at one time.
const FRAMES_MAX: usize = 64;
const BYTES_MAX: u64 = 8 << 20;
/// The pause after Kafka did not acknowledge.
const PAUSE: Duration = Duration::from_millis(500);

/// Moves what comes to the disk into Kafka, for ever. `kafka` should be patient: records that it
/// gives up one by one would change places.
///
/// # Errors
/// [`SpoolFault`]: something that had been acknowledged cannot be read any more.
pub async fn drain(spool: Arc<Spool>, kafka: Arc<dyn Log>) -> Result<(), SpoolFault> {
    loop {
        let frames = spool.oldest();
        let Some(last) = frames.last().cloned() else {
            spool.filled.notified().await;
            continue;
        };
        let reading = frames.clone();
        let read = tokio::task::spawn_blocking(move || read(&reading)).await;
        let records = read.map_err(|error| SpoolFault::Disk {
            path: spool.settings.directory.clone(),
            error: std::io::Error::other(error),
        })??;
        if let Err(error) = kafka.append(records).await {
            tracing::warn!(%error, "Kafka does not take what is on disk yet");
            tokio::time::sleep(PAUSE).await;
            continue;
        }
        spool.done(frames.len(), &last)?;
    }
}

fn read(frames: &[FrameRef]) -> Result<Vec<Output>, SpoolFault> {
    let mut all = Vec::new();
    for frame in frames {
        all.extend(frame.segment.read(frame)?);
    }
    Ok(all)
}

impl Spool {
    /// The oldest frames, as many as go at one time.
    fn oldest(&self) -> Vec<FrameRef> {
        let state = self.state();
        let mut bytes = 0;
        let fits = |frame: &&FrameRef| {
            bytes += frame.length;
            bytes <= BYTES_MAX || bytes == frame.length
        };
        state.frames.iter().take(FRAMES_MAX).take_while(fits).cloned().collect()
    }

    /// The oldest frames are in Kafka; files without further ones go.
    fn done(&self, count: usize, last: &FrameRef) -> Result<(), SpoolFault> {
        last.segment.note_drained(last.number + 1)?;
        let mut finished: Vec<Arc<Segment>> = Vec::new();
        {
            let mut state = self.state();
            let gone: Vec<FrameRef> = state.frames.drain(..count).collect();
            state.bytes -= gone.iter().map(|frame| frame.length).sum::<u64>();
            if state.frames.is_empty() && state.waiting == 0 {
                state.current = None;
            }
            for frame in gone {
                let is_in = |other: &Arc<Segment>| Arc::ptr_eq(other, &frame.segment);
                let is_needed = state.frames.front().is_some_and(|next| is_in(&next.segment))
                    || state.current.as_ref().is_some_and(is_in);
                if !is_needed && !finished.iter().any(is_in) {
                    finished.push(frame.segment);
                }
            }
        }
        self.show();
        for segment in finished {
            segment.remove()?;
        }
        Ok(())
    }
}
