//! Notifications of the ends of jobs: a process for each, which becomes the job's user.
//!
//! Constraints:
//! - One at a time for each user, [`NOTIFICATIONS_MAX`] in all. What waits is a number for each job.
//! - A process gets [`NOTIFY_SECONDS_MAX`], and is then killed with its children.
//! - A notification never changes its job. Its output and its failure are in the job's log.
//! - It is made at least once: the store lists it from the end of the job until it is made, so a daemon that starts
//!   again makes it again if it was under way. One that fails is not repeated. A job that is forgotten takes its
//!   notification along.

use std::{
    collections::{BTreeMap, VecDeque},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::{io::AsyncWriteExt, process::Command, sync::mpsc, task::JoinSet, time::timeout};

use super::process::{self, Text, failed};
use crate::{
    daemon::{
        action::Caller,
        core::{Core, ProcessMessage},
        job::{Job, JobId},
        peer::Peers,
        protocol::Notification,
        refusal::Refusal,
        view::JobView,
    },
    limits::{NOTIFICATIONS_MAX, NOTIFY_OUTPUT_BYTES_MAX, NOTIFY_SECONDS_MAX},
};

/// The daemon itself, which sees every job.
const DAEMON: Caller = Caller {
    uid: 0,
    gid: 0,
    admin: true,
};
/// Time to read what is left in the pipes of a process that has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// Makes the notifications that are due, until the sender is gone.
pub(super) async fn notify(
    core: Core,
    peers: Arc<Peers>,
    mut due: mpsc::UnboundedReceiver<(JobId, u32)>,
) {
    let mut waiting: BTreeMap<u32, VecDeque<JobId>> = BTreeMap::new();
    let mut busy: Vec<u32> = Vec::new();
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            Some(user) = running.join_next() => {
                // A task that panics leaves its user busy, and its panic is reported.
                busy.retain(|uid| !user.as_ref().is_ok_and(|user| user == uid));
            }
            next = due.recv() => match next {
                Some((id, uid)) => waiting.entry(uid).or_default().push_back(id),
                None => return,
            },
        }
        while busy.len() < NOTIFICATIONS_MAX
            && let Some((uid, id)) = next(&mut waiting, &busy)
        {
            busy.push(uid);
            let (core, peers) = (core.clone(), Arc::clone(&peers));
            running.spawn(async move {
                one(&core, &peers, id).await;
                uid
            });
        }
    }
}

/// The next job of a user who has no notification under way.
fn next(waiting: &mut BTreeMap<u32, VecDeque<JobId>>, busy: &[u32]) -> Option<(u32, JobId)> {
    let free = |uid: &&u32| !busy.contains(uid);
    let uid = waiting.keys().find(free).copied()?;
    let jobs = waiting.get_mut(&uid)?;
    let id = jobs.pop_front();
    if jobs.is_empty() {
        waiting.remove(&uid);
    }
    id.map(|id| (uid, id))
}

async fn one(core: &Core, peers: &Arc<Peers>, id: JobId) {
    let job = match core.show(DAEMON, id).await {
        Ok(job) => job,
        // It was forgotten.
        Err(Refusal::NotFound(_)) => return,
        // The next daemon tries again.
        Err(refusal) => return tracing::error!(job = id.0, "cannot notify: {refusal}"),
    };
    peers.look_up_beside(job.submission.uid).await;
    let made = run(core, peers, &job).await;
    let (mut said, result) = match made {
        Ok((said, result)) => (said, result),
        Err(reason) => (Vec::new(), Err(reason)),
    };
    if let Err(reason) = result {
        if !said.is_empty() && !said.ends_with(b"\n") {
            said.push(b'\n');
        }
        said.extend(format!("notify: {reason}\n").into_bytes());
        let owner = job.submission.uid;
        tracing::warn!(job = id.0, owner, "job {id}: notify: {reason}");
    }
    if !said.is_empty() {
        core.report(id, ProcessMessage::Said(said)).await;
    }
    core.report(id, ProcessMessage::Notified).await;
}

/// Output of a notification's process, and whether it went well.
type Made = (Vec<u8>, Result<(), String>);

