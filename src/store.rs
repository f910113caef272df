//! Files that appear whole or not at all.
//!
//! An output directory holds published files and, while a job runs, the folder `.molsieve/` with
//! everything unfinished. A file is written as `.molsieve/NAME.tmp`, closed, synced, renamed into
//! place, and then the directory is synced, so that a file that can be seen is complete and stays so
//! after a power failure. An error of fsync is an error of the job: what it lost can't be known.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

/// Folder for whatever is unfinished.
pub const WORK_DIR: &str = ".molsieve";

/// Why a file or directory can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The output directory holds files and neither `--overwrite` nor `--resume` was given.
    #[error("{}: the output directory is not empty; use --overwrite to replace what is in it", .0.display())]
    NotEmpty(PathBuf),
    /// `--overwrite` was given, but the directory holds something molsieve did not write.
    #[error("{}: not written by molsieve, so --overwrite leaves it alone; use another directory", .0.display())]
    Foreign(PathBuf),
    /// The output path is a file.
    #[error("{}: the output must be a directory", .0.display())]
    NotADirectory(PathBuf),
    /// The disk is full.
    #[error("{}: no space left on the disk", .0.display())]
    DiskFull(PathBuf),
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

/// An output directory being written by this process.
#[derive(Debug)]
pub struct OutputDir {
    path: PathBuf,
    created: bool,
    published: std::sync::atomic::AtomicUsize,
}

/// What to do with an output directory that holds files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Leave it alone.
    Refuse,
    /// Remove what an earlier job wrote.
    Overwrite,
}

impl OutputDir {
    /// Whether `create` would succeed as far as can be seen without changing anything.
    pub fn check(path: &Path, existing: Existing) -> Result<(), StoreError> {
        for entry in Self::entries(path)? {
            match existing {
                Existing::Refuse => return Err(StoreError::NotEmpty(path.into())),
                Existing::Overwrite if !is_ours(&entry) => return Err(StoreError::Foreign(entry)),
                Existing::Overwrite => {}
            }
        }
        Ok(())
    }

    /// Makes the directory and its `.molsieve/` folder, emptied as `existing` allows.
    pub fn create(path: &Path, existing: Existing) -> Result<Self, StoreError> {
        Self::check(path, existing)?;
        let created = !path.exists();
        // The manifest goes first: without it nobody takes the rest for a finished job.
        let mut old = Self::entries(path)?;
        old.sort_by_key(|entry| !entry.ends_with("manifest.json"));
        for entry in old {
            let removed = if entry.is_dir() {
                fs::remove_dir_all(&entry)
            } else {
                fs::remove_file(&entry)
            };
            removed.map_err(|error| StoreError::io(&entry, "remove", &error))?;
        }
        let work = path.join(WORK_DIR);
        let made = fs::create_dir_all(&work)
            .map_err(|error| StoreError::io(path, "create the output directory", &error))
            .and_then(|()| sync_dir(path));
        if let Err(error) = made {
            if created {
                // Whether this works or not, the error to tell is the first.
                let _ = fs::remove_dir_all(path);
            }
            return Err(error);
        }
        Ok(Self {
            path: path.into(),
            created,
            published: 0.into(),
        })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a file that will be published as `name`.
    pub fn begin(&self, name: &str) -> Result<PendingFile, StoreError> {
        let temporary = self.path.join(WORK_DIR).join(format!("{name}.tmp"));
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&temporary)
            .map_err(|error| StoreError::io(&temporary, "create", &error))?;
        Ok(PendingFile {
            file,
            temporary,
            target: self.path.join(name),
            hash: Sha256::new(),
            bytes: 0,
            published: false,
        })
    }

