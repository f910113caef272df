//! The calls to the file system. Everything that a job writes, and reads back, goes through this module. With the
//! feature `failpoints` a test can make any call fail (`crate::faults`).

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{StoreError, space};
#[cfg(feature = "failpoints")]
use crate::faults;

#[cfg(not(feature = "failpoints"))]
mod faults {
    use std::{io, path::Path};

    pub(super) fn call(_: &'static str, _: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn bytes_to_write(_: &'static str, _: &Path, wanted: usize) -> io::Result<usize> {
        Ok(wanted)
    }

    pub(super) fn free_bytes() -> Option<u64> {
        None
    }
}

/// A file with its path, which errors name.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    path: PathBuf,
}

impl DiskFile {
    /// Creates a file for writing; an earlier file is replaced.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(
            path,
            "create",
            OpenOptions::new().write(true).create(true).truncate(true),
        )
    }

    /// Opens a file for reading.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, "open", OpenOptions::new().read(true))
    }

    /// Opens a file for appending after its first `bytes`; the rest is cut off.
    pub fn open_behind(path: &Path, bytes: u64) -> Result<Self, StoreError> {
        let mut opened = Self::open_with(path, "open", OpenOptions::new().write(true))?;
        let length = opened.file.metadata().map_err(|e| opened.error("read", &e));
        if length?.len() < bytes {
            let reason = "it is shorter than the checkpoint says";
            return Err(StoreError::damaged(path, reason));
        }
        faults::call("truncate", path)
            .and_then(|()| opened.file.set_len(bytes))
            .and_then(|()| opened.file.seek(SeekFrom::Start(bytes)))
            .map_err(|error| opened.error("truncate", &error))?;
        Ok(opened)
    }

    fn open_with(
        path: &Path,
        action: &'static str,
        options: &OpenOptions,
    ) -> Result<Self, StoreError> {
        let file = faults::call(action, path)
            .and_then(|()| options.open(path))
            .map_err(|error| StoreError::io(path, action, &error))?;
        let path = path.into();
        Ok(Self { file, path })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another handle of the same open file.
    pub fn duplicate(&self) -> Result<Self, StoreError> {
        let file = faults::call("duplicate", &self.path).and_then(|()| self.file.try_clone());
        Ok(Self {
            file: file.map_err(|error| self.error("duplicate", &error))?,
            path: self.path.clone(),
        })
    }

    /// Syncs the content: it is on the disk when this returns.
    pub fn sync(&self) -> Result<(), StoreError> {
        faults::call("sync", &self.path)
            .and_then(|()| self.file.sync_all())
            .map_err(|error| self.error("sync", &error))
    }

    /// Writes at an offset and overwrites what is there.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
        faults::call("write", &self.path)
            .and_then(|()| self.file.write_all_at(bytes, offset))
            .map_err(|error| self.error("write", &error))
    }

    /// Reads at an offset; returns how many bytes, 0 at the end of the file.
    pub fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        faults::call("read", &self.path)?;
        self.file.read_at(bytes, offset)
    }

    /// Bytes of the file.
    pub fn size(&self) -> Result<u64, StoreError> {
        let metadata = self.file.metadata();
        let metadata = metadata.map_err(|error| self.error("read", &error))?;
        Ok(metadata.len())
    }

    /// Takes the file's lock, which ends with the process; false if another process holds it, and still does after
    /// [`LOCK_PATIENCE`].
    pub(super) fn try_lock(&self) -> Result<bool, StoreError> {
        let locked = match faults::call("lock", &self.path) {
            Ok(()) => try_lock_patiently(&self.file),
            Err(error) => Err(fs::TryLockError::Error(error)),
        };
        match locked {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(self.error("lock", &error)),
        }
    }

    /// Whether the path still leads to this file.
    pub(super) fn is_at_its_path(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let (here, there) = (self.file.metadata(), fs::metadata(&self.path));
        matches!((here, there), (Ok(here), Ok(there)) if (here.dev(), here.ino()) == (there.dev(), there.ino()))
    }

    fn error(&self, action: &'static str, error: &io::Error) -> StoreError {
        StoreError::io(&self.path, action, error)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = faults::bytes_to_write("write", &self.path, bytes.len())?;
        self.file.write(&bytes[..taken])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Read for DiskFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        faults::call("read", &self.path)?;
        self.file.read(bytes)
    }
}

