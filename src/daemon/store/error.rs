//! Errors of the job store.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::{Error as Sql, ErrorCode};

use crate::{daemon::job::JobId, store::plain};

/// Why the job store cannot be opened, read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobStoreError {
    /// Another daemon uses it.
    #[error("{}: in use by another daemon{}", path.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Busy {
        /// The state directory.
        path: PathBuf,
        /// Process id of that daemon, if it is known.
        holder: Option<u32>,
    },
    /// It was written by a later version of molsieve.
    #[error(
        "{}: has schema {found} and needs {}; this is molsieve {}, which knows up to schema {known}",
        path.display(), needed(needs.as_deref()), env!("CARGO_PKG_VERSION"),
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema known here.
        known: u32,
        /// The version of molsieve that has brought it to that schema, if it says so.
        needs: Option<String>,
    },
    /// There is no job store where a copy of one was asked for.
    #[error("{}: has no job store; name the daemon's state directory with --state", .0.display())]
    NoStore(PathBuf),
    /// The file to write exists already.
    #[error("{}: exists already", .0.display())]
    Exists(PathBuf),
    /// It was written by another program.
    #[error("{}: not a job store of molsieve; the file is left unchanged", .0.display())]
    Foreign(PathBuf),
    /// It is damaged.
    #[error("{}: damaged: {reason}; the file is left unchanged, move it away to start with an empty store", path.display())]
    Damaged {
        /// The database.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The disk is full. The transaction is rolled back.
    #[error("{}: no space left on the disk", .0.display())]
    DiskFull(PathBuf),
    /// The operating system reports an error. The transaction is rolled back.
    #[error("{}: cannot {action}: {reason}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's message.
        reason: String,
    },
    /// A thread of the daemon cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(String),
    /// A job to change does not exist.
    #[error("the store holds no job {0}")]
    NoJob(JobId),
    /// SQLite reports another error, for example because another program holds a lock on the database.
    #[error("{}: {reason}", path.display())]
    Sql {
        /// The database.
        path: PathBuf,
        /// SQLite's message.
        reason: String,
    },
}

/// The version to install.
fn needed(version: Option<&str>) -> String {
    match version {
        Some(version) => format!("molsieve {version} or later"),
        None => "a later version of molsieve".into(),
    }
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
