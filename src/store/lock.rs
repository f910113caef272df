//! The lock of an output directory: one process at a time works in it.
//!
//! It is the kernel's lock on `.molsieve/lock`, so the kernel releases it when its process ends, and nobody ever
//! has to remove a stale lock. That may take a moment, so nobody gives up at once.

use std::path::Path;

use super::{
    StoreError,
    disk::{self, DiskFile},
};

/// The lock, held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: DiskFile,
}

impl Lock {
    /// Takes the lock at `path`. Fails with [`StoreError::Busy`] if `directory` is in use.
    pub(super) fn take(path: &Path, directory: &Path) -> Result<Self, StoreError> {
        let file = DiskFile::create(path)?;
        // The process that held the lock before may have removed the file after we opened it.
        if !file.try_lock()? || !file.is_at_its_path() {
            return Err(StoreError::Busy(directory.into()));
        }
        Ok(Self { file })
    }

    /// Whether a process holds the lock.
    pub(super) fn is_held(path: &Path) -> Result<bool, StoreError> {
        if !path.exists() {
            return Ok(false);
        }
        Ok(!DiskFile::open(path)?.try_lock()?)
    }

    /// Removes the lock's file and its folder. Must be the last change in the directory.
    pub(super) fn remove(self, folder: &Path) -> Result<(), StoreError> {
        disk::remove(self.file.path())?;
        disk::remove(folder)
    }
}
