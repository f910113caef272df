//! What a job waits for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Demand, GpuDemand, Job, Millis, Resources, State};

/// What a job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// A larger budget: the job needs more than the node has for jobs, for example because the budget was reduced. Its memory
    /// and threads can be changed.
    LargerBudget,
    /// Other jobs, those in `waits_for_jobs`.
    Jobs,
    /// Space on a full disk, see `waits_for_space`.
    DiskSpace,
    /// The end of the pause after an interruption, at `retry_at`.
    Retry,
    /// Free memory, threads or GPUs.
    Resources,
    /// A GPU that is fit: each one is left out, for example because it is too hot, or has too little memory for the job.
    Gpu,
}

impl WaitsFor {
    /// What a job waits for on a node with this budget; `None` if it does not wait.
    pub fn of(job: &Job, budget: &Resources, now: Millis) -> Option<Self> {
        if !job.course.state.is_waiting() {
            return None;
        }
        let pauses = job.course.state == State::Interrupted && job.course.retry_at > Some(now);
        Some(match job.submission.demand.fits(budget) {
            false => Self::LargerBudget,
            true if !job.course.waits_for_jobs.is_empty() => Self::Jobs,
            true if job.course.space.is_some() => Self::DiskSpace,
            true if pauses => Self::Retry,
            true => Self::Resources,
        })
    }
}

impl Demand {
    /// Whether a job fits the node when nothing else runs.
    pub fn fits(&self, budget: &Resources) -> bool {
        self.memory_bytes <= budget.memory_bytes
            && self.threads <= budget.threads
            && (self.gpu != GpuDemand::One || budget.gpus > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::job::{JobId, Submission};

    #[test]
    fn a_job_waits_for_what_keeps_it_from_starting() {
        let mut job = Job::new(JobId(1), Submission::plain(), 0);
        let small = Resources {
            memory_bytes: (1 << 30) - 1,
            threads: 2,
            gpus: 0,
        };
        let large = Resources {
            memory_bytes: 1 << 30,
            ..small
        };
        assert_eq!(WaitsFor::of(&job, &large, 9), Some(WaitsFor::Resources));
        assert_eq!(WaitsFor::of(&job, &small, 9), Some(WaitsFor::LargerBudget));
        job.course.state = State::Interrupted;
        job.course.retry_at = Some(10);
        assert_eq!(WaitsFor::of(&job, &large, 9), Some(WaitsFor::Retry));
        assert_eq!(WaitsFor::of(&job, &large, 10), Some(WaitsFor::Resources));
        assert_eq!(WaitsFor::of(&job, &small, 9), Some(WaitsFor::LargerBudget));
        for state in State::ALL.into_iter().filter(|state| !state.is_waiting()) {
            job.course.state = state;
            assert_eq!(WaitsFor::of(&job, &small, 9), None, "{state}");
        }
    }
}
