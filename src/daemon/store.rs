//! The daemon's jobs on disk. The store is authoritative; in memory the daemon keeps only what scheduling
//! needs.
//!
//! The state directory holds, all of it readable by the daemon's user only:
//!
//! | file | what |
//! |---|---|
//! | `lock` | locked by the running daemon (`flock`); contains its process id |
//! | `jobs.sqlite3` | the database; `application_id` is "mols", `user_version` the schema's number |
//! | `jobs.sqlite3-wal`, `-shm` | SQLite's write-ahead log and its index |
//! | `reserve` | zeros that keep disk space free ([`RESERVE_BYTES`]) |
//!
//! | table | key | what |
//! |---|---|---|
//! | `jobs` | `id`, never reused | `uid`, `priority`, `submitted_at`; `given`: the rest of what never changes; `course`: what does, as `priority`; `settings` |
//! | `events` | `job_id`, `seq` | `course` after that event, and the time |
//! | `labels` | `label`, `job_id` | the labels of each job |
//! | `waits` | `job_id`, `for_id` | the jobs that a job waits for |
//! | `notifications` | `job_id` | jobs whose end is still to be notified |
//! | `idempotency` | `uid`, `key` | the job submitted with that key, and SHA-256 of what was submitted |
//! | `recent_use` | `uid` | how much of the node the user has had lately (`schedule`), and when that was computed |
//! | `writers` | `schema` | the version of molsieve that has brought the file to that schema; not in files of before |
//! | `logs` | `job_id`, `chunk` | output of the job processes; chunk n begins at byte n × 8 KiB |
//!
//! `given`, `course` and `settings` are JSON. `jobs.state` and `jobs.ended_at` repeat values of `course` for
//! the indexes; a CHECK keeps them equal. Deleting the row of a job deletes its events, log and key.
//!
//! **Unreadable settings.** `settings` may be of another version, or damaged. They are read when the job is
//! admitted; a job whose settings cannot be read fails with that error, and other jobs are not affected.
//!
//! **Durability.** A request is answered after the commit of its transaction, and a commit is synced (WAL,
//! `synchronous = FULL`): an answered change survives a kill, and a power failure if the disk keeps what it
//! has synced. A transaction without an answer is kept as a whole or not at all. After an error the
//! transaction is rolled back, and the store stays usable.
//!
//! **A full disk.** [`Store::write`] fails, and keeps what there is. [`Store::write_from_reserve`] shortens `reserve` step
//! by step until the transaction succeeds: that is for changes that end jobs or delete them. [`Store::refill`] makes it
//! whole again. A deleted job leaves its pages to later ones without making the database smaller, so
//! [`Store::has_space`] counts them too.
//!
//! **Migrations.** `store/migrations/NNNN.sql` brings schema NNNN - 1 to NNNN, each in one
//! transaction that also sets `user_version` and adds a row to `writers`. A released one is never edited. A schema newer
//! than this program's is refused, with the version that it needs. A field that is added to `given` or `course` needs
//! `#[serde(default)]`.
//!
//! **Limits.** Events of a job: the first 10 and the last 200. Log of a job: the first 512 KiB, and
//! the last 512 KiB up to the beginning of a chunk. WAL: checkpointed each 4 MiB, and cut back to
//! that. The file does not shrink: later jobs reuse the space of deleted ones. SQLite's
//! page cache: 1 MiB for the [`Store`], 1 MiB for a [`Reader`].

mod backup;
mod error;
mod log;
mod open;
mod reader;
mod recent;
mod reserve;
mod row;
#[cfg(test)]
mod tests;
mod tx;
mod writer;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, TransactionBehavior};

use self::reserve::Reserve;
pub use self::{
    backup::{Copied, backup},
    error::JobStoreError,
    reader::Reader,
    reserve::RESERVE_BYTES,
    tx::{Inserted, Tx},
};
use super::job::{Job, JobId, State};

/// The job store; one process at a time opens it for a state directory.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    reserve: Reserve,
    _lock: File,
}

