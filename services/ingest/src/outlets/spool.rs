//! The disk of ingest, for as long as Kafka does not acknowledge: what is put here is synced before
//! anybody hears of it, encrypted, and goes to Kafka in the order in which it came.
//!
//! While anything is here, everything new comes here too: a customer's next message cannot overtake
//! the one before. Only what was never acknowledged may be dropped.

mod drain;
mod frame;
mod last_known;
mod segment;
mod writer;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stream::{Output, clock};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{Appending, Log, NotAppended};
use crate::metrics::Metrics;
use frame::Master;
use segment::{FrameRef, Segment};

pub use drain::drain;
pub use last_known::LastKnown;

/// Requests that may wait for the disk at one time.
const QUEUE_MAX: usize = 4_096;
/// Processes that may share a folder.
const FOLDERS_MAX: usize = 16;

/// Where it lies and how much of it there may be.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// The folder; each process takes a numbered one inside for itself.
    pub directory: PathBuf,
    /// Bytes on disk; beyond it nothing more is taken.
    pub bytes_max: u64,
    /// Age of the oldest record; beyond it nothing more is taken.
    pub age_max: Duration,
    /// Kafka has this long to acknowledge before the disk is used.
    pub after: Duration,
}

/// The disk cannot be used as it is. The process must not start: it would lose or reorder what it
/// has acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum SpoolFault {
    /// Reading or writing failed.
    #[error("spool {path}: {error}")]
    Disk {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Other processes have all folders.
    #[error("spool {0}: expected fewer than {FOLDERS_MAX} processes using it")]
    Taken(PathBuf),
    /// It was written with another `key_secret`.
    #[error("spool {0}: expected a file written with this key_secret, found another's")]
    OtherKey(PathBuf),
    /// Something that had been acknowledged cannot be read any more.
    #[error(
        "spool {path}: expected records at byte {offset}, found something else; move the file away to go on without"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where.
        offset: usize,
    },
}

fn disk(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> SpoolFault {
    let path = path.to_owned();
    move |error| SpoolFault::Disk { path, error }
}

/// What a process takes at its start.
struct Taken {
    /// The folder it writes to.
    own: PathBuf,
    locks: Vec<std::fs::File>,
    /// What dead processes left, in order.
    frames: VecDeque<FrameRef>,
}

/// Takes every numbered folder that no living process has. A process that stands still keeps its
/// own, and its successor goes on beside it.
fn take(directory: &std::path::Path, master: &Master) -> Result<Taken, SpoolFault> {
    let (mut own, mut locks, mut frames) = (None, Vec::new(), Vec::new());
    for number in 0..FOLDERS_MAX {
        let folder = directory.join(number.to_string());
        if own.is_some() && !folder.exists() {
            break;
        }
        if let Some(lock) = segment::lock(&folder)? {
            locks.push(lock);
            frames.extend(segment::left(&folder, master)?);
            own.get_or_insert(folder);
        }
    }
    let own = own.ok_or_else(|| SpoolFault::Taken(directory.to_owned()))?;
    frames.sort_by_key(|frame| (frame.segment.name(), frame.number));
    Ok(Taken { own, locks, frames: frames.into() })
}

/// Kafka, with the disk behind it.
pub struct Spooled {
    kafka: Arc<dyn Log>,
    spool: Arc<Spool>,
}

impl Spooled {
    /// Kafka with this disk.
    pub fn new(kafka: Arc<dyn Log>, spool: Arc<Spool>) -> Self {
        Self { kafka, spool }
    }
}

impl Log for Spooled {
    fn append(&self, records: Vec<Output>) -> Appending<'_> {
        Box::pin(async move {
            if !self.spool.holds_something() {
                let direct = tokio::time::timeout(self.spool.settings.after, self.kafka.append(records.clone())).await;
                match direct {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(error)) => tracing::warn!(%error, "Kafka does not acknowledge: the disk is used"),
                    Err(_) => tracing::warn!("Kafka does not acknowledge in time: the disk is used"),
                }
            }
            self.spool.put(records).await
        })
    }
}

/// The disk.
pub struct Spool {
    settings: SpoolSettings,
    /// The folder that this process writes to.
    own: PathBuf,
    metrics: Metrics,
    state: Mutex<State>,
    jobs: mpsc::Sender<Job>,
    filled: Notify,
    /// Held as long as the folders are used.
    _locks: Vec<std::fs::File>,
}

#[derive(Debug, Default)]
struct State {
    /// What is on disk and not known to be in Kafka, in order.
    frames: VecDeque<FrameRef>,
    /// Requests on their way to the disk.
    waiting: usize,
    /// The file that is written to.
    current: Option<Arc<Segment>>,
    bytes: u64,
}

/// Records of one request, and who waits for them.
struct Job {
    records: Vec<Output>,
    done: oneshot::Sender<Result<(), String>>,
}

impl Spool {
    /// Opens the folder, with what a former process left in it, and starts its writer.
    ///
    /// # Errors
    /// [`SpoolFault`].
    pub fn open(settings: SpoolSettings, secret: &[u8], metrics: Metrics) -> Result<Arc<Self>, SpoolFault> {
        let master = Master::new(secret);
        let Taken { own, locks, frames } = take(&settings.directory, &master)?;
        let bytes = frames.iter().map(|frame| frame.length).sum();
        if !frames.is_empty() {
            tracing::info!(frames = frames.len(), bytes, "a former process left records on disk");
        }
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let state = State { frames, bytes, ..State::default() };
        let writes_to = own.clone();
        let (state, filled) = (Mutex::new(state), Notify::new());
        let spool = Arc::new(Self { settings, own, metrics, state, jobs, filled, _locks: locks });
        spool.show();
        let writer = writer::Writer::new(Arc::downgrade(&spool), writes_to, master);
        let name = "spool-writer".to_owned();
        let started = std::thread::Builder::new().name(name).spawn(move || writer.run(queue));
        started.map_err(disk(&spool.settings.directory))?;
        Ok(spool)
    }

    /// Whether anything waits for Kafka.
    pub fn holds_something(&self) -> bool {
        let state = self.state();
        state.waiting > 0 || !state.frames.is_empty()
    }

    /// Comes back once the records are synced to disk.
    async fn put(&self, records: Vec<Output>) -> Result<(), NotAppended> {
        let (done, written) = oneshot::channel();
        {
            let mut state = self.state();
            let age = state.frames.front().map_or(0, |oldest| clock::now().as_ms().saturating_sub(oldest.written_at));
            let is_old = u128::try_from(age).unwrap_or(0) > self.settings.age_max.as_millis();
            if state.bytes >= self.settings.bytes_max || is_old {
                return Err(NotAppended::SpoolFull);
            }
            self.jobs.try_send(Job { records, done }).map_err(|_| NotAppended::SpoolFull)?;
            state.waiting += 1;
        }
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(NotAppended::Disk(error)),
            Err(_) => Err(NotAppended::Disk("the writer has ended".into())),
        }
    }

    fn show(&self) {
        let state = self.state();
        let records: u64 = state.frames.iter().map(|frame| frame.records).sum();
        self.metrics.spool_records.set(i64::try_from(records).unwrap_or(i64::MAX));
        self.metrics.spool_bytes.set(i64::try_from(state.bytes).unwrap_or(i64::MAX));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
