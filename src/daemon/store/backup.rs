//! A copy of the job store in one file, made while a daemon runs or after it has stopped.
//!
//! SQLite's online backup reads one state of the database in one transaction. It blocks no writer: the WAL grows
//! meanwhile, and its next checkpoint cuts it back. The copy is written beside its place, checked, synced and then
//! renamed, so it is complete or not there. Only its owner can read it. As `jobs.sqlite3` in an empty
//! state directory it is the store again.

use std::{
    fs::{self, File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{self, StepResult},
};

use super::{JobStoreError, open, row::number};
use crate::store::{StoreError, disk};

/// Pause before another attempt while another program locks the database.
const PAUSE: Duration = Duration::from_millis(50);
/// How long to wait for such a program.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Number of jobs.
    pub jobs: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

/// Copies the store in the state directory `dir` to `file`.
///
/// # Errors
/// [`JobStoreError::Exists`] if there is something with that name, [`JobStoreError::NoStore`] without a store.
pub fn backup(dir: &Path, file: &Path) -> Result<Copied, JobStoreError> {
    if fs::symlink_metadata(file).is_ok() {
        return Err(JobStoreError::Exists(file.into()));
    }
    let source = dir.join(open::DATABASE);
    match fs::symlink_metadata(&source) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(JobStoreError::NoStore(dir.into()));
        }
        Err(error) => return Err(JobStoreError::io(&source, "open", &error)),
        Ok(_) => {}
    }
    let (from, _) = open::read_only(dir)?;
    let part = Part::create(file)?;
    let jobs = copy(&from, &part.path)?;
    let bytes = sync(&part.path).map_err(|error| JobStoreError::io(file, "write", &error))?;
    part.publish(file)?;
    Ok(Copied { jobs, bytes })
}

/// Copies all pages, checks the copy, and returns its number of jobs.
fn copy(from: &Connection, part: &Path) -> Result<u64, JobStoreError> {
    let sql = |error| JobStoreError::sql(part, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut to = Connection::open_with_flags(part, flags).map_err(sql)?;
    pages(from, &mut to).map_err(sql)?;
    // One file is the whole copy: no WAL belongs to it.
    to.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))
        .map_err(sql)?;
    let answer: String = to
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(sql)?;
    if answer != "ok" {
        return Err(JobStoreError::Damaged {
            path: part.into(),
            reason: answer.replace('\n', " "),
        });
    }
    let jobs = to
        .query_row("SELECT count(*) FROM jobs", [], |row| number(row, 0))
        .map_err(sql)?;
    to.close().map_err(|(_, error)| sql(error))?;
    Ok(jobs)
}

/// All pages in one step: in several, each commit of the daemon between them would start the copy anew.
fn pages(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let copying = backup::Backup::new(from, to)?;
    let began = Instant::now();
    loop {
        match copying.step(-1)? {
            StepResult::Done => return Ok(()),
            _ if began.elapsed() < PATIENCE => thread::sleep(PAUSE),
            _ => {
                let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
                return Err(rusqlite::Error::SqliteFailure(busy, None));
            }
        }
    }
}

/// Syncs the file and returns its length.
fn sync(path: &Path) -> std::io::Result<u64> {
    let file = File::open(path)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

/// The incomplete copy. It is removed when it is dropped unpublished.
struct Part {
    path: PathBuf,
    published: bool,
}

impl Part {
    fn create(file: &Path) -> Result<Self, JobStoreError> {
        let mut path = file.as_os_str().to_owned();
        path.push(format!(".{}.part", std::process::id()));
        let path = PathBuf::from(path);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| JobStoreError::io(&path, "create", &error))?;
        Ok(Self {
            path,
            published: false,
        })
    }

    fn publish(mut self, file: &Path) -> Result<(), JobStoreError> {
        let failed = |error| match error {
            StoreError::Exists(path) => JobStoreError::Exists(path),
            StoreError::DiskFull(path) => JobStoreError::DiskFull(path),
            other => JobStoreError::Io {
                path: file.into(),
                action: "write",
                reason: other.to_string(),
            },
        };
        disk::rename_new(&self.path, file).map_err(failed)?;
        self.published = true;
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        disk::sync_dir(folder.unwrap_or(Path::new("."))).map_err(failed)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.published {
            let mut journal = self.path.as_os_str().to_owned();
            journal.push("-journal");
            // An error that led here is the one to report.
            let _ = fs::remove_file(journal);
            let _ = fs::remove_file(&self.path);
        }
    }
}
