//! The space of a file system: how much there is, and whether a user can write again where a disk was full.

use std::path::{Path, PathBuf};

use rustix::{
    fs::{CWD, FallocateFlags, Mode, OFlags, fallocate, openat, statvfs},
    io::Errno,
};

use super::StoreError;

/// The space of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this user may still write; quotas do not count.
    pub free_bytes: u64,
    /// All bytes.
    pub total_bytes: u64,
}

/// Most bytes that [`has`] allocates for a moment. Enough to see a quota that is used up.
const PROBE_BYTES_MAX: u64 = 16 << 20;

/// The space of the file system of `path` or, if the path does not exist, of the nearest directory above it that does.
pub fn of(path: &Path) -> Result<Space, StoreError> {
    let existing = existing(path);
    let system = statvfs(&existing)
        .map_err(|error| StoreError::io(&existing, "ask for free space", &error.into()))?;
    // Some file systems do not count blocks.
    let bytes = |blocks: u64| match system.f_blocks {
        0 => u64::MAX,
        _ => blocks.saturating_mul(system.f_frsize),
    };
    Ok(Space {
        free_bytes: bytes(system.f_bavail),
        total_bytes: bytes(system.f_blocks),
    })
}

/// Whether this user can write `bytes` more where `path` is or would be. The file system must report that much, and up
/// to 16 MiB are allocated for a moment in a file without a name, which sees quotas too.
pub fn has(path: &Path, bytes: u64) -> Result<bool, StoreError> {
    if of(path)?.free_bytes < bytes {
        return Ok(false);
    }
    let folder = existing(path);
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    let probed = openat(CWD, &folder, flags, Mode::RUSR | Mode::WUSR).and_then(|file| {
        let length = bytes.clamp(1, PROBE_BYTES_MAX);
        fallocate(&file, FallocateFlags::empty(), 0, length)
    });
    // Any other error says nothing about space: not every file system can do this.
    Ok(!matches!(probed, Err(Errno::NOSPC | Errno::DQUOT)))
}

/// The nearest directory at or above a path that exists.
fn existing(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let found = path.ancestors().find(|path| path.is_dir());
    found.unwrap_or(Path::new("/")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_directory_that_exists_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let space = of(&folder.path().join("not/there")).unwrap();
        assert!(space.total_bytes >= space.free_bytes && space.total_bytes > 0);
        assert_eq!(has(&folder.path().join("not/there"), 1), Ok(true));
        assert_eq!(has(folder.path(), u64::MAX), Ok(false));
        // A probe leaves nothing.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
