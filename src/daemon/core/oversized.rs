//! Waiting jobs that need more than the node has for jobs. They wait until the budget grows or their user lowers what
//! they need, so the log says it, and the metrics count them.

use std::collections::BTreeSet;

use crate::{
    daemon::{
        job::{Demand, GpuDemand, Job, JobId, Resources},
        schedule::{Queue, Waiting},
    },
    units::{ByteSize, counted},
};

/// Most jobs that the log names after a change of the budget.
const NAMED_MAX: usize = 20;

/// The waiting jobs that are too large for the budget.
#[derive(Debug, Default)]
pub(super) struct Oversized {
    jobs: BTreeSet<JobId>,
    /// The budget at the last look at all jobs.
    budget: Option<Resources>,
}

impl Oversized {
    /// Looks at all waiting jobs if the budget is another than at the last look.
    pub(super) fn look(&mut self, queue: &Queue, budget: &Resources) {
        if self.budget.replace(*budget) == Some(*budget) {
            return;
        }
        let too_large = queue.waiting().filter(|job| !job.demand.fits(budget));
        let too_large: Vec<&Waiting> = too_large.collect();
        let new = |job: &&&Waiting| !self.jobs.contains(&job.id);
        let new: Vec<_> = too_large.iter().filter(new).collect();
        for job in new.iter().take(NAMED_MAX) {
            say(job.id, job.uid, &job.demand, budget);
        }
        if let Some(more @ 1..) = new.len().checked_sub(NAMED_MAX) {
            tracing::warn!("{more} more waiting jobs need more than the node has for jobs");
        }
        let now: BTreeSet<_> = too_large.into_iter().map(|job| job.id).collect();
        let fit_again = self.jobs.difference(&now).count();
        if fit_again > 0 {
            let jobs = counted(fit_again as u64, "waiting job");
            tracing::info!("{jobs} fit the node again");
        }
        self.jobs = now;
    }

    /// Takes notice of a job that has changed.
    pub(super) fn note(&mut self, job: &Job, budget: &Resources) {
        let (id, submission) = (job.id, &job.submission);
        let is_too_large = job.course.state.is_waiting() && !submission.demand.fits(budget);
        if !is_too_large {
            self.jobs.remove(&id);
        } else if self.jobs.insert(id) {
            say(id, submission.uid, &submission.demand, budget);
        }
    }

    /// Their number.
    pub(super) fn count(&self) -> u64 {
        self.jobs.len() as u64
    }
}

fn say(id: JobId, owner: u32, demand: &Demand, budget: &Resources) {
    let gpu = match demand.gpu {
        GpuDemand::One => " and a GPU",
        GpuDemand::None | GpuDemand::IfFree => "",
    };
    tracing::warn!(
        job = id.0,
        owner,
        "job {id} needs {}, {}{gpu}, and the node has {}, {} and {} for jobs: it waits until the budget grows, or \
         until molsieve set {id} --memory SIZE --threads N lowers what it needs",
        ByteSize(demand.memory_bytes),
        counted(demand.threads.into(), "thread"),
        ByteSize(budget.memory_bytes),
        counted(budget.threads.into(), "thread"),
        counted(budget.gpus.into(), "GPU"),
    );
}
