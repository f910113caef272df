//! What the core is told, and what it tells those who run workers.

use tokio::sync::{oneshot, watch};

use super::handle::{Figures, JobView, Refusal, Submitted};
use crate::daemon::{
    action::Caller,
    job::{JobId, Mode, ProcessEnd, ProcessIdentity, Submission},
};

/// Where an answer goes.
pub(in crate::daemon) type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// What the core is told.
pub(in crate::daemon) enum Message {
    /// A user submits a job.
    Submit(Box<Submission>, Answer<Submitted>),
    /// A user cancels one.
    Cancel(Caller, JobId, Answer<JobView>),
    /// A user forgets one.
    Forget(Caller, JobId, Answer<()>),
    /// Somebody wants to know what is admitted.
    Figures(Answer<Figures>),
    /// Something comes from a job's worker or who runs it.
    Process(JobId, ProcessMessage),
    /// Jobs that ended long ago are forgotten.
    Prune,
    /// The daemon ends: nothing more is taken or started, and workers are asked to stop.
    Drain,
}

/// What comes from a job's worker, or from who runs it.
pub(in crate::daemon) enum ProcessMessage {
    /// The process exists; the answer allows it to be told its job.
    Spawned(ProcessIdentity, Answer<()>),
    /// It could not be started.
    NotSpawned(String),
    /// It has planned; the answer allows it to write.
    Planned(Answer<()>),
    /// It has taken the output directory.
    Opened,
    /// It has said something for the log.
    Said(Vec<u8>),
    /// It has ended.
    Ended(ProcessEnd),
    /// It was another daemon's, and is gone.
    Gone,
}

/// What is wanted of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Wanted {
    /// That it works.
    Work,
    /// That it stops.
    Stop,
}

/// What whoever runs workers is to do.
pub(in crate::daemon) enum Launch {
    /// Start one.
    New(Box<ProcessStart>),
    /// See to it that another daemon's comes to its end.
    Orphan(JobId, ProcessIdentity),
}

/// A worker to start.
pub(in crate::daemon) struct ProcessStart {
    /// The job.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// The settings, with the keys of a job file.
    pub settings: serde_json::Value,
    /// What to do with an output directory that holds something.
    pub mode: Mode,
    /// Whether the job's worker has taken the output directory before.
    pub opened: bool,
    /// UUID of the GPU it is to use: `Some(None)` for one that has none, none at all for no GPU.
    pub gpu: Option<Option<String>>,
    /// What is wanted of it, from now on.
    pub wanted: watch::Receiver<Wanted>,
}
