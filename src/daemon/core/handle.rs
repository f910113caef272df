//! The handle through which the rest of the daemon uses the core.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use nix::unistd::Uid;
use tokio::sync::{broadcast, mpsc, oneshot};

use super::{
    message::{Answer, Message, ProcessMessage},
    room,
};
use crate::{
    daemon::{
        action::{Bulk, Caller, ListQuery, SubmitRequest},
        admission,
        gpus::{Gpus, JobGpu},
        job::{GpuDemand, Job, JobChange, JobId, WaitsFor},
        refusal::Refusal,
        schedule,
        settings::ServeSettings,
        snapshot::{Asked, End, Figures, Notice, Selected, Standing, Submitted},
        store::{JobStoreError, Reader},
    },
    limits::{
        EVENT_BACKLOG_MAX, EVENTS_PER_READ_MAX, LOG_READ_BYTES_MAX, MESSAGES_WAITING_MAX,
        READS_WAITING_MAX,
    },
    nvidia::NvidiaDevice,
    report::event::Progress,
};

/// A query for the reader thread.
pub(super) type Ask = Box<dyn FnOnce(&Reader) + Send>;

/// A handle to the core; clones are cheap.
#[derive(Clone)]
pub struct Core {
    shared: Arc<Shared>,
    messages: mpsc::Sender<Message>,
    asks: mpsc::Sender<Ask>,
}

/// What handles and the core's threads share.
pub(super) struct Shared {
    settings: RwLock<Arc<ServeSettings>>,
    /// The GPUs for jobs.
    gpus: Mutex<Gpus>,
    pub(super) notices: broadcast::Sender<Notice>,
    /// The last progress event of each running job.
    progress: Mutex<HashMap<JobId, Arc<Progress>>>,
    open: AtomicBool,
    /// Whether the disk of the state directory is full.
    state_full: AtomicBool,
}

