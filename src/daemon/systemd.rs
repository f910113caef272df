//! The interface to systemd: notifications, and the sockets that it passes or that the daemon creates itself.
//!
//! Without systemd the notifications do nothing. [`adopt`] changes the environment, so it must be called before
//! there is a second thread.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, chown},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::sys::socket::{getsockopt, sockopt::AcceptConn};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sd_notify::NotifyState;

use super::loopback::Loopback;
use crate::store::plain;

/// Reports that jobs are accepted: at the start and after a reload.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// Reports a reload of the configuration; [`ready`] must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("cannot read the monotonic clock: {}", plain(&error)),
    }
}

/// Reports that the daemon is stopping.
pub fn stopping(status: &str) {
    notify(&[
        NotifyState::Stopping,
        NotifyState::Status(&one_line(status)),
    ]);
}

/// Sets the text that `systemctl status` shows.
pub fn status(text: &str) {
    notify(&[NotifyState::Status(&one_line(text))]);
}

/// Resets the watchdog.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// Interval at which [`alive`] must be called: half of the watchdog time. `None` without a watchdog.
pub fn alive_every() -> Option<Duration> {
    let limit = sd_notify::watchdog_enabled()?;
    (!limit.is_zero()).then(|| limit / 2)
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify systemd: {}", plain(&error));
    }
}

/// A line end would start another assignment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Why there is no socket to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// systemd passes more than one for jobs, or more than one for metrics.
    #[error(
        "systemd passes {0} sockets; molsieve takes one for jobs, and one with FileDescriptorName={METRICS_NAME}"
    )]
    TooMany(usize),
    /// A passed file is not a listening stream socket of the right kind.
    #[error("cannot use the socket that systemd passes: {0}")]
    Unfit(String),
    /// Another daemon listens at the path.
    #[error("{}: another daemon listens here", .0.display())]
    InUse(PathBuf),
    /// Another kind of file is at the path.
    #[error("{}: this file is not a socket; it is left unchanged", .0.display())]
    NotASocket(PathBuf),
    /// The operating system refuses.
    #[error("{}: cannot {action}: {reason}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's message.
        reason: String,
    },
}

fn failed(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> SocketError {
    let path = path.to_owned();
    move |error| SocketError::Io {
        path,
        action,
        reason: plain(&error),
    }
}

/// A listening, non-blocking socket.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: UnixListener,
    /// Its file, if this process created it. Removed on drop.
    pub file: Option<SocketFile>,
}

/// The file of a socket, identified by its inode and, because inode numbers are reused, by its creation time
/// where the file system has one.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    made: (u64, u64, Option<SystemTime>),
}

fn made(file: &fs::Metadata) -> (u64, u64, Option<SystemTime>) {
    (file.dev(), file.ino(), file.created().ok())
}

