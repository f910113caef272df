//! `--output -`: rows to standard output, for pipes.
//!
//! The attempt writes parts as in any job, small ones and into a temporary folder. The supervisor prints each part once
//! it is published, and removes it. An attempt waits while several parts wait to be printed.
//!
//! Rows are printed once, whatever happens to an attempt: the concatenation of all parts is a function of input, rules
//! and settings, as in any job. The supervisor knows at which byte of it each part begins. If the next attempt makes a
//! part again that was printed, and perhaps divides the rows otherwise, the bytes that are printed already are skipped.
//!
//! The folder is removed at the end, on Ctrl-C and when nobody reads any more. It stays if this process is killed.

use std::{
    env,
    fs::{self, DirBuilder, File},
    io::Read,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    stdio::stdout,
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use super::{CliError, Exit};
use crate::{
    config::JobSettings,
    store::{PRODUCTS_DIR, disk, part_number, plain},
    table::sink::{OutputFormat, TextCompression, TextKind},
};

/// The environment variable with the output directory of the attempts.
const VARIABLE: &str = "MOLSIEVE_STREAM";
/// A pipe that has room for anything has room for so many bytes.
const CHUNK_BYTES: usize = 4096;
/// Longest wait for a part, and for a reader that is slow.
const WAIT: Duration = Duration::from_millis(20);

/// Whether the rows go to standard output.
pub(super) fn is_wanted(settings: &JobSettings) -> bool {
    settings.output.as_deref() == Some(Path::new("-"))
}

/// Refuses what a stream can't have.
pub(super) fn check(settings: &JobSettings, json: bool) -> Result<(), CliError> {
    let steps = settings
        .steps
        .map_or(settings.step.len(), |steps| steps as usize);
    let fault = match settings.format {
        _ if settings.resume => {
            "what was printed is gone, so there is nothing to resume; leave --resume out"
        }
        _ if settings.overwrite => "there is nothing to overwrite; leave --overwrite out",
        _ if json => "the rows go to standard output; for --json, use --output DIR",
        _ if steps > 1 => {
            "a job of several steps reads its own parts; use --output DIR, then molsieve export DIR -o -"
        }
        Some(OutputFormat::Parquet) => "a pipe can't take Parquet; use --format smi, csv or sdf",
        Some(OutputFormat::Text(_, TextCompression::Gzip | TextCompression::Zstd)) => {
            "compress in the pipe, as with: molsieve run … -o - | gzip"
        }
        _ => return Ok(()),
    };
    Err(CliError::StandardOutput(fault))
}

/// In an attempt: the directory in the place of `-`, and the format. Returns whether the rows go to standard output.
pub(super) fn replace(settings: &mut JobSettings) -> bool {
    let Some(folder) = env::var_os(VARIABLE).filter(|_| is_wanted(settings)) else {
        return false;
    };
    settings.output = Some(folder.into());
    let smiles = OutputFormat::Text(TextKind::Smi, TextCompression::None);
    settings.format.get_or_insert(smiles);
    true
}

/// What a look at the parts has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Printed {
    /// All there is.
    All,
    /// A part of it: the reader is slow.
    Some,
    /// Nobody reads any more.
    ReaderLeft,
}

/// Rows on their way to standard output.
pub(super) struct Stream {
    folder: PathBuf,
    /// At which byte of the stream each part begins, and where the last one ends.
    starts: Vec<u64>,
    /// Bytes printed.
    printed: u64,
    /// The part that is being printed, and what of it is read but not written.
    part: Option<(PathBuf, File)>,
    chunk: Vec<u8>,
}

impl Stream {
    /// Creates the temporary folder.
    pub(super) fn begin() -> Result<Self, CliError> {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let number = time.unwrap_or_default().as_nanos();
        let name = format!("molsieve-{}-{number}", std::process::id());
        let folder = env::temp_dir().join(name);
        let created = DirBuilder::new().mode(0o700).create(&folder);
        created.map_err(|error| CliError::CannotWrite {
            path: folder.clone(),
            reason: format!("cannot create this temporary folder: {}", plain(&error)),
        })?;
        Ok(Self {
            folder,
            starts: vec![0],
            printed: 0,
            part: None,
            chunk: Vec::new(),
        })
    }

    /// The output directory of the attempts.
    pub(super) fn output(&self) -> PathBuf {
        self.folder.join("out")
    }

