//! The reserve: a file beside the database whose blocks are allocated, so that a full disk does not keep the daemon from
//! ending and deleting jobs. It is shortened step by step while the disk is full, and made whole when there is space
//! again. Another program that fills the disk may take what was released, so no more is released than is needed.
//!
//! How far it goes: SQLite writes a change into its WAL first, which is checkpointed each 4 MiB. A cancelled job takes
//! about 3 KiB of the database. So the reserve is enough for thousands of jobs that are cancelled or that end. A file
//! system that compresses or copies on write may not keep all of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use super::JobStoreError;
use crate::store::space;

/// Bytes of the reserve; on a small disk an eighth of it.
pub const RESERVE_BYTES: u64 = 16 << 20;
/// Part of a disk that the reserve takes at most.
const DISK_PART: u64 = 8;
/// Parts in which the reserve is released.
const STEPS: u64 = 4;
/// Name of the file.
const NAME: &str = "reserve";
/// Space that must be free where SQLite has failed for another reason than a full disk.
const FREE_BYTES_MIN: u64 = 64 << 10;

/// The reserve of a state directory.
#[derive(Debug)]
pub(super) struct Reserve {
    dir: PathBuf,
    wanted: u64,
    bytes: u64,
}

impl Reserve {
    /// The reserve in `dir`, with what an earlier daemon has left of it.
    pub(super) fn of(dir: &Path) -> Self {
        let disk = space::of(dir).map_or(u64::MAX, |space| space.total_bytes);
        let wanted = RESERVE_BYTES.min(disk / DISK_PART);
        let found = fs::metadata(dir.join(NAME)).map_or(0, |file| file.len());
        Self {
            dir: dir.into(),
            wanted,
            bytes: found.min(wanted),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn is_whole(&self) -> bool {
        self.bytes == self.wanted
    }

    /// Whether reserve, free disk and so many further bytes leave space for new jobs; see [`super::Store::has_space`].
    pub(super) fn suffices_with(&self, further: u64, before: bool) -> bool {
        // A disk that does not answer is no reason to refuse jobs: the store itself will fail.
        let free = space::of(&self.dir).map_or(u64::MAX, |space| space.free_bytes);
        let steps = if before { 1 } else { 2 };
        let available = self.bytes.saturating_add(free).saturating_add(further);
        available >= self.wanted + steps * self.step()
    }

    fn step(&self) -> u64 {
        self.wanted.div_ceil(STEPS)
    }

    /// Whether an error of the store means that the disk is full. SQLite reports a quota, and a full disk beside the
    /// database, as another error of the disk.
    pub(super) fn is_needed(&self, error: &JobStoreError) -> bool {
        match error {
            JobStoreError::DiskFull(_) => true,
            JobStoreError::Io { .. } => space::has(&self.dir, FREE_BYTES_MIN) == Ok(false),
            _ => false,
        }
    }

    /// Releases a part of the reserve. Returns false if nothing is left of it.
    pub(super) fn release(&mut self) -> bool {
        if self.bytes == 0 {
            return false;
        }
        let left = self.bytes.saturating_sub(self.step());
        let released = self.open().and_then(|file| file.set_len(left));
        match released {
            Ok(()) => self.bytes = left,
            Err(error) => {
                tracing::warn!("the reserve of the state directory: {error}");
                self.bytes = 0;
            }
        }
        true
    }

    /// Makes it whole if that leaves as much free as one step: a disk that is just less than full stays full.
    pub(super) fn make(&mut self) {
        let missing = self.wanted - self.bytes;
        if missing == 0 || space::has(&self.dir, missing + self.step()) != Ok(true) {
            return;
        }
        match self
            .open()
            .and_then(|file| allocate(&file, self.bytes, self.wanted))
        {
            Ok(()) => self.bytes = self.wanted,
            Err(error) => {
                tracing::debug!("the reserve of the state directory: {error}");
                // What was allocated of it is given back.
                self.open().and_then(|file| file.set_len(self.bytes)).ok();
            }
        }
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.dir.join(NAME))
    }
}

/// Gives a file of `from` bytes blocks up to `to`.
fn allocate(mut file: &File, from: u64, to: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), from, to - from) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        allocated => return Ok(allocated?),
    }
    file.seek(SeekFrom::Start(from))?;
    let zeros = [0; 64 << 10];
    let mut left = to - from;
    while left > 0 {
        let now = left.min(zeros.len() as u64);
        file.write_all(&zeros[..now as usize])?;
        left -= now;
    }
    file.sync_all()
}
