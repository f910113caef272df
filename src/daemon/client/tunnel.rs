//! A way to a daemon's socket on another machine: the user's own ssh, which forwards a socket of this machine.
//!
//! Constraints:
//! - One ssh process for a client, however many requests it makes: ssh multiplexes them. It ends with the client, also if
//!   the client is killed, because the command on the other machine reads the client's pipe.
//! - The socket of this machine is in a folder that only this user can enter.
//! - ssh asks the user on the terminal, as always. What ssh writes to standard error is kept, and the last line becomes
//!   the reason of an error.
//! - The user's own configuration of ssh counts. A shared connection (`ControlPath`) is not used: it would keep the
//!   forwarded socket after the client.

use std::{
    env,
    fs::{self, DirBuilder},
    io::{BufRead, BufReader, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::SystemTime,
};

use super::{
    error::{ClientError, start},
    ssh_address::SshAddress,
};

/// Whether ssh may ask the user for a password or about a host key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prompts {
    Allowed,
    None,
}

/// Longest path of a socket's folder: the path of a socket has at most 107 bytes.
const FOLDER_BYTES_MAX: usize = 100;
/// Beginning of the name of a folder; the process id follows.
const FOLDER: &str = "molsieve-ssh-";
/// Options of ssh that its configuration must not change.
const OPTIONS: [&str; 7] = [
    "ControlPath=none",
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ExitOnForwardFailure=no",
    "StreamLocalBindMask=0177",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=4",
];
/// What the command on the other machine says: there is a socket; this user may connect; it is done.
const IS_SOCKET: &str = "molsieve:socket";
const IS_OPEN: &str = "molsieve:open";
const IS_ALL: &str = "molsieve:all";
/// Most bytes of its output that are read: the start-up files of a shell may print, too.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;
/// Longest line of ssh that is kept.
const LINE_CHARS_MAX: usize = 300;

/// A running ssh.
#[derive(Debug)]
pub(super) struct Tunnel {
    child: Child,
    /// The command on the other machine ends when this is closed.
    lifeline: Option<ChildStdin>,
    folder: PathBuf,
    last_line: Arc<Mutex<String>>,
}

impl Tunnel {
    /// Starts ssh and waits until the socket leads to the daemon. `name` is the address as the user has written it.
    pub(super) fn start(
        address: &SshAddress,
        name: &Path,
        prompts: Prompts,
    ) -> Result<Self, ClientError> {
        let folder = private_folder().map_err(start)?;
        let spawned = command(address, &folder.join("s"), prompts).spawn();
        let mut child = spawned.map_err(|error| {
            // It is empty.
            let _ = fs::remove_dir(&folder);
            failed(
                address,
                &format!("cannot start ssh: {}", crate::store::plain(&error)),
            )
        })?;
        let (output, messages) = (child.stdout.take(), child.stderr.take());
        let mut tunnel = Self {
            lifeline: child.stdin.take(),
            child,
            folder,
            last_line: Arc::default(),
        };
        let listening = messages.map(|messages| tunnel.listen(messages)).transpose();
        let listening = listening.map_err(start)?;
        let said = output.map(look).unwrap_or_default();
        if !said.is_complete {
            // It has ended, or ends now that nothing of it is wanted.
            tunnel.lifeline = None;
            let _ = tunnel.child.wait();
            if let Some(listening) = listening {
                let _ = listening.join();
            }
            let reason = tunnel.said();
            return Err(failed(
                address,
                &reason.unwrap_or_else(|| "it has ended".into()),
            ));
        }
        if !said.is_socket {
            return Err(ClientError::NoDaemon(name.into()));
        }
        if !said.is_open {
            return Err(ClientError::Denied(name.into()));
        }
        if !tunnel.socket().exists() {
            let reason = tunnel.said();
            let reason = reason.unwrap_or_else(|| "it does not forward the socket".into());
            return Err(failed(address, &reason));
        }
        // Warnings of the start explain nothing that comes later.
        tunnel.said();
        Ok(tunnel)
    }

