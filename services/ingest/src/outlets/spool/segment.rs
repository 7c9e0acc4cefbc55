//! The files: what a former process left, what is read back, what is done with.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use stream::{Output, clock};

use super::frame::{Cipher, Master, PREAMBLE_BYTES, Preamble, SALT_BYTES, preamble};
use super::{SpoolFault, disk};

const EXTENSION: &str = "spool";
/// Beside a file: how many of its frames are in Kafka.
const DRAINED: &str = "drained";

/// A file of frames.
pub(super) struct Segment {
    path: PathBuf,
    cipher: Cipher,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Segment").field(&self.path).finish()
    }
}

/// Where a frame lies.
#[derive(Debug, Clone)]
pub(super) struct FrameRef {
    pub(super) segment: Arc<Segment>,
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) records: u64,
    /// Milliseconds since the epoch.
    pub(super) written_at: i64,
}

/// Takes the folder for this process alone; nothing if another one has it.
pub(super) fn lock(directory: &Path) -> Result<Option<File>, SpoolFault> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(directory).map_err(disk(directory))?;
    let path = directory.join("lock");
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(disk(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(disk(&path)(error)),
    }
}

/// What a former process left in a folder.
pub(super) fn left(directory: &Path, master: &Master) -> Result<Vec<FrameRef>, SpoolFault> {
    let entries = std::fs::read_dir(directory).map_err(disk(directory))?;
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(disk(directory))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            all.extend(scan(&path, master)?);
        }
    }
    Ok(all)
}

/// The frames of a file that are not in Kafka yet. What cannot be read at its end was never
/// acknowledged, because the next frame is written only after the one before is synced.
fn scan(path: &Path, master: &Master) -> Result<Vec<FrameRef>, SpoolFault> {
    let bytes = std::fs::read(path).map_err(disk(path))?;
    let Preamble::Salt(salt) = preamble(&bytes) else {
        tracing::warn!(path = %path.display(), "a file was never finished");
        remove(path)?;
        return Ok(Vec::new());
    };
    let cipher = master.cipher(&salt);
    if !cipher.wrote(&bytes) {
        return Err(SpoolFault::OtherKey(path.to_owned()));
    }
    let written_at = written_at(path);
    let segment = Arc::new(Segment { path: path.to_owned(), cipher });
    let drained = segment.drained();
    let mut frames = Vec::new();
    let (mut offset, mut number) = (PREAMBLE_BYTES, 0);
    while let Some((records, length)) = segment.cipher.open(number, &bytes[offset..]) {
        if number >= drained {
            frames.push(FrameRef {
                segment: Arc::clone(&segment),
                number,
                offset: offset as u64,
                length: length as u64,
                records: records.len() as u64,
                written_at,
            });
        }
        offset += length;
        number += 1;
    }
    if segment.cipher.finds_any(&bytes[offset..]) {
        return Err(SpoolFault::Damaged { path: path.to_owned(), offset });
    }
    if offset < bytes.len() {
        tracing::warn!(path = %path.display(), bytes = bytes.len() - offset, "the end of a file was never finished");
    }
    if frames.is_empty() {
        remove(path)?;
    }
    Ok(frames)
}

/// The name of a file begins with the time it was made.
fn written_at(path: &Path) -> i64 {
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    name.split('-').next().and_then(|ms| ms.parse().ok()).unwrap_or(0)
}

fn remove(path: &Path) -> Result<(), SpoolFault> {
    std::fs::remove_file(path).map_err(disk(path))?;
    let beside = path.with_extension(DRAINED);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk(&beside)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

impl Segment {
    /// A new file whose name sorts behind every earlier one, and its synced beginning.
    pub(super) fn begin(directory: &Path, master: &Master, count: u64) -> Result<(Arc<Self>, File), SpoolFault> {
        let path = directory.join(format!("{:015}-{count:010}.{EXTENSION}", clock::now().as_ms()));
        let mut salt = [0; SALT_BYTES];
        let random = SystemRandom::new().fill(&mut salt);
        random.map_err(|_| disk(&path)(std::io::Error::other("no randomness")))?;
        let cipher = master.cipher(&salt);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path).map_err(disk(&path))?;
        file.write_all(&cipher.preamble(&salt)).and_then(|()| file.sync_all()).map_err(disk(&path))?;
        File::open(directory).and_then(|folder| folder.sync_all()).map_err(disk(directory))?;
        Ok((Arc::new(Self { path, cipher }), file))
    }

    /// Sorts behind the names of earlier files.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }

    pub(super) fn cipher(&self) -> &Cipher {
        &self.cipher
    }

    /// The records of a frame of this file.
    pub(super) fn read(&self, frame: &FrameRef) -> Result<Vec<Output>, SpoolFault> {
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        let mut file = File::open(&self.path).map_err(disk(&self.path))?;
        file.seek(SeekFrom::Start(frame.offset)).and_then(|_| file.read_exact(&mut bytes)).map_err(disk(&self.path))?;
        let opened = self.cipher.open(frame.number, &bytes).map(|(records, _)| records);
        let offset = usize::try_from(frame.offset).unwrap_or(usize::MAX);
        opened.ok_or_else(|| SpoolFault::Damaged { path: self.path.clone(), offset })
    }

    /// How many frames are in Kafka. An unreadable note means none: they go again.
    fn drained(&self) -> u64 {
        let note = std::fs::read_to_string(self.path.with_extension(DRAINED)).unwrap_or_default();
        note.trim().parse().unwrap_or(0)
    }

    /// Notes that this many frames are in Kafka. Not synced: after a power cut some go twice.
    pub(super) fn note_drained(&self, frames: u64) -> Result<(), SpoolFault> {
        let path = self.path.with_extension(DRAINED);
        std::fs::write(&path, format!("{frames}\n")).map_err(disk(&path))
    }

    /// The file is done with.
    pub(super) fn remove(&self) -> Result<(), SpoolFault> {
        remove(&self.path)
    }
}