impl Seek for DiskFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// Syncs the file at `path`: its content is on the disk when this returns.
pub fn sync(path: &Path) -> Result<(), StoreError> {
    DiskFile::open(path)?.sync()
}

/// Renames a file within a directory.
pub fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    faults::call("rename", to)
        .and_then(|()| fs::rename(from, to))
        .map_err(|error| StoreError::io(to, "rename into place", &error))
}

/// Renames a file within a directory, unless there is something with the new name.
///
/// # Errors
/// [`StoreError::Exists`] if there is.
pub fn rename_new(from: &Path, to: &Path) -> Result<(), StoreError> {
    use rustix::{
        fs::{CWD, RenameFlags, renameat_with},
        io::Errno,
    };
    let renamed = faults::call("rename", to).and_then(|()| {
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The file system can't refuse. Then a file may appear between this look and the renaming.
            Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(to).is_err() => {
                fs::rename(from, to)
            }
            Err(Errno::INVAL | Errno::NOSYS) => Err(io::ErrorKind::AlreadyExists.into()),
            renamed => renamed.map_err(io::Error::from),
        }
    });
    renamed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => StoreError::Exists(to.into()),
        _ => StoreError::io(to, "rename into place", &error),
    })
}

/// Syncs a directory: changes of its entries are on the disk when this returns.
pub fn sync_dir(path: &Path) -> Result<(), StoreError> {
    faults::call("sync-directory", path)
        .and_then(|()| File::open(path))
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StoreError::io(path, "sync the directory", &error))
}

/// Creates a directory and those above it.
pub fn create_dir(path: &Path) -> Result<(), StoreError> {
    faults::call("create-directory", path)
        .and_then(|()| fs::create_dir_all(path))
        .map_err(|error| StoreError::io(path, "create the directory", &error))
}

/// Removes a file, or a directory with its content. It is no error if there is none.
pub fn remove(path: &Path) -> Result<(), StoreError> {
    let remove = || match path.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    remove_by(remove, path, &[io::ErrorKind::NotFound])
}

/// Removes a directory if it is empty. It is no error if there is none.
pub fn remove_empty_dir(path: &Path) -> Result<(), StoreError> {
    let allowed = [io::ErrorKind::NotFound, io::ErrorKind::DirectoryNotEmpty];
    remove_by(|| fs::remove_dir(path), path, &allowed)
}

fn remove_by(
    remove: impl FnOnce() -> io::Result<()>,
    path: &Path,
    allowed: &[io::ErrorKind],
) -> Result<(), StoreError> {
    match faults::call("remove", path).and_then(|()| remove()) {
        Err(error) if !allowed.contains(&error.kind()) => {
            Err(StoreError::io(path, "remove", &error))
        }
        _ => Ok(()),
    }
}

/// The entries of a directory; none if there is no such directory.
pub fn entries(path: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let unreadable = |error| StoreError::io(path, "read the directory", &error);
    let listing = match faults::call("list", path).and_then(|()| fs::read_dir(path)) {
        Ok(listing) => listing,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(StoreError::NotADirectory(path.into()));
        }
        Err(error) => return Err(unreadable(error)),
    };
    let paths = listing.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(unreadable)
}

/// The content of a file of at most `bytes_max` bytes; `None` if there is no such file.
pub fn read(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let file = DiskFile::open(path)?;
    let mut content = Vec::new();
    file.take(bytes_max + 1)
        .read_to_end(&mut content)
        .map_err(|error| StoreError::io(path, "read", &error))?;
    if content.len() as u64 > bytes_max {
        let reason = format!("it is larger than {bytes_max} bytes");
        return Err(StoreError::damaged(path, reason));
    }
    Ok(Some(content))
}

/// Bytes that this user may still write on the file system of `path` or, if the path does not exist, of the nearest
/// directory above it that does.
pub fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    match faults::free_bytes() {
        Some(free) => Ok(free),
        None => Ok(space::of(path)?.free_bytes),
    }
}

/// How long to wait for a lock that its holder is about to release.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// Takes a file's lock, and waits up to a second for it. A process that was killed holds the lock until the kernel has
/// freed its memory, and a child that it had just forked until the child executes its program.
pub fn try_lock_patiently(file: &File) -> Result<(), fs::TryLockError> {
    let until = Instant::now() + LOCK_PATIENCE;
    loop {
        match file.try_lock() {
            Err(fs::TryLockError::WouldBlock) if Instant::now() < until => {
                thread::sleep(Duration::from_millis(10));
            }
            locked => return locked,
        }
    }
}
