//! An output directory and its published files.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    StoreError, WORK_DIR,
    disk::{self, DiskFile},
    early_sync::EarlySync,
    lock::Lock,
    part_names::{PRODUCTS_DIR, is_export, is_page, part_number},
    sealed::hex,
};

/// An output directory that this process has locked: no other process works in it.
#[derive(Debug)]
pub struct OutputDir {
    path: PathBuf,
    created: bool,
    lock: Lock,
}

/// What to do with an output directory that holds files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse to work there.
    Refuse,
    /// Remove what an earlier job wrote.
    Overwrite,
    /// Resume an interrupted run; start a new one in an empty directory.
    Resume,
}

/// What `--resume` finds in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No run.
    Nothing,
    /// An interrupted run.
    Unfinished,
    /// A complete run.
    Complete,
}

impl OutputDir {
    /// Checks, without changing anything, whether `open` would succeed.
    pub fn check(path: &Path, existing: Existing) -> Result<Found, StoreError> {
        let entries = disk::entries(path)?;
        if Lock::is_held(&path.join(WORK_DIR).join("lock"))? {
            return Err(StoreError::Busy(path.into()));
        }
        let has = |name: &str| path.join(name).exists();
        let found = match () {
            () if has("manifest.json") => Found::Complete,
            () if has(WORK_DIR) => Found::Unfinished,
            () => Found::Nothing,
        };
        match (existing, found) {
            (Existing::Refuse, Found::Unfinished) => Err(StoreError::Unfinished(path.into())),
            (Existing::Refuse, _) if !entries.is_empty() => Err(StoreError::NotEmpty(path.into())),
            (Existing::Resume, Found::Nothing) if !entries.is_empty() => {
                Err(StoreError::NoRun(path.into()))
            }
            (Existing::Overwrite, _) => match foreign(path, entries)? {
                Some(foreign) => Err(StoreError::Foreign(foreign)),
                None => Ok(found),
            },
            _ => Ok(found),
        }
    }

    /// Creates the directory and its `.molsieve/` folder, locks it, and removes earlier files if `existing` says so.
    pub fn open(path: &Path, existing: Existing) -> Result<Self, StoreError> {
        Self::check(path, existing)?;
        let created = !path.exists();
        let lock = Self::make(path, existing).inspect_err(|error| {
            if created && !matches!(error, StoreError::Busy(_)) {
                // If this fails too, the first error is still the one to report.
                let _ = disk::remove(path);
            }
        })?;
        Ok(Self {
            path: path.into(),
            created,
            lock,
        })
    }

    fn make(path: &Path, existing: Existing) -> Result<Lock, StoreError> {
        let work = path.join(WORK_DIR);
        disk::create_dir(&work).map_err(|error| match error {
            StoreError::Io { reason, .. } => StoreError::Io {
                path: path.into(),
                action: "create the output directory",
                reason,
            },
            other => other,
        })?;
        let lock = Lock::take(&work.join("lock"), path)?;
        disk::sync_dir(path)?;
        if let Some(above) = path.parent().filter(|above| above.is_dir()) {
            disk::sync_dir(above)?;
        }
        if existing == Existing::Overwrite {
            Self::empty(path)?;
        }
        Ok(lock)
    }

    /// Removes the files of earlier jobs but not the lock. The manifest goes first, because a directory without it is
    /// no complete run; then the checkpoint, from which a run could be resumed.
    fn empty(path: &Path) -> Result<(), StoreError> {
        let mut old = disk::entries(path)?;
        old.retain(|entry| !entry.ends_with(WORK_DIR) && !is_products_dir(entry));
        old.sort_by_key(|entry| !entry.ends_with("manifest.json"));
        let mut unfinished = disk::entries(&path.join(WORK_DIR))?;
        unfinished.retain(|entry| !entry.ends_with("lock"));
        unfinished.sort_by_key(|entry| !entry.ends_with("checkpoint"));
        let first = usize::from(old.first().is_some_and(|e| e.ends_with("manifest.json")));
        old.splice(first..first, unfinished);
        old.iter().try_for_each(|entry| disk::remove(entry))?;
        Self::remove_parts(path, 0)
    }