impl Shared {
    /// The settings of the daemon, as the last reload has left them.
    pub(super) fn settings(&self) -> Arc<ServeSettings> {
        let settings = self.settings.read();
        Arc::clone(&settings.unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_state_full(&self, full: bool) {
        self.state_full.store(full, Relaxed);
    }

    /// The refusal of what the disk of the state directory has no space for.
    pub(super) fn state_full(&self) -> Refusal {
        Refusal::StateFull(self.settings().state_dir.clone())
    }

    /// The GPUs for jobs.
    pub(super) fn gpus(&self) -> MutexGuard<'_, Gpus> {
        self.gpus.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops accepting jobs.
    pub(super) fn close(&self) {
        self.open.store(false, Relaxed);
    }

    pub(super) fn forget_progress(&self, id: JobId) {
        self.progress().remove(&id);
    }

    /// Sets the last progress event of a job to that of its current process, if there is one.
    pub(super) fn add_progress(&self, job: &mut Job) {
        if let Some(now) = self.progress().get(&job.id) {
            job.course.progress = Some(Box::new(now.as_ref().clone()));
        }
    }

    fn progress(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Progress>>> {
        self.progress.lock().unwrap_or_else(|p| p.into_inner())
    }
}

impl Core {
    pub(super) fn new(
        settings: &ServeSettings,
        gpus: Gpus,
    ) -> (Self, mpsc::Receiver<Message>, mpsc::Receiver<Ask>) {
        let (messages, to_core) = mpsc::channel(MESSAGES_WAITING_MAX);
        let (asks, to_reader) = mpsc::channel(READS_WAITING_MAX);
        let shared = Shared {
            settings: RwLock::new(Arc::new(settings.clone())),
            gpus: Mutex::new(gpus),
            notices: broadcast::channel(EVENT_BACKLOG_MAX).0,
            progress: Mutex::default(),
            open: AtomicBool::new(true),
            state_full: AtomicBool::new(false),
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

    /// The settings of the daemon, as the last reload has left them.
    pub fn settings(&self) -> Arc<ServeSettings> {
        self.shared.settings()
    }

    /// Replaces the settings. What a reload cannot change must be as before.
    pub async fn reload(&self, settings: ServeSettings) {
        let new = Arc::new(settings);
        *self
            .shared
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = new;
        self.tell(Message::Reload).await;
    }

    /// What a job waits for; `None` if it does not wait.
    pub fn waits_for(&self, job: &Job) -> Option<WaitsFor> {
        let now = jiff::Timestamp::now().as_millisecond();
        let waits_for = WaitsFor::of(job, &self.settings().budget, now)?;
        let demand = &job.submission.demand;
        let lacks_gpu = || {
            let bytes = schedule::device_bytes(demand);
            demand.gpu == GpuDemand::One && !self.shared.gpus().left([]).could_take(bytes)
        };
        match waits_for {
            WaitsFor::Resources if lacks_gpu() => Some(WaitsFor::Gpu),
            other => Some(other),
        }
    }

    /// Takes notice of the state of the NVIDIA devices.
    pub async fn see_gpus(&self, devices: &[NvidiaDevice]) {
        let news = self.shared.gpus().see(devices);
        for line in &news {
            tracing::warn!("{line}");
        }
        if !news.is_empty() {
            self.tell(Message::Gpus).await;
        }
    }

    /// The GPUs for jobs, of which jobs have these places.
    pub fn job_gpus(&self, places: &[usize]) -> Vec<JobGpu> {
        self.shared.gpus().shown(places)
    }

    /// Whether there are GPUs for jobs.
    pub fn has_gpus(&self) -> bool {
        !self.shared.gpus().is_empty()
    }

    /// Submits a job.
    pub async fn submit(
        &self,
        caller: Caller,
        request: SubmitRequest,
    ) -> Result<Submitted, Refusal> {
        admission::check_notify(caller, &request.options, Uid::effective().as_raw())?;
        let settings = self.settings();
        let submission =
            admission::admissible(caller, request, &settings.budget, &settings.quotas)?;
        self.ask(|answer| Message::Submit(caller, Box::new(submission), answer))
            .await
    }

    /// Jobs that the caller may see.
    pub async fn list(&self, caller: Caller, query: ListQuery) -> Result<Vec<Job>, Refusal> {
        let visible_to = (!caller.admin).then_some(caller.uid);
        let jobs = self
            .read(move |reader| reader.list(&query, visible_to))
            .await?;
        Ok(jobs
            .into_iter()
            .map(|job| self.with_progress(job))
            .collect())
    }

    /// Number of the jobs of a query that the caller may see, on all pages.
    pub async fn count(&self, caller: Caller, query: ListQuery) -> Result<u64, Refusal> {
        let visible_to = (!caller.admin).then_some(caller.uid);
        self.read(move |reader| reader.count(&query, visible_to))
            .await
    }

    /// One job.
    pub async fn show(&self, caller: Caller, id: JobId) -> Result<Job, Refusal> {
        let job = self.read(move |reader| reader.job(id)).await?;
        let job = job.filter(|job| caller.may_see(job));
        job.map(|job| self.with_progress(job))
            .ok_or(Refusal::NotFound(id))
    }

    /// Stops a job for good.
    pub async fn cancel(&self, caller: Caller, id: JobId) -> Result<Job, Refusal> {
        self.ask(|answer| Message::Cancel(caller, id, answer)).await
    }

    /// Changes a job that has not ended.
    pub async fn set(&self, caller: Caller, id: JobId, change: JobChange) -> Result<Job, Refusal> {
        let set = |answer| Message::Set(caller, id, change, answer);
        self.ask(set).await.map(|job| self.with_progress(job))
    }

    /// Forgets a job that has ended.
    pub async fn forget(&self, caller: Caller, id: JobId) -> Result<(), Refusal> {
        self.ask(|answer| Message::Forget(caller, id, answer)).await
    }

    /// Cancels or forgets the jobs of a query that the caller may see, as many as its limit says.
    pub async fn many(
        &self,
        caller: Caller,
        bulk: Bulk,
        query: ListQuery,
    ) -> Result<Selected, Refusal> {
        let many = |answer| Message::Many(caller, bulk, Box::new(query), answer);
        self.ask(many).await
    }

    /// State and exit code of each of these jobs, in the order of their numbers. Fails if one does not exist, or
    /// the caller may not see it.
    pub async fn ends(&self, caller: Caller, ids: &Arc<[JobId]>) -> Result<Vec<End>, Refusal> {
        let visible_to = (!caller.admin).then_some(caller.uid);
        let asked = Arc::clone(ids);
        let mut ends = self
            .read(move |reader| reader.ends(&asked, visible_to))
            .await?;
        ends.sort_unstable_by_key(|(id, ..)| *id);
        let missing = |id: &&JobId| ends.binary_search_by_key(*id, |(id, ..)| *id).is_err();
        match ids.iter().find(missing) {
            Some(id) => Err(Refusal::NotFound(*id)),
            None => Ok(ends),
        }
    }

    /// The job after each of its state events with a number above `after`, oldest first, at most ten.
    pub async fn history(
        &self,
        caller: Caller,
        id: JobId,
        after: u64,
    ) -> Result<Vec<Job>, Refusal> {
        let ask = move |reader: &Reader| reader.history(id, after, EVENTS_PER_READ_MAX);
        let jobs = self.read(ask).await?;
        if jobs.iter().any(|job| !caller.may_see(job)) {
            return Err(Refusal::NotFound(id));
        }
        if jobs.is_empty() {
            self.show(caller, id).await?;
        }
        Ok(jobs)
    }

    /// The log of a job from byte `from` on, at most 64 KiB, and where it begins: later than `from` where the
    /// middle of a long log was dropped.
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

    /// A user's quota and what is used of it. Admins may ask for every user, others for themselves.
    pub async fn standing(&self, caller: Caller, uid: u32) -> Result<Option<Standing>, Refusal> {
        let own = uid == caller.uid;
        if !own && !caller.admin {
            return Ok(None);
        }
        let asked = Asked {
            uid,
            gid: own.then_some(caller.gid),
            admin: own && caller.admin || uid == 0,
        };
        self.ask(|answer| Message::Standing(asked, answer))
            .await
            .map(Some)
    }

    /// What the core has admitted and counted.
    pub async fn figures(&self) -> Result<Figures, Refusal> {
        self.ask(Message::Figures).await
    }

    /// Whether jobs are accepted; why not, if the daemon stops, its disk is full, or the queue is full for all but admins.
    pub async fn ready(&self) -> Result<(), Refusal> {
        if !self.shared.open.load(Relaxed) {
            return Err(Refusal::Busy);
        }
        if self.shared.state_full.load(Relaxed) {
            return Err(self.shared.state_full());
        }
        let waiting = self.figures().await?.waiting;
        match room::is_full(waiting) {
            true => Err(Refusal::QueueFull(waiting)),
            false => Ok(()),
        }
    }

    /// Ready once the core's thread has ended, which it should not.
    pub async fn gone(&self) {
        self.messages.closed().await;
    }

    /// Notices of all changes from now on. A receiver that lags loses the oldest.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.shared.notices.subscribe()
    }

    /// Begins to stop the daemon: accepts nothing more and asks job processes to stop.
    pub async fn drain(&self) {
        self.shared.close();
        self.tell(Message::Drain).await;
    }

    /// Forgets jobs that ended long ago.
    pub async fn prune(&self) {
        self.tell(Message::Prune).await;
    }

    /// Passes on a message about a job process.
    pub(in crate::daemon) async fn report(&self, id: JobId, from: ProcessMessage) {
        self.tell(Message::Process(id, from)).await;
    }

    /// Passes on a message about a job process and waits for the answer.
    pub(in crate::daemon) async fn report_and_wait(
        &self,
        id: JobId,
        from: impl FnOnce(Answer<()>) -> ProcessMessage,
    ) -> Result<(), Refusal> {
        self.ask(|answer| Message::Process(id, from(answer))).await
    }

    /// Publishes progress of a job process.
    pub(in crate::daemon) fn progress(&self, id: JobId, progress: Progress) {
        let progress = Arc::new(progress);
        self.shared.progress().insert(id, Arc::clone(&progress));
        // There may be no receivers.
        self.shared
            .notices
            .send(Notice::Progress(id, progress))
            .ok();
    }

    fn with_progress(&self, mut job: Job) -> Job {
        self.shared.add_progress(&mut job);
        job
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
            // The caller may be gone.
            answer.send(ask(reader)).ok();
        });
        self.asks.send(ask).await.map_err(|_| Refusal::Busy)?;
        let read = answered.await.map_err(|_| Refusal::Busy)?;
        read.map_err(|error| Refusal::Store(error.to_string()))
    }
}

#[cfg(test)]
impl Core {
    /// A core that is always busy, for tests of the HTTP side.
    pub(crate) fn busy() -> Self {
        let settings = ServeSettings::plain();
        // No thread receives its messages.
        let (core, _, _) = Self::new(&settings, Gpus::default());
        core.shared.close();
        core
    }
}