    /// Does work before there is an attempt. A request to stop removes the folder and ends the process.
    pub(super) fn guard<T>(
        &self,
        work: impl FnOnce() -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let failed = |error: std::io::Error| CliError::Signals(plain(&error));
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(failed)?;
        let (handle, folder) = (signals.handle(), self.folder.clone());
        let waiting = thread::Builder::new().spawn(move || {
            if signals.forever().next().is_some() {
                // Nothing can be done if this fails.
                let _ = fs::remove_dir_all(&folder);
                signal_hook::low_level::exit(Exit::Stopped as i32);
            }
        });
        let waiting = waiting.map_err(failed)?;
        let done = work();
        handle.close();
        // It ends with the process if it panics.
        let _ = waiting.join();
        done
    }

    /// The environment variable for an attempt.
    pub(super) fn variable(&self) -> (&'static str, PathBuf) {
        (VARIABLE, self.output())
    }

    /// Prints what is published, for about as long as is given. Waits a moment if there is nothing.
    pub(super) fn print(&mut self, time: Duration) -> Result<Printed, CliError> {
        let end = Instant::now() + time;
        loop {
            if self.chunk.is_empty() && !self.read_chunk()? {
                // A pipe without a reader is noticed although nothing is written.
                let left = is_ready(PollFlags::empty())?.contains(PollFlags::ERR);
                return Ok(if left {
                    Printed::ReaderLeft
                } else {
                    Printed::All
                });
            }
            if Instant::now() > end || is_ready(PollFlags::OUT)?.is_empty() {
                return Ok(Printed::Some);
            }
            match rustix::io::write(stdout(), &self.chunk) {
                Ok(count) => {
                    self.printed += count as u64;
                    drop(self.chunk.drain(..count));
                }
                Err(Errno::PIPE) => return Ok(Printed::ReaderLeft),
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// Reads on in the parts; false: there is no more.
    fn read_chunk(&mut self) -> Result<bool, CliError> {
        loop {
            if self.part.is_none() && !self.open_next()? {
                return Ok(false);
            }
            let Some((path, file)) = &mut self.part else {
                return Ok(false);
            };
            self.chunk.resize(CHUNK_BYTES, 0);
            let read = file.read(&mut self.chunk);
            let read = read.map_err(|error| CliError::Stream(plain(&error)))?;
            self.chunk.truncate(read);
            if read > 0 {
                return Ok(true);
            }
            // An attempt on another engine may just have made this part again.
            let own = file.metadata().map(|file| file.ino()).ok();
            if fs::metadata(&*path).map(|there| there.ino()).ok() == own {
                disk::remove(path)?;
            }
            self.part = None;
        }
    }

    /// Opens the first of the published parts behind what is printed already.
    fn open_next(&mut self) -> Result<bool, CliError> {
        let mut parts = disk::entries(&self.output().join(PRODUCTS_DIR))?;
        parts.sort_by_key(|part| part_number(part));
        let first = parts.into_iter().find(|part| part_number(part).is_some());
        let Some(path) = first else {
            return Ok(false);
        };
        let number = part_number(&path).unwrap_or_default();
        let lost = || CliError::Stream(format!("{}: parts before it are missing", path.display()));
        // A part that is made again: it begins where it began before.
        let start = *self.starts.get(number).ok_or_else(lost)?;
        let opened = File::open(&path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (bytes, mut file) = opened.map_err(|error| CliError::Stream(plain(&error)))?;
        self.starts.truncate(number + 1);
        self.starts.push(start + bytes);
        let printed = self.printed.saturating_sub(start).min(bytes);
        let skipped = std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(printed));
        skipped.map_err(|error| CliError::Stream(plain(&error)))?;
        self.part = Some((path, file));
        Ok(true)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Nothing can be done if this fails.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// What standard output is ready for, after a moment at most.
fn is_ready(wanted: PollFlags) -> Result<PollFlags, CliError> {
    let stdout = stdout();
    let mut polled = [PollFd::new(&stdout, wanted)];
    let wait = Timespec {
        tv_sec: 0,
        tv_nsec: WAIT.as_nanos() as _,
    };
    match poll(&mut polled, Some(&wait)) {
        Ok(_) | Err(Errno::INTR) => Ok(polled[0].revents()),
        Err(errno) => Err(failed(errno)),
    }
}

fn failed(errno: Errno) -> CliError {
    CliError::Stream(plain(&errno.into()))
}
