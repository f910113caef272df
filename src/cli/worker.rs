//! `molsieve worker`, hidden from the help: the job process of the daemon. It runs one job as the user who
//! submitted it. [`crate::daemon::protocol`] describes its input and output.
//!
//! Constraints:
//! - It takes on the user before it does anything else with its assignment.
//! - It writes nothing before the daemon lets it go.
//! - It never outlives its daemon by more than [`LAST_RESORT`].
//! - It continues if nobody reads its events.
//!
//! The daemon sets `HOME`, `USER` and `LOGNAME` when it starts a job process.

mod space;

use std::{
    ffi::CString,
    io::{BufRead, Read},
    sync::mpsc::{self, Receiver, SyncSender},
    thread,
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::{Gid, Pid, Uid, getresgid, getresuid, initgroups, setgid, setuid},
};

pub(super) use self::space::check_space;
use super::{
    CliError, Exit,
    error::WorkerError,
    job_log::JobLog,
    run::{self, Reports, Stops},
    say_event,
};
use crate::{
    daemon::{
        job::{JobId, Mode},
        protocol::{
            ALIVE_EVERY, ASSIGNMENT_BYTES_MAX, Assignment, AssignmentError, LINE_BYTES_MAX, RunAs,
            is_go,
        },
    },
    report::event::Event,
    store::plain,
};

/// Time in which a job process must stop after its daemon has ended.
const LAST_RESORT: Duration = Duration::from_secs(60);

/// The umask of a job that runs as another user than the daemon: the usual one.
const UMASK: u32 = 0o022;

/// What a job process adds to its badness when the kernel chooses what to kill for memory, of 1,000. A daemon with little
/// memory of its own is larger than a job process that is just starting.
const KILLED_FIRST: i32 = 500;

/// `molsieve worker`.
pub(super) fn worker() -> Result<Exit, CliError> {
    be_killed_first();
    // The daemon resumes its jobs itself.
    let stops = Stops::FromOutside;
    let planning = run::end_on_signals(stops)?;
    let Some(assignment) = assignment()? else {
        return Err(CliError::Stopped(GONE.into()));
    };
    if let Some(job) = assignment.job {
        name_process(job)?;
    }
    take_on(assignment.run_as.as_ref())?;
    let (sender, go) = mpsc::sync_channel(1);
    start_thread("alive", say_alive)?;
    start_thread("lifeline", move || hold_lifeline(&sender))?;
    let reports = Reports {
        json: true,
        is_stream: false,
        log: Some(JobLog::begin(assignment.mode == Mode::Resume)),
    };
    run::run_job(assignment.settings(), reports, planning, stops, || {
        wait_for(&go)
    })
}

/// Gives the process the number of its job as name, which `top` and `ps -o comm` show. The kernel keeps 15 bytes.
fn name_process(job: JobId) -> Result<(), WorkerError> {
    let name = match job.0 {
        0..1_000_000 => format!("molsieve:{job}"),
        _ => format!("job:{job}"),
    };
    let name = CString::new(name).expect("a number has no zero byte");
    nix::sys::prctl::set_name(&name).map_err(|errno| system("name its process", errno))
}

/// If memory runs out, the kernel is to kill this process and not the daemon. Everybody may raise their own score.
fn be_killed_first() {
    const SCORE: &str = "/proc/self/oom_score_adj";
    let now = std::fs::read_to_string(SCORE).ok();
    let now = now.and_then(|text| text.trim().parse::<i32>().ok());
    if now.is_some_and(|score| score < KILLED_FIRST) {
        // Without it the job works as well.
        let _ = std::fs::write(SCORE, KILLED_FIRST.to_string());
    }
}

/// The message when the daemon ends before the job has begun.
const GONE: &str = "the daemon is gone; nothing was begun";

/// The assignment on standard input; `None` if the daemon ended before it sent one.
fn assignment() -> Result<Option<Assignment>, WorkerError> {
    let line = read_assignment()?;
    let assignment = line.map(|line| Assignment::parse(&line)).transpose();
    Ok(assignment?)
}

