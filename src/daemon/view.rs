//! The JSON of the HTTP interface, one type for each object. The daemon writes these types, the client
//! reads them, and the OpenAPI document is derived from them: a field's doc comment is its description.

mod space;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use self::space::SpaceWaitView;
use super::{
    gpus::JobGpu,
    job::{Demand, Ending, Job, JobId, Label, Millis, Mode, Resources, State, WaitsFor},
    quota::{Quota, Used},
    refusal::ErrorCode,
    snapshot::{Selected, Standing},
};
use crate::{nvidia::NvidiaDevice, report::event::Progress};

/// A job as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Job)]
pub struct JobView {
    /// Number of the job: 1, 2, 3 … in the order of submission.
    #[schema(value_type = u64, minimum = 1)]
    pub id: JobId,
    /// Name that its user gave to it.
    #[schema(required = true)]
    pub name: Option<String>,
    /// The user who submitted it.
    pub user: JobUser,
    /// Current state.
    pub state: State,
    /// What it waits for; null if it does not wait.
    #[serde(default)]
    #[schema(value_type = Option<WaitsFor>, required = true)]
    pub waits_for: Option<WaitsFor>,
    /// Higher goes first.
    #[schema(minimum = -10, maximum = 10)]
    pub priority: i32,
    /// What the job does with an output directory that is not empty.
    pub mode: Mode,
    /// Words to find it by.
    #[serde(default)]
    #[schema(value_type = Vec<String>, required = true)]
    pub labels: Vec<Label>,
    /// Jobs that must be done before it starts.
    #[serde(default)]
    #[schema(value_type = Vec<u64>, required = true)]
    pub after: Vec<JobId>,
    /// Jobs that must have ended before it starts, in whatever way.
    #[serde(default)]
    #[schema(value_type = Vec<u64>, required = true)]
    pub after_any: Vec<JobId>,
    /// Those of `after` and `after_any` that it still waits for.
    #[serde(default)]
    #[schema(value_type = Vec<u64>, required = true)]
    pub waits_for_jobs: Vec<JobId>,
    /// Restarts without progress that it asks for; null for those of the daemon.
    #[serde(default)]
    #[schema(required = true)]
    pub retries: Option<u32>,
    /// Command or local address that reports its end.
    #[serde(default)]
    #[schema(required = true)]
    pub notify: Option<String>,
    /// As submitted; memory and threads are set, and may have been changed since.
    #[schema(value_type = Object)]
    pub settings: Value,
    /// Resources that it occupies while it runs.
    pub demand: Demand,
    /// Time of submission.
    #[schema(value_type = String, format = DateTime)]
    pub submitted_at: Timestamp,
    /// Time at which it was first started.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub started_at: Option<Timestamp>,
    /// Time at which it reached a final state.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub ended_at: Option<Timestamp>,
    /// Number of job processes started for it.
    pub attempts: u32,
    /// Consecutive interruptions without progress.
    pub failures: u32,
    /// Time at which an interrupted job starts again at the earliest, or at which the daemon checks again whether
    /// the disk has the space that the job waits for.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub retry_at: Option<Timestamp>,
    /// Whether it was cancelled.
    pub cancel_asked: bool,
    /// Exit code of its last process.
    #[schema(required = true)]
    pub exit_code: Option<i32>,
    /// Why it failed, or why it was interrupted last.
    #[schema(required = true)]
    pub error: Option<String>,
    /// Process id of its process, while there is one.
    #[schema(required = true)]
    pub worker_pid: Option<u32>,
    /// The last progress event of its process.
    #[schema(value_type = Option<Progress>, required = true)]
    pub progress: Option<Box<Progress>>,
    /// The disk space that the job waits for: it was interrupted because a disk is full.
    #[schema(value_type = Option<SpaceWaitView>, required = true)]
    pub waits_for_space: Option<SpaceWaitView>,
    /// Number of its last state event.
    pub seq: u64,
}

