//! Jobs that wait for disk space.

use jiff::Timestamp;

use super::{age, between, plain};
use crate::{
    daemon::view::{JobView, SpaceWaitView},
    units::{ByteSize, duration},
};

/// The state of a job in a table; of a job that waits for disk space, that too.
pub(super) fn state(job: &JobView) -> String {
    match &job.waits_for_space {
        Some(wait) if wait.quota => format!("{} (quota used up)", job.state),
        Some(_) => format!("{} (disk full)", job.state),
        None => job.state.to_string(),
    }
}

/// What a job waits for, as a sentence that begins with `job 17`.
pub(super) fn waits(wait: &SpaceWaitView, next: Option<Timestamp>, now: Timestamp) -> String {
    let path = plain(&wait.path);
    let [needed, free] = [wait.needed_bytes, wait.free_bytes].map(ByteSize);
    let lacks = match wait.quota {
        true => format!("the disk quota at {path} is used up, and the job needs {needed}"),
        false => format!("{path} has {free} free, and the job needs {needed}"),
    };
    let since = age(between(wait.since, now));
    let next = next.map(|at| between(now, at));
    let next = match next.filter(|wait| !wait.is_zero()) {
        Some(wait) => format!("the next check is in {}", duration(wait)),
        None => "it is checked now".into(),
    };
    format!("waits for disk space since {since}: {lacks}; {next}")
}
