//! The caller's thread: watches for a request to stop and for parents that take too long, and reports
//! progress.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use super::{
    control::{Control, RETURN_TIME_MAX, Stuck, spawn},
    error::PipelineError,
    in_work::InWork,
    meters::{Meters, Snapshot},
};

/// The caller's side of a running job.
pub(super) struct Watcher<'w> {
    /// Set by the caller to ask the job to stop.
    pub(super) stop: &'w AtomicBool,
    /// Called about ten times a second.
    pub(super) watch: &'w mut dyn FnMut(&Snapshot),
}

/// What the watcher looks at while stages run.
#[derive(Clone, Copy)]
pub(super) struct Watched<'a> {
    pub(super) control: &'a Control,
    pub(super) meters: &'a Meters,
    pub(super) in_work: &'a InWork,
}

impl Watched<'_> {
    pub(super) fn snapshot(&self) -> Snapshot {
        self.meters.snapshot(self.control.ring.state())
    }
}

impl Watcher<'_> {
    /// Watches until stages have ended.
    pub(super) fn until(&mut self, ended: &dyn Fn() -> bool, watched: Watched<'_>) {
        let control = watched.control;
        while !ended() {
            if self.stop.load(Relaxed) && !control.is_stopping() {
                control.stop();
            }
            if !control.is_stopping()
                && let Some(row) = watched.in_work.overdue(control.parent_timeout)
            {
                control.time_out(row);
            }
            let snapshot = watched.snapshot();
            watched.meters.note_time(&snapshot);
            (self.watch)(&Snapshot {
                stuck: control.stuck(),
                ..snapshot
            });
            let pause = if control.is_stopping() { 20 } else { 100 };
            thread::park_timeout(Duration::from_millis(pause));
        }
    }

    /// Does on another thread what may take long in a large run before the first row, so that a request to stop is
    /// noticed.
    pub(super) fn during<T: Send>(
        &mut self,
        work: impl FnOnce() -> Result<T, PipelineError> + Send,
    ) -> Result<T, PipelineError> {
        thread::scope(|scope| {
            let working = spawn(scope, "begin".into(), work)?;
            let mut stopping = None;
            while !working.is_finished() {
                if self.stop.load(Relaxed) {
                    stopping.get_or_insert_with(Instant::now);
                }
                if stopping.is_some_and(|since| since.elapsed() > RETURN_TIME_MAX) {
                    (self.watch)(&Snapshot {
                        stuck: Some(Stuck::default()),
                        ..Snapshot::default()
                    });
                }
                thread::park_timeout(Duration::from_millis(20));
            }
            let panicked = |_| Err(PipelineError::Panicked("begin".into()));
            working.join().unwrap_or_else(panicked)
        })
    }
}
