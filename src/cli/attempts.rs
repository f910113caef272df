//! Attempts: `molsieve run` and `molsieve dedup` resume automatically. The process that a user starts is a
//! supervisor. It runs the job in a child process, an *attempt*, and starts another attempt when RDKit crashes
//! or exceeds `--parent-timeout`.
//!
//! | how an attempt ends | what the supervisor does |
//! |---|---|
//! | an exit code | exits with the same |
//! | [`TIMED_OUT`], or a signal that the supervisor did not send | starts the next attempt, from the last checkpoint |
//! | the same, [`ATTEMPTS_MAX`] times without progress | fails; the checkpoint stays |
//! | any end, after Ctrl-C or SIGTERM | exits with 75 |
//!
//! The next attempt tries the parents that were in progress alone, and rejects those that fail
//! ([`crate::trial`]).
//!
//! Constraints:
//! - The supervisor uses neither RDKit nor the output directory. It keeps only its arguments.
//! - An attempt never outlives its supervisor: the kernel kills the attempt.
//! - A terminal sends Ctrl-C to both processes. So the attempt ignores SIGINT and SIGTERM. The supervisor
//!   sends it [`STOP`], and kills it at the second request.
//! - An attempt writes a byte into a pipe before it changes the output directory. The next attempt resumes
//!   only if the byte was written; otherwise it starts as the first one did.
//!
//! With `--output -` the supervisor prints the rows too, and no attempt is resumed later: the first request to stop kills
//! it ([`super::stream`]).
//!
//! An attempt is this program with `attempt SUPERVISOR PIPE first|again` before its arguments: the process id
//! of the supervisor, the path of the pipe, and whether an earlier attempt has begun to write.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    io::{PipeReader, Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1},
    iterator::Signals,
};

use super::{
    CliError, Exit, THIS_PROGRAM, say_aside, say_event,
    standard_input::Kept,
    stream::{Printed, Stream},
};
use crate::{pipeline::Standing, report::event::Event, store::plain};

/// The signal on which an attempt stops at a checkpoint.
pub(super) const STOP: i32 = SIGUSR1;
/// Exit status of an attempt in which a parent has exceeded its time.
pub(super) const TIMED_OUT: i32 = 86;
/// Attempts without progress after which a job fails.
const ATTEMPTS_MAX: u32 = 3;
/// Two stop requests closer together than this count as one: a program that stops a process group may send
/// two.
const REQUESTS_APART: Duration = Duration::from_millis(250);
/// The verb before the arguments of an attempt.
const VERB: &str = "attempt";

/// What the supervisor passes to an attempt.
pub(super) struct Attempt {
    pipe: String,
    /// Whether an earlier attempt has begun to write.
    pub(super) again: bool,
}

impl Attempt {
    /// Splits off the arguments that a supervisor has put before those of the user. Ends the process if the
    /// supervisor is gone.
    pub(super) fn of(mut args: Vec<OsString>) -> (Option<Self>, Vec<OsString>) {
        let given = match args.get(1..5) {
            Some([verb, supervisor, pipe, which]) if verb == VERB => {
                [supervisor, pipe, which].map(|arg| arg.to_string_lossy().into_owned())
            }
            _ => return (None, args),
        };
        let [supervisor, pipe, which] = given;
        args.drain(1..5);
        // If the kernel does not support this, an attempt may outlive its supervisor.
        let _ =
            rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        if nix::unistd::getppid().to_string() != supervisor {
            std::process::exit(Exit::Failed as i32);
        }
        let again = which == "again";
        (Some(Self { pipe, again }), args)
    }

    /// Reports to the supervisor that the output directory is about to change.
    pub(super) fn opens_output(&self) -> Result<(), CliError> {
        let pipe = OpenOptions::new().write(true).open(&self.pipe);
        let reported = pipe.and_then(|mut pipe| pipe.write_all(b"o"));
        reported.map_err(|error| failed("report to its supervisor", &error))
    }
}

