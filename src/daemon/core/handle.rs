//! What the rest of the daemon may ask of the core.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::message::{Answer, Message, ProcessMessage};
use crate::{
    daemon::{
        action::{Caller, ListQuery, SubmitRequest},
        admission,
        job::{Demand, Job, JobId, State},
        settings::ServeSettings,
        store::{JobStoreError, Reader},
    },
    limits::{
        EVENT_BACKLOG_MAX, EVENTS_PER_READ_MAX, LOG_READ_BYTES_MAX, MESSAGES_WAITING_MAX,
        READS_WAITING_MAX,
    },
};

/// A job and what its worker said last.
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// The job.
    pub job: Job,
    /// Its worker's last `progress` event.
    pub progress: Option<Arc<Value>>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        let progress = job.progress.clone().map(Arc::new);
        Self { job, progress }
    }
}

/// Something that happened to a job.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Its state changed, or something else of it that is stored; `Core::history` has it. Here is only what
    /// the state is: as many of these are held as lag behind, and a job can be large.
    State(JobId, State),
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
    pub jobs: BTreeMap<State, u64>,
    /// The NVIDIA devices, as far as NVML tells.
    pub devices: Vec<crate::nvidia::NvidiaDevice>,
    /// Memory of the node nobody uses.
    pub memory_available_bytes: u64,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
}

/// Memory, threads and GPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory.
    pub memory_bytes: u64,
    /// Chemistry workers.
    pub threads: u32,
    /// GPUs.
    pub gpus: u32,
}

/// What the core has admitted and seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// What running jobs have taken.
    pub admitted: Resources,
    /// Jobs that wait.
    pub waiting: u64,
    /// Jobs by state.
    pub jobs: BTreeMap<State, u64>,
    /// Jobs that have ended since the daemon's start, by state.
    pub ended: BTreeMap<State, u64>,
    /// Workers that were interrupted since the daemon's start.
    pub interruptions: u64,
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

/// Something to be read from the store.
pub(super) type Ask = Box<dyn FnOnce(&Reader) + Send>;

/// A handle to the core; clones are cheap.
#[derive(Clone)]
pub struct Core {
    shared: Arc<Shared>,
    messages: mpsc::Sender<Message>,
    asks: mpsc::Sender<Ask>,
}

/// What handles and the core's thread share.
pub(super) struct Shared {
    pub(super) settings: ServeSettings,
    /// UUIDs of the GPUs, by their places in the budget; none for one that is not known.
    pub(super) gpus: Vec<Option<String>>,
    pub(super) events: broadcast::Sender<Notice>,
    /// What workers said last.
    progress: Mutex<HashMap<JobId, Arc<Value>>>,
    open: AtomicBool,
}

impl Shared {
    /// Nothing more is taken.
    pub(super) fn close(&self) {
        self.open.store(false, Relaxed);
    }

    pub(super) fn forget_progress(&self, id: JobId) {
        self.progress().remove(&id);
    }

    /// What a job's worker said last: the one there is, or the last there was.
    pub(super) fn progress_of(&self, job: &Job) -> Option<Arc<Value>> {
        let now = self.progress().get(&job.id).cloned();
        now.or_else(|| job.progress.clone().map(Arc::new))
    }

