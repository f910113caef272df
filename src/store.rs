//! Files on the disk: those that appear whole or not at all, and those a run keeps for itself.
//!
//! An output directory holds published files: parts in `products/`, where nothing else ever is, the others in
//! the directory itself. While a job is unfinished there is the folder `.molsieve/` too:
//!
//! | file | what | format |
//! |---|---|---|
//! | `lock` | held by the process that works here | empty; `flock` |
//! | `NAME.tmp` | what will be published as `NAME`, or as `products/NAME` | its own |
//! | `job`, `checkpoint`, `poisoned` | what the run is, how far it is, whom it must not try again | [`sealed`] |
//! | `keys`, `maybe-keys`, `maybe-rows`, `rejects` | what waits for the end | [`spill`] |
//! | `part-rows` | the rows of the part under way, from which it is made again | [`spill`] |
//! | `survivors` | which *maybe* rows survive, once that is decided | [`spill`] |
//! | `in-work` | the parents in work | see [`crate::pipeline`] |
//! | `settle/` | partitions | [`spill`] |
//!
//! A file is published in the order that survives a power failure: written as `NAME.tmp`, closed,
//! synced, renamed into place, and then the directory is synced. An error of fsync is an error of the
//! job: what it lost can't be known.
//!
//! [`disk`] has every call to the file system, so that tests can make each of them fail.

pub mod disk;
mod lock;
mod output;
pub mod sealed;
pub mod spill;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use output::{Existing, Found, OutputDir, PRODUCTS_DIR, PendingFile, Published, part_name};

/// Folder for whatever is unfinished.
pub const WORK_DIR: &str = ".molsieve";

/// Why a file or directory can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The output directory holds files and neither `--overwrite` nor `--resume` was given.
    #[error("{}: the output directory is not empty; use --overwrite to replace what is in it", .0.display())]
    NotEmpty(PathBuf),
    /// The output directory holds a run that was interrupted.
    #[error("{}: holds an unfinished run; use --resume to go on with it, or --overwrite to start again", .0.display())]
    Unfinished(PathBuf),
    /// `--resume` was given, and the directory holds no run.
    #[error("{}: holds no run that could be resumed; use --overwrite to replace what is in it", .0.display())]
    NoRun(PathBuf),
    /// `--overwrite` was given, but the directory holds something molsieve did not write.
    #[error("{}: not written by molsieve, so --overwrite leaves it alone; use another directory", .0.display())]
    Foreign(PathBuf),
    /// Another process works there.
    #[error("{}: another molsieve process is working in this directory", .0.display())]
    Busy(PathBuf),
    /// The output path is a file.
    #[error("{}: the output must be a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The disk is full.
    #[error("{}: no space left on the disk", .0.display())]
    DiskFull(PathBuf),
    /// A file that a run keeps for itself is not what was written.
    #[error("{}: damaged: {reason}; the run can't go on from it, use --overwrite to start again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The run was begun by a molsieve that keeps other files.
    #[error("{}: another version of molsieve began this run, and this one can't resume it; resume it with that version, or use --overwrite to start again", .0.display())]
    OtherVersion(PathBuf),
    /// Any other refusal by the file system.
    #[error("{}: cannot {action}: {reason}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The operating system's words.
        reason: String,
    },
}

impl StoreError {
    /// Wraps an error of the operating system.
    pub fn io(path: &Path, action: &'static str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull(path.into())
            }
            _ => Self::Io {
                path: path.into(),
                action,
                reason: plain(error),
            },
        }
    }

    /// A file that does not hold what was written into it.
    pub fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// The operating system's words without Rust's "(os error 2)".
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    let mut chars = text[..end].chars();
    // Sentences in the middle of a line begin small.
    chars
        .next()
        .map(|first| first.to_lowercase().chain(chars).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_shown_plainly() {
        assert_eq!(
            plain(&io::Error::from_raw_os_error(13)),
            "permission denied"
        );
        let full = StoreError::io(Path::new("x"), "write", &io::Error::from_raw_os_error(28));
        assert_eq!(full, StoreError::DiskFull("x".into()));
    }
}
