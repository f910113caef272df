//! What the log says of a change of a job by its user or an admin.

use crate::{
    daemon::{action::Caller, job::Job},
    units::{ByteSize, counted},
};

/// Logs a job as it is after a change by `caller`.
pub(super) fn log(caller: Caller, job: &Job) {
    let (id, submission) = (job.id, &job.submission);
    let (user, by, priority) = (submission.uid, caller.uid, submission.priority);
    let (memory, threads) = (submission.demand.memory_bytes, submission.demand.threads);
    tracing::info!(
        job = id.0,
        user,
        by,
        priority,
        memory,
        threads,
        "job {id} has priority {priority}, {} and {}",
        ByteSize(memory),
        counted(threads.into(), "thread"),
    );
}
