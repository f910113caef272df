//! How events change the state of a job.
//!
//! One table, [`Course::allows`], says which event each state allows; one function for each kind of event says
//! what follows. Every event raises `seq`, even one that changes nothing else.
//!
//! | exit code of the process | runs | stops for a cancel | stops for a drain |
//! |---|---|---|---|
//! | 0, 4 (some rows rejected) | done | done | done |
//! | 1, 2, 3 | failed | cancelled | failed |
//! | 75, any other, a signal | interrupted, counted | cancelled | interrupted, not counted |
//! | any but 0 and 4, and a disk is full | waits for disk space ([`SpaceWait`](super::SpaceWait)) | cancelled | the same |
//!
//! A process that was never allowed to write cannot have done the job: there 0 and 4 count as any other code.

use super::{
    Course, Ending, Impossible, Job, JobEvent, JobId, Millis, Mode, ProcessEnd, RetryPolicy, State,
    Submission,
};

/// What the exit code of a job process means.
enum ExitClass {
    Done,
    Failed,
    Interrupted,
}

impl Job {
    /// A job that was just submitted; its first state event is number 1.
    pub fn new(id: JobId, mut submission: Submission, now: Millis) -> Self {
        let waits_for_jobs = std::mem::take(&mut submission.options.unmet);
        Self {
            id,
            submission,
            submitted_at: now,
            course: Course {
                seq: 1,
                waits_for_jobs,
                ..Course::default()
            },
        }
    }

    /// The job without its settings, which are most of its memory.
    pub fn without_settings(mut self) -> Self {
        self.submission.settings = serde_json::Value::Null;
        self
    }

    /// Applies an event and raises `seq` by one; changes nothing if the state does not allow the event.
    ///
    /// `planned` of a process whose job is already stopping does not become [`JobEvent::Begun`]: the state does
    /// not allow it, so the process may not write.
    pub fn apply(
        &mut self,
        event: JobEvent,
        now: Millis,
        policy: &RetryPolicy,
    ) -> Result<(), Impossible> {
        let policy = &self.submission.options.retry(policy);
        let course = &mut self.course;
        if !course.allows(&event) {
            return Err(Impossible {
                id: self.id,
                state: course.state,
                event: event.name(),
            });
        }
        match event {
            JobEvent::Admitted => course.start(now),
            JobEvent::Unreadable(reason) => {
                course.error = Some(reason);
                course.finish(State::Failed, now);
            }
            JobEvent::Spawned(process) => course.process = Some(process),
            JobEvent::NotSpawned(reason) => {
                course.interrupted(course.rows_reached, reason, now, policy)
            }
            JobEvent::Begun => {
                course.begun = true;
                course.state = State::Running;
            }
            JobEvent::Opened => course.opened = true,
            JobEvent::CancelAsked => course.cancel(now),
            JobEvent::Changed(change) => self.submission.change(change),
            JobEvent::DependencyEnded(id, state) => {
                course.waits_for_jobs.retain(|other| *other != id);
                if !self.submission.options.accepts(id, state) {
                    course.error = Some(unmet(id, state));
                    course.finish(State::Cancelled, now);
                }
            }
            JobEvent::DrainAsked => {
                course.ending.get_or_insert(Ending::Drain);
                course.state = State::Stopping;
            }
            JobEvent::Ended(end) => course.process_ended(end, self.submission.mode, now, policy),
            JobEvent::Orphaned => course.orphaned(now),
            JobEvent::SpaceFound => course.space_found(now),
        }
        self.course.seq += 1;
        Ok(())
    }

    /// What the next process does with an output directory that is not empty.
    pub fn mode_of_next_attempt(&self) -> Mode {
        match self.submission.mode {
            Mode::Refuse if self.course.begun => Mode::Resume,
            Mode::Overwrite if self.course.opened => Mode::Resume,
            mode => mode,
        }
    }
}

/// Why a job is cancelled that was to wait for another one.
fn unmet(id: JobId, state: State) -> String {
    match state {
        State::Failed => format!("job {id}, which it was to wait for, has failed"),
        _ => format!("job {id}, which it was to wait for, was cancelled"),
    }
}

impl Course {
    /// Whether the state allows an event.
    fn allows(&self, event: &JobEvent) -> bool {
        use State::{Running, Starting, Stopping};
        match event {
            JobEvent::Admitted | JobEvent::Unreadable(_) => {
                self.state.is_waiting() && self.waits_for_jobs.is_empty()
            }
            JobEvent::DependencyEnded(id, _) => {
                self.state.is_waiting() && self.waits_for_jobs.contains(id)
            }
            JobEvent::Spawned(_) | JobEvent::NotSpawned(_) => {
                matches!(self.state, Starting | Stopping) && self.process.is_none()
            }
            JobEvent::Begun => self.state == Starting && self.process.is_some(),
            // The process may have reported it before it was asked to stop.
            JobEvent::Opened => {
                matches!(self.state, Running | Stopping) && self.begun && self.process.is_some()
            }
            // What a process occupies does not change while it works.
            JobEvent::Changed(change) if change.is_of_resources() => self.state.is_waiting(),
            JobEvent::CancelAsked | JobEvent::Changed(_) => !self.state.is_final(),
            JobEvent::DrainAsked | JobEvent::Orphaned => self.state.holds_process(),
            JobEvent::Ended(_) => self.state.holds_process() && self.process.is_some(),
            JobEvent::SpaceFound => self.state.is_waiting() && self.space.is_some(),
        }
    }

