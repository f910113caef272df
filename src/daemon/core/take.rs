//! Applies messages to the store, inside a transaction.

use serde::Deserialize;

use super::message::{Message, ProcessMessage};
use crate::{
    config::JobSettings,
    daemon::{
        action::Caller,
        admission,
        job::{Ending, Job, JobChange, JobEvent, JobId, Millis, RetryPolicy, Submission},
        refusal::Refusal,
        snapshot::{Figures, Submitted},
        store::{Inserted, JobStoreError, Tx},
    },
};

/// The effect of a message, valid once it is committed.
pub(super) struct Effect {
    /// The job, if it has changed.
    pub(super) changed: Option<Job>,
    /// The answer to the sender.
    pub(super) answer: Result<Reply, Refusal>,
}

/// An answer that is not a refusal.
pub(super) enum Reply {
    Submitted(Box<Submitted>),
    Job(Box<Job>),
    Nothing,
}

/// The context of a transaction.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) now: Millis,
    pub(super) retry: RetryPolicy,
    /// Jobs that ended earlier are forgotten.
    pub(super) ended_before: Millis,
    /// Whether the daemon is stopping.
    pub(super) draining: bool,
    /// Whether the queue of waiting jobs is full.
    pub(super) full: bool,
}

/// Maximum number of jobs forgotten in one transaction.
const PRUNED_MAX: u32 = 1_000;

impl Effect {
    fn nothing() -> Self {
        Self::answer(Ok(Reply::Nothing))
    }

    fn answer(answer: Result<Reply, Refusal>) -> Self {
        let changed = None;
        Self { changed, answer }
    }

    fn changed(job: Job) -> Self {
        Self {
            changed: Some(job),
            answer: Ok(Reply::Nothing),
        }
    }
}

/// Applies a message. An error means that the store fails.
pub(super) fn take(tx: &Tx<'_>, message: &Message, terms: &Terms) -> Result<Effect, JobStoreError> {
    match message {
        Message::Submit(submission, _) => submit(tx, submission, terms),
        Message::Cancel(caller, id, _) => cancel(tx, *caller, *id, terms),
        Message::Set(caller, id, change, _) => set(tx, *caller, *id, *change, terms),
        Message::Forget(caller, id, _) => forget(tx, *caller, *id),
        Message::Process(id, ProcessMessage::Said(bytes)) => {
            tx.append_log(*id, bytes)?;
            Ok(Effect::nothing())
        }
        Message::Process(id, from) => match event_of(from) {
            Some(event) => apply_event(tx, *id, event, terms),
            None => Ok(Effect::nothing()),
        },
        Message::Prune => {
            tx.prune(terms.ended_before, PRUNED_MAX)?;
            Ok(Effect::nothing())
        }
        Message::Figures(_) | Message::Drain => Ok(Effect::nothing()),
    }
}

fn event_of(from: &ProcessMessage) -> Option<JobEvent> {
    Some(match from {
        ProcessMessage::Spawned(process, _) => JobEvent::Spawned(process.clone()),
        ProcessMessage::NotSpawned(reason) => JobEvent::NotSpawned(reason.clone()),
        ProcessMessage::Planned(_) => JobEvent::Begun,
        ProcessMessage::Opened => JobEvent::Opened,
        ProcessMessage::Ended(end) => JobEvent::Ended(end.clone()),
        ProcessMessage::Gone => JobEvent::Orphaned,
        ProcessMessage::Said(_) => return None,
    })
}

/// Applies an event to a job. An event that its state does not allow changes nothing and is refused.
pub(super) fn apply_event(
    tx: &Tx<'_>,
    id: JobId,
    event: JobEvent,
    terms: &Terms,
) -> Result<Effect, JobStoreError> {
    let Some(mut job) = tx.job(id)? else {
        return Ok(Effect::answer(Err(Refusal::NotFound(id))));
    };
    if let Err(impossible) = job.apply(event, terms.now, &terms.retry) {
        tracing::debug!(job = id.0, "{impossible}");
        return Ok(Effect::answer(Err(Refusal::Busy)));
    }
    tx.update(&job, terms.now)?;
    Ok(Effect::changed(job))
}

/// A job that is to be started, with the settings for its process.
pub(super) struct Admitted {
    pub(super) job: Job,
    /// None if the job has failed instead, because its stored settings cannot be read.
    pub(super) settings: Option<JobSettings>,
}

/// Admits a waiting job. A job whose stored settings cannot be read fails with that error. None if the job is
/// gone or no longer waits.
pub(super) fn admit(
    tx: &Tx<'_>,
    id: JobId,
    terms: &Terms,
) -> Result<Option<Admitted>, JobStoreError> {
    let Some(job) = tx.job(id)? else {
        return Ok(None);
    };
    let (event, settings) = match JobSettings::deserialize(&job.submission.settings) {
        Ok(settings) => (JobEvent::Admitted, Some(settings)),
        Err(error) => {
            let reason = format!("the stored settings of the job cannot be read: {error}");
            tracing::error!(job = id.0, owner = job.submission.uid, "{reason}");
            (JobEvent::Unreadable(reason), None)
        }
    };
    let effect = apply_event(tx, id, event, terms)?;
    Ok(effect.changed.map(|job| Admitted { job, settings }))
}

