//! The core's thread.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::timeout,
};

use super::{
    audit,
    handle::{Core, Shared},
    message::{Launch, Message, ProcessMessage, ProcessStart, Wanted},
    take::{self, Admitted, Effect, Reply, Terms},
};
use crate::{
    daemon::{
        job::{GpuDemand, Job, JobEvent, JobId, Millis, Resources, State},
        refusal::Refusal,
        schedule::{Grant, Queue, Running, Waiting},
        settings::ServeSettings,
        snapshot::{Figures, Notice},
        store::{JobStoreError, Reader, Store},
    },
    limits::{BATCH_MESSAGES_MAX, WAITING_JOBS_MAX},
};

/// Pause after an error of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Longest time between two rounds of admission.
const ROUND_EVERY: Duration = Duration::from_secs(60);

/// A started core.
pub struct StartedCore {
    /// The handle to the core.
    pub core: Core,
    /// Requests to start job processes.
    pub(in crate::daemon) launches: mpsc::UnboundedReceiver<Launch>,
    /// Whether the daemon is stopping and the last job process has ended.
    pub drained: watch::Receiver<bool>,
    /// The core's threads; they end when the last handle is dropped.
    pub threads: [JoinHandle<()>; 2],
}

struct CoreLoop {
    store: Store,
    shared: Arc<Shared>,
    queue: Queue,
    active: BTreeMap<JobId, ActiveJob>,
    /// Jobs to start, until their admission is committed.
    granted: Vec<Grant>,
    /// Messages of job processes that the store failed to record.
    again: Vec<Message>,
    launches: mpsc::UnboundedSender<Launch>,
    draining: bool,
    drained: watch::Sender<bool>,
    /// Jobs that have ended since the start, by state.
    ended: BTreeMap<State, u64>,
    /// Interrupted job processes since the start.
    interruptions: u64,
}

/// A job that has a process, or is about to have one.
struct ActiveJob {
    running: Running,
    gpu: Option<usize>,
    wanted: watch::Sender<Wanted>,
}

/// Opens the store and starts the core's threads. `runtime` must outlive them.
pub fn start(
    settings: &ServeSettings,
    gpus: Vec<Option<String>>,
    runtime: &Handle,
) -> Result<StartedCore, JobStoreError> {
    let store = Store::open(&settings.state_dir)?;
    let reader = Reader::open(&settings.state_dir)?;
    let (core, mut messages, mut asks) = Core::new(settings, gpus);
    let (launches, to_launch) = mpsc::unbounded_channel();
    let (drained, is_drained) = watch::channel(false);
    let mut core_loop = CoreLoop {
        store,
        shared: Arc::clone(core.shared()),
        queue: Queue::default(),
        active: BTreeMap::new(),
        granted: Vec::new(),
        again: Vec::new(),
        launches,
        draining: false,
        drained,
        ended: BTreeMap::new(),
        interruptions: 0,
    };
    core_loop.take_up()?;
    let at_work = runtime.clone();
    let core_thread = spawn("core", move || core_loop.work(&mut messages, &at_work))?;
    let reader_thread = spawn("reader", move || {
        while let Some(ask) = asks.blocking_recv() {
            ask(&reader);
        }
    })?;
    Ok(StartedCore {
        core,
        launches: to_launch,
        drained: is_drained,
        threads: [core_thread, reader_thread],
    })
}