    fn start(&mut self, now: Millis) {
        self.state = State::Starting;
        self.started_at.get_or_insert(now);
        self.retry_at = None;
        self.space = None;
        self.attempts = self.attempts.saturating_add(1);
    }

    fn cancel(&mut self, now: Millis) {
        self.ending = Some(Ending::Cancel);
        if self.state.holds_process() {
            self.state = State::Stopping;
        } else {
            self.finish(State::Cancelled, now);
        }
    }

    fn process_ended(&mut self, end: ProcessEnd, mode: Mode, now: Millis, policy: &RetryPolicy) {
        self.exit_code = end.exit_code;
        self.progress = end.progress.or(self.progress.take());
        let cancelled = self.ending == Some(Ending::Cancel);
        let reason = end.reason.unwrap_or_else(|| match end.exit_code {
            Some(code) => format!("its process ended with exit code {code}"),
            None => "its process was killed".into(),
        });
        let shortage = end.shortage.filter(|_| !cancelled);
        match (self.exit_class(end.exit_code, mode), shortage) {
            (ExitClass::Failed | ExitClass::Interrupted, Some(shortage)) => {
                self.wait_for_space(shortage, end.rows_read, reason, now);
            }
            (ExitClass::Done, _) => {
                self.rows_reached = self.rows_reached.max(end.rows_read);
                self.error = None;
                self.finish(State::Done, now);
            }
            (ExitClass::Failed, _) if !cancelled => {
                self.error = Some(reason);
                self.finish(State::Failed, now);
            }
            _ => self.interrupted(end.rows_read, reason, now, policy),
        }
    }

    fn exit_class(&self, exit_code: Option<i32>, mode: Mode) -> ExitClass {
        match exit_code {
            // A process that resumes a complete run has nothing to write.
            Some(0 | 4) if self.begun || mode == Mode::Resume => ExitClass::Done,
            Some(1..=3) => ExitClass::Failed,
            _ => ExitClass::Interrupted,
        }
    }

    /// The process has ended early, or never existed.
    fn interrupted(&mut self, rows_read: u64, reason: String, now: Millis, policy: &RetryPolicy) {
        let got_further = rows_read > self.rows_reached;
        self.rows_reached = self.rows_reached.max(rows_read);
        if self.ending == Some(Ending::Cancel) {
            return self.finish(State::Cancelled, now);
        }
        if got_further {
            (self.failures, self.space_checks) = (0, 0);
        }
        if self.ending == Some(Ending::Drain) {
            return self.wait(reason, now);
        }
        if !got_further {
            self.failures = self.failures.saturating_add(1).min(policy.failures_max);
            if self.failures == policy.failures_max {
                self.error = Some(format!(
                    "failed after {} attempts in a row without progress; the last error: {reason}",
                    self.failures
                ));
                return self.finish(State::Failed, now);
            }
        }
        self.wait(reason, now.saturating_add(policy.delay_ms(self.failures)));
    }

    /// The daemon was killed, which is not the job's fault and does not count as a failure.
    fn orphaned(&mut self, now: Millis) {
        self.exit_code = None;
        if self.ending == Some(Ending::Cancel) {
            self.finish(State::Cancelled, now);
        } else {
            self.wait("the daemon ended before the job process".into(), now);
        }
    }

    pub(super) fn wait(&mut self, reason: String, retry_at: Millis) {
        self.state = State::Interrupted;
        self.error = Some(reason);
        self.retry_at = Some(retry_at);
        self.ending = None;
        self.process = None;
    }

    fn finish(&mut self, state: State, now: Millis) {
        self.state = state;
        self.waits_for_jobs.clear();
        self.ended_at = Some(now);
        (self.retry_at, self.space) = (None, None);
        self.ending = self.ending.filter(|ending| *ending == Ending::Cancel);
        self.process = None;
    }
}

impl RetryPolicy {
    /// Delay before an interrupted job is resumed after so many failures: doubled for each further one. A job
    /// that made progress (0 failures) waits as after the first, so that no job can keep the daemon busy with
    /// starting it.
    pub fn delay_ms(&self, failures: u32) -> Millis {
        let doublings = failures.saturating_sub(1).min(62);
        let delay = self.first_delay_ms.saturating_mul(1 << doublings);
        delay.min(self.delay_ms_max)
    }
}

impl JobEvent {
    /// Its name in errors and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Unreadable(_) => "unreadable",
            Self::Spawned(_) => "spawned",
            Self::NotSpawned(_) => "not spawned",
            Self::Begun => "begun",
            Self::Opened => "opened",
            Self::CancelAsked => "cancel asked",
            Self::Changed(_) => "changed",
            Self::DependencyEnded(..) => "dependency ended",
            Self::DrainAsked => "drain asked",
            Self::Ended(_) => "ended",
            Self::Orphaned => "orphaned",
            Self::SpaceFound => "space found",
        }
    }
}
