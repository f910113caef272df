//! Applies messages to the store, inside a transaction.

mod bulk;
mod dependencies;

use serde::Deserialize;

use self::dependencies::Dependencies;
use super::{
    message::{Message, ProcessMessage, SpaceFinding},
    room::Room,
    waits::Waits,
};
use crate::{
    config::JobSettings,
    daemon::{
        action::Caller,
        job::{Ending, Job, JobChange, JobEvent, JobId, Millis, RetryPolicy, Submission},
        refusal::Refusal,
        settings::ServeSettings,
        snapshot::{Figures, Selected, Submitted},
        store::{Inserted, JobStoreError, Tx},
    },
};

/// The effect of a message, valid once it is committed.
pub(super) struct Effect {
    /// The job, if it has changed.
    pub(super) changed: Option<Job>,
    /// Other jobs that have changed, after it, in this order, without their settings.
    pub(super) also: Vec<Job>,
    /// Jobs that a request about many has removed, with their owners.
    pub(super) forgotten: Vec<(JobId, u32)>,
    /// The answer to the sender.
    pub(super) answer: Result<Reply, Refusal>,
}

/// An answer that is not a refusal.
pub(super) enum Reply {
    Submitted(Box<Submitted>),
    Job(Box<Job>),
    Selected(Selected),
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
}

/// Maximum number of jobs forgotten in one transaction.
const PRUNED_MAX: u32 = 1_000;

impl Effect {
    pub(super) fn nothing() -> Self {
        Self::answer(Ok(Reply::Nothing))
    }

    fn answer(answer: Result<Reply, Refusal>) -> Self {
        Self {
            changed: None,
            also: Vec::new(),
            forgotten: Vec::new(),
            answer,
        }
    }

    fn changed(job: Job, also: Vec<Job>) -> Self {
        Self {
            changed: Some(job),
            also,
            forgotten: Vec::new(),
            answer: Ok(Reply::Nothing),
        }
    }
}

/// Applies messages in this order. An error means that the store fails.
pub(super) fn take_all(
    tx: &Tx<'_>,
    messages: &[Message],
    terms: &Terms,
    (waits, settings): (&Waits, &ServeSettings),
) -> Result<Vec<Effect>, JobStoreError> {
    let room = Room::new(waits, settings);
    let taken = messages
        .iter()
        .map(|message| take(tx, message, terms, &room));
    taken.collect()
}