/// The user of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobUser {
    /// User id.
    pub uid: u32,
    /// User name; null if the user has no account.
    #[schema(required = true)]
    pub name: Option<String>,
}

impl JobView {
    /// A job, the name of its user, if the user has one, and what the job waits for.
    pub fn new(job: &Job, user_name: Option<&str>, waits_for: Option<WaitsFor>) -> Self {
        let (submission, course) = (&job.submission, &job.course);
        let options = &submission.options;
        Self {
            id: job.id,
            name: submission.name.clone(),
            user: JobUser {
                uid: submission.uid,
                name: user_name.map(str::to_owned),
            },
            state: course.state,
            waits_for,
            priority: submission.priority,
            mode: submission.mode,
            labels: options.labels.clone(),
            after: options.after.clone(),
            after_any: options.after_any.clone(),
            waits_for_jobs: course.waits_for_jobs.clone(),
            retries: options.retries,
            notify: options.notify.as_ref().map(ToString::to_string),
            settings: submission.settings.clone(),
            demand: submission.demand,
            submitted_at: timestamp(job.submitted_at),
            started_at: course.started_at.map(timestamp),
            ended_at: course.ended_at.map(timestamp),
            attempts: course.attempts,
            failures: course.failures,
            retry_at: course.retry_at.map(timestamp),
            cancel_asked: course.ending == Some(Ending::Cancel),
            exit_code: course.exit_code,
            error: course.error.clone(),
            worker_pid: course.process.as_ref().map(|process| process.pid),
            progress: course.progress.clone(),
            waits_for_space: course.space.as_ref().map(SpaceWaitView::from),
            seq: course.seq,
        }
    }
}

/// A time in milliseconds since 1970; the nearest representable time if it is out of range.
fn timestamp(time: Millis) -> Timestamp {
    let nearest = if time < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_millisecond(time).unwrap_or(nearest)
}

/// One page of jobs, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<JobView>,
    /// Value of `before` for the next page; null if this is the last.
    #[schema(value_type = Option<u64>, minimum = 1, required = true)]
    pub next_before: Option<JobId>,
    /// With `count`: number of the jobs on all pages; else null.
    #[serde(default)]
    #[schema(required = true)]
    pub total: Option<u64>,
}

/// The jobs that one request has cancelled or forgotten, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SelectedJobs {
    /// The jobs.
    pub jobs: Vec<SelectedJob>,
    /// Value of `before` for the next request; null if there are no more.
    #[schema(value_type = Option<u64>, minimum = 1, required = true)]
    pub next_before: Option<JobId>,
}

/// A job that was cancelled or forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SelectedJob {
    /// Number of the job.
    #[schema(value_type = u64, minimum = 1)]
    pub id: JobId,
    /// Its state after that.
    pub state: State,
}

impl From<Selected> for SelectedJobs {
    fn from(selected: Selected) -> Self {
        let jobs = selected.jobs.into_iter();
        Self {
            jobs: jobs.map(|(id, state)| SelectedJob { id, state }).collect(),
            next_before: selected.next_before,
        }
    }
}

/// Those of several jobs that have ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EndList {
    /// The jobs, in the order of their numbers.
    pub ended: Vec<EndView>,
}

/// How a job has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = JobEnd)]
pub struct EndView {
    /// Number of the job.
    #[schema(value_type = u64, minimum = 1)]
    pub id: JobId,
    /// Its state: done, failed or cancelled.
    pub state: State,
    /// Exit code of its last process.
    #[schema(required = true)]
    pub exit_code: Option<i32>,
}

/// The node: its budget, what running jobs occupy, and its devices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Node)]
pub struct NodeView {
    /// Version of molsieve.
    pub molsieve: String,
    /// Resources that all running jobs together may occupy.
    pub budget: Resources,
    /// Resources that running jobs occupy.
    pub admitted: Resources,
    /// Number of jobs by state.
    pub jobs: BTreeMap<State, u64>,
    /// The NVIDIA devices that NVML reports.
    pub devices: Vec<NvidiaDevice>,
    /// The GPUs for jobs, and why some are left out.
    #[serde(default)]
    pub gpus: Vec<JobGpu>,
    /// Free memory of the node.
    pub memory_available_bytes: u64,
    /// Load averages over 1, 5 and 15 minutes.
    #[schema(value_type = Vec<f64>, min_items = 3, max_items = 3)]
    pub load: [f64; 3],
}