fn spawn(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, JobStoreError> {
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    thread.map_err(|error| JobStoreError::Thread(crate::store::plain(&error)))
}

impl CoreLoop {
    fn work(&mut self, messages: &mut mpsc::Receiver<Message>, runtime: &Handle) {
        self.admit();
        loop {
            let pause = self.pause();
            let next = runtime.block_on(async { timeout(pause, messages.recv()).await });
            let batch = match next {
                Ok(Some(first)) => self.batch(first, messages),
                Ok(None) => return,
                Err(_elapsed) => std::mem::take(&mut self.again),
            };
            if !batch.is_empty() {
                self.commit(batch);
            }
            self.admit();
            let over = self.draining && self.active.is_empty() && self.again.is_empty();
            self.drained
                .send_if_modified(|drained| over && !std::mem::replace(drained, over));
        }
    }

    /// Time until there may be work without a message.
    fn pause(&self) -> Duration {
        if !self.again.is_empty() || !self.granted.is_empty() {
            return STORE_PAUSE;
        }
        let now = now();
        let wake = self.queue.next_wake(now).map_or(ROUND_EVERY, |at| {
            Duration::from_millis((at - now).unsigned_abs())
        });
        wake.min(ROUND_EVERY)
    }

    fn batch(&mut self, first: Message, messages: &mut mpsc::Receiver<Message>) -> Vec<Message> {
        let mut batch = std::mem::take(&mut self.again);
        batch.push(first);
        while batch.len() < BATCH_MESSAGES_MAX
            && let Ok(next) = messages.try_recv()
        {
            batch.push(next);
        }
        batch
    }

    /// Takes over the jobs of an earlier daemon.
    fn take_up(&mut self) -> Result<(), JobStoreError> {
        let mut gone = Vec::new();
        for job in self.store.unfinished()? {
            if let Some(waiting) = Waiting::of(&job) {
                self.queue.insert(waiting);
                continue;
            }
            let id = job.id;
            match &job.course.process {
                Some(process) => {
                    let orphan = Launch::Orphan(id, process.clone());
                    // The receiver exists: `start` returns it later.
                    self.launches.send(orphan).ok();
                }
                // It had no assignment yet, and will get none.
                None => gone.push(Message::Process(id, ProcessMessage::Gone)),
            }
            let gpu = job.submission.demand.gpu != GpuDemand::None;
            let gpu = gpu.then(|| self.free_gpu()).flatten();
            self.engage(&job, gpu);
        }
        if !gone.is_empty() {
            self.commit(gone);
        }
        Ok(())
    }

    fn terms(&self) -> Terms {
        let now = now();
        Terms {
            now,
            retry: self.shared.settings.retry,
            ended_before: now - self.shared.settings.keep.as_millis() as Millis,
            draining: self.draining,
            full: self.queue.len() >= WAITING_JOBS_MAX,
        }
    }

    /// Applies messages in one transaction, then follows up on each.
    fn commit(&mut self, batch: Vec<Message>) {
        let terms = self.terms();
        let effects = self.store.write(|tx| {
            let taken = batch.iter().map(|message| take::take(tx, message, &terms));
            taken.collect::<Result<Vec<Effect>, JobStoreError>>()
        });
        match effects {
            Ok(effects) => {
                for (message, effect) in batch.into_iter().zip(effects) {
                    self.follow(message, effect);
                }
            }
            Err(error) => self.not_stored(batch, &error),
        }
    }

    /// Handles an error of the store: refuses requests, keeps the other messages for a retry.
    fn not_stored(&mut self, batch: Vec<Message>, error: &JobStoreError) {
        tracing::error!("{error}");
        for message in batch {
            if message.is_request() {
                let refusal = Refusal::Store(error.to_string());
                message.answer(Err(refusal), || Ok(Figures::default()));
            } else {
                self.again.push(message);
            }
        }
        thread::sleep(STORE_PAUSE);
    }

    fn follow(&mut self, message: Message, effect: Effect) {
        audit::log(&message, &effect);
        if let Some(job) = effect.changed {
            match &message {
                Message::Set(..) => self.note_change(&job),
                _ => self.note(job),
            }
        }
        match &message {
            Message::Process(id, ProcessMessage::Said(_)) => self.publish(Notice::Log(*id)),
            Message::Drain => self.drain(),
            // In any state: the process has ended.
            Message::Process(
                id,
                ProcessMessage::Ended(_) | ProcessMessage::NotSpawned(_) | ProcessMessage::Gone,
            ) => {
                self.active.remove(id);
                self.shared.forget_progress(*id);
            }
            _ => {}
        }
        let mut answer = effect.answer;
        if let Ok(Reply::Submitted(submitted)) = &mut answer {
            self.shared.add_progress(&mut submitted.job);
        }
        message.answer(answer, || self.figures());
    }

    /// Updates memory to a committed job, and publishes the change.
    fn note(&mut self, job: Job) {
        match Waiting::of(&job) {
            Some(waiting) => self.queue.insert(waiting),
            None => {
                self.queue.remove(job.id);
            }
        }
        let course = &job.course;
        if course.ending.is_some()
            && let Some(worker) = self.active.get(&job.id)
        {
            worker.wanted.send_replace(Wanted::Stop);
        }
        if course.state.is_final() {
            *self.ended.entry(course.state).or_default() += 1;
        }
        if course.state == State::Interrupted {
            self.interruptions += 1;
        }
        // That the process is recorded is not a change of state.
        if course.state != State::Starting || course.process.is_none() {
            let error = course.error.as_deref().unwrap_or_default();
            let (id, owner, state) = (job.id, job.submission.uid, course.state.name());
            tracing::info!(job = id.0, owner, state, error, "job {id} is {state}");
        }
        self.publish(Notice::State(job.id, course.state));
    }

    /// Updates memory to a committed job whose user has changed it, and publishes the change.
    fn note_change(&mut self, job: &Job) {
        if let Some(waiting) = Waiting::of(job) {
            self.queue.replace(waiting, now());
        }
        self.publish(Notice::State(job.id, job.course.state));
    }

    fn publish(&self, notice: Notice) {
        // There may be no receivers.
        self.shared.notices.send(notice).ok();
    }

    /// Starts the jobs that are next.
    fn admit(&mut self) {
        if self.draining {
            return;
        }
        // Start no further job until earlier starts are committed.
        if self.granted.is_empty() {
            self.granted = self.round();
        }
        if !self.granted.is_empty() {
            self.start_granted();
        }
    }

    fn round(&mut self) -> Vec<Grant> {
        let running: Vec<Running> = self.active.values().map(|worker| worker.running).collect();
        self.queue
            .round(&self.shared.settings.budget, &running, now())
    }

    /// Commits that the granted jobs are admitted, then has their processes started.
    fn start_granted(&mut self) {
        let (terms, granted) = (self.terms(), &self.granted);
        let admitted = self.store.write(|tx| {
            let admit = |grant: &Grant| Ok((take::admit(tx, grant.id, &terms)?, grant.gpu));
            granted
                .iter()
                .map(admit)
                .collect::<Result<Vec<_>, JobStoreError>>()
        });
        match admitted {
            Ok(admitted) => {
                self.granted.clear();
                for (admitted, gpu) in admitted {
                    if let Some(admitted) = admitted {
                        self.launch(admitted, gpu);
                    }
                }
            }
            Err(error) => tracing::error!("{error}"),
        }
    }

    fn launch(&mut self, admitted: Admitted, gpu: bool) {
        let Admitted { job, settings } = admitted;
        let Some(settings) = settings else {
            return self.note(job);
        };
        let gpu = gpu.then(|| self.free_gpu()).flatten();
        let wanted = self.engage(&job, gpu);
        let start = ProcessStart {
            id: job.id,
            uid: job.submission.uid,
            settings,
            mode: job.mode_of_next_attempt(),
            opened: job.course.opened,
            gpu: gpu.map(|index| self.shared.gpus.get(index).cloned().flatten()),
            wanted,
        };
        self.note(job);
        // If the supervisor is gone, the daemon is about to stop.
        self.launches.send(Launch::New(Box::new(start))).ok();
    }

    /// Adds a job to the active ones.
    fn engage(&mut self, job: &Job, gpu: Option<usize>) -> watch::Receiver<Wanted> {
        let (wanted, receiver) = watch::channel(Wanted::Work);
        let running = Running {
            id: job.id,
            uid: job.submission.uid,
            demand: job.submission.demand,
            gpu: gpu.is_some(),
        };
        let worker = ActiveJob {
            running,
            gpu,
            wanted,
        };
        self.active.insert(job.id, worker);
        receiver
    }

    fn free_gpu(&self) -> Option<usize> {
        let taken = |index: &usize| self.active.values().any(|w| w.gpu == Some(*index));
        (0..self.shared.settings.budget.gpus as usize).find(|index| !taken(index))
    }

    /// The daemon stops: asks every job process to stop.
    fn drain(&mut self) {
        self.draining = true;
        self.shared.close();
        let ids: Vec<JobId> = self.active.keys().copied().collect();
        let terms = self.terms();
        let asked = self.store.write(|tx| {
            let ask = |id: &JobId| take::apply_event(tx, *id, JobEvent::DrainAsked, &terms);
            ids.iter()
                .map(ask)
                .collect::<Result<Vec<_>, JobStoreError>>()
        });
        match asked {
            Ok(effects) => effects
                .into_iter()
                .filter_map(|effect| effect.changed)
                .for_each(|job| self.note(job)),
            Err(error) => tracing::error!("{error}"),
        }
        // Also those that the store failed to record.
        for worker in self.active.values() {
            worker.wanted.send_replace(Wanted::Stop);
        }
    }

    fn figures(&self) -> Result<Figures, Refusal> {
        let mut admitted = Resources::default();
        for active in self.active.values() {
            let running = active.running;
            admitted.memory_bytes += running.demand.memory_bytes;
            admitted.threads += running.demand.threads;
            admitted.gpus += u32::from(running.gpu);
        }
        let jobs = self.store.counts();
        Ok(Figures {
            admitted,
            waiting: self.queue.len() as u64,
            jobs: jobs.map_err(|error| Refusal::Store(error.to_string()))?,
            ended: self.ended.clone(),
            interruptions: self.interruptions,
        })
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}