/// Runs a job in attempts: processes of this program with the arguments `args`, the program's name first.
/// `output` is the output directory, if it is known; `kept` is the file that holds standard input.
pub(super) fn supervise(
    args: &[OsString],
    json: bool,
    output: Option<&PathBuf>,
    kept: Option<&Kept>,
    mut stream: Option<&mut Stream>,
) -> Result<Exit, CliError> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGCHLD])
        .map_err(|error| CliError::Signals(plain(&error)))?;
    if stream.is_some() {
        let added = signals.add_signal(SIGHUP);
        added.map_err(|error| CliError::Signals(plain(&error)))?;
    }
    let (mut again, mut failures, mut before) = (false, 0, None);
    loop {
        let mut running = Running::start(args, again, kept, stream.as_deref())?;
        let status = match stream.as_deref_mut() {
            None => running.wait(&mut signals)?,
            Some(stream) => match running.print(&mut signals, stream)? {
                Some(status) => status,
                None => return Ok(Exit::Done),
            },
        };
        again |= running.has_opened();
        if running.asked.is_some() && status.code().is_none() {
            return Err(CliError::Stopped(stopped(output)));
        }
        let Some(how) = abnormal_end(status) else {
            return exit(status, output);
        };
        let standing = output.filter(|_| again).map(|output| Standing::of(output));
        failures = if standing == before { failures + 1 } else { 1 };
        before = standing;
        if failures == ATTEMPTS_MAX {
            return Err(CliError::Crashed {
                how,
                attempts: ATTEMPTS_MAX,
                output: output.cloned(),
            });
        }
        say_restart(&how, again, json);
    }
}

/// The result of a job whose last attempt ended by itself.
fn exit(status: ExitStatus, output: Option<&PathBuf>) -> Result<Exit, CliError> {
    match status.code() {
        Some(code) => Ok(Exit::of(code)),
        // Another program ended it with a signal.
        None => Err(CliError::Stopped(stopped(output))),
    }
}

/// What ended an attempt abnormally; `None` if it ended by itself or by a signal that means to stop.
fn abnormal_end(status: ExitStatus) -> Option<String> {
    const FROM_OUTSIDE: [i32; 5] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, STOP];
    match status.signal() {
        Some(signal) if FROM_OUTSIDE.contains(&signal) => None,
        Some(signal) => {
            let name = Signal::try_from(signal).map_or("a signal", Signal::as_str);
            Some(format!("was ended by {name}"))
        }
        None => (status.code() == Some(TIMED_OUT))
            .then(|| "spent more than --parent-timeout on one molecule".into()),
    }
}

fn stopped(output: Option<&PathBuf>) -> String {
    format!(
        "stopped at once; {} continues from the last checkpoint",
        resume(output)
    )
}

/// The command that resumes a job.
pub(super) fn resume(output: Option<&PathBuf>) -> String {
    match output {
        Some(output) => format!("molsieve run --resume --output {}", output.display()),
        None => "--resume".into(),
    }
}

fn say_restart(how: &str, again: bool, json: bool) {
    let from = if again { "last checkpoint" } else { "start" };
    if json {
        say_event(&Event::Restarted {
            reason: how.into(),
            resumed: again,
        });
    }
    say_aside(&format!(
        "the job's process {how}; restarting the job from its {from}"
    ));
}

fn failed(action: &'static str, error: &std::io::Error) -> CliError {
    CliError::Attempt {
        action,
        reason: plain(error),
    }
}

/// An attempt under way.
struct Running {
    child: Child,
    pipe: PipeReader,
    /// When the supervisor first asked it to stop.
    asked: Option<Instant>,
}

impl Running {
    fn start(
        args: &[OsString],
        again: bool,
        kept: Option<&Kept>,
        stream: Option<&Stream>,
    ) -> Result<Self, CliError> {
        let start = "start the job's process";
        let (reader, writer) = std::io::pipe().map_err(|error| failed(start, &error))?;
        // The child inherits the pipe. This process has no other thread that could start a child meanwhile.
        rustix::io::fcntl_setfd(&writer, rustix::io::FdFlags::empty())
            .and_then(|()| rustix::io::ioctl_fionbio(&reader, true))
            .map_err(|errno| failed(start, &errno.into()))?;
        let mut command = Command::new(THIS_PROGRAM);
        if let Some(stream) = stream {
            // Standard output is for the rows.
            let aside = std::io::stderr().as_fd().try_clone_to_owned();
            command.stdout(aside.map_err(|error| failed(start, &error))?);
            command.envs([stream.variable()]);
        }
        let child = command
            // `ps` shows it.
            .arg0("molsieve")
            .arg(VERB)
            .arg(std::process::id().to_string())
            .arg(format!("/proc/self/fd/{}", writer.as_raw_fd()))
            .arg(if again { "again" } else { "first" })
            .args(args.get(1..).unwrap_or_default())
            .envs(kept.map(Kept::variable))
            .spawn()
            .map_err(|error| failed(start, &error))?;
        Ok(Self {
            child,
            pipe: reader,
            asked: None,
        })
    }