impl Store {
    /// Opens the store in `dir`, or creates it. Checks the whole file up to 1 GiB, and all but the logs of a
    /// larger one.
    pub fn open(dir: &Path) -> Result<Self, JobStoreError> {
        open::store(dir)
    }

    /// Does `work` in one transaction, and commits it. If `work` or any call to `tx` fails, rolls it back.
    pub fn write<T, E: From<JobStoreError>>(
        &mut self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = &self.path;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| JobStoreError::sql(path, error))?;
        let tx = Tx::new(transaction, path);
        let answer = work(&tx)?;
        tx.commit()?;
        Ok(answer)
    }

    /// The same, and takes the space from the reserve if the disk is full.
    pub fn write_from_reserve<T>(
        &mut self,
        work: impl Fn(&Tx<'_>) -> Result<T, JobStoreError>,
    ) -> Result<T, JobStoreError> {
        let mut restarted = false;
        loop {
            match self.write(&work) {
                Err(error) if self.reserve.is_needed(&error) => {
                    let has_space = !std::mem::replace(&mut restarted, true) && self.restart_log();
                    if !has_space && !self.reserve.release() {
                        return Err(error);
                    }
                }
                written => return written,
            }
        }
    }

    /// Moves what SQLite's log has into the database, so that the next change overwrites the log from its beginning.
    /// Returns whether that was possible.
    fn restart_log(&self) -> bool {
        let restart = "PRAGMA wal_checkpoint(RESTART)";
        let moved = self.connection.query_row(restart, [], |row| {
            let [busy, log, moved] = [row.get(0)?, row.get::<_, i64>(1)?, row.get(2)?];
            Ok(busy == 0 && log > 0 && log == moved)
        });
        moved.unwrap_or(false)
    }

    /// Whether an error means that the disk is full.
    pub fn is_full(&self, error: &JobStoreError) -> bool {
        self.reserve.is_needed(error)
    }

    /// Makes the reserve whole if the disk has the space.
    pub fn refill(&mut self) {
        self.reserve.make();
    }

    /// Bytes of the reserve, and whether that is all of it.
    pub fn reserve(&self) -> (u64, bool) {
        (self.reserve.bytes(), self.reserve.is_whole())
    }

    /// Whether there is space for new jobs: the reserve, what is free on the disk and the free pages of the database are
    /// together more than the whole reserve by one step; by two, if there was none before.
    pub fn has_space(&self, before: bool) -> Result<bool, JobStoreError> {
        if self.reserve.suffices_with(0, before) {
            return Ok(true);
        }
        let ask = |name| {
            let asked = self
                .connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            asked.map_err(|error| JobStoreError::sql(&self.path, error))
        };
        let pages = ask("freelist_count")?.saturating_mul(ask("page_size")?);
        Ok(self.reserve.suffices_with(pages.unsigned_abs(), before))
    }

    /// Passes on every job that has not ended, state by state, the oldest of each first. Their settings are not
    /// read: they are null.
    pub fn each_unfinished(&self, mut on: impl FnMut(Job)) -> Result<(), JobStoreError> {
        State::ALL
            .into_iter()
            .filter(|state| !state.is_final())
            .try_for_each(|state| row::each_in(&self.connection, state, &mut on))
            .map_err(|error| JobStoreError::sql(&self.path, error))
    }

    /// The jobs whose end is still to be notified, with their users.
    pub fn notifications(&self) -> Result<Vec<(JobId, u32)>, JobStoreError> {
        tx::links::due(&self.connection).map_err(|error| JobStoreError::sql(&self.path, error))
    }

    /// Number of jobs in each state.
    pub fn counts(&self) -> Result<BTreeMap<State, u64>, JobStoreError> {
        let count = |state| Ok((state, row::count_in(&self.connection, state)?));
        State::ALL
            .into_iter()
            .map(count)
            .collect::<rusqlite::Result<_>>()
            .map_err(|error| JobStoreError::sql(&self.path, error))
    }
}