    /// Removes all parts but the first `kept`. Earlier versions wrote parts into the directory itself; these go too.
    /// With `kept` 0, removes the folder of parts if it is empty.
    fn remove_parts(path: &Path, kept: usize) -> Result<(), StoreError> {
        let products = path.join(PRODUCTS_DIR);
        let mut parts = disk::entries(&products)?;
        parts.extend(disk::entries(path)?);
        parts.retain(|entry| part_number(entry).is_some_and(|number| number >= kept));
        parts.iter().try_for_each(|part| disk::remove(part))?;
        match kept {
            0 => disk::remove_empty_dir(&products),
            _ => Ok(()),
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the working files.
    pub fn work_dir(&self) -> PathBuf {
        self.path.join(WORK_DIR)
    }

    /// A file in that folder.
    pub fn work_file(&self, name: &str) -> PathBuf {
        self.work_dir().join(name)
    }

    /// Removes everything that a run wrote after its last checkpoint: the files of `.molsieve/` that are not in
    /// `kept`, and all published files but the first `parts` parts and `job.toml`.
    pub fn clear_behind(&self, parts: usize, kept: &[&str]) -> Result<(), StoreError> {
        let mut stray = disk::entries(&self.work_dir())?;
        stray.retain(|entry| !entry.ends_with("lock") && !kept.iter().any(|k| entry.ends_with(k)));
        let beside = SIDE_FILES.iter().chain(&["manifest.json"]);
        stray.extend(beside.map(|name| self.path.join(name)));
        stray.iter().try_for_each(|entry| disk::remove(entry))?;
        Self::remove_parts(&self.path, parts)
    }

    /// Creates a file that will be published as `name`, a path relative to the directory.
    pub fn begin(&self, name: &str) -> Result<PendingFile, StoreError> {
        let target = self.path.join(name);
        let file_name = target.file_name().unwrap_or_default().to_string_lossy();
        let temporary = self.work_file(&format!("{file_name}.tmp"));
        Ok(PendingFile {
            file: DiskFile::create(&temporary)?,
            name: name.into(),
            target,
            hash: Sha256::new(),
            bytes: 0,
            published: false,
            early_sync: EarlySync::default(),
        })
    }

    /// Publishes a file from [`OutputDir::begin`].
    pub fn publish(&self, mut pending: PendingFile) -> Result<Published, StoreError> {
        pending.early_sync.end(&pending.file)?;
        let folder = pending.target.parent().unwrap_or(&self.path);
        pending.file.sync()?;
        if !folder.is_dir() {
            disk::create_dir(folder)?;
            disk::sync_dir(&self.path)?;
        }
        disk::rename(pending.file.path(), &pending.target)?;
        pending.published = true;
        disk::sync_dir(folder)?;
        let digest = std::mem::take(&mut pending.hash).finalize();
        Ok(Published {
            name: pending.name.clone(),
            bytes: pending.bytes,
            sha256: hex(digest.as_slice()),
        })
    }

    /// Writes and publishes a small file.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<Published, StoreError> {
        let mut pending = self.begin(name)?;
        pending
            .write_all(content)
            .map_err(|error| StoreError::io(pending.file.path(), "write", &error))?;
        self.publish(pending)
    }

    /// Removes `.molsieve/` when the job is complete.
    pub fn finish(self) -> Result<(), StoreError> {
        let work = self.work_dir();
        for entry in disk::entries(&work)? {
            if !entry.ends_with("lock") {
                disk::remove(&entry)?;
            }
        }
        self.lock.remove(&work)?;
        disk::sync_dir(&self.path)
    }

    /// Removes everything that this process made, when nothing of it is worth keeping.
    pub fn abandon(self) -> Result<(), StoreError> {
        self.clear_behind(0, &[])?;
        disk::remove(&self.path.join("job.toml"))?;
        self.lock.remove(&self.path.join(WORK_DIR))?;
        if self.created {
            disk::remove(&self.path)?;
        }
        Ok(())
    }
}

/// The first of `entries` and of the entries of the folder of parts that no job writes.
fn foreign(path: &Path, entries: Vec<PathBuf>) -> Result<Option<PathBuf>, StoreError> {
    if let Some(entry) = entries.iter().find(|entry| !is_ours(entry)) {
        return Ok(Some(entry.clone()));
    }
    if !entries.iter().any(|entry| is_products_dir(entry)) {
        return Ok(None);
    }
    let parts = disk::entries(&path.join(PRODUCTS_DIR))?;
    Ok(parts.into_iter().find(|entry| part_number(entry).is_none()))
}

/// Tables that a job writes beside its parts.
pub const SIDE_FILES: &[&str] = &["rejects.parquet", "drops.parquet", "duplicates.parquet"];

/// Whether a job writes files of this name, or another verb writes them beside it.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fixed = ["job.toml", "manifest.json", WORK_DIR];
    let fixed = SIDE_FILES.iter().chain(&fixed);
    let is_part = part_number(path).is_some() || is_products_dir(path);
    let is_made_of_it = is_export(path, &name) || is_page(path, &name);
    fixed.copied().any(|fixed| fixed == name) || is_part || is_made_of_it
}

