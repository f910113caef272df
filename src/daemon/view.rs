//! The JSON of the HTTP interface, one type for each object. The daemon writes these types, the client
//! reads them, and the OpenAPI document is derived from them: a field's doc comment is its description.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    job::{Demand, Ending, Job, JobId, Millis, Mode, Resources, State},
    refusal::ErrorCode,
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
    /// Higher goes first.
    #[schema(minimum = -10, maximum = 10)]
    pub priority: i32,
    /// What the job does with an output directory that is not empty.
    pub mode: Mode,
    /// As submitted; memory and threads are set.
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
    /// Time at which an interrupted job starts again at the earliest.
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
    /// A job and the name of its user, if the user has one.
    pub fn new(job: &Job, user_name: Option<&str>) -> Self {
        let (submission, course) = (&job.submission, &job.course);
        Self {
            id: job.id,
            name: submission.name.clone(),
            user: JobUser {
                uid: submission.uid,
                name: user_name.map(str::to_owned),
            },
            state: course.state,
            priority: submission.priority,
            mode: submission.mode,
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
    /// Free memory of the node.
    pub memory_available_bytes: u64,
    /// Load averages over 1, 5 and 15 minutes.
    #[schema(value_type = Vec<f64>, min_items = 3, max_items = 3)]
    pub load: [f64; 3],
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