impl SocketFile {
    /// Changes mode and group of the socket. Without a group, that of this process counts.
    pub fn permit(&self, mode: u32, group: Option<u32>) -> Result<(), SocketError> {
        let group = group.unwrap_or_else(|| nix::unistd::getegid().as_raw());
        let path = &self.path;
        chown(path, None, Some(group)).map_err(failed(path, "set the group of the socket"))?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .map_err(failed(path, "set the mode of the socket"))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|file| made(&file) == self.made) {
            // Best effort: the next daemon replaces a socket without a listener.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The sockets that systemd passes.
#[derive(Debug, Default)]
pub struct Handed {
    /// The socket for jobs.
    pub jobs: Option<Listening>,
    /// The TCP socket for metrics, on loopback: that of a socket unit with `FileDescriptorName=metrics`.
    pub metrics: Option<TcpListener>,
}

/// The name that a socket unit gives to the socket for metrics.
const METRICS_NAME: &str = "metrics";

/// The sockets that systemd passes, if any.
pub fn adopt() -> Result<Handed, SocketError> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let mut passed = listenfd::ListenFd::from_env();
    let is_metrics = |index: &usize| names.get(*index) == Some(&METRICS_NAME);
    let (metrics, jobs): (Vec<usize>, Vec<usize>) = (0..passed.len()).partition(is_metrics);
    if metrics.len() > 1 || jobs.len() > 1 {
        return Err(SocketError::TooMany(passed.len()));
    }
    let mut handed = Handed::default();
    if let Some(index) = jobs.first() {
        let listener = passed.take_unix_listener(*index).map_err(unfit)?;
        handed.jobs = listener.map(adopt_for_jobs).transpose()?;
    }
    if let Some(index) = metrics.first() {
        let listener = passed.take_tcp_listener(*index).map_err(unfit)?;
        handed.metrics = listener.map(adopt_for_metrics).transpose()?;
    }
    Ok(handed)
}

fn unfit(error: io::Error) -> SocketError {
    SocketError::Unfit(plain(&error))
}

fn adopt_for_jobs(listener: UnixListener) -> Result<Listening, SocketError> {
    if !getsockopt(&listener, AcceptConn).map_err(|errno| unfit(errno.into()))? {
        return Err(SocketError::Unfit("it does not listen".into()));
    }
    listener.set_nonblocking(true).map_err(unfit)?;
    let file = None;
    Ok(Listening { listener, file })
}

fn adopt_for_metrics(listener: TcpListener) -> Result<TcpListener, SocketError> {
    if !getsockopt(&listener, AcceptConn).map_err(|errno| unfit(errno.into()))? {
        return Err(SocketError::Unfit("it does not listen".into()));
    }
    let address = listener.local_addr().map_err(unfit)?;
    Loopback::try_from(address).map_err(|error| SocketError::Unfit(error.to_string()))?;
    listener.set_nonblocking(true).map_err(unfit)?;
    Ok(listener)
}

/// Creates a socket at `path` with this mode and group. No client can connect before they are set: the socket is
/// created in a private directory and then moved. Replaces a socket without a listener. Of two daemons that
/// start at once, one may find its socket gone; only the lock on the state directory excludes the second.
pub fn bind(path: &Path, mode: u32, group: Option<u32>) -> Result<Listening, SocketError> {
    clear(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    // A short name, because the path of a socket has at most 107 bytes.
    let private = folder.join(format!(".{}", std::process::id()));
    // Left over if a daemon was killed during its start.
    let _ = fs::remove_file(private.join("s"));
    let _ = fs::remove_dir(&private);
    let made = fs::DirBuilder::new().mode(0o700).create(&private);
    made.map_err(failed(&private, "create the directory"))?;
    let listening = bind_in(&private, path, mode, group);
    let _ = fs::remove_file(private.join("s"));
    let _ = fs::remove_dir(&private);
    listening
}

fn bind_in(
    private: &Path,
    path: &Path,
    mode: u32,
    group: Option<u32>,
) -> Result<Listening, SocketError> {
    let new = private.join("s");
    let listener = UnixListener::bind(&new).map_err(failed(path, "create the socket"))?;
    let unblocked = listener.set_nonblocking(true);
    unblocked.map_err(failed(path, "prepare the socket"))?;
    if group.is_some() {
        chown(&new, None, group).map_err(failed(path, "set the group of the socket"))?;
    }
    let permitted = fs::set_permissions(&new, fs::Permissions::from_mode(mode));
    permitted.map_err(failed(path, "set the mode of the socket"))?;
    let file =
        fs::symlink_metadata(&new).map_err(failed(path, "read the metadata of the socket"))?;
    renameat_with(CWD, &new, CWD, path, RenameFlags::NOREPLACE)
        .map_err(|errno| failed(path, "move the socket to its path")(errno.into()))?;
    Ok(Listening {
        listener,
        file: Some(SocketFile {
            path: path.to_owned(),
            made: made(&file),
        }),
    })
}

/// Removes a socket without a listener, and nothing else.
fn clear(path: &Path) -> Result<(), SocketError> {
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(failed(path, "read the metadata of the file"))?,
    };
    if !file.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed(path, "remove the socket of an earlier daemon"))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full backlog has a listener too.
        Ok(_) | Err(_) => Err(SocketError::InUse(path.to_owned())),
    }
}