/// Whether this is a folder of parts. A link to one is not: the files elsewhere belong to somebody else.
fn is_products_dir(path: &Path) -> bool {
    path.ends_with(PRODUCTS_DIR) && !path.is_symlink() && path.is_dir()
}

/// A published file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Its path relative to the output directory.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
}

/// A file under its temporary name. If it is dropped unpublished, the file is removed.
#[derive(Debug)]
pub struct PendingFile {
    file: DiskFile,
    /// Relative to the output directory.
    name: String,
    target: PathBuf,
    hash: Sha256,
    bytes: u64,
    published: bool,
    early_sync: EarlySync,
}

impl PendingFile {
    /// Begins to sync what is written. Then little is left to be synced when the file is published.
    pub fn sync_soon(&mut self) -> Result<(), StoreError> {
        self.early_sync.begin(&self.file)
    }

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
            // If this fails, a resumed run removes the file.
            let _ = disk::remove(self.file.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, thread, time::Duration};

    use super::*;
    use crate::store::part_name;

    fn product(number: usize) -> String {
        format!("{PRODUCTS_DIR}/{}", part_name(number, "parquet"))
    }

    #[test]
    fn a_file_is_visible_only_when_published() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let output = OutputDir::open(&path, Existing::Refuse).unwrap();
        let part = path.join(product(0));
        let mut pending = output.begin(&product(0)).unwrap();
        pending.write_all(b"a").unwrap();
        pending.sync_soon().unwrap();
        pending.write_all(b"bc").unwrap();
        pending.sync_soon().unwrap();
        assert!(!part.exists());
        let published = output.publish(pending).unwrap();
        assert_eq!(published.name, "products/part-00000.parquet");
        assert_eq!(published.bytes, 3);
        // sha256 of "abc", FIPS 180-2 appendix B.1
        let sha256 = "ba7816bf8f01cfea414140de5dae2223";
        assert!(published.sha256.starts_with(sha256));
        assert_eq!(fs::read(&part).unwrap(), b"abc");
        drop(output.begin(&product(1)).unwrap());
        output.finish().unwrap();
        let products = path.join(PRODUCTS_DIR);
        for folder in [path, products] {
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no stray file");
        }
    }

    #[test]
    fn a_directory_in_use_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("part-00000.parquet"), b"x").unwrap();
        let refused = OutputDir::open(dir.path(), Existing::Refuse).unwrap_err();
        assert_eq!(refused, StoreError::NotEmpty(dir.path().into()));
        let refused = OutputDir::open(dir.path(), Existing::Resume).unwrap_err();
        assert_eq!(refused, StoreError::NoRun(dir.path().into()));
        fs::write(dir.path().join("thesis.tex"), b"x").unwrap();
        let refused = OutputDir::open(dir.path(), Existing::Overwrite).unwrap_err();
        assert_eq!(refused, StoreError::Foreign(dir.path().join("thesis.tex")));
        assert!(
            dir.path().join("part-00000.parquet").exists(),
            "nothing is removed on refusal"
        );
        fs::remove_file(dir.path().join("thesis.tex")).unwrap();
        OutputDir::open(dir.path(), Existing::Overwrite).unwrap();
        assert!(!dir.path().join("part-00000.parquet").exists());
    }

    #[test]
    fn only_parts_are_removed_from_the_folder_of_parts() {
        let dir = tempfile::tempdir().unwrap();
        let products = dir.path().join(PRODUCTS_DIR);
        fs::create_dir(&products).unwrap();
        for name in ["part-00000.parquet", "mine.parquet"] {
            fs::write(products.join(name), b"x").unwrap();
        }
        let refused = OutputDir::open(dir.path(), Existing::Overwrite).unwrap_err();
        assert_eq!(refused, StoreError::Foreign(products.join("mine.parquet")));
        assert_eq!(fs::read_dir(&products).unwrap().count(), 2);
        fs::remove_file(products.join("mine.parquet")).unwrap();
        drop(OutputDir::open(dir.path(), Existing::Overwrite).unwrap());
        assert!(!products.exists());
        // A link leads to somebody's own files, whatever their names.
        let elsewhere = tempfile::tempdir().unwrap();
        let part = elsewhere.path().join("part-00000.parquet");
        fs::write(&part, b"x").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), &products).unwrap();
        let refused = OutputDir::open(dir.path(), Existing::Overwrite).unwrap_err();
        assert_eq!(refused, StoreError::Foreign(products));
        assert!(part.exists());
    }

    #[test]
    fn a_directory_is_worked_in_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let output = OutputDir::open(&path, Existing::Refuse).unwrap();
        for existing in [Existing::Refuse, Existing::Overwrite, Existing::Resume] {
            let refused = OutputDir::open(&path, existing).unwrap_err();
            assert_eq!(refused, StoreError::Busy(path.clone()));
        }
        drop(output); // as when its process ends, in whatever way
        let refused = OutputDir::open(&path, Existing::Refuse).unwrap_err();
        assert_eq!(refused, StoreError::Unfinished(path.clone()));
        OutputDir::open(&path, Existing::Resume).unwrap();
    }

    #[test]
    fn a_directory_that_is_about_to_be_left_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let output = OutputDir::open(&path, Existing::Refuse).unwrap();
        // As when a process that was killed still frees its memory.
        let leaving = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            drop(output);
        });
        OutputDir::check(&path, Existing::Resume).unwrap();
        leaving.join().unwrap();
    }

    #[test]
    fn what_lies_behind_a_checkpoint_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let output = OutputDir::open(&path, Existing::Refuse).unwrap();
        for name in ["job.toml", &product(0), &product(1)] {
            output.write(name, b"x").unwrap();
        }
        for name in ["checkpoint", "keys", "part-00002.parquet.tmp"] {
            fs::write(output.work_file(name), b"x").unwrap();
        }
        output.clear_behind(1, &["checkpoint", "keys"]).unwrap();
        assert!(!path.join(product(1)).exists());
        assert!(path.join(product(0)).exists() && path.join("job.toml").exists());
        assert_eq!(fs::read_dir(output.work_dir()).unwrap().count(), 3);
    }

    #[test]
    fn an_abandoned_job_leaves_no_directory() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let output = OutputDir::open(&path, Existing::Refuse).unwrap();
        output.write("job.toml", b"").unwrap();
        output.abandon().unwrap();
        assert!(!path.exists());
        // One that was there already stays, and nothing in it.
        fs::create_dir(&path).unwrap();
        let output = OutputDir::open(&path, Existing::Refuse).unwrap();
        output.write(&product(0), b"x").unwrap();
        output.abandon().unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 0);
        let file = dir.path().join("file");
        fs::write(&file, b"x").unwrap();
        let refused = OutputDir::open(&file, Existing::Refuse).unwrap_err();
        assert_eq!(refused, StoreError::NotADirectory(file));
    }
}
