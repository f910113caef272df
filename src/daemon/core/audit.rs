//! The log of who changed what: one line for each request of a user that has changed something, after it is stored.
//!
//! Fields, the same in text, JSON and the journal: `action` (`submit`, `set`, `cancel`, `rm`), `job`, `actor` (uid of the
//! user who asked, as the kernel reports it) and `owner` (uid of the user of the job). They differ if an admin acts.

use super::{
    message::Message,
    take::{Effect, Reply},
};
use crate::daemon::job::{Job, JobChange};

/// Logs the request if it has changed something.
pub(super) fn log(message: &Message, effect: &Effect) {
    let Ok(reply) = &effect.answer else {
        return;
    };
    let is_change = effect.changed.is_some();
    match (message, reply) {
        (Message::Submit(..), Reply::Submitted(submitted)) if submitted.new => {
            let owner = submitted.job.submission.uid;
            write("submit", owner, &submitted.job, "");
        }
        (Message::Cancel(caller, ..), Reply::Job(job)) if is_change => {
            write("cancel", caller.uid, job, "");
        }
        (Message::Set(caller, _, change, _), Reply::Job(job)) if is_change => {
            write("set", caller.uid, job, &said(change));
        }
        (Message::Forget(caller, ..), Reply::Job(job)) => write("rm", caller.uid, job, ""),
        _ => {}
    }
}

fn write(action: &'static str, actor: u32, job: &Job, change: &str) {
    let (id, owner) = (job.id, job.submission.uid);
    let colon = if change.is_empty() { "" } else { ": " };
    tracing::info!(
        action,
        job = id.0,
        actor,
        owner,
        change,
        "user {actor}: {action} job {id} of user {owner}{colon}{change}"
    );
}

/// What was changed.
fn said(change: &JobChange) -> String {
    let JobChange { priority } = change;
    let priority = priority.map(|priority| format!("priority {priority}"));
    priority.into_iter().collect::<Vec<_>>().join(", ")
}