    /// Waits for its end, and passes on requests to stop.
    fn wait(&mut self, signals: &mut Signals) -> Result<ExitStatus, CliError> {
        loop {
            // A signal may have come before this process had a child.
            self.pass_on(signals.pending());
            let ended = self.child.try_wait();
            let ended = ended.map_err(|error| failed("wait for the job's process", &error))?;
            if let Some(status) = ended {
                return Ok(status);
            }
            self.pass_on(signals.wait());
        }
    }

    /// Waits for its end, and prints its rows. Kills it when it is asked to stop. `None`: nobody reads the rows any more,
    /// and it is killed.
    fn print(
        &mut self,
        signals: &mut Signals,
        stream: &mut Stream,
    ) -> Result<Option<ExitStatus>, CliError> {
        /// Longest time without a look at signals.
        const TURN: Duration = Duration::from_millis(50);
        let printed = loop {
            if signals.pending().any(|signal| signal != SIGCHLD) {
                break Err(CliError::Stopped(
                    "stopped on request; the output is cut short".into(),
                ));
            }
            let ended = self.child.try_wait();
            let ended = ended.map_err(|error| failed("wait for the job's process", &error));
            // What it has published is looked at after its end.
            match (ended, stream.print(TURN)) {
                (Err(error), _) | (_, Err(error)) => break Err(error),
                (_, Ok(Printed::ReaderLeft)) => break Ok(None),
                (Ok(Some(status)), Ok(Printed::All)) => break Ok(Some(status)),
                _ => {}
            }
        };
        if !matches!(printed, Ok(Some(_))) {
            // It may have ended just now.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        printed
    }

    fn pass_on(&mut self, signals: impl Iterator<Item = i32>) {
        let requests = signals.filter(|signal| *signal != SIGCHLD);
        requests.for_each(|_| self.stop());
    }

    /// Asks it to stop; the second time, kills it.
    fn stop(&mut self) {
        let asked = *self.asked.get_or_insert_with(|| {
            let stop = Signal::try_from(STOP).ok();
            // It may have ended just now.
            let _ =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.child.id() as i32), stop);
            Instant::now()
        });
        if asked.elapsed() > REQUESTS_APART {
            // It may have ended just now.
            let _ = self.child.kill();
        }
    }

    /// Whether it has begun to change the output directory. Valid after its end.
    fn has_opened(&mut self) -> bool {
        self.pipe.read(&mut [0]).is_ok_and(|count| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_abnormal_end_starts_another_attempt() {
        for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, STOP] {
            assert_eq!(abnormal_end(ExitStatus::from_raw(signal)), None, "{signal}");
        }
        for code in [0, 1, 2, 3, 4, 75] {
            let status = ExitStatus::from_raw(code << 8);
            assert_eq!(abnormal_end(status), None, "{code}");
        }
        for signal in [4, 6, 7, 8, 9, 11] {
            let status = ExitStatus::from_raw(signal);
            assert!(abnormal_end(status).is_some(), "{signal}");
        }
        assert!(abnormal_end(ExitStatus::from_raw(TIMED_OUT << 8)).is_some());
    }

    #[test]
    fn arguments_of_a_user_are_left_as_they_are() {
        let args: Vec<OsString> = ["molsieve", "run", "attempt"].map(Into::into).into();
        let (attempt, left) = Attempt::of(args.clone());
        assert!(attempt.is_none());
        assert_eq!(left, args);
    }
}