fn submit(tx: &Tx<'_>, submission: &Submission, terms: &Terms) -> Result<Effect, JobStoreError> {
    if terms.draining || terms.full {
        return Ok(Effect::answer(Err(Refusal::Busy)));
    }
    let submitted = |job: Job, new| Reply::Submitted(Box::new(Submitted { job, new }));
    Ok(match tx.insert(submission.clone(), terms.now)? {
        Inserted::New(job) => Effect {
            changed: Some(job.clone()),
            answer: Ok(submitted(job, true)),
        },
        Inserted::Known(job) => Effect::answer(Ok(submitted(job, false))),
        Inserted::Conflict(id) => Effect::answer(Err(Refusal::IdempotencyConflict(id))),
    })
}

fn cancel(tx: &Tx<'_>, caller: Caller, id: JobId, terms: &Terms) -> Result<Effect, JobStoreError> {
    let job = match own(tx, caller, id)? {
        Ok(job) => job,
        Err(refusal) => return Ok(Effect::answer(Err(refusal))),
    };
    if job.course.state.is_final() || job.course.ending == Some(Ending::Cancel) {
        return Ok(Effect::answer(Ok(Reply::Job(Box::new(job)))));
    }
    let effect = apply_event(tx, id, JobEvent::CancelAsked, terms)?;
    Ok(with_job(effect, job))
}

/// Changes a job, and stores the change as an event. A change that changes nothing is none.
fn set(
    tx: &Tx<'_>,
    caller: Caller,
    id: JobId,
    change: JobChange,
    terms: &Terms,
) -> Result<Effect, JobStoreError> {
    let job = match own(tx, caller, id)? {
        Ok(job) => job,
        Err(refusal) => return Ok(Effect::answer(Err(refusal))),
    };
    if job.course.state.is_final() {
        return Ok(Effect::answer(Err(Refusal::Ended(id, job.course.state))));
    }
    if change.is_made(&job) {
        return Ok(Effect::answer(Ok(Reply::Job(Box::new(job)))));
    }
    if let Some(priority) = change.priority
        && let Err(refusal) = admission::check_priority(caller, priority)
    {
        return Ok(Effect::answer(Err(refusal)));
    }
    let effect = apply_event(tx, id, JobEvent::Changed(change), terms)?;
    Ok(with_job(effect, job))
}

/// An effect whose answer is the job after it; `job` if it changes nothing.
fn with_job(mut effect: Effect, job: Job) -> Effect {
    if effect.answer.is_ok() {
        let now = effect.changed.clone().unwrap_or(job);
        effect.answer = Ok(Reply::Job(Box::new(now)));
    }
    effect
}

fn forget(tx: &Tx<'_>, caller: Caller, id: JobId) -> Result<Effect, JobStoreError> {
    let answer = match own(tx, caller, id)? {
        Ok(job) if job.course.state.is_final() => {
            tx.remove(id)?;
            Ok(Reply::Job(Box::new(job)))
        }
        Ok(_) => Err(Refusal::NotEnded(id)),
        Err(refusal) => Err(refusal),
    };
    Ok(Effect::answer(answer))
}

/// A job that the caller may see and stop.
fn own(tx: &Tx<'_>, caller: Caller, id: JobId) -> Result<Result<Job, Refusal>, JobStoreError> {
    let job = tx.job(id)?.filter(|job| caller.may_see(job));
    Ok(job.ok_or(Refusal::NotFound(id)))
}

impl Caller {
    /// Whether this user may see and stop a job.
    pub fn may_see(&self, job: &Job) -> bool {
        self.admin || self.uid == job.submission.uid
    }
}

impl Message {
    /// Whether it comes from a client, which can retry.
    pub(super) fn is_request(&self) -> bool {
        !matches!(self, Self::Process(..) | Self::Prune | Self::Drain)
    }

