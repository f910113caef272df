//! Runs job processes: one task on the main thread for each, from its start to its end.
//!
//! Constraints:
//! - A job process gets its assignment only after the store has recorded the process, and may write only
//!   after the store has recorded that too ([`super::protocol`]). So a later daemon knows every process
//!   that works.
//! - A job process leads its own process group, and is killed together with its children.
//! - Everything kept of its output is bounded: the length of a line, the log, the time without output.
//! - SIGTERM asks it to stop; after [`STOP_TIME_MAX`] it is killed.

mod notify;
mod process;
mod report;
mod space;

use std::{sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    core::{Answer, Core, Launch, ProcessMessage, ProcessStart, Wanted},
    job::{JobId, Mode, ProcessEnd, ProcessIdentity},
    peer::Peers,
    protocol::{Assignment, GO, RunAs},
};
use crate::{limits::PROGRESS_BYTES_MAX, report::event::Event, sieve::EngineChoice};
use process::{Process, is_alive};
use report::Report;

/// Time between the request to stop and the kill.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(60);
/// Interval at which the process of an earlier daemon is checked.
const ORPHAN_LOOK_EVERY: Duration = Duration::from_millis(200);

/// Starts job processes as the core asks for them, until the core is gone.
pub(super) async fn supervise(
    core: Core,
    peers: Arc<Peers>,
    mut launches: mpsc::UnboundedReceiver<Launch>,
) {
    let (notify, due) = mpsc::unbounded_channel();
    tokio::spawn(notify::notify(core.clone(), Arc::clone(&peers), due));
    while let Some(launch) = launches.recv().await {
        let (core, peers) = (core.clone(), Arc::clone(&peers));
        match launch {
            Launch::New(start) => {
                tokio::spawn(async move {
                    peers.look_up_beside(start.uid).await;
                    run(core, &peers, *start).await;
                });
            }
            Launch::Orphan(id, process) => {
                tokio::spawn(async move { await_orphan(core, id, process).await });
            }
            Launch::SpaceCheck(check) => {
                tokio::spawn(async move { space::check(core, &peers, check).await });
            }
            Launch::Notify(id, uid) => {
                // Its receiver ends with the sender.
                notify.send((id, uid)).ok();
            }
        }
    }
}

/// Waits until the process of an earlier daemon has ended. Its standard input is closed, so it stops by itself;
/// after [`STOP_TIME_MAX`] it is killed.
async fn await_orphan(core: Core, id: JobId, process: ProcessIdentity) {
    let until = Instant::now() + STOP_TIME_MAX;
    while is_alive(&process) {
        if Instant::now() >= until {
            process::signal_group(process.pid, Signal::SIGKILL);
        }
        sleep(ORPHAN_LOOK_EVERY).await;
    }
    core.report(id, ProcessMessage::Gone).await;
}

async fn run(core: Core, peers: &Peers, start: ProcessStart) {
    let id = start.id;
    let started = match Process::start(&start, peers) {
        Ok(process) => process,
        Err(reason) => {
            tracing::error!(job = id.0, owner = start.uid, "{reason}");
            return core.report(id, ProcessMessage::NotSpawned(reason)).await;
        }
    };
    let mut process = JobProcess {
        owner: start.uid,
        silent_since: Instant::now(),
        silence: core.settings().silence,
        core,
        id,
        process: started,
        report: Report::default(),
        opened: start.opened || start.mode != Mode::Overwrite,
        wanted: start.wanted.clone(),
        stop_asked: None,
    };
    let end = process.run_to_its_end(&start).await;
    process.core.report(id, ProcessMessage::Ended(end)).await;
}

/// A job process and what is known of it.
struct JobProcess {
    core: Core,
    id: JobId,
    /// The job's user.
    owner: u32,
    process: Process,
    report: Report,
    opened: bool,
    wanted: watch::Receiver<Wanted>,
    /// Time of the request to stop.
    stop_asked: Option<Instant>,
    silent_since: Instant,
    silence: Duration,
}

/// What happens next to a job process.
enum Next {
    Line(Vec<u8>),
    Text(Vec<u8>),
    Wanted,
    Overdue,
    Exited(std::io::Result<std::process::ExitStatus>),
}