    /// Publishes a file begun with [`OutputDir::begin`].
    pub fn publish(&self, mut pending: PendingFile) -> Result<Published, StoreError> {
        let target = pending.target.clone();
        pending
            .file
            .sync_all()
            .map_err(|error| StoreError::io(&pending.temporary, "sync", &error))?;
        fs::rename(&pending.temporary, &target)
            .map_err(|error| StoreError::io(&target, "rename into place", &error))?;
        pending.published = true;
        sync_dir(&self.path)?;
        self.published
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = target
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let digest = std::mem::take(&mut pending.hash).finalize();
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Published {
            name,
            bytes: pending.bytes,
            sha256,
        })
    }

    /// Writes and publishes a small file in one go.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<Published, StoreError> {
        let mut pending = self.begin(name)?;
        pending
            .write_all(content)
            .map_err(|error| StoreError::io(&pending.temporary, "write", &error))?;
        self.publish(pending)
    }

    /// Removes `.molsieve/`, and the whole directory if this process made it and published nothing.
    pub fn close(self) -> Result<(), StoreError> {
        let work = self.path.join(WORK_DIR);
        fs::remove_dir_all(&work).map_err(|error| StoreError::io(&work, "remove", &error))?;
        if self.published.load(std::sync::atomic::Ordering::Relaxed) == 0 && self.created {
            fs::remove_dir(&self.path)
                .map_err(|error| StoreError::io(&self.path, "remove", &error))?;
        }
        Ok(())
    }

    fn entries(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let listing = match fs::read_dir(path) {
            Ok(listing) => listing,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(StoreError::NotADirectory(path.into()));
            }
            Err(error) => return Err(StoreError::io(path, "read the directory", &error)),
        };
        listing
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(|error| StoreError::io(path, "read the directory", &error))
    }
}

/// Whether a job writes files of this name.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = name
        .strip_prefix("part-")
        .and_then(|rest| rest.strip_suffix(".parquet"));
    matches!(
        name.as_ref(),
        "rejects.parquet" | "job.toml" | "manifest.json" | WORK_DIR
    ) || part.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn sync_dir(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StoreError::io(path, "sync the directory", &error))
}

/// A published file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its name in the output directory.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
}

/// A file under its temporary name. Dropped unpublished, it is removed.
#[derive(Debug)]
pub struct PendingFile {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    hash: Sha256,
    bytes: u64,
    published: bool,
}

impl PendingFile {
    /// The name under which it will be published.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Write for PendingFile {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.file.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.published {
            // Nothing can be done about a failure here; the folder is removed at the end anyway.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_visible_only_when_published() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let output = OutputDir::create(&path, Existing::Refuse).unwrap();
        let mut pending = output.begin("part-00000.parquet").unwrap();
        pending.write_all(b"abc").unwrap();
        assert!(!path.join("part-00000.parquet").exists());
        let published = output.publish(pending).unwrap();
        assert_eq!(published.bytes, 3);
        // sha256 of "abc", FIPS 180-2 appendix B.1
        assert!(
            published
                .sha256
                .starts_with("ba7816bf8f01cfea414140de5dae2223")
        );
        assert_eq!(fs::read(path.join("part-00000.parquet")).unwrap(), b"abc");
        drop(output.begin("part-00001.parquet").unwrap());
        output.close().unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "no stray file");
    }

    #[test]
    fn a_directory_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("part-00000.parquet"), b"x").unwrap();
        let refused = OutputDir::create(dir.path(), Existing::Refuse).unwrap_err();
        assert_eq!(refused, StoreError::NotEmpty(dir.path().into()));
        fs::write(dir.path().join("thesis.tex"), b"x").unwrap();
        let refused = OutputDir::create(dir.path(), Existing::Overwrite).unwrap_err();
        assert_eq!(refused, StoreError::Foreign(dir.path().join("thesis.tex")));
        assert!(
            dir.path().join("part-00000.parquet").exists(),
            "nothing is removed on refusal"
        );
        fs::remove_file(dir.path().join("thesis.tex")).unwrap();
        OutputDir::create(dir.path(), Existing::Overwrite).unwrap();
        assert!(!dir.path().join("part-00000.parquet").exists());
    }

    #[test]
    fn a_job_that_published_nothing_leaves_no_directory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        OutputDir::create(&path, Existing::Refuse)
            .unwrap()
            .close()
            .unwrap();
        assert!(!path.exists());
        let file = dir.path().join("file");
        fs::write(&file, b"x").unwrap();
        let refused = OutputDir::create(&file, Existing::Refuse).unwrap_err();
        assert_eq!(refused, StoreError::NotADirectory(file));
    }

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
