//! Jobs as JSON.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::daemon::{
    core::JobView,
    job::{Demand, JobId, Millis, Mode, State},
};

/// A job as clients see it.
#[derive(Clone, Debug, Serialize)]
pub struct JobJson<'a> {
    id: JobId,
    name: Option<&'a str>,
    user: UserJson<'a>,
    state: State,
    priority: i32,
    mode: Mode,
    settings: &'a Value,
    demand: Demand,
    submitted_at: String,
    started_at: Option<String>,
    ended_at: Option<String>,
    attempts: u32,
    failures: u32,
    retry_at: Option<String>,
    cancel_asked: bool,
    exit_code: Option<i32>,
    error: Option<&'a str>,
    worker_pid: Option<u32>,
    progress: Option<&'a Value>,
    seq: u64,
}

#[derive(Clone, Debug, Serialize)]
struct UserJson<'a> {
    uid: u32,
    name: Option<&'a str>,
}

/// A job and the name of its user, if the user has one.
pub fn job_json<'a>(view: &'a JobView, user_name: Option<&'a str>) -> JobJson<'a> {
    let job = &view.job;
    JobJson {
        id: job.id,
        name: job.name.as_deref(),
        user: UserJson {
            uid: job.uid,
            name: user_name,
        },
        state: job.state,
        priority: job.priority,
        mode: job.mode,
        settings: &job.settings,
        demand: job.demand,
        submitted_at: rfc3339(job.submitted_at),
        started_at: job.started_at.map(rfc3339),
        ended_at: job.ended_at.map(rfc3339),
        attempts: job.attempts,
        failures: job.failures,
        retry_at: job.retry_at.map(rfc3339),
        cancel_asked: job.ending == Some(crate::daemon::job::Ending::Cancel),
        exit_code: job.exit_code,
        error: job.error.as_deref(),
        worker_pid: job.worker.as_ref().map(|worker| worker.pid),
        progress: view.progress.as_deref(),
        seq: job.seq,
    }
}

/// A time as RFC 3339 in UTC. What no calendar holds is told as the nearest that one does.
pub fn rfc3339(time: Millis) -> String {
    Timestamp::from_millisecond(time)
        .unwrap_or(if time < 0 {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        })
        .to_string()
}
