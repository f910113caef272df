//! Messages to the core, and what the core asks of the supervisor.

use tokio::sync::{oneshot, watch};

use crate::{
    config::JobSettings,
    daemon::{
        action::{Bulk, Caller, ListQuery},
        job::{Job, JobChange, JobId, Mode, ProcessEnd, ProcessIdentity, Submission},
        refusal::Refusal,
        snapshot::{Asked, Figures, Selected, Standing, Submitted},
    },
};

/// Receives an answer.
pub(in crate::daemon) type Answer<T> = oneshot::Sender<Result<T, Refusal>>;

/// A message to the core.
pub(in crate::daemon) enum Message {
    /// A user submits a job.
    Submit(Caller, Box<Submission>, Answer<Submitted>),
    /// A user cancels a job.
    Cancel(Caller, JobId, Answer<Job>),
    /// A user changes a job.
    Set(Caller, JobId, JobChange, Answer<Job>),
    /// A user forgets a job.
    Forget(Caller, JobId, Answer<()>),
    /// A user cancels or forgets the jobs of a query.
    Many(Caller, Bulk, Box<ListQuery>, Answer<Selected>),
    /// A request for the core's figures.
    Figures(Answer<Figures>),
    /// A request for a user's quota and what is used of it.
    Standing(Asked, Answer<Standing>),
    /// The settings have changed.
    Reload,
    /// A message about the process of a job.
    Process(JobId, ProcessMessage),
    /// A GPU was left out, or is well again.
    Gpus,
    /// Forget jobs that ended long ago.
    Prune,
    /// The daemon stops: accept and start nothing more, and ask job processes to stop.
    Drain,
}

/// A message about the process of a job.
pub(in crate::daemon) enum ProcessMessage {
    /// It exists; the answer allows the supervisor to send its assignment.
    Spawned(ProcessIdentity, Answer<()>),
    /// It could not be started.
    NotSpawned(String),
    /// It has planned; the answer allows it to write.
    Planned(Answer<()>),
    /// It has taken over the output directory.
    Opened,
    /// Text for the log.
    Said(Vec<u8>),
    /// It has ended.
    Ended(ProcessEnd),
    /// It belonged to an earlier daemon, and is gone.
    Gone,
    /// The notification of its job's end was made.
    Notified,
    /// The disk on which its job waits for space was checked.
    SpaceChecked(SpaceFinding),
}

/// What a check of a disk has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum SpaceFinding {
    /// The space that the job needs, or an error that the job's own process must report.
    Enough,
    /// Too few bytes, if they are known.
    Full(Option<u64>),
}

/// A disk to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::daemon) struct SpaceCheck {
    /// The job that waits.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// A path on the disk.
    pub path: String,
    /// Bytes that must be free.
    pub needed_bytes: u64,
}

/// What the core wants of a job process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::daemon) enum Wanted {
    /// It works.
    Work,
    /// It stops.
    Stop,
}

/// What the supervisor is to do.
pub(in crate::daemon) enum Launch {
    /// Start a process.
    New(Box<ProcessStart>),
    /// Wait until the process of an earlier daemon has ended.
    Orphan(JobId, ProcessIdentity),
    /// Check whether a disk has space again.
    SpaceCheck(SpaceCheck),
    /// Notify of the end of a job of this user.
    Notify(JobId, u32),
}

/// A process to start.
pub(in crate::daemon) struct ProcessStart {
    /// The job.
    pub id: JobId,
    /// Its user.
    pub uid: u32,
    /// The settings.
    pub settings: JobSettings,
    /// What to do with an output directory that is not empty.
    pub mode: Mode,
    /// Whether an earlier process has taken over the output directory.
    pub opened: bool,
    /// UUID of the GPU to use: `Some(None)` for a GPU without one, `None` for no GPU.
    pub gpu: Option<Option<String>>,
    /// What the core wants of it.
    pub wanted: watch::Receiver<Wanted>,
}
