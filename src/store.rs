//! Files on the disk: published files, which appear whole or not at all, and the working files of a run.
//!
//! An output directory holds published files: parts in `products/`, which holds nothing else, the others in
//! the directory itself. While a job is unfinished the directory also holds the folder `.molsieve/`:
//!
//! | file | what | format |
//! |---|---|---|
//! | `lock` | the process that works here holds this lock | empty; `flock` |
//! | `NAME.tmp` | a file that will be published as `NAME` or as `products/NAME` | that of the file |
//! | `job`, `checkpoint`, `poisoned` | the settings of the run, how far it is, the parents that it must not try again | [`sealed`] |
//! | `keys`, `maybe-keys`, `maybe-rows`, `rejects` | keys, rows and rejects that are needed at the end of the run | [`spill`] |
//! | `part-rows` | the rows of the unfinished part, from which a resumed run encodes the part again | [`spill`] |
//! | `survivors` | which *maybe* rows are new, once that is decided | [`spill`] |
//! | `drops` | with `--explain-drops`: the sample of what the job drops | [`sealed`] |
//! | `in-work` | the parents that workers are processing | see [`crate::pipeline`] |
//! | `seen-rows` | with `--duplicates`, the rows that a deduplication has seen | [`spill`] |
//! | `settle/`, `duplicates/` | partitions and sorted runs | [`spill`] |
//!
//! A file is published in an order that survives a power failure: write `NAME.tmp`, sync it, rename it into
//! place, sync the directory. An error of fsync fails the job, because nobody can say which data was lost.
//!
//! All calls to the file system are in [`disk`], so that tests can make each of them fail, except those of [`space`].

pub mod disk;
mod early_sync;
mod lock;
mod new_file;
mod output;
mod part_names;
pub mod sealed;
pub mod sorter;
pub mod space;
pub mod spill;
pub mod spill_thread;

use std::{
    io,
    path::{Path, PathBuf},
};

pub use new_file::{NewFile, write_new};
pub use output::{Existing, Found, OutputDir, PendingFile, Published, SIDE_FILES};
pub use part_names::{
    CANONICAL_EXPORT, COMPARISON_PREFIX, EXPORT_PREFIX, PRODUCTS_DIR, REPORT, part_name,
    part_number,
};

/// Folder of the working files of an unfinished run.
pub const WORK_DIR: &str = ".molsieve";

/// Why a file or directory can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The output directory holds files and neither `--overwrite` nor `--resume` was given.
    #[error("{}: the output directory is not empty; use --overwrite to replace what is in it", .0.display())]
    NotEmpty(PathBuf),
    /// The output directory holds a run that was interrupted.
    #[error("{}: holds an unfinished run; use --resume to continue it, or --overwrite to start again", .0.display())]
    Unfinished(PathBuf),
    /// `--resume` was given, and the directory holds no run.
    #[error("{}: holds no run to resume; use --overwrite to replace what is in it", .0.display())]
    NoRun(PathBuf),
    /// `--overwrite` was given, but the directory holds a file that molsieve did not write.
    #[error("{}: not written by molsieve, so --overwrite leaves it alone; use another directory", .0.display())]
    Foreign(PathBuf),
    /// Another process works there.
    #[error("{}: another molsieve process is working in this directory", .0.display())]
    Busy(PathBuf),
    /// The output path is a file.
    #[error("{}: the output must be a directory", .0.display())]
    NotADirectory(PathBuf),
    /// A file that must be new exists.
    #[error("{}: this file exists, and it is not replaced; use another name", .0.display())]
    Exists(PathBuf),
    /// The disk is full.
    #[error("{}: no space left on the disk", .0.display())]
    DiskFull(PathBuf),
    /// The quota of the user, or of a project, is used up.
    #[error("{}: the disk quota is used up", .0.display())]
    QuotaFull(PathBuf),
    /// A working file of a run is damaged.
    #[error("{}: damaged: {reason}; the run can't be resumed, use --overwrite to start again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A molsieve with other working files began the run.
    #[error("{}: another version of molsieve began this run, and this one can't resume it; resume it with that version, or use --overwrite to start again", .0.display())]
    OtherVersion(PathBuf),
    /// Any other error of the file system.
    #[error("{}: cannot {action}: {reason}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The call that failed.
        action: &'static str,
        /// The operating system's message.
        reason: String,
    },
}

impl StoreError {
    /// Wraps an error of the operating system.
    pub fn io(path: &Path, action: &'static str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull => Self::DiskFull(path.into()),
            io::ErrorKind::QuotaExceeded => Self::QuotaFull(path.into()),
            _ => Self::Io {
                path: path.into(),
                action,
                reason: plain(error),
            },
        }
    }

    /// The error for a damaged file.
    pub fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.into(),
            reason: reason.into(),
        }
    }
}

/// The operating system's message without Rust's "(os error 2)".
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    let mut chars = text[..end].chars();
    // The message stands in the middle of a sentence.
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
        let quota = StoreError::io(Path::new("x"), "write", &io::Error::from_raw_os_error(122));
        assert_eq!(quota.to_string(), "x: the disk quota is used up");
    }
}