    fn progress(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Value>>> {
        self.progress.lock().unwrap_or_else(|p| p.into_inner())
    }
}

impl Core {
    pub(super) fn new(
        settings: &ServeSettings,
        gpus: Vec<Option<String>>,
    ) -> (Self, mpsc::Receiver<Message>, mpsc::Receiver<Ask>) {
        let (messages, to_core) = mpsc::channel(MESSAGES_WAITING_MAX);
        let (asks, to_reader) = mpsc::channel(READS_WAITING_MAX);
        let shared = Shared {
            settings: settings.clone(),
            gpus,
            events: broadcast::channel(EVENT_BACKLOG_MAX).0,
            progress: Mutex::default(),
            open: AtomicBool::new(true),
        };
        let core = Self {
            shared: Arc::new(shared),
            messages,
            asks,
        };
        (core, to_core, to_reader)
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// What the daemon was told.
    pub fn settings(&self) -> &ServeSettings {
        &self.shared.settings
    }

    /// Takes a job.
    pub async fn submit(
        &self,
        caller: Caller,
        request: SubmitRequest,
    ) -> Result<Submitted, Refusal> {
        let submission = admission::admissible(caller, request, &self.shared.settings.budget)?;
        self.ask(|answer| Message::Submit(Box::new(submission), answer))
            .await
    }

    /// Jobs that the caller may see.
    pub async fn list(&self, caller: Caller, query: ListQuery) -> Result<Vec<JobView>, Refusal> {
        let visible_to = (!caller.admin).then_some(caller.uid);
        let jobs = self
            .read(move |reader| reader.list(&query, visible_to))
            .await?;
        Ok(jobs.into_iter().map(|job| self.view(job)).collect())
    }

    /// One job.
    pub async fn show(&self, caller: Caller, id: JobId) -> Result<JobView, Refusal> {
        let job = self.read(move |reader| reader.job(id)).await?;
        let job = job.filter(|job| caller.may_see(job));
        job.map(|job| self.view(job)).ok_or(Refusal::NotFound(id))
    }

    /// Stops a job for good.
    pub async fn cancel(&self, caller: Caller, id: JobId) -> Result<JobView, Refusal> {
        self.ask(|answer| Message::Cancel(caller, id, answer)).await
    }

    /// Forgets a job that has ended.
    pub async fn forget(&self, caller: Caller, id: JobId) -> Result<(), Refusal> {
        self.ask(|answer| Message::Forget(caller, id, answer)).await
    }

    /// The job as it was after each of its state events with a number above `after`, at most ten of
    /// them, oldest first.
    pub async fn history(
        &self,
        caller: Caller,
        id: JobId,
        after: u64,
    ) -> Result<Vec<JobView>, Refusal> {
        let ask = move |reader: &Reader| reader.history(id, after, EVENTS_PER_READ_MAX);
        let jobs = self.read(ask).await?;
        if jobs.iter().any(|job| !caller.may_see(job)) {
            return Err(Refusal::NotFound(id));
        }
        if jobs.is_empty() {
            self.show(caller, id).await?;
        }
        Ok(jobs.into_iter().map(JobView::from).collect())
    }

    /// What a job's workers have said from byte `from` on, at most 64 KiB of it, and where that begins
    /// (later than `from` where the middle of a long log is not kept).
    pub async fn log(
        &self,
        caller: Caller,
        id: JobId,
        from: u64,
    ) -> Result<(u64, Vec<u8>), Refusal> {
        self.show(caller, id).await?;
        self.read(move |reader| reader.log(id, from, LOG_READ_BYTES_MAX))
            .await
    }

    /// What is admitted, and what has been.
    pub async fn figures(&self) -> Result<Figures, Refusal> {
        self.ask(Message::Figures).await
    }

    /// Whether jobs are taken: false while the daemon ends.
    pub fn ready(&self) -> bool {
        self.shared.open.load(Relaxed)
    }

    /// Until the core's thread has ended although it should not.
    pub async fn gone(&self) {
        self.messages.closed().await;
    }

    /// Everything that happens to jobs from now on. A receiver that lags loses the oldest.
    pub fn events(&self) -> broadcast::Receiver<Notice> {
        self.shared.events.subscribe()
    }

    /// Lets the daemon end: nothing more is taken, and workers are asked to stop.
    pub async fn drain(&self) {
        self.shared.close();
        self.tell(Message::Drain).await;
    }

    /// Forgets jobs that ended long ago.
    pub async fn prune(&self) {
        self.tell(Message::Prune).await;
    }

    /// Something comes from a worker or from who runs it.
    pub(in crate::daemon) async fn worker(&self, id: JobId, from: ProcessMessage) {
        self.tell(Message::Process(id, from)).await;
    }

    /// The same where an answer is waited for.
    pub(in crate::daemon) async fn ask_for_process(
        &self,
        id: JobId,
        from: impl FnOnce(Answer<()>) -> ProcessMessage,
    ) -> Result<(), Refusal> {
        self.ask(|answer| Message::Process(id, from(answer))).await
    }

    /// A worker reports progress.
    pub(in crate::daemon) fn progress(&self, id: JobId, progress: Value) {
        let progress = Arc::new(progress);
        self.shared.progress().insert(id, Arc::clone(&progress));
        // Nobody may be listening.
        self.shared.events.send(Notice::Progress(id, progress)).ok();
    }

    fn view(&self, job: Job) -> JobView {
        let progress = self.shared.progress_of(&job);
        JobView { job, progress }
    }

    async fn tell(&self, message: Message) {
        // The core's thread ends with the last handle.
        self.messages.send(message).await.ok();
    }

    async fn ask<T>(&self, message: impl FnOnce(Answer<T>) -> Message) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        self.tell(message(answer)).await;
        answered.await.unwrap_or(Err(Refusal::Busy))
    }

    async fn read<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reader) -> Result<T, JobStoreError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let ask: Ask = Box::new(move |reader| {
            // Whoever asked may be gone.
            answer.send(ask(reader)).ok();
        });
        self.asks.send(ask).await.map_err(|_| Refusal::Busy)?;
        let read = answered.await.map_err(|_| Refusal::Busy)?;
        read.map_err(|error| Refusal::Store(error.to_string()))
    }
}

#[cfg(test)]
impl Core {
    /// A core that is always busy, for tests of what stands before it.
    pub(crate) fn busy() -> Self {
        let settings = ServeSettings {
            socket: "/nowhere/socket".into(),
            state_dir: "/nowhere".into(),
            budget: Resources {
                memory_bytes: 1 << 40,
                threads: 64,
                gpus: 1,
            },
            group: None,
            admin_group: None,
            keep: Default::default(),
            retry: crate::daemon::job::RetryPolicy {
                failures_max: 1,
                first_delay_ms: 0,
                delay_ms_max: 0,
            },
            silence: Default::default(),
            log_format: crate::daemon::settings::LogFormat::Text,
        };
        // Nobody takes what it is asked.
        let (core, _, _) = Self::new(&settings, Vec::new());
        core.shared.close();
        core
    }
}
