//! What a message does to the store, inside a transaction.

use super::{
    handle::{Figures, JobView, Refusal, Submitted},
    message::{Message, ProcessMessage},
};
use crate::daemon::{
    action::Caller,
    job::{Ending, Job, JobEvent, JobId, Millis, RetryPolicy, Submission},
    store::{Inserted, JobStoreError, Tx},
};

/// What came of a message, once it is committed.
pub(super) struct Effect {
    /// The job, if it is not as it was before.
    pub(super) changed: Option<Job>,
    /// What whoever sent the message is told.
    pub(super) answer: Result<Reply, Refusal>,
}

/// An answer that is not a refusal.
pub(super) enum Reply {
    Submitted(Box<Submitted>),
    Job(Box<JobView>),
    Nothing,
}

/// What a message is taken with.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) now: Millis,
    pub(super) retry: RetryPolicy,
    /// Jobs that ended before are forgotten.
    pub(super) ended_before: Millis,
    /// Whether the daemon ends.
    pub(super) draining: bool,
    /// Whether as many jobs wait as may.
    pub(super) full: bool,
}

/// Jobs that are forgotten in one transaction at most.
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

/// Takes a message. An error means that the store can't just now.
pub(super) fn take(tx: &Tx<'_>, message: &Message, terms: &Terms) -> Result<Effect, JobStoreError> {
    match message {
        Message::Submit(submission, _) => submit(tx, submission, terms),
        Message::Cancel(caller, id, _) => cancel(tx, *caller, *id, terms),
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

/// Lets something happen to a job. What can't happen to it (any more) changes nothing and is refused.
pub(super) fn apply_event(
    tx: &Tx<'_>,
    id: JobId,
    event: JobEvent,
    terms: &Terms,
) -> Result<Effect, JobStoreError> {
    let Some(mut job) = tx.job(id)? else {
        return Ok(Effect::answer(Err(Refusal::NotFound(id))));
    };
    let before = job.seq;
    if let Err(impossible) = job.apply(event, terms.now, &terms.retry) {
        tracing::debug!(job = id.0, "{impossible}");
        return Ok(Effect::answer(Err(Refusal::Busy)));
    }
    if job.seq == before {
        return Ok(Effect::nothing());
    }
    tx.update(&job, terms.now)?;
    Ok(Effect::changed(job))
}

fn submit(tx: &Tx<'_>, submission: &Submission, terms: &Terms) -> Result<Effect, JobStoreError> {
    if terms.draining || terms.full {
        return Ok(Effect::answer(Err(Refusal::Busy)));
    }
    let submitted = |job: Job, new| {
        Reply::Submitted(Box::new(Submitted {
            view: job.into(),
            new,
        }))
    };
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
    if job.state.is_final() || job.ending == Some(Ending::Cancel) {
        return Ok(Effect::answer(Ok(Reply::Job(Box::new(job.into())))));
    }
    let mut effect = apply_event(tx, id, JobEvent::CancelAsked, terms)?;
    if effect.answer.is_ok() {
        let now = effect.changed.clone().unwrap_or(job);
        effect.answer = Ok(Reply::Job(Box::new(now.into())));
    }
    Ok(effect)
}

fn forget(tx: &Tx<'_>, caller: Caller, id: JobId) -> Result<Effect, JobStoreError> {
    let answer = match own(tx, caller, id)? {
        Ok(job) if job.state.is_final() => {
            tx.remove(id)?;
            Ok(Reply::Nothing)
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
        self.admin || self.uid == job.uid
    }
}

impl Message {
    /// Whether it comes from a client, who can be told to try again.
    pub(super) fn is_request(&self) -> bool {
        !matches!(self, Self::Process(..) | Self::Prune | Self::Drain)
    }

    /// Tells whoever sent it. That nobody waits for the answer any more is no matter.
    pub(super) fn answer(self, answer: Result<Reply, Refusal>, figures: impl FnOnce() -> Figures) {
        match (self, answer) {
            (Self::Submit(_, to), Ok(Reply::Submitted(submitted))) => to.send(Ok(*submitted)).ok(),
            (Self::Submit(_, to), Err(refusal)) => to.send(Err(refusal)).ok(),
            (Self::Cancel(_, _, to), Ok(Reply::Job(view))) => to.send(Ok(*view)).ok(),
            (Self::Cancel(_, _, to), Err(refusal)) => to.send(Err(refusal)).ok(),
            (Self::Forget(_, _, to), answer) => to.send(answer.map(|_| ())).ok(),
            (Self::Figures(to), answer) => to.send(answer.map(|_| figures())).ok(),
            (
                Self::Process(_, ProcessMessage::Spawned(_, to) | ProcessMessage::Planned(to)),
                answer,
            ) => to.send(answer.map(|_| ())).ok(),
            _ => None,
        };
    }
}