/// A user's quota, and what is used of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    /// The user.
    pub user: JobUser,
    /// Whether no quota holds: root, the daemon's own user and admins.
    pub exempt: bool,
    /// The most that the user may have waiting and running.
    pub quota: QuotaView,
    /// What the user has waiting and running.
    pub used: UsedView,
    /// The user's recent use of the node, 0 to 1: the mean dominant share, in which a time counts half for each
    /// half-life that it is ago.
    pub recent_use: f64,
}

/// A quota; null where there is no limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Quota)]
pub struct QuotaView {
    /// Waiting jobs.
    #[schema(required = true)]
    pub waiting: Option<u64>,
    /// Running jobs.
    #[schema(required = true)]
    pub running: Option<u64>,
    /// Threads of running jobs.
    #[schema(required = true)]
    pub threads: Option<u64>,
    /// Memory of running jobs.
    #[schema(required = true)]
    pub memory_bytes: Option<u64>,
    /// GPUs of running jobs.
    #[schema(required = true)]
    pub gpus: Option<u64>,
}

/// What a user has waiting and running.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Used)]
pub struct UsedView {
    /// Waiting jobs.
    pub waiting: u64,
    /// Running jobs.
    pub running: u64,
    /// Threads of running jobs.
    pub threads: u64,
    /// Memory of running jobs.
    pub memory_bytes: u64,
    /// GPUs of running jobs.
    pub gpus: u64,
}

impl UserView {
    /// A user, with the user's name if there is one.
    pub fn new(standing: &Standing, name: Option<&str>) -> Self {
        let limit = |most: u64| (most < u64::MAX).then_some(most);
        let (quota, used) = (&standing.quota, &standing.used);
        Self {
            user: JobUser {
                uid: standing.uid,
                name: name.map(str::to_owned),
            },
            exempt: standing.exempt,
            quota: QuotaView {
                waiting: limit(quota.waiting),
                running: limit(quota.running),
                threads: limit(quota.threads),
                memory_bytes: limit(quota.memory_bytes),
                gpus: limit(quota.gpus),
            },
            used: UsedView {
                waiting: used.waiting,
                running: used.running,
                threads: used.threads,
                memory_bytes: used.memory_bytes,
                gpus: used.gpus,
            },
            recent_use: standing.recent_use,
        }
    }

    /// Which part of the quota holds a job back, with what is used, as a clause; none if it does not.
    pub fn holds(&self, demand: &Demand) -> Option<String> {
        let limit = |most: Option<u64>| most.unwrap_or(u64::MAX);
        let (quota, used) = (&self.quota, &self.used);
        let quota = Quota {
            waiting: limit(quota.waiting),
            running: limit(quota.running),
            threads: limit(quota.threads),
            memory_bytes: limit(quota.memory_bytes),
            gpus: limit(quota.gpus),
        };
        let used = Used {
            waiting: used.waiting,
            running: used.running,
            threads: used.threads,
            memory_bytes: used.memory_bytes,
            gpus: used.gpus,
        };
        quota.holds(&used, demand)
    }
}

/// The body of every answer that is not a success.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody {
    /// What is wrong.
    pub error: ErrorDetail,
}

/// An error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A fixed word for each kind of error.
    #[schema(value_type = ErrorCode)]
    pub code: String,
    /// The error in one line, for people.
    pub message: String,
    /// The header, the parameter or the part of the body that is wrong, such as `settings.input[0]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// With `too_large`: the resources that the job needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub needs: Option<Demand>,
    /// With `too_large`: the resources that the node has for jobs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub node: Option<Resources>,
}
