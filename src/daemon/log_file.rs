//! The daemon's log in a file, for machines without journald.
//!
//! Another program rotates it, such as logrotate: the file is opened again as soon as the path names another file, or
//! none. So a rotation needs no signal, and no line is lost: a line goes to the old file or to the new one.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tracing_subscriber::fmt::MakeWriter;

/// Mode of a log that the daemon creates: it names users and their files.
const MODE: u32 = 0o640;

/// A log file; clones write to the same one.
#[derive(Clone, Debug)]
pub struct LogFile {
    path: Arc<PathBuf>,
    open: Arc<Mutex<Opened>>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    /// Device and inode.
    is: (u64, u64),
}

impl Opened {
    fn at(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.create(true).append(true).mode(MODE).open(path)?;
        let is = identity(&file.metadata()?);
        Ok(Self { file, is })
    }
}

fn identity(file: &fs::Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

impl LogFile {
    /// Opens the file at `path`, or creates it.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let open = Opened::at(&path)?;
        Ok(Self {
            path: Arc::new(path),
            open: Arc::new(Mutex::new(open)),
        })
    }
}

impl Write for LogFile {
    /// Writes a line, which the caller passes as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let found = fs::metadata(&*self.path).ok().map(|file| identity(&file));
        if found != Some(open.is) {
            // If there is none to be opened, the old file serves on.
            if let Ok(new) = Opened::at(&self.path) {
                *open = new;
            }
        }
        // All of it, so that lines of threads do not mix.
        open.file.write_all(line).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_file_keeps_its_lines_and_a_new_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("m.log"), folder.path().join("m.log.1"));
        let mut log = LogFile::open(path.clone()).unwrap();
        log.write_all(b"one\n").unwrap();
        fs::rename(&path, &old).unwrap();
        log.write_all(b"two\n").unwrap();
        fs::remove_file(&path).unwrap();
        log.write_all(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&old).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        // copytruncate of logrotate
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        log.write_all(b"four\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
    }

    #[test]
    fn a_folder_that_is_gone_loses_no_line_of_the_open_file() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, aside) = (folder.path().join("logs"), folder.path().join("aside"));
        fs::create_dir(&inside).unwrap();
        let mut log = LogFile::open(inside.join("m.log")).unwrap();
        fs::rename(&inside, &aside).unwrap();
        log.write_all(b"one\n").unwrap();
        assert_eq!(fs::read_to_string(aside.join("m.log")).unwrap(), "one\n");
    }
}
