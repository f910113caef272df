//! The lock of an output directory: one process at a time works in it.
//!
//! It is the kernel's lock on `.molsieve/lock`, so it ends with the process that holds it, however that
//! ends, and never has to be cleared away by hand. A child that the process was just making may hold it some
//! milliseconds longer.

use std::path::Path;

use super::{
    StoreError,
    disk::{self, DiskFile},
};

/// The lock, held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: DiskFile,
}

impl Lock {
    /// Takes the lock at `path`, or says that `directory` is in use.
    pub(super) fn take(path: &Path, directory: &Path) -> Result<Self, StoreError> {
        let file = DiskFile::create(path)?;
        // Whoever held it before may have removed the file between our opening and our locking it.
        if !file.try_lock_patiently()? || !file.is_at_its_path() {
            return Err(StoreError::Busy(directory.into()));
        }
        Ok(Self { _file: file })
    }

    /// Whether some process holds the lock just now.
    pub(super) fn is_held(path: &Path) -> Result<bool, StoreError> {
        if !path.exists() {
            return Ok(false);
        }
        Ok(!DiskFile::open(path)?.try_lock()?)
    }

    /// Removes the lock's file and the folder around it. To be the last act in the directory.
    pub(super) fn remove(self, path: &Path, folder: &Path) -> Result<(), StoreError> {
        disk::remove(path)?;
        disk::remove(folder)
    }
}
