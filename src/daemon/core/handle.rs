//! What the HTTP side may ask of the core.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::daemon::{
    action::{Caller, ListQuery, SubmitRequest},
    job::{Demand, Job, JobId, State},
};

/// A job and what its worker said last.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// Its worker's last `progress` event.
    pub progress: Option<Arc<Value>>,
}

/// Something that happened to a job.
#[derive(Clone, Debug)]
pub enum Event {
    /// It changed its state, or something else of it that is stored. `view.job.seq` numbers it.
    State(Arc<JobView>),
    /// Its worker reports progress.
    Progress(JobId, Arc<Value>),
    /// Its worker has said something; `Core::log` has it.
    Log(JobId),
}

/// A job that was taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Submitted {
    /// The job.
    pub view: JobView,
    /// Whether it is new: false if the same was submitted before with the same key.
    pub new: bool,
}

/// The node, what jobs may take of it and what they have taken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeView {
    /// Version of molsieve.
    pub molsieve: String,
    /// What all running jobs may take together.
    pub budget: Resources,
    /// What they have taken.
    pub admitted: Resources,
    /// Jobs by state.
    pub jobs: std::collections::BTreeMap<State, u64>,
    /// The NVIDIA devices, as far as NVML tells.
    pub devices: Vec<crate::nvidia::NvidiaDevice>,
    /// Memory of the node nobody uses.
    pub memory_available_bytes: u64,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
}

/// Memory, threads and GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Memory.
    pub memory_bytes: u64,
    /// Chemistry workers.
    pub threads: u32,
    /// GPUs.
    pub gpus: u32,
}

/// Why the core does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is no such job, or it is someone else's.
    #[error("there is no job {0}")]
    NotFound(JobId),
    /// A job that has not ended can't be forgotten.
    #[error("job {0} has not ended; cancel it first")]
    NotEnded(JobId),
    /// The key was used with another job.
    #[error("this Idempotency-Key was used with another job, number {0}")]
    IdempotencyConflict(JobId),
    /// The job does not fit the node even when nothing else runs.
    #[error("the job needs more than this node gives to jobs")]
    TooLarge {
        /// What it needs.
        needs: Demand,
        /// What the node gives.
        node: Resources,
    },
    /// Only admins may do that.
    #[error("{0}")]
    Forbidden(String),
    /// A setting has a value it can't have.
    #[error("{field}: {reason}")]
    Invalid {
        /// The setting, for example `settings.memory`.
        field: String,
        /// What it may be.
        reason: String,
    },
    /// Too much is waiting; later it may be less.
    #[error("the daemon is busy or ending; try again in a moment")]
    Busy,
    /// The store can't be read or written.
    #[error("{0}")]
    Store(String),
}

/// A handle to the core; clones are cheap.
#[derive(Clone, Debug)]
pub struct Core {
    events: broadcast::Sender<Event>,
}

/// To be built.
impl Core {
    /// Takes a job.
    pub async fn submit(
        &self,
        _caller: Caller,
        _request: SubmitRequest,
    ) -> Result<Submitted, Refusal> {
        Err(Refusal::Busy)
    }

    /// Jobs that the caller may see.
    pub async fn list(&self, _caller: Caller, _query: ListQuery) -> Result<Vec<JobView>, Refusal> {
        Err(Refusal::Busy)
    }

    /// One job.
    pub async fn show(&self, _caller: Caller, _id: JobId) -> Result<JobView, Refusal> {
        Err(Refusal::Busy)
    }

    /// Stops a job for good.
    pub async fn cancel(&self, _caller: Caller, _id: JobId) -> Result<JobView, Refusal> {
        Err(Refusal::Busy)
    }

    /// Forgets a job that has ended.
    pub async fn forget(&self, _caller: Caller, _id: JobId) -> Result<(), Refusal> {
        Err(Refusal::Busy)
    }

    /// The job as it was after each of its state events with a number above `after`, at most 1,000 of
    /// them, oldest first.
    pub async fn history(
        &self,
        _caller: Caller,
        _id: JobId,
        _after: u64,
    ) -> Result<Vec<JobView>, Refusal> {
        Err(Refusal::Busy)
    }

    /// What a job's workers have said from byte `from` on, at most 64 KiB of it, and where that begins
    /// (later than `from` where the middle of a long log is not kept).
    pub async fn log(
        &self,
        _caller: Caller,
        _id: JobId,
        _from: u64,
    ) -> Result<(u64, Vec<u8>), Refusal> {
        Err(Refusal::Busy)
    }

    /// The node.
    pub async fn node(&self) -> Result<NodeView, Refusal> {
        Err(Refusal::Busy)
    }

    /// Whether jobs are taken: false while the daemon starts or ends.
    pub fn ready(&self) -> bool {
        false
    }

    /// Figures for Prometheus.
    pub async fn metrics(&self) -> Result<String, Refusal> {
        Err(Refusal::Busy)
    }

    /// Everything that happens to jobs from now on. A receiver that lags loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

#[cfg(test)]
impl Core {
    /// A core that is always busy, for tests of what stands before it.
    pub(crate) fn busy() -> Self {
        let (events, _) = broadcast::channel(1);
        Self { events }
    }
}
