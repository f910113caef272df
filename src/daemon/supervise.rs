//! Runs workers: a task on the main thread for each, from the start of its process to its end.
//!
//! Constraints:
//! - A worker is told its job only when the store knows its process, and may write only when the store
//!   knows that too ([`super::protocol`]). So none works that a later daemon does not know of.
//! - A worker leads a process group of its own, so that it is killed with all it has started.
//! - Of what a worker says nothing is kept that has no bound: lines, the text for the log, the time it
//!   may be silent.
//! - It is asked to stop by SIGTERM, and killed when it has not in [`STOP_TIME_MAX`].

mod process;
mod report;

use std::{sync::Arc, time::Duration};

use nix::sys::signal::Signal;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};

use super::{
    core::{Core, Launch, ProcessMessage, ProcessStart, Wanted},
    job::{JobId, Mode, ProcessEnd, ProcessIdentity},
    peer::Peers,
};
use crate::{limits::PROGRESS_BYTES_MAX, report::event::Event};
use process::{Process, is_alive};
use report::Report;

/// Time a worker has to come to its end once it is asked to.
pub const STOP_TIME_MAX: Duration = Duration::from_secs(60);
/// Time between two looks at whether another daemon's worker is gone.
const ORPHAN_LOOK_EVERY: Duration = Duration::from_millis(200);

/// Starts workers as the core asks for them, until it no longer can.
pub(super) async fn supervise(
    core: Core,
    peers: Arc<Peers>,
    mut launches: mpsc::UnboundedReceiver<Launch>,
) {
    while let Some(launch) = launches.recv().await {
        let (core, peers) = (core.clone(), Arc::clone(&peers));
        match launch {
            Launch::New(order) => {
                tokio::spawn(async move {
                    peers.look_up_beside(order.uid).await;
                    run(core, &peers, *order).await;
                });
            }
            Launch::Orphan(id, process) => {
                tokio::spawn(async move { see_off(core, id, process).await });
            }
        }
    }
}

/// Waits until another daemon's worker is gone. Its lifeline is cut, so it stops by itself; one that does not
/// is killed.
async fn see_off(core: Core, id: JobId, process: ProcessIdentity) {
    let until = Instant::now() + STOP_TIME_MAX;
    while is_alive(&process) {
        if Instant::now() >= until {
            process::signal_group(process.pid, Signal::SIGKILL);
        }
        sleep(ORPHAN_LOOK_EVERY).await;
    }
    core.worker(id, ProcessMessage::Gone).await;
}

async fn run(core: Core, peers: &Peers, order: ProcessStart) {
    let id = order.id;
    let started = match Process::start(&order, peers) {
        Ok(process) => process,
        Err(reason) => {
            tracing::error!(job = id.0, user = order.uid, "{reason}");
            return core.worker(id, ProcessMessage::NotSpawned(reason)).await;
        }
    };
    let mut worker = JobProcess {
        silent_since: Instant::now(),
        silence: core.settings().silence,
        core,
        id,
        process: started,
        report: Report::default(),
        opened: order.opened || order.mode != Mode::Overwrite,
        wanted: order.wanted.clone(),
        asked: None,
    };
    let end = worker.run_to_its_end(&order).await;
    worker.core.worker(id, ProcessMessage::Ended(end)).await;
}

/// A worker and what is known of it.
struct JobProcess {
    core: Core,
    id: JobId,
    process: Process,
    report: Report,
    opened: bool,
    wanted: watch::Receiver<Wanted>,
    /// When it was asked to stop.
    asked: Option<Instant>,
    silent_since: Instant,
    silence: Duration,
}

/// What there is to react to.
enum Next {
    Line(Vec<u8>),
    Text(Vec<u8>),
    Wanted,
    Overdue,
    Exited(std::io::Result<std::process::ExitStatus>),
}

impl JobProcess {
    async fn run_to_its_end(&mut self, order: &ProcessStart) -> ProcessEnd {
        self.introduce(order).await;
        loop {
            match self.next().await {
                Next::Line(line) => self.hear(&line).await,
                Next::Text(text) => self.core.worker(self.id, ProcessMessage::Said(text)).await,
                Next::Wanted => self.ask_to_stop(),
                Next::Overdue => self.end_overdue(),
                Next::Exited(status) => {
                    self.hear_the_rest().await;
                    return self.report.end(status);
                }
            }
        }
    }

