//! The daemon's jobs on the disk. What is in here is the truth; the daemon keeps only what it
//! schedules by.
//!
//! The state directory holds, all of it readable by the daemon's user only:
//!
//! | file | what |
//! |---|---|
//! | `lock` | held by the daemon that works here (`flock`); says its process id |
//! | `jobs.sqlite3` | the database; `application_id` is "mols", `user_version` the schema's number |
//! | `jobs.sqlite3-wal`, `-shm` | SQLite's write-ahead log and its index |
//!
//! | table | key | what |
//! |---|---|---|
//! | `jobs` | `id`, never used twice | `uid`, `priority`, `submitted_at`; `given`: the rest of what never changes; `course`: what does; `settings` |
//! | `events` | `job_id`, `seq` | `course` as it was after that event, and when |
//! | `idempotency` | `uid`, `key` | the job submitted with that key, and SHA-256 of what was submitted |
//! | `logs` | `job_id`, `chunk` | bytes of what the workers said; chunk n begins at byte n × 8 KiB |
//!
//! `given`, `course` and `settings` are JSON. `jobs.state` and `jobs.ended_at` repeat what `course`
//! says, for the indexes; a CHECK holds them to it. Everything of a job goes with its row.
//!
//! **Durability.** A transaction is answered after its commit, and a commit is synced (WAL,
//! `synchronous = FULL`): what was answered survives a kill and a power failure, as far as the disk
//! keeps what it said it had synced. Of a transaction that was not answered either all or nothing
//! is there later. After an error nothing of the transaction stays, and the store goes on.
//!
//! **Migrations.** `store/migrations/NNNN.sql` brings schema NNNN - 1 to NNNN, each in one
//! transaction that also sets `user_version`. A released one is never edited. A newer schema than
//! this program knows is refused. A field that is added to `given` or `course` needs
//! `#[serde(default)]`.
//!
//! **Caps.** Events of a job: the first 10 and the last 200. Log of a job: the first 512 KiB, and
//! the last 512 KiB up to the beginning of a chunk. WAL: checkpointed each 4 MiB, and cut back to
//! that. The file does not shrink: what is removed or pruned leaves room for the next. SQLite's
//! page cache: 1 MiB for the [`Store`], 1 MiB for a [`Reader`].

mod error;
mod log;
mod open;
mod reader;
mod row;
#[cfg(test)]
mod tests;
mod tx;

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
};

use rusqlite::{Connection, TransactionBehavior};

pub use self::{
    error::JobStoreError,
    reader::Reader,
    tx::{Inserted, Tx},
};
use super::job::{Demand, Ending, JobId, Millis, ProcessIdentity, State};

/// States of a job that has not ended.
const UNFINISHED: [State; 5] = [
    State::Queued,
    State::Starting,
    State::Running,
    State::Stopping,
    State::Interrupted,
];
/// States of a job that has.
const ENDED: [State; 3] = [State::Done, State::Failed, State::Cancelled];

/// The jobs; one of its kind for a state directory.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    _lock: File,
}

/// What scheduling needs of a job that has not ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// Its number.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// Its priority.
    pub priority: i32,
    /// What it takes of the node.
    pub demand: Demand,
    /// Where it stands.
    pub state: State,
    /// Why its worker was asked to stop, if it was.
    pub ending: Option<Ending>,
    /// When it was submitted.
    pub submitted_at: Millis,
    /// When it may go on, if it is interrupted.
    pub retry_at: Option<Millis>,
    /// Its worker, while there is one.
    pub worker: Option<ProcessIdentity>,
}

impl Store {
    /// Opens the store in `dir`, and makes it if there is none. Checks the whole file up to 1 GiB;
    /// of a larger one all but the logs.
    pub fn open(dir: &Path) -> Result<Self, JobStoreError> {
        open::store(dir)
    }

    /// Does `work` in one transaction, and commits it. If `work` or any call to `tx` fails, nothing
    /// of it stays.
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

    /// Shows every job that has not ended to `visit`, state by state, the oldest of each first.
    /// Their settings are not read.
    pub fn unfinished(&self, mut visit: impl FnMut(Unfinished)) -> Result<(), JobStoreError> {
        UNFINISHED
            .into_iter()
            .try_for_each(|state| row::visit_in(&self.connection, state, &mut visit))
            .map_err(|error| JobStoreError::sql(&self.path, error))
    }

    /// How many jobs are in each state.
    pub fn counts(&self) -> Result<BTreeMap<State, u64>, JobStoreError> {
        let count = |state| Ok((state, row::count_in(&self.connection, state)?));
        UNFINISHED
            .into_iter()
            .chain(ENDED)
            .map(count)
            .collect::<rusqlite::Result<_>>()
            .map_err(|error| JobStoreError::sql(&self.path, error))
    }
}
