//! A single file that appears whole, and replaces another one only if that is wanted.

use std::{
    fs,
    io::{self, Write},
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
    let mut file = NewFile::create(path)?;
    file.write_all(content)
        .map_err(|error| StoreError::io(path, "write", &error))?;
    file.publish()
}

/// A file that is being written beside its place. If it is dropped unpublished, it is removed.
#[derive(Debug)]
pub struct NewFile {
    file: DiskFile,
    path: PathBuf,
    published: bool,
    /// Whether it may take the place of another file.
    replaces: bool,
}

impl NewFile {
    /// Begins a file that will appear at `path`.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if there is something with this name.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(StoreError::Exists(path.into()));
        }
        let mut file = Self::replace(path)?;
        file.replaces = false;
        Ok(file)
    }

    /// Begins a file that will appear at `path`, in the place of what is there.
    pub fn replace(path: &Path) -> Result<Self, StoreError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}.part", std::process::id()));
        Ok(Self {
            file: DiskFile::create(Path::new(&beside))?,
            path: path.into(),
            published: false,
            replaces: true,
        })
    }

    /// Gives the file its name, once all of it is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if something with this name has appeared.
    pub fn publish(mut self) -> Result<(), StoreError> {
        self.file.sync()?;
        match self.replaces {
            true => disk::rename(self.file.path(), &self.path)?,
            false => disk::rename_new(self.file.path(), &self.path)?,
        }
        self.published = true;
        let folder = self.path.parent();
        let folder = folder.filter(|folder| *folder != Path::new(""));
        disk::sync_dir(folder.unwrap_or(Path::new(".")))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.published {
            // An error that led here is the one to report.
            let _ = disk::remove(self.file.path());
        }
    }
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
