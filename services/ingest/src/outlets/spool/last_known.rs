//! A copy of what the followed topics say, beside the spool and encrypted as it is: what a process goes
//! by that starts while Kafka is away.
//!
//! Written anew by every process that reads the topics from their beginning, under another name until
//! it has read all; what comes later is added. A torn end is passed over: Kafka has it.

use std::fs::{File, OpenOptions};
use std::io::{Error, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use stream::Output;

use super::Spool;
use super::frame::{Cipher, Master, PREAMBLE_BYTES, Preamble, SALT_BYTES, preamble};

const NAME: &str = "last-known";
/// Until all has been read.
const UNFINISHED: &str = "last-known.new";
/// Bytes of records that are written together while there is much to read.
const FRAME_BYTES_MAX: usize = 256 << 10;
/// Bytes of the copy; beyond it nothing is added until a next process begins anew.
const COPY_BYTES_MAX: usize = 2 << 30;

/// The copy, in the folder that this process has for itself.
pub struct LastKnown {
    /// Holds the folder.
    spool: Arc<Spool>,
    master: Master,
    writing: Option<Writing>,
}

struct Writing {
    file: File,
    cipher: Cipher,
    frames: u64,
    bytes: usize,
    waiting: Vec<Output>,
    waiting_bytes: usize,
    is_whole: bool,
}

impl LastKnown {
    /// The copy in this spool's folder; `secret` is the spool's.
    pub fn of(spool: Arc<Spool>, secret: &[u8]) -> Self {
        Self { spool, master: Master::new(secret), writing: None }
    }

    /// What a former process read, in order; nothing if there is no copy that this secret can read.
    pub fn read(&self) -> Vec<Output> {
        let Ok(bytes) = std::fs::read(self.path(NAME)) else {
            return Vec::new();
        };
        let Preamble::Salt(salt) = preamble(&bytes) else {
            return Vec::new();
        };
        let cipher = self.master.cipher(&salt);
        let (mut all, mut offset, mut number) = (Vec::new(), PREAMBLE_BYTES, 0);
        while let Some((records, length)) = cipher.open(number, &bytes[offset..]) {
            all.extend(records);
            offset += length;
            number += 1;
        }
        all
    }

    /// Adds what was read; the first record begins a new copy.
    ///
    /// # Errors
    /// The disk cannot be written: the copy is of no use any more.
    pub fn add(&mut self, record: Output) -> Result<(), Error> {
        if self.writing.is_none() {
            self.writing = Some(self.begin()?);
        }
        let Some(writing) = &mut self.writing else { return Ok(()) };
        writing.waiting_bytes += record.key.len() + record.payload.as_ref().map_or(0, Vec::len);
        writing.waiting.push(record);
        if writing.is_whole || writing.waiting_bytes >= FRAME_BYTES_MAX { writing.flush() } else { Ok(()) }
    }

    /// All that was there has been read: the copy takes the place of the one before.
    ///
    /// # Errors
    /// The disk cannot be written.
    pub fn complete(&mut self) -> Result<(), Error> {
        let (from, to) = (self.path(UNFINISHED), self.path(NAME));
        let Some(writing) = &mut self.writing else { return Ok(()) };
        writing.flush()?;
        writing.file.sync_all()?;
        std::fs::rename(from, to)?;
        writing.is_whole = true;
        File::open(&self.spool.own)?.sync_all()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.spool.own.join(name)
    }

    fn begin(&self) -> Result<Writing, Error> {
        let mut salt = [0; SALT_BYTES];
        SystemRandom::new().fill(&mut salt).map_err(|_| Error::other("no randomness"))?;
        let cipher = self.master.cipher(&salt);
        let mut how = OpenOptions::new();
        let mut file = how.create(true).truncate(true).write(true).mode(0o600).open(self.path(UNFINISHED))?;
        file.write_all(&cipher.preamble(&salt))?;
        let (waiting, bytes) = (Vec::new(), PREAMBLE_BYTES);
        Ok(Writing { file, cipher, frames: 0, bytes, waiting, waiting_bytes: 0, is_whole: false })
    }
}

impl Writing {
    fn flush(&mut self) -> Result<(), Error> {
        let records = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        if records.is_empty() || self.bytes > COPY_BYTES_MAX {
            return Ok(());
        }
        let frame =
            self.cipher.seal(self.frames, &records).ok_or_else(|| Error::other("a frame of more than 4 GiB"))?;
        self.file.write_all(&frame)?;
        self.frames += 1;
        self.bytes += frame.len();
        Ok(())
    }
}