impl JobProcess {
    async fn run_to_its_end(&mut self, start: &ProcessStart) -> ProcessEnd {
        self.assign(start).await;
        loop {
            match self.next().await {
                Next::Line(line) => self.take_line(&line).await,
                Next::Text(text) => self.core.report(self.id, ProcessMessage::Said(text)).await,
                Next::Wanted => self.ask_to_stop(),
                Next::Overdue => self.end_overdue(),
                Next::Exited(status) => {
                    self.drain_output().await;
                    return self.report.end(status);
                }
            }
        }
    }

    /// Has the store record the process, then sends the assignment.
    async fn assign(&mut self, start: &ProcessStart) {
        let process = self.process.identity.clone();
        let assignment = assignment(start, self.process.run_as.as_ref());
        let spawned = |answer| ProcessMessage::Spawned(process, answer);
        self.send_once_recorded(spawned, &assignment).await;
    }

    /// Sends a line once the store has recorded a step. If the job is to stop already, closes the lifeline
    /// instead, which ends the process.
    async fn send_once_recorded(
        &mut self,
        step: impl FnOnce(Answer<()>) -> ProcessMessage,
        line: &str,
    ) {
        let known = self.core.report_and_wait(self.id, step).await;
        if known.is_ok() && *self.wanted.borrow() == Wanted::Work {
            self.process.send(line).await;
        } else {
            self.process.cut_lifeline();
        }
    }

    async fn next(&mut self) -> Next {
        let overdue = match self.stop_asked {
            Some(since) => since + STOP_TIME_MAX,
            None => self.silent_since + self.silence,
        };
        let stops = self.stop_asked.is_none();
        tokio::select! {
            biased;
            Some(line) = self.process.lines.next() => Next::Line(line),
            Some(text) = self.process.text.next() => Next::Text(text),
            _ = self.wanted.wait_for(|wanted| *wanted == Wanted::Stop), if stops => Next::Wanted,
            () = sleep_until(overdue) => Next::Overdue,
            status = self.process.child.wait() => Next::Exited(status),
        }
    }

    async fn take_line(&mut self, line: &[u8]) {
        self.silent_since = Instant::now();
        let event = match Event::parse(line) {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(job = self.id.0, owner = self.owner, "{error}");
                self.report.unreadable = Some(error.to_string());
                return;
            }
        };
        match event {
            Event::Planned(_) => self.send_once_recorded(ProcessMessage::Planned, GO).await,
            // Real progress events are ten times smaller.
            Event::Progress(_) if line.len() > PROGRESS_BYTES_MAX => {}
            Event::Progress(progress) => {
                if !std::mem::replace(&mut self.opened, true) {
                    self.core.report(self.id, ProcessMessage::Opened).await;
                }
                self.core.progress(self.id, progress.as_ref().clone());
                self.report.progress(progress);
            }
            Event::Failed(ended) | Event::Stopped(ended) => {
                self.report.reason = Some(ended.error);
                self.report.shortage = ended.shortage;
            }
            Event::Alive | Event::Restarted { .. } | Event::Done { .. } => {}
        }
    }

    fn ask_to_stop(&mut self) {
        self.stop_asked = Some(Instant::now());
        self.process.signal(Signal::SIGTERM);
    }

    fn end_overdue(&mut self) {
        let (job, owner) = (self.id.0, self.owner);
        if self.stop_asked.is_some() {
            tracing::warn!(job, owner, "the job process does not stop and is killed");
            // A second kill does no harm.
            self.stop_asked = Some(Instant::now());
        } else {
            let silence = self.silence.as_secs();
            let reason = format!("the job process sent nothing for {silence} s and was killed");
            tracing::warn!(job, owner, "{reason}");
            self.silent_since = Instant::now();
            self.report.killed = Some(reason);
        }
        self.process.signal(Signal::SIGKILL);
    }

    /// Reads what is left in the pipes. A child process may hold them open, so this takes a second at most.
    async fn drain_output(&mut self) {
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            tokio::select! {
                biased;
                Some(line) = self.process.lines.next() => self.take_line(&line).await,
                Some(text) = self.process.text.next() => {
                    self.core.report(self.id, ProcessMessage::Said(text)).await;
                }
                () = sleep_until(until) => return,
                else => return,
            }
        }
    }
}

/// The assignment as it is sent. A job without a GPU uses the CPU engine.
fn assignment(start: &ProcessStart, run_as: Option<&RunAs>) -> String {
    let mut settings = start.settings.clone();
    if start.gpu.is_none() {
        settings.engine = Some(EngineChoice::Cpu);
    }
    Assignment::new(start.id, settings, start.mode, run_as.cloned()).line()
}
