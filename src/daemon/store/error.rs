//! Why the job store can't do something.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Error as Sql, ErrorCode};

use crate::{daemon::job::JobId, store::plain};

/// Why the job store can't be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobStoreError {
    /// Another daemon works with it.
    #[error("{}: in use by another daemon{}", path.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Busy {
        /// The state directory.
        path: PathBuf,
        /// Process id of that daemon, if it says.
        holder: Option<u32>,
    },
    /// A later version of molsieve has written it.
    #[error("{}: has schema {found}, this version of molsieve knows up to {known}; install the later version again", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema known here.
        known: u32,
    },
    /// Another program has written it.
    #[error("{}: not a job store of molsieve; it is left alone", .0.display())]
    Foreign(PathBuf),
    /// It is not what was written.
    #[error("{}: damaged: {reason}; it is left as it is, move it away to start with an empty one", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk is full. Nothing of the transaction was kept.
    #[error("{}: no space left on the disk", .0.display())]
    DiskFull(PathBuf),
    /// The operating system refuses. Nothing of the transaction was kept.
    #[error("{}: cannot {action}: {reason}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Its words.
        reason: String,
    },
    /// A thread of the daemon can't be started.
    #[error("cannot start a thread: {0}")]
    Thread(String),
    /// A job that was to be changed is not there.
    #[error("the store holds no job {0}")]
    NoJob(JobId),
    /// SQLite refuses for another reason, for example because another program keeps the database
    /// locked.
    #[error("{}: {reason}", path.display())]
    Sql {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        reason: String,
    },
}

impl JobStoreError {
    /// Wraps an error of the operating system.
    pub(super) fn io(path: &Path, action: &'static str, error: &io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path),
            _ => Self::Io {
                path,
                action,
                reason: plain(error),
            },
        }
    }

    /// Wraps an error of SQLite.
    pub(super) fn sql(path: &Path, error: Sql) -> Self {
        let reason = error.to_string();
        let path = path.into();
        match (&error, error.sqlite_error_code()) {
            (_, Some(ErrorCode::DiskFull)) => Self::DiskFull(path),
            (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            | (
                Sql::FromSqlConversionFailure(..)
                | Sql::IntegralValueOutOfRange(..)
                | Sql::InvalidColumnType(..)
                | Sql::Utf8Error(..),
                _,
            ) => Self::Damaged { path, reason },
            (_, Some(ErrorCode::SystemIoFailure)) => Self::Io {
                path,
                action: "read or write",
                reason,
            },
            (
                _,
                Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly),
            ) => Self::Io {
                path,
                action: "open",
                reason,
            },
            _ => Self::Sql { path, reason },
        }
    }
}