/// Applies a message. An error means that the store fails.
fn take(
    tx: &Tx<'_>,
    message: &Message,
    terms: &Terms,
    room: &Room<'_>,
) -> Result<Effect, JobStoreError> {
    match message {
        Message::Submit(caller, submission, _) => submit(tx, *caller, submission, (terms, room)),
        Message::Many(caller, bulk, query, _) => bulk::many(tx, *caller, *bulk, query, terms),
        Message::Cancel(caller, id, _) => cancel(tx, *caller, *id, terms),
        Message::Set(caller, id, change, _) => set(tx, *caller, *id, *change, (terms, room)),
        Message::Forget(caller, id, _) => forget(tx, *caller, *id),
        Message::Process(id, ProcessMessage::Said(bytes)) => {
            tx.append_log(*id, bytes)?;
            Ok(Effect::nothing())
        }
        Message::Process(id, ProcessMessage::SpaceChecked(finding)) => {
            take_finding(tx, *id, *finding, terms)
        }
        Message::Process(id, ProcessMessage::Notified) => {
            tx.notified(*id)?;
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
        Message::Figures(_)
        | Message::Standing(..)
        | Message::Reload
        | Message::Gpus
        | Message::Drain => Ok(Effect::nothing()),
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
        ProcessMessage::Said(_) | ProcessMessage::SpaceChecked(_) | ProcessMessage::Notified => {
            return None;
        }
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
    let also = match job.course.state.is_final() {
        true => dependencies::follow_end(tx, &job, terms)?,
        false => Vec::new(),
    };
    Ok(Effect::changed(job, also))
}

/// A job that is to be started, with the settings for its process.
pub(super) struct Admitted {
    pub(super) job: Job,
    /// None if the job has failed instead, because its stored settings cannot be read.
    pub(super) settings: Option<JobSettings>,
    /// Other jobs that have changed with it, without their settings.
    pub(super) also: Vec<Job>,
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
    let also = effect.also;
    Ok(effect.changed.map(|job| Admitted {
        job,
        settings,
        also,
    }))
}

/// Applies the finding of a check to the job that waits.
fn take_finding(
    tx: &Tx<'_>,
    id: JobId,
    finding: SpaceFinding,
    terms: &Terms,
) -> Result<Effect, JobStoreError> {
    let free_bytes = match finding {
        SpaceFinding::Enough => return apply_event(tx, id, JobEvent::SpaceFound, terms),
        SpaceFinding::Full(free_bytes) => free_bytes,
    };
    let Some(mut job) = tx.job(id)? else {
        return Ok(Effect::nothing());
    };
    if !job.note_full_disk(free_bytes, terms.now) {
        return Ok(Effect::nothing());
    }
    tx.update(&job, terms.now)?;
    Ok(Effect::changed(job, Vec::new()))
}

fn submit(
    tx: &Tx<'_>,
    caller: Caller,
    submission: &Submission,
    (terms, room): (&Terms, &Room<'_>),
) -> Result<Effect, JobStoreError> {
    if terms.draining {
        return Ok(Effect::answer(Err(Refusal::Busy)));
    }
    let submitted = |job: Job, new| Reply::Submitted(Box::new(Submitted { job, new }));
    // The jobs that it had to wait for may be forgotten by now, and it needs no room.
    let inserted = match tx.submitted_before(submission)? {
        Some(earlier) => earlier,
        None => {
            if let Some(refusal) = room.refusal(submission) {
                return Ok(Effect::answer(Err(refusal)));
            }
            let Dependencies { unmet, broken } =
                match dependencies::look_up(tx, caller, submission)? {
                    Ok(dependencies) => dependencies,
                    Err(refusal) => return Ok(Effect::answer(Err(refusal))),
                };
            let mut submission = submission.clone();
            submission.options.unmet = unmet;
            match (tx.insert(submission, terms.now)?, broken) {
                (Inserted::New(job), Some((id, state))) => {
                    let event = JobEvent::DependencyEnded(id, state);
                    let mut effect = apply_event(tx, job.id, event, terms)?;
                    let job = effect.changed.clone().unwrap_or(job);
                    effect.answer = Ok(submitted(job, true));
                    return Ok(effect);
                }
                (inserted, _) => inserted,
            }
        }
    };
    Ok(match inserted {
        Inserted::New(job) => {
            room.take(job.submission.uid);
            Effect {
                answer: Ok(submitted(job.clone(), true)),
                ..Effect::changed(job, Vec::new())
            }
        }
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
    (terms, room): (&Terms, &Room<'_>),
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
    if let Err(refusal) = room.allows(caller, &job, &change) {
        return Ok(Effect::answer(Err(refusal)));
    }
    let effect = apply_event(tx, id, JobEvent::Changed(change), terms)?;
    if let Some(job) = effect.changed.as_ref().filter(|_| change.is_of_resources()) {
        tx.update_submission(job)?;
    }
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
        !matches!(
            self,
            Self::Process(..) | Self::Prune | Self::Drain | Self::Reload | Self::Gpus
        )
    }

    /// Answers the sender, who may be gone.
    pub(super) fn answer(
        self,
        answer: Result<Reply, Refusal>,
        figures: impl FnOnce() -> Result<Figures, Refusal>,
    ) {
        match (self, answer) {
            (Self::Submit(_, _, to), Ok(Reply::Submitted(submitted))) => {
                to.send(Ok(*submitted)).ok()
            }
            (Self::Submit(_, _, to), Err(refusal)) => to.send(Err(refusal)).ok(),
            (Self::Many(_, _, _, to), Ok(Reply::Selected(selected))) => to.send(Ok(selected)).ok(),
            (Self::Many(_, _, _, to), Err(refusal)) => to.send(Err(refusal)).ok(),
            (Self::Cancel(_, _, to) | Self::Set(_, _, _, to), Ok(Reply::Job(view))) => {
                to.send(Ok(*view)).ok()
            }
            (Self::Cancel(_, _, to) | Self::Set(_, _, _, to), Err(refusal)) => {
                to.send(Err(refusal)).ok()
            }
            (Self::Forget(_, _, to), answer) => to.send(answer.map(|_| ())).ok(),
            (Self::Standing(_, to), Err(refusal)) => to.send(Err(refusal)).ok(),
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
mod tests;
