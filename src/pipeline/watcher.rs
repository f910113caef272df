//! The caller's thread: watches for a request to stop and for parents that take too long, and reports
//! progress.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    control::{Control, RETURN_TIME_MAX, Stuck},
    error::PipelineError,
    in_work::InWork,
    meters::{Meters, Snapshot},
};
use crate::{limits::STAGE_STACK_BYTES, ring::Ring};

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
    pub(super) ring: &'a Arc<Ring>,
    pub(super) in_work: &'a InWork,
    /// CPU time that a parent may use without giving a product.
    pub(super) parent_timeout: Duration,
}

impl Watched<'_> {
    pub(super) fn snapshot(&self) -> Snapshot {
        self.meters.snapshot(self.ring.state())
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
                && let Some(row) = watched.in_work.overdue(watched.parent_timeout)
            {
                control.time_out(row);
            }
            (self.watch)(&Snapshot {
                stuck: control.stuck(),
                ..watched.snapshot()
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
        let watcher = thread::current();
        let body = move || {
            let done = work();
            watcher.unpark();
            done
        };
        thread::scope(|scope| {
            let working = thread::Builder::new()
                .name("begin".into())
                .stack_size(STAGE_STACK_BYTES)
                .spawn_scoped(scope, body)
                .map_err(|error| PipelineError::Spawn(crate::store::plain(&error)))?;
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
