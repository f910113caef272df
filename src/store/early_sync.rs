//! Syncs a file while it is being written, so that little is left to be synced when somebody waits for it.

use std::{
    io,
    thread::{self, JoinHandle},
};

use super::{StoreError, disk::DiskFile};

/// A sync on a thread of its own, if one has begun. Its error is returned by a later call.
#[derive(Debug, Default)]
pub(super) struct EarlySync(Option<JoinHandle<Result<(), StoreError>>>);

impl EarlySync {
    /// Begins to sync what is in the file, unless an earlier sync is still at it.
    pub fn begin(&mut self, file: &DiskFile) -> Result<(), StoreError> {
        if self.0.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return Ok(());
        }
        self.end(file)?;
        let duplicate = file.duplicate()?;
        let thread = thread::Builder::new()
            .name("sync".into())
            .spawn(move || duplicate.sync());
        let started = thread.map_err(|e| StoreError::io(file.path(), "start a thread to sync", &e));
        self.0 = Some(started?);
        Ok(())
    }

    /// Waits for the sync that has begun.
    pub fn end(&mut self, file: &DiskFile) -> Result<(), StoreError> {
        let Some(thread) = self.0.take() else {
            return Ok(());
        };
        thread.join().unwrap_or_else(|_| {
            let panicked = io::Error::other("its thread has panicked");
            Err(StoreError::io(file.path(), "sync", &panicked))
        })
    }
}
