//! The process of a job: start, signals, pipes.

use std::{
    ffi::OsString,
    fs,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, ChildStderr, ChildStdout, Command},
};

use crate::{
    daemon::{core::ProcessStart, job::ProcessIdentity, peer::Peers, protocol::RunAs},
    report::event::EVENT_BYTES_MAX,
    store::plain,
};

/// Variables of the daemon's environment that job processes inherit, besides `MOLSIEVE_…`, `CUDA_…` and
/// `VK_…`.
const INHERITED: [&str; 6] = ["PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR"];
/// Prefixes of further variables that they inherit.
const INHERITED_BY_PREFIX: [&str; 3] = ["MOLSIEVE_", "CUDA_", "VK_"];
/// Bytes read from a pipe at once.
const TEXT_BYTES: usize = 4 << 10;

/// A process and the pipes to it.
pub(super) struct Process {
    pub(super) child: Child,
    /// Its standard output.
    pub(super) lines: Lines,
    /// Its standard error.
    pub(super) text: Text<ChildStderr>,
    lifeline: Option<tokio::net::UnixStream>,
    pub(super) identity: ProcessIdentity,
    pub(super) run_as: Option<RunAs>,
}

impl Process {
    /// Starts a process that waits for its assignment. An error is one line.
    pub(super) fn start(start: &ProcessStart, peers: &Peers) -> Result<Self, String> {
        let run_as = peers
            .run_as(start.uid)
            .map_err(|denied| denied.to_string())?;
        let (ours, theirs) = UnixStream::pair().map_err(failed("connect a job process"))?;
        let mut child = worker(start, peers, run_as.as_ref(), theirs.into())
            .and_then(|mut command| command.spawn())
            .map_err(failed("start a job process"))?;
        let pid = child.id().ok_or("the job process ended at once")?;
        let lifeline = ours
            .set_nonblocking(true)
            .and_then(|()| tokio::net::UnixStream::from_std(ours))
            .map_err(failed("connect a job process"))?;
        Ok(Self {
            lines: Lines::new(child.stdout.take()),
            text: Text::new(child.stderr.take()),
            child,
            lifeline: Some(lifeline),
            identity: identity(pid).ok_or("the job process ended at once")?,
            run_as,
        })
    }

    /// Sends a line. If that fails, the process is ending, which its exit status shows.
    pub(super) async fn send(&mut self, line: &str) {
        if let Some(lifeline) = &mut self.lifeline
            && lifeline.write_all(line.as_bytes()).await.is_err()
        {
            self.cut_lifeline();
        }
    }

    /// Closes its standard input: it stops, as if the daemon were gone.
    pub(super) fn cut_lifeline(&mut self) {
        self.lifeline = None;
    }

    /// Sends SIGKILL to the process group, any other signal to the process alone, which stops its children.
    pub(super) fn signal(&self, signal: Signal) {
        match signal {
            Signal::SIGKILL => signal_group(self.identity.pid, signal),
            _ if self.child.id().is_some() => {
                // It may have ended in the meantime.
                nix::sys::signal::kill(Pid::from_raw(self.identity.pid as i32), signal).ok();
            }
            _ => {}
        }
    }
}

/// Sends a signal to a process group. The caller has not waited for its leader yet, or knows that it is alive,
/// so the number belongs to no other group.
pub(super) fn signal_group(pid: u32, signal: Signal) {
    // It may have ended in the meantime.
    killpg(Pid::from_raw(pid as i32), signal).ok();
}

pub(super) fn failed(action: &'static str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("cannot {action}: {}", plain(&error))
}

fn worker(
    start: &ProcessStart,
    peers: &Peers,
    run_as: Option<&RunAs>,
    stdin: OwnedFd,
) -> std::io::Result<Command> {
    let mut command = command("worker", peers, run_as)?;
    command
        // `ps` shows it.
        .arg0(format!("molsieve: job {}", start.id))
        .stdin(Stdio::from(stdin));
    match &start.gpu {
        Some(Some(uuid)) => command.env("CUDA_VISIBLE_DEVICES", uuid),
        Some(None) => &mut command,
        None => command.env("CUDA_VISIBLE_DEVICES", ""),
    };
    Ok(command)
}

/// This program with a verb, in its own process group, with the environment of the user and pipes for its output.
pub(super) fn command(
    verb: &str,
    peers: &Peers,
    run_as: Option<&RunAs>,
) -> std::io::Result<Command> {
    let mut command = bare_command(verb)?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(user) = run_as {
        command.env("USER", &user.name).env("LOGNAME", &user.name);
        if let Ok(Some(account)) = peers.account(user.uid) {
            command.env("HOME", &account.home);
        }
    } else if let Some(home) = std::env::var_os("HOME") {
        command.env("HOME", home);
    }
    Ok(command)
}

