//! `molsieve notify`, hidden from the help: the process that notifies of the end of a job.
//! [`crate::daemon::protocol::Notification`] describes its input.
//!
//! It becomes the job's user before anything else, as a job process does. Then it becomes the command, or posts the
//! job to a local address.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::{net::UnixStream, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    CliError, Exit,
    error::WorkerError,
    worker::{read_assignment, system, take_on},
};
use crate::{
    daemon::{job::NotifyTarget, protocol::Notification, view::JobView},
    limits::NOTIFY_SECONDS_MAX,
    store::plain,
};

/// Time to connect, to write and for each read.
const WAIT: Duration = Duration::from_secs(10);
/// Time after which the kernel ends this process, whether there still is a daemon or not.
const LAST_RESORT_SECONDS: u32 = NOTIFY_SECONDS_MAX as u32 + 5;
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 16 << 10;

/// `molsieve notify`.
pub(super) fn notify() -> Result<Exit, CliError> {
    let Some(line) = read_assignment()? else {
        return Err(CliError::Stopped("the daemon is gone".into()));
    };
    let notification = Notification::parse(&line).map_err(WorkerError::from)?;
    take_on(notification.run_as.as_ref())?;
    // The daemon ends it earlier. This is for a daemon that was killed; it outlives the call of the command.
    nix::unistd::alarm::set(LAST_RESORT_SECONDS);
    let target = notification.notify.target();
    let target = target.map_err(|reason| WorkerError::Notify { reason })?;
    match target {
        NotifyTarget::Command(words) => Err(become_command(&words, &notification).into()),
        NotifyTarget::Http {
            address,
            host,
            path,
        } => {
            let connect = || {
                let stream = TcpStream::connect_timeout(&address, WAIT)?;
                stream.set_read_timeout(Some(WAIT))?;
                stream.set_write_timeout(Some(WAIT))?;
                Ok(stream)
            };
            Ok(post(connect, &host, &path, &notification.job)?)
        }
        NotifyTarget::Unix(socket) => {
            let connect = || connect_unix(&socket);
            Ok(post(connect, "localhost", "/", &notification.job)?)
        }
    }
}

fn connect_unix(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    Ok(stream)
}

/// Replaces this process by the command. Returns only if that fails.
fn become_command(words: &[String], notification: &Notification) -> WorkerError {
    let (program, arguments) = words.split_first().expect("a checked command has a word");
    let job = &notification.job;
    let number = |number: Option<i32>| number.map(|n| n.to_string()).unwrap_or_default();
    let error = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .env("MOLSIEVE_JOB", job.id.to_string())
        .env("MOLSIEVE_STATE", job.state.name())
        .env("MOLSIEVE_NAME", job.name.as_deref().unwrap_or_default())
        .env("MOLSIEVE_EXIT_CODE", number(job.exit_code))
        .env("MOLSIEVE_ERROR", job.error.as_deref().unwrap_or_default())
        .env(
            "MOLSIEVE_OUTPUT",
            job.settings["output"].as_str().unwrap_or_default(),
        )
        .env("MOLSIEVE_SOCKET", &notification.socket)
        .exec();
    WorkerError::Notify {
        reason: format!("cannot run {program}: {}", plain(&error)),
    }
}

/// Posts a job as JSON.
fn post<S: Read + Write>(
    connect: impl FnOnce() -> io::Result<S>,
    host: &str,
    path: &str,
    job: &JobView,
) -> Result<Exit, WorkerError> {
    let body = serde_json::to_string(job).expect("a job that was JSON can be written as JSON");
    let status = connect()
        .and_then(|stream| exchange(stream, host, path, &body))
        .map_err(|error| system("post to the webhook", error))?;
    match status {
        Some(200..300) => Ok(Exit::Done),
        Some(status) => Err(WorkerError::Notify {
            reason: format!("the webhook answers with status {status}"),
        }),
        None => Err(WorkerError::Notify {
            reason: "the webhook does not answer in HTTP".into(),
        }),
    }
}

/// Sends a request and returns the status of the answer; none if that is not HTTP.
fn exchange(
    mut stream: impl Read + Write,
    host: &str,
    path: &str,
    body: &str,
) -> io::Result<Option<u16>> {
    let version = env!("CARGO_PKG_VERSION");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: molsieve/{version}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    // The first line may be read even if the connection breaks after it.
    let read = stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    let mut words = answer.lines().next().unwrap_or_default().split(' ');
    let http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    match words.next().and_then(|status| status.parse().ok()) {
        Some(status) if http => Ok(Some(status)),
        _ => read.map(|_| None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that has this answer.
    struct Answer(&'static [u8], Vec<u8>);

    impl Read for Answer {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.0.read(bytes)
        }
    }

    impl Write for Answer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn status(answer: &'static str) -> Option<u16> {
        let stream = Answer(answer.as_bytes(), Vec::new());
        exchange(stream, "h", "/p", "{}").unwrap()
    }

    #[test]
    fn the_status_of_an_answer_is_read() {
        assert_eq!(status("HTTP/1.1 204 No Content\r\n\r\n"), Some(204));
        assert_eq!(status("HTTP/1.0 500\r\n\r\nbody"), Some(500));
        for answer in ["", "SSH-2.0-x\r\n", "200 OK\r\n", "HTTP/1.1\r\n"] {
            assert_eq!(status(answer), None, "{answer}");
        }
    }
}