/// The first line of standard input; `None` if the daemon ended before it sent one.
pub(super) fn read_assignment() -> Result<Option<Vec<u8>>, WorkerError> {
    let line = read_line(ASSIGNMENT_BYTES_MAX);
    match line.map_err(|error| system("read its assignment", error))? {
        Line::End => Ok(None),
        Line::TooLong => Err(AssignmentError::TooLong.into()),
        Line::Whole(line) => Ok(Some(line)),
    }
}

/// Takes on the user of an assignment, if the daemon is root, and gives up what the process does not need. Call it before
/// the first thread starts, because the kernel keeps some of this per thread.
pub(super) fn take_on(run_as: Option<&RunAs>) -> Result<(), WorkerError> {
    if let Some(user) = run_as {
        become_user(user)?;
        // The daemon's umask is meant for its own files.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(UMASK));
    }
    // The daemon does without huge pages; jobs have them.
    let _ = rustix::thread::disable_transparent_huge_pages(false);
    nix::sys::prctl::set_no_new_privs().map_err(|errno| system("give up new privileges", errno))?;
    // A working directory could not be unmounted. Paths in an assignment are absolute.
    std::env::set_current_dir("/").map_err(|error| system("change to the root directory", error))
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
    End,
}

/// A line of standard input of up to `bytes_max`. One without an end was not meant to be acted on.
fn read_line(bytes_max: u64) -> std::io::Result<Line> {
    let mut line = Vec::new();
    let mut input = std::io::stdin().lock().take(bytes_max);
    input.read_until(b'\n', &mut line)?;
    Ok(match line.last() {
        Some(b'\n') => Line::Whole(line),
        _ if line.len() as u64 == bytes_max => Line::TooLong,
        _ => Line::End,
    })
}

/// Takes on the user for good, with the user's groups and no others. Real, effective and saved ids
/// change, which takes every capability away.
fn become_user(user: &RunAs) -> Result<(), WorkerError> {
    let failed = |reason: String| WorkerError::User {
        uid: user.uid,
        reason,
    };
    let refused = |errno: Errno| failed(plain(&errno.into()));
    let name = CString::new(user.name.as_str()).map_err(|_| failed("no such name".into()))?;
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    initgroups(&name, gid).map_err(refused)?;
    setgid(gid).map_err(refused)?;
    setuid(uid).map_err(refused)?;
    let (users, groups) = (getresuid().map_err(refused)?, getresgid().map_err(refused)?);
    let is_user = [users.real, users.effective, users.saved] == [uid; 3]
        && [groups.real, groups.effective, groups.saved] == [gid; 3];
    if !is_user || (!uid.is_root() && setuid(Uid::from_raw(0)).is_ok()) {
        return Err(failed("privileges could not be given up".into()));
    }
    Ok(())
}

pub(super) fn system(action: &'static str, error: impl Into<std::io::Error>) -> WorkerError {
    let reason = plain(&error.into());
    WorkerError::System { action, reason }
}

fn start_thread(
    name: &'static str,
    body: impl FnOnce() + Send + 'static,
) -> Result<(), WorkerError> {
    let started = thread::Builder::new().name(name.into()).spawn(body);
    started
        .map(drop)
        .map_err(|error| system("start a thread", error))
}

fn say_alive() {
    loop {
        say_event(&Event::Alive);
        thread::sleep(ALIVE_EVERY);
    }
}

/// Passes on the daemon's go, and stops the job when the daemon has ended.
fn hold_lifeline(go: &SyncSender<()>) {
    loop {
        match read_line(LINE_BYTES_MAX) {
            Ok(Line::Whole(line)) if is_go(&line) => {
                // Said twice it means no more.
                let _ = go.try_send(());
            }
            Ok(Line::Whole(_) | Line::TooLong) => {}
            Ok(Line::End) | Err(_) => break,
        }
    }
    // The way to stop is the one there is for everybody.
    let _ = kill(Pid::this(), Signal::SIGTERM);
    thread::sleep(LAST_RESORT);
    signal_hook::low_level::exit(Exit::Stopped as i32)
}

/// Waits until the daemon lets the job write. While it waits a signal ends the process, and so does the
/// end of the lifeline.
fn wait_for(go: &Receiver<()>) -> Result<(), CliError> {
    go.recv().map_err(|_| CliError::Stopped(GONE.into()))
}