    /// Answers the sender, who may be gone.
    pub(super) fn answer(
        self,
        answer: Result<Reply, Refusal>,
        figures: impl FnOnce() -> Result<Figures, Refusal>,
    ) {
        match (self, answer) {
            (Self::Submit(_, to), Ok(Reply::Submitted(submitted))) => to.send(Ok(*submitted)).ok(),
            (Self::Submit(_, to), Err(refusal)) => to.send(Err(refusal)).ok(),
            (Self::Cancel(_, _, to) | Self::Set(_, _, _, to), Ok(Reply::Job(view))) => {
                to.send(Ok(*view)).ok()
            }
            (Self::Cancel(_, _, to) | Self::Set(_, _, _, to), Err(refusal)) => {
                to.send(Err(refusal)).ok()
            }
            (Self::Forget(_, _, to), answer) => to.send(answer.map(|_| ())).ok(),
            (Self::Figures(to), answer) => to.send(answer.and_then(|_| figures())).ok(),
            (
                Self::Process(_, ProcessMessage::Spawned(_, to) | ProcessMessage::Planned(to)),
                answer,
            ) => to.send(answer.map(|_| ())).ok(),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::{job::State, store::Store};

    const CONTEXT: Terms = Terms {
        now: 1,
        retry: RetryPolicy {
            failures_max: 1,
            first_delay_ms: 0,
            delay_ms_max: 0,
        },
        ended_before: 0,
        draining: false,
        full: false,
    };

    /// Admits a job whose stored settings were replaced by `settings`.
    fn admit_with(settings: &str) -> Admitted {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let inserted = store.write(|tx| tx.insert(Submission::plain(), 0));
        let Ok(Inserted::New(job)) = inserted else {
            panic!("{inserted:?}");
        };
        let path = folder.path().join("jobs.sqlite3");
        let other = rusqlite::Connection::open(path).unwrap();
        other
            .execute("UPDATE jobs SET settings = ?1", [settings])
            .unwrap();
        let admitted = store.write(|tx| admit(tx, job.id, &CONTEXT));
        let admitted = admitted.unwrap().unwrap();
        let stored = store.write(|tx| tx.job(job.id)).unwrap();
        assert_eq!(stored.as_ref(), Some(&admitted.job));
        admitted
    }

    #[test]
    fn a_job_with_readable_settings_starts() {
        let admitted = admit_with(r#"{"input":["/b"],"output":"/o"}"#);
        assert_eq!(admitted.job.course.state, State::Starting);
        let settings = admitted.settings.unwrap();
        assert_eq!(settings.input, [std::path::PathBuf::from("/b")]);
    }

    /// Submits a job of user 1 with priority -1 and changes it to `priority` as `uid`. Returns the answer, what is
    /// stored afterwards, and whether the change was an event.
    fn set_as(
        uid: u32,
        admin: bool,
        priority: i32,
        end: bool,
    ) -> (Result<i32, Refusal>, i32, bool) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let submission = Submission {
            priority: -1,
            ..Submission::plain()
        };
        let id = JobId(1);
        let caller = Caller { uid, gid: 1, admin };
        let change = JobChange {
            priority: Some(priority),
        };
        let effect = store.write(|tx| {
            tx.insert(submission, 0)?;
            if end {
                apply_event(tx, id, JobEvent::CancelAsked, &CONTEXT)?;
            }
            set(tx, caller, id, change, &CONTEXT)
        });
        let Effect { changed, answer } = effect.unwrap();
        drop(store);
        // A daemon that starts again reads it.
        let mut store = Store::open(folder.path()).unwrap();
        let stored = store.write(|tx| tx.job(id)).unwrap().unwrap();
        let answer = answer.map(|reply| match reply {
            Reply::Job(job) => job.submission.priority,
            _ => panic!("the answer is a job"),
        });
        (answer, stored.submission.priority, changed.is_some())
    }

    #[test]
    fn a_priority_is_changed_by_its_user_and_by_admins() {
        assert_eq!(set_as(1, false, -5, false), (Ok(-5), -5, true));
        assert_eq!(set_as(1, false, 0, false), (Ok(0), 0, true));
        assert_eq!(set_as(2, true, 10, false), (Ok(10), 10, true));
        // A change that changes nothing is no event.
        assert_eq!(set_as(1, false, -1, false), (Ok(-1), -1, false));
        let (answer, stored, changed) = set_as(1, false, 1, false);
        assert!(matches!(answer, Err(Refusal::Forbidden(_))), "{answer:?}");
        assert_eq!((stored, changed), (-1, false));
        let not_found = Err(Refusal::NotFound(JobId(1)));
        assert_eq!(set_as(2, false, -5, false), (not_found, -1, false));
        let ended = Err(Refusal::Ended(JobId(1), State::Cancelled));
        assert_eq!(set_as(1, false, -5, true), (ended, -1, false));
    }

    #[test]
    fn a_job_whose_stored_settings_cannot_be_read_fails_with_the_error() {
        for (settings, error) in [
            (r#"{"inputt":["/b"],"output":"/o"}"#, "inputt"),
            (r#"{"input":["/b"],"threads":"many"}"#, "many"),
            (r#"{"input":["/b"#, "invalid type: string"),
            ("", "invalid type: string"),
        ] {
            let admitted = admit_with(settings);
            assert_eq!(admitted.job.course.state, State::Failed, "{settings}");
            assert_eq!(admitted.settings, None);
            let found = admitted.job.course.error.unwrap();
            assert!(found.contains("the stored settings"), "{found}");
            assert!(found.contains(error), "{found}");
        }
    }
}
