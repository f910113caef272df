//! Jobs that wait for others, inside a transaction: what a new job waits for, and what the end of a job means for
//! those that wait for it.
//!
//! A job can name earlier jobs only, so there are no cycles. The end of a job, and what follows from it, is one
//! transaction. So a job that has ended is never waited for, and may be forgotten.

use super::Terms;
use crate::daemon::{
    action::Caller,
    job::{Job, JobEvent, JobId, State, Submission},
    refusal::Refusal,
    store::{JobStoreError, Tx},
};

/// What a submission has to wait for.
#[derive(Default)]
pub(super) struct Dependencies {
    /// Jobs that have not ended.
    pub(super) unmet: Vec<JobId>,
    /// A job that has ended, but not as it must, with its state.
    pub(super) broken: Option<(JobId, State)>,
}

/// Looks up the jobs that a submission names.
pub(super) fn look_up(
    tx: &Tx<'_>,
    caller: Caller,
    submission: &Submission,
) -> Result<Result<Dependencies, Refusal>, JobStoreError> {
    let options = &submission.options;
    let mut found = Dependencies::default();
    for id in options.after.iter().chain(&options.after_any) {
        let Some(job) = tx.job(*id)?.filter(|job| caller.may_see(job)) else {
            return Ok(Err(Refusal::NotFound(*id)));
        };
        let state = job.course.state;
        if !state.is_final() {
            found.unmet.push(*id);
        } else if !options.accepts(*id, state) {
            found.unmet.push(*id);
            found.broken.get_or_insert((*id, state));
        }
    }
    found.unmet.sort_unstable();
    Ok(Ok(found))
}

/// Does what follows from the end of a job: those that wait for it become ready, or are cancelled, and so on. Returns
/// the jobs that have changed, each as it is after each of its changes, without their settings.
pub(super) fn follow_end(tx: &Tx<'_>, job: &Job, terms: &Terms) -> Result<Vec<Job>, JobStoreError> {
    let mut changed = Vec::new();
    let mut ended = vec![job.clone()];
    while let Some(job) = ended.pop() {
        let waiting = tx.waiting_for(job.id)?;
        tx.end_waits(job.id, job.submission.options.notify.is_some())?;
        for id in waiting {
            let Some(mut other) = tx.job(id)? else {
                continue;
            };
            let event = JobEvent::DependencyEnded(job.id, job.course.state);
            if let Err(impossible) = other.apply(event, terms.now, &terms.retry) {
                tracing::debug!(job = id.0, "{impossible}");
                continue;
            }
            tx.update(&other, terms.now)?;
            let other = other.without_settings();
            if other.course.state.is_final() {
                ended.push(other.clone());
            }
            changed.push(other);
        }
    }
    Ok(changed)
}