    /// Has the store know the process, then tells it its job. A job that is no longer wanted is not told:
    /// the worker ends with its lifeline.
    async fn introduce(&mut self, order: &ProcessStart) {
        let process = self.process.identity().clone();
        let spawned = |answer| ProcessMessage::Spawned(process, answer);
        let known = self.core.ask_for_process(self.id, spawned).await;
        if known.is_ok() && *self.wanted.borrow() == Wanted::Work {
            self.process
                .tell(&order_line(order, self.process.run_as()))
                .await;
        } else {
            self.process.cut_lifeline();
        }
    }

    async fn next(&mut self) -> Next {
        let overdue = match self.asked {
            Some(asked) => asked + STOP_TIME_MAX,
            None => self.silent_since + self.silence,
        };
        let stops = self.asked.is_none();
        tokio::select! {
            biased;
            Some(line) = self.process.lines.next() => Next::Line(line),
            Some(text) = self.process.text.next() => Next::Text(text),
            _ = self.wanted.wait_for(|wanted| *wanted == Wanted::Stop), if stops => Next::Wanted,
            () = sleep_until(overdue) => Next::Overdue,
            status = self.process.child.wait() => Next::Exited(status),
        }
    }

    async fn hear(&mut self, line: &[u8]) {
        self.silent_since = Instant::now();
        let event = match Event::parse(line) {
            Ok(event) => event,
            Err(error) => {
                tracing::debug!(job = self.id.0, "{error}");
                return;
            }
        };
        match event {
            Event::Planned(_) => self.let_it_write().await,
            // What a worker of ours says is a tenth of that; a program that only looks like one is not heard.
            Event::Progress(_) if line.len() > PROGRESS_BYTES_MAX => {}
            Event::Progress(ref progress) => {
                if !std::mem::replace(&mut self.opened, true) {
                    self.core.worker(self.id, ProcessMessage::Opened).await;
                }
                let object = event.value();
                self.report.progress(progress, &object);
                self.core.progress(self.id, object);
            }
            Event::Failed(ended) | Event::Stopped(ended) => self.report.reason = Some(ended.error),
            Event::Alive | Event::Restarted { .. } | Event::Done { .. } => {}
        }
    }

    async fn let_it_write(&mut self) {
        let known = self
            .core
            .ask_for_process(self.id, ProcessMessage::Planned)
            .await;
        if known.is_ok() && *self.wanted.borrow() == Wanted::Work {
            self.process.tell(super::protocol::GO).await;
        } else {
            self.process.cut_lifeline();
        }
    }

    fn ask_to_stop(&mut self) {
        self.asked = Some(Instant::now());
        self.process.signal(Signal::SIGTERM);
    }

    fn end_overdue(&mut self) {
        let id = self.id.0;
        if self.asked.is_some() {
            tracing::warn!(job = id, "the worker does not stop and is killed");
            // Another kill does no harm if this one takes its time.
            self.asked = Some(Instant::now());
        } else {
            let silence = self.silence.as_secs();
            let reason = format!("the worker said nothing for {silence} s and was killed");
            tracing::warn!(job = id, "{reason}");
            self.silent_since = Instant::now();
            self.report.killed = Some(reason);
        }
        self.process.signal(Signal::SIGKILL);
    }

    /// What was said before the end is still in the pipes. Should a process it has started hold them open, the
    /// rest is not waited for.
    async fn hear_the_rest(&mut self) {
        let until = Instant::now() + Duration::from_secs(1);
        loop {
            tokio::select! {
                biased;
                Some(line) = self.process.lines.next() => self.hear(&line).await,
                Some(text) = self.process.text.next() => {
                    self.core.worker(self.id, ProcessMessage::Said(text)).await;
                }
                () = sleep_until(until) => return,
                else => return,
            }
        }
    }
}

/// The order as it is sent: a job that has no GPU does without.
fn order_line(order: &ProcessStart, run_as: Option<&super::protocol::RunAs>) -> String {
    let mut settings = order.settings.clone();
    if order.gpu.is_none() {
        settings["engine"] = "cpu".into();
    }
    // What was stored was written from the same type.
    let settings = serde_json::from_value(settings).unwrap_or_default();
    super::protocol::Assignment::new(settings, order.mode, run_as.cloned()).line()
}
