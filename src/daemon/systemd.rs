//! The service manager's side of the daemon: what it is told, and the socket it hands over or that is
//! made where it does not.
//!
//! Without a service manager everything that is said here goes nowhere. [`adopt`] changes the
//! environment, so it is called before there is a second thread.

use std::{
    fs, io,
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

use crate::store::plain;

/// Tells that jobs are taken, at the start and after a reload.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// Tells that the configuration is being read again; [`ready`] must follow.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("the monotonic clock can't be read: {}", plain(&error)),
    }
}

/// Tells that the daemon ends.
pub fn stopping(status: &str) {
    notify(&[
        NotifyState::Stopping,
        NotifyState::Status(&one_line(status)),
    ]);
}

/// Tells what `systemctl status` shows.
pub fn status(text: &str) {
    notify(&[NotifyState::Status(&one_line(text))]);
}

/// Tells that the daemon is not stuck.
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// How often [`alive`] must be called: twice in the time after which the service manager would take the
/// daemon for stuck. `None` if it does not watch.
pub fn alive_every() -> Option<Duration> {
    let limit = sd_notify::watchdog_enabled()?;
    (!limit.is_zero()).then(|| limit / 2)
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("the service manager can't be told: {}", plain(&error));
    }
}

/// A line end would begin another assignment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// Why there is no socket to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// The service manager hands over more than one.
    #[error("{0} sockets are handed over; molsieve takes one")]
    TooMany(usize),
    /// What it hands over is not a listening Unix stream socket.
    #[error("the socket that is handed over can't be used: {0}")]
    Unfit(String),
    /// Another daemon listens there.
    #[error("{}: another daemon listens here", .0.display())]
    InUse(PathBuf),
    /// There is something else.
    #[error("{}: there is something here that is not a socket; it is left as it is", .0.display())]
    NotASocket(PathBuf),
    /// The system refuses.
    #[error("{}: cannot {action}: {reason}", path.display())]
    Io {
        /// What it is about.
        path: PathBuf,
        /// What was attempted.
        action: &'static str,
        /// What the system says.
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

/// A socket that takes connections; it does not block.
#[derive(Debug)]
pub struct Listening {
    /// The socket.
    pub listener: UnixListener,
    /// Its file, if it is ours to remove. Removed on drop.
    pub file: Option<SocketFile>,
}

/// The file of a socket. Known again by its inode and, as the number of an inode is used again, by when
/// it was made, where the file system tells.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    made: (u64, u64, Option<SystemTime>),
}

fn made(file: &fs::Metadata) -> (u64, u64, Option<SystemTime>) {
    (file.dev(), file.ino(), file.created().ok())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = fs::symlink_metadata(&self.path);
        if found.is_ok_and(|file| made(&file) == self.made) {
            // Whoever comes next finds that nobody listens.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The socket that the service manager hands over; `None` if it does not.
pub fn adopt() -> Result<Option<Listening>, SocketError> {
    let unfit = |error: io::Error| SocketError::Unfit(plain(&error));
    let mut handed = listenfd::ListenFd::from_env();
    if handed.len() > 1 {
        return Err(SocketError::TooMany(handed.len()));
    }
    let Some(listener) = handed.take_unix_listener(0).map_err(unfit)? else {
        return Ok(None);
    };
    if !getsockopt(&listener, AcceptConn).map_err(|errno| unfit(errno.into()))? {
        return Err(SocketError::Unfit("nobody can connect to it".into()));
    }
    listener.set_nonblocking(true).map_err(unfit)?;
    Ok(Some(Listening {
        listener,
        file: None,
    }))
}

/// Makes a socket at `path` with this mode and group. Nobody can connect before it has them: it is made
/// in a directory of its own and moved to its place. A file of a socket that nobody listens on any more
/// is replaced; of two daemons that start at once one may find its socket gone, so what keeps them apart
/// is the lock on their state.
pub fn bind(path: &Path, mode: u32, group: Option<u32>) -> Result<Listening, SocketError> {
    clear(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    // Short: the path of a socket has at most 107 bytes.
    let private = folder.join(format!(".{}", std::process::id()));
    // Left by a daemon that was killed while it started.
    let _ = fs::remove_file(private.join("s"));
    let _ = fs::remove_dir(&private);
    let made = fs::DirBuilder::new().mode(0o700).create(&private);
    made.map_err(failed(&private, "make the directory"))?;
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
    let listener = UnixListener::bind(&new).map_err(failed(path, "make the socket"))?;
    let unblocked = listener.set_nonblocking(true);
    unblocked.map_err(failed(path, "prepare the socket"))?;
    if group.is_some() {
        chown(&new, None, group).map_err(failed(path, "give the socket to its group"))?;
    }
    let permitted = fs::set_permissions(&new, fs::Permissions::from_mode(mode));
    permitted.map_err(failed(path, "set the socket's mode"))?;
    let file = fs::symlink_metadata(&new).map_err(failed(path, "look at the socket"))?;
    renameat_with(CWD, &new, CWD, path, RenameFlags::NOREPLACE)
        .map_err(|errno| failed(path, "put the socket in its place")(errno.into()))?;
    Ok(Listening {
        listener,
        file: Some(SocketFile {
            path: path.to_owned(),
            made: made(&file),
        }),
    })
}

/// Removes the file of a socket that nobody listens on, and nothing else.
fn clear(path: &Path) -> Result<(), SocketError> {
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(failed(path, "look at what is there"))?,
    };
    if !file.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(failed(path, "remove the socket of a daemon that is gone")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full backlog is somebody's too.
        Ok(_) | Err(_) => Err(SocketError::InUse(path.to_owned())),
    }
}