    /// The socket of this machine.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.join("s")
    }

    /// Whether ssh still runs.
    pub(super) fn is_open(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The last line of ssh's standard error, once.
    pub(super) fn said(&self) -> Option<String> {
        let mut line = self
            .last_line
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Some(std::mem::take(&mut *line)).filter(|line| !line.is_empty())
    }

    /// Keeps the last line of ssh's messages.
    fn listen(&self, messages: ChildStderr) -> std::io::Result<thread::JoinHandle<()>> {
        let last_line = Arc::clone(&self.last_line);
        let listen = move || {
            let lines = BufReader::new(messages).split(b'\n').map_while(Result::ok);
            for line in lines {
                let line = String::from_utf8_lossy(&line);
                let line = line.trim().trim_start_matches("ssh: ");
                let printable = line.chars().filter(|c| !c.is_control());
                let line: String = printable.take(LINE_CHARS_MAX).collect();
                if !line.is_empty() {
                    *last_line.lock().unwrap_or_else(PoisonError::into_inner) = line;
                }
            }
        };
        thread::Builder::new().name("ssh".into()).spawn(listen)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.lifeline = None;
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn failed(address: &SshAddress, reason: &str) -> ClientError {
    ClientError::Ssh {
        node: address.node.clone(),
        reason: reason.into(),
    }
}

fn command(address: &SshAddress, socket: &Path, prompts: Prompts) -> Command {
    let there = &address.socket;
    let mut command = Command::new("ssh");
    command.args(["-T", "-a", "-x"]);
    for option in OPTIONS {
        command.args(["-o", option]);
    }
    if prompts == Prompts::None {
        command.args(["-o", "BatchMode=yes"]);
    }
    if let Some(port) = address.port {
        command.arg("-p").arg(port.to_string());
    }
    if let Some(user) = &address.user {
        command.arg("-l").arg(user);
    }
    command
        .arg("-L")
        .arg(format!("{}:{there}", socket.display()))
        .arg("--")
        .arg(&address.node)
        // Any shell understands this.
        .arg(format!(
            "test -S '{there}' && echo {IS_SOCKET}; test -w '{there}' && echo {IS_OPEN}; echo {IS_ALL}; \
             cat >/dev/null"
        ))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What the command on the other machine found.
#[derive(Default)]
struct Found {
    is_socket: bool,
    is_open: bool,
    /// Whether it got through.
    is_complete: bool,
}

fn look(output: ChildStdout) -> Found {
    let mut found = Found::default();
    let lines = BufReader::new(output.take(OUTPUT_BYTES_MAX)).split(b'\n');
    for line in lines.map_while(Result::ok) {
        match line.trim_ascii() {
            line if line == IS_SOCKET.as_bytes() => found.is_socket = true,
            line if line == IS_OPEN.as_bytes() => found.is_open = true,
            line if line == IS_ALL.as_bytes() => {
                found.is_complete = true;
                break;
            }
            _ => {}
        }
    }
    found
}

/// A new folder for a socket, in the user's runtime directory or in a temporary folder. Also removes those of processes
/// that were killed.
fn private_folder() -> std::io::Result<PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let runtime = runtime.filter(|folder| folder.is_absolute() && folder.is_dir());
    let above = runtime.unwrap_or_else(env::temp_dir);
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let number = time.unwrap_or_default().subsec_nanos();
    let name = format!("{FOLDER}{}-{number:x}", std::process::id());
    let above = match above.join(&name).as_os_str().len() > FOLDER_BYTES_MAX {
        true => PathBuf::from("/tmp"),
        false => above,
    };
    remove_left_over(&above);
    let folder = above.join(name);
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

fn remove_left_over(above: &Path) {
    let own = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| {
            let (pid, _) = name.strip_prefix(FOLDER)?.split_once('-')?;
            pid.parse::<u32>().ok()
        });
        let is_left = pid.is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists());
        let is_own = |metadata: fs::Metadata| metadata.is_dir() && metadata.uid() == own;
        if is_left && fs::symlink_metadata(entry.path()).is_ok_and(is_own) {
            // The next process tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