/// Runs the process of a notification to its end. The outer error means that it was not started.
async fn run(core: &Core, peers: &Peers, job: &Job) -> Result<Made, String> {
    let Some(notify) = job.submission.options.notify.clone() else {
        return Ok((Vec::new(), Ok(())));
    };
    let run_as = peers
        .run_as(job.submission.uid)
        .map_err(|denied| denied.to_string())?;
    let mut command = process::command("notify", peers, run_as.as_ref())
        .map_err(failed("start a notification"))?;
    let name = run_as.as_ref().map(|user| user.name.clone());
    let notification = Notification {
        notify,
        job: Box::new(JobView::new(job, name.as_deref(), None)),
        socket: core.settings().socket.clone(),
        run_as,
    };
    let line = notification.line().map_err(|error| error.to_string())?;
    let limit = Duration::from_secs(NOTIFY_SECONDS_MAX);
    run_process(&mut command, line, limit).await
}

async fn run_process(command: &mut Command, line: String, limit: Duration) -> Result<Made, String> {
    let mut child = command
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed("start a notification"))?;
    let pid = child.id();
    let (mut out, mut err) = (
        Text::new(child.stdout.take()),
        Text::new(child.stderr.take()),
    );
    let input = child.stdin.take();
    let mut said = Vec::new();
    let mut keep = |text: Vec<u8>| {
        let free = NOTIFY_OUTPUT_BYTES_MAX - said.len();
        said.extend_from_slice(&text[..text.len().min(free)]);
    };
    let work = async {
        if let Some(mut input) = input {
            // If it ends without reading, its exit status says more.
            input.write_all(line.as_bytes()).await.ok();
        }
        loop {
            tokio::select! {
                biased;
                Some(text) = out.next() => keep(text),
                Some(text) = err.next() => keep(text),
                status = child.wait() => return status,
            }
        }
    };
    let status = timeout(limit, work).await;
    let Ok(status) = status else {
        if let Some(pid) = pid {
            process::signal_group(pid, Signal::SIGKILL);
        }
        child.wait().await.ok();
        let reason = format!("it took longer than {} s and was killed", limit.as_secs());
        return Ok((said, Err(reason)));
    };
    // A child of its own may hold the pipes open.
    let rest = async {
        loop {
            tokio::select! {
                biased;
                Some(text) = out.next() => keep(text),
                Some(text) = err.next() => keep(text),
                else => return,
            }
        }
    };
    timeout(DRAIN, rest).await.ok();
    let result = match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(match status.code() {
            Some(code) => format!("it ended with exit code {code}"),
            None => "it was ended by a signal".into(),
        }),
        Err(error) => Err(failed("wait for a notification")(error)),
    };
    Ok((said, result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_served_one_at_a_time_each() {
        let jobs = |ids: &[u64]| ids.iter().copied().map(JobId).collect();
        let mut waiting = BTreeMap::from([(1, jobs(&[10, 11])), (2, jobs(&[12]))]);
        assert_eq!(next(&mut waiting, &[]), Some((1, JobId(10))));
        assert_eq!(next(&mut waiting, &[1]), Some((2, JobId(12))));
        assert_eq!(next(&mut waiting, &[1, 2]), None);
        assert_eq!(next(&mut waiting, &[2]), Some((1, JobId(11))));
        assert!(waiting.is_empty());
    }

    fn sh(script: &str, limit: Duration) -> (String, Result<(), String>) {
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let run = run_process(&mut command, "line\n".into(), limit);
        let (said, result) = runtime.block_on(run).unwrap();
        (String::from_utf8(said).unwrap(), result)
    }

    #[test]
    fn what_a_process_says_is_kept_and_bounded() {
        let minute = Duration::from_secs(60);
        let (said, result) = sh("read line; echo got $line; exit 3", minute);
        assert_eq!(said, "got line\n");
        assert_eq!(result, Err("it ended with exit code 3".into()));
        let (said, result) = sh("head -c 300000 /dev/zero | tr '\\0' x", minute);
        assert_eq!((said.len(), result), (NOTIFY_OUTPUT_BYTES_MAX, Ok(())));
    }

    #[test]
    fn one_that_takes_too_long_is_killed_with_its_children() {
        let (said, result) = sh("sleep 77 & echo $!; wait", Duration::from_secs(1));
        assert_eq!(result, Err("it took longer than 1 s and was killed".into()));
        let child = format!("/proc/{}/stat", said.trim());
        let gone = || match std::fs::read_to_string(&child) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => true,
        };
        let started = std::time::Instant::now();
        while !gone() {
            assert!(started.elapsed() < Duration::from_secs(10), "{child}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_child_that_stays_does_not_delay_the_end() {
        let started = std::time::Instant::now();
        let (said, result) = sh("sleep 20 & echo done", Duration::from_secs(15));
        assert_eq!((said.as_str(), result), ("done\n", Ok(())));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}
