//! The log of who changed what: one line for each request of a user that has changed something, after it is stored.
//!
//! Fields, the same in text, JSON and the journal: `action` (`submit`, `set`, `cancel`, `rm`), `job`, `actor` (uid of the
//! user who asked, as the kernel reports it) and `owner` (uid of the user of the job). They differ if an admin acts. A
//! request about many jobs has a line for each.

use std::collections::BTreeSet;

use super::{
    message::Message,
    take::{Effect, Reply},
};
use crate::daemon::{
    action::{Bulk, Caller},
    job::{Job, JobChange, JobId},
};

/// Logs the request if it has changed something.
pub(super) fn log(message: &Message, effect: &Effect) {
    let Ok(reply) = &effect.answer else {
        return;
    };
    let is_change = effect.changed.is_some();
    match (message, reply) {
        (Message::Submit(caller, ..), Reply::Submitted(submitted)) if submitted.new => {
            write("submit", *caller, of(&submitted.job), "");
        }
        (Message::Cancel(caller, ..), Reply::Job(job)) if is_change => {
            write("cancel", *caller, of(job), "");
        }
        (Message::Set(caller, _, change, _), Reply::Job(job)) if is_change => {
            write("set", *caller, of(job), &said(change));
        }
        (Message::Forget(caller, ..), Reply::Job(job)) => write("rm", *caller, of(job), ""),
        (Message::Many(caller, bulk, ..), Reply::Selected(selected)) => {
            let action = match bulk {
                Bulk::Cancel => "cancel",
                Bulk::Forget => "rm",
            };
            // The jobs that wait for a cancelled one change too, and nobody has asked for that.
            let asked: BTreeSet<JobId> = selected.jobs.iter().map(|(id, _)| *id).collect();
            let changed = effect.also.iter().map(of);
            let acted_on = changed.chain(effect.forgotten.iter().copied());
            for job in acted_on.filter(|(id, _)| asked.contains(id)) {
                write(action, *caller, job, "");
            }
        }
        _ => {}
    }
}

/// A job and its owner.
fn of(job: &Job) -> (JobId, u32) {
    (job.id, job.submission.uid)
}

fn write(action: &'static str, caller: Caller, (id, owner): (JobId, u32), change: &str) {
    let actor = caller.uid;
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
    let JobChange {
        priority,
        memory,
        threads,
    } = change;
    let said = [
        priority.map(|priority| format!("priority {priority}")),
        memory.map(|memory| format!("memory {memory}")),
        threads.map(|threads| format!("threads {threads}")),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
