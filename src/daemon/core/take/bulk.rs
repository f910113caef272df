//! Cancelling and forgetting many jobs in one transaction.

use super::{Effect, Reply, Terms, apply_event};
use crate::daemon::{
    action::{Bulk, Caller, ListQuery},
    job::{Ending, Job, JobEvent, State},
    snapshot::Selected,
    store::{JobStoreError, Tx},
};

/// Cancels or forgets the jobs of a query, newest first, as many as its limit says.
pub(super) fn many(
    tx: &Tx<'_>,
    caller: Caller,
    bulk: Bulk,
    query: &ListQuery,
    terms: &Terms,
) -> Result<Effect, JobStoreError> {
    let states = query.states.iter().copied();
    let states: Vec<State> = match query.states.is_empty() {
        true => bulk.states().collect(),
        false => states.filter(|state| bulk.acts_on(*state)).collect(),
    };
    let mut effect = Effect::nothing();
    let mut selected = Selected::default();
    // No states would mean all.
    if !states.is_empty() {
        let query = ListQuery {
            states,
            ..query.clone()
        };
        let visible_to = (!caller.admin).then_some(caller.uid);
        let ids = tx.select(&query, visible_to)?;
        let whole = ids.len() >= query.limit as usize;
        selected.next_before = ids.last().copied().filter(|_| whole);
        for id in ids {
            let Some(job) = tx.job(id)? else {
                continue;
            };
            if let Some(state) = one(tx, bulk, &job, terms, &mut effect)? {
                selected.jobs.push((id, state));
            }
        }
    }
    effect.answer = Ok(Reply::Selected(selected));
    Ok(effect)
}

/// Acts on one job. Returns its state after that; none if there was nothing to do.
fn one(
    tx: &Tx<'_>,
    bulk: Bulk,
    job: &Job,
    terms: &Terms,
    effect: &mut Effect,
) -> Result<Option<State>, JobStoreError> {
    let state = job.course.state;
    match bulk {
        Bulk::Forget => {
            let gone = tx.remove(job.id)?;
            if gone {
                effect.forgotten.push((job.id, job.submission.uid));
            }
            Ok(gone.then_some(state))
        }
        // An earlier job of this request may have cancelled it.
        Bulk::Cancel if state.is_final() || job.course.ending == Some(Ending::Cancel) => Ok(None),
        Bulk::Cancel => {
            let cancelled = apply_event(tx, job.id, JobEvent::CancelAsked, terms)?;
            let state = cancelled.changed.as_ref().map(|job| job.course.state);
            let also = cancelled.changed.into_iter().map(Job::without_settings);
            effect.also.extend(also);
            effect.also.extend(cancelled.also);
            Ok(state)
        }
    }
}
