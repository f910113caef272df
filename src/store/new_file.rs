//! A single file that appears whole and replaces nothing.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use super::{
    StoreError,
    disk::{self, DiskFile},
};

/// Writes a file that must not exist yet. It appears under its name when all of it is on the disk.
///
/// # Errors
/// [`StoreError::Exists`] if there is something with this name.
pub fn write_new(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    if fs::symlink_metadata(path).is_ok() {
        return Err(StoreError::Exists(path.into()));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = write(&beside, content).and_then(|()| disk::rename_new(&beside, path));
    if let Err(error) = written {
        // The first error is the one to report.
        let _ = disk::remove(&beside);
        return Err(error);
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    disk::sync_dir(folder.unwrap_or(Path::new(".")))
}

fn write(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let mut file = DiskFile::create(path)?;
    file.write_all(content)
        .map_err(|error| StoreError::io(path, "write", &error))?;
    file.sync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_replaces_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        write_new(&path, b"one").unwrap();
        assert_eq!(
            write_new(&path, b"two"),
            Err(StoreError::Exists(path.clone()))
        );
        let from = folder.path().join("b");
        fs::write(&from, "three").unwrap();
        assert_eq!(
            disk::rename_new(&from, &path),
            Err(StoreError::Exists(path.clone()))
        );
        assert_eq!(fs::read(&path).unwrap(), b"one");
        fs::remove_file(from).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let missing = folder.path().join("none/a.toml");
        assert!(matches!(
            write_new(&missing, b"x"),
            Err(StoreError::Io { .. })
        ));
    }
}