/// This program with a verb, in its own process group, with little of the daemon's environment.
pub(super) fn bare_command(verb: &str) -> std::io::Result<Command> {
    let mut command = Command::new(program()?);
    command
        .arg(verb)
        .env_clear()
        .envs(inherited())
        .current_dir("/")
        .process_group(0);
    Ok(command)
}

/// This program, even if its file was replaced by a newer one: daemon and job process must be of one release.
fn program() -> std::io::Result<OsString> {
    let own = "/proc/self/exe";
    fs::metadata(own).map(|_| own.into())
}

fn inherited() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        INHERITED.contains(&name.as_ref())
            || INHERITED_BY_PREFIX
                .iter()
                .any(|prefix| name.starts_with(prefix))
    })
}

/// Identifies a process by its id, its start and the boot of the machine.
fn identity(pid: u32) -> Option<ProcessIdentity> {
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(ProcessIdentity {
        pid,
        started_ticks: started_ticks(pid)?,
        boot_id: boot_id.trim().to_owned(),
    })
}

/// Whether this process is still alive; another one with its id does not count.
pub(super) fn is_alive(process: &ProcessIdentity) -> bool {
    identity(process.pid).as_ref() == Some(process)
}

/// Field 22 of `/proc/PID/stat` (proc(5)); none for a process that is gone or a zombie.
fn started_ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may contain anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    if matches!(fields.next(), Some("Z" | "X")) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Lines of standard output, each at most [`EVENT_BYTES_MAX`] long; longer ones are skipped.
pub(super) struct Lines {
    from: Option<ChildStdout>,
    held: Vec<u8>,
    /// Whether the current line is too long.
    skips: bool,
}

impl Lines {
    fn new(from: Option<ChildStdout>) -> Self {
        Self {
            from,
            held: Vec::new(),
            skips: false,
        }
    }

    /// The next line; none at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(line) = self.take_line() {
                return Some(line);
            }
            let mut bytes = [0; TEXT_BYTES];
            match read(&mut self.from, &mut bytes).await {
                Some(count) => self.held.extend_from_slice(&bytes[..count]),
                None => return None,
            }
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        while let Some(end) = memchr::memchr(b'\n', &self.held) {
            let line: Vec<u8> = self.held.drain(..=end).collect();
            if !std::mem::take(&mut self.skips) {
                return Some(line);
            }
        }
        if self.held.len() > EVENT_BYTES_MAX {
            (self.held, self.skips) = (Vec::new(), true);
        }
        None
    }
}

/// Output of a process, as it comes.
pub(super) struct Text<R>(Option<R>);

impl<R: AsyncRead + Unpin> Text<R> {
    pub(super) fn new(from: Option<R>) -> Self {
        Self(from)
    }

    /// The next piece; none at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Vec<u8>> {
        let mut bytes = vec![0; TEXT_BYTES];
        let count = read(&mut self.0, &mut bytes).await?;
        bytes.truncate(count);
        Some(bytes)
    }
}

async fn read<R: AsyncRead + Unpin>(from: &mut Option<R>, into: &mut [u8]) -> Option<usize> {
    match from.as_mut()?.read(into).await {
        Ok(count) if count > 0 => Some(count),
        Ok(_) | Err(_) => {
            *from = None;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_again_and_not_taken_for_another() {
        let own = identity(std::process::id()).unwrap();
        assert!(is_alive(&own));
        let mut other = own.clone();
        other.started_ticks += 1;
        assert!(!is_alive(&other));
        let mut earlier = own;
        earlier.boot_id = "another start".into();
        assert!(!is_alive(&earlier));
    }

    #[test]
    fn a_process_that_has_ended_is_gone_although_nobody_has_waited_for_it() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while started_ticks(child.id()).is_some() {
            std::thread::yield_now();
        }
        child.wait().unwrap();
    }

    #[test]
    fn of_a_line_that_is_too_long_nothing_is_kept() {
        let mut lines = Lines::new(None);
        lines.held = vec![b'x'; EVENT_BYTES_MAX + 1];
        assert_eq!(lines.take_line(), None);
        assert!(lines.held.is_empty());
        lines.held.extend_from_slice(b"xx\n{}\n{");
        assert_eq!(lines.take_line().unwrap(), b"{}\n");
        assert_eq!(lines.take_line(), None);
        assert_eq!(lines.held, b"{");
    }
}
