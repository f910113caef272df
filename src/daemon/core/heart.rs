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
    handle::{Core, Event, Figures, Refusal, Shared},
    message::{FromWorker, Launch, Message, Order, Wanted},
    take::{self, Outcome, Reply, Terms},
};
use crate::{
    daemon::{
        job::{Demand, GpuDemand, Happening, Job, JobId, Millis, State},
        schedule::{Grant, Queue, Running, Waiting},
        settings::ServeSettings,
        store::{JobStoreError, Reader, Store, Unfinished},
    },
    limits::{BATCH_MESSAGES_MAX, WAITING_JOBS_MAX},
};

/// Wait after the store could not take something.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Longest time between two looks at what waits.
const ROUND_EVERY: Duration = Duration::from_secs(60);

/// What begins with a daemon.
pub struct Beginning {
    /// The handle to the core.
    pub core: Core,
    /// Workers to start.
    pub(in crate::daemon) launches: mpsc::UnboundedReceiver<Launch>,
    /// Whether the daemon ends and the last worker has.
    pub drained: watch::Receiver<bool>,
    /// The core's threads; they end when every handle is gone.
    pub threads: [JoinHandle<()>; 2],
}

struct Heart {
    store: Store,
    shared: Arc<Shared>,
    queue: Queue,
    workers: BTreeMap<JobId, Worker>,
    /// Jobs that have their turn, until that is committed.
    granted: Vec<Grant>,
    /// What workers have said that the store could not take.
    again: Vec<Message>,
    launches: mpsc::UnboundedSender<Launch>,
    draining: bool,
    drained: watch::Sender<bool>,
    /// Jobs that have ended since the start, by state.
    ended: BTreeMap<State, u64>,
    /// Workers that were interrupted since the start.
    interruptions: u64,
}

/// A job that has its turn.
struct Worker {
    running: Running,
    gpu: Option<usize>,
    wanted: watch::Sender<Wanted>,
}

/// Opens the store and starts the core's threads. `runtime` must outlive them.
pub fn start(
    settings: &ServeSettings,
    gpus: Vec<Option<String>>,
    runtime: &Handle,
) -> Result<Beginning, JobStoreError> {
    let store = Store::open(&settings.state_dir)?;
    let reader = Reader::open(&settings.state_dir)?;
    let (core, mut messages, mut asks) = Core::new(settings, gpus);
    let (launches, to_launch) = mpsc::unbounded_channel();
    let (drained, is_drained) = watch::channel(false);
    let mut heart = Heart {
        store,
        shared: Arc::clone(core.shared()),
        queue: Queue::default(),
        workers: BTreeMap::new(),
        granted: Vec::new(),
        again: Vec::new(),
        launches,
        draining: false,
        drained,
        ended: BTreeMap::new(),
        interruptions: 0,
    };
    heart.take_up()?;
    let at_work = runtime.clone();
    let core_thread = spawn("core", move || heart.work(&mut messages, &at_work))?;
    let reader_thread = spawn("reader", move || {
        while let Some(ask) = asks.blocking_recv() {
            ask(&reader);
        }
    })?;
    Ok(Beginning {
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

impl Heart {
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
            let over = self.draining && self.workers.is_empty() && self.again.is_empty();
            self.drained
                .send_if_modified(|drained| over && !std::mem::replace(drained, over));
        }
    }

    /// Time until there may be something to do although nothing comes.
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

    /// Takes up what an earlier daemon has left.
    fn take_up(&mut self) -> Result<(), JobStoreError> {
        let mut found = Vec::new();
        self.store.unfinished(|job| found.push(job))?;
        let mut gone = Vec::new();
        for job in found {
            if job.state.is_waiting() {
                self.queue.insert(Waiting::from(&job));
                continue;
            }
            let id = job.id;
            match &job.worker {
                Some(process) => {
                    let orphan = Launch::Orphan(id, process.clone());
                    // Its receiver is still with who called.
                    self.launches.send(orphan).ok();
                }
                // It was not yet told its job, and never will be.
                None => gone.push(Message::Worker(id, FromWorker::Gone)),
            }
            let gpu = job.demand.gpu != GpuDemand::None;
            let gpu = gpu.then(|| self.free_gpu()).flatten();
            self.engage(id, job.uid, job.demand, gpu);
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

    /// Takes messages in one transaction, then does what follows from them.
    fn commit(&mut self, batch: Vec<Message>) {
        let terms = self.terms();
        let outcomes = self.store.write(|tx| {
            let taken = batch.iter().map(|message| take::take(tx, message, &terms));
            taken.collect::<Result<Vec<Outcome>, JobStoreError>>()
        });
        match outcomes {
            Ok(outcomes) => {
                for (message, outcome) in batch.into_iter().zip(outcomes) {
                    self.follow(message, outcome);
                }
            }
            Err(error) => self.not_stored(batch, &error),
        }
    }

    /// The store could not take a batch: clients are told, the rest is tried again.
    fn not_stored(&mut self, batch: Vec<Message>, error: &JobStoreError) {
        tracing::error!("{error}");
        for message in batch {
            if message.is_request() {
                let refusal = Refusal::Store(error.to_string());
                message.answer(Err(refusal), Figures::default);
            } else {
                self.again.push(message);
            }
        }
        thread::sleep(STORE_PAUSE);
    }

    fn follow(&mut self, message: Message, outcome: Outcome) {
        if let Some(job) = outcome.changed {
            self.note(job);
        }
        match &message {
            Message::Worker(id, FromWorker::Said(_)) => self.publish(Event::Log(*id)),
            Message::Drain => self.drain(),
            // Whatever its state is: its worker is no more.
            Message::Worker(
                id,
                FromWorker::Ended(_) | FromWorker::NotSpawned(_) | FromWorker::Gone,
            ) => {
                self.workers.remove(id);
                self.shared.forget_progress(*id);
            }
            _ => {}
        }
        let mut answer = outcome.answer;
        if let Ok(Reply::Submitted(submitted)) = &mut answer {
            submitted.view.progress = self.shared.progress_of(&submitted.view.job);
        }
        message.answer(answer, || self.figures());
    }

    /// Brings memory up to a job as it is committed, and tells of it.
    fn note(&mut self, job: Job) {
        match Waiting::of(&job) {
            Some(waiting) => self.queue.insert(waiting),
            None => {
                self.queue.remove(job.id);
            }
        }
        if job.ending.is_some()
            && let Some(worker) = self.workers.get(&job.id)
        {
            worker.wanted.send_replace(Wanted::Stop);
        }
        if job.state.is_final() {
            *self.ended.entry(job.state).or_default() += 1;
        }
        if job.state == State::Interrupted {
            self.interruptions += 1;
        }
        // That a worker's process is known is no other state.
        if job.state != State::Starting || job.worker.is_none() {
            let error = job.error.as_deref().unwrap_or_default();
            let (id, user, state) = (job.id, job.uid, job.state.name());
            tracing::info!(job = id.0, user, state, error, "job {id} is {state}");
        }
        self.publish(Event::State(job.id, job.state));
    }

    fn publish(&self, event: Event) {
        // Nobody may be listening.
        self.shared.events.send(event).ok();
    }

    /// Starts whatever has its turn.
    fn admit(&mut self) {
        if self.draining {
            return;
        }
        // While the store can't take that jobs have their turn, nothing more is given one.
        if self.granted.is_empty() {
            self.granted = self.round();
        }
        if !self.granted.is_empty() {
            self.start_granted();
        }
    }

    fn round(&mut self) -> Vec<Grant> {
        let running: Vec<Running> = self.workers.values().map(|worker| worker.running).collect();
        self.queue
            .round(&self.shared.settings.budget, &running, now())
    }

    /// Commits that jobs have their turn, and has their workers started.
    fn start_granted(&mut self) {
        let (terms, granted) = (self.terms(), &self.granted);
        let admitted = self.store.write(|tx| {
            let admit = |grant: &Grant| {
                let outcome = take::happen(tx, grant.id, Happening::Admitted, &terms)?;
                Ok((outcome.changed, grant.gpu))
            };
            granted
                .iter()
                .map(admit)
                .collect::<Result<Vec<_>, JobStoreError>>()
        });
        match admitted {
            Ok(admitted) => {
                self.granted.clear();
                for (job, gpu) in admitted {
                    if let Some(job) = job {
                        self.launch(job, gpu);
                    }
                }
            }
            Err(error) => tracing::error!("{error}"),
        }
    }

    fn launch(&mut self, job: Job, gpu: bool) {
        let gpu = gpu.then(|| self.free_gpu()).flatten();
        let wanted = self.engage(job.id, job.uid, job.demand, gpu);
        let order = Order {
            id: job.id,
            uid: job.uid,
            settings: job.settings.clone(),
            mode: job.mode_of_next_attempt(),
            opened: job.opened,
            gpu: gpu.map(|index| self.shared.gpus.get(index).cloned().flatten()),
            wanted,
        };
        self.note(job);
        // If nobody launches any more the process is about to end.
        self.launches.send(Launch::New(Box::new(order))).ok();
    }

    /// Counts a job among those that have a worker.
    fn engage(
        &mut self,
        id: JobId,
        uid: u32,
        demand: Demand,
        gpu: Option<usize>,
    ) -> watch::Receiver<Wanted> {
        let (wanted, hears) = watch::channel(Wanted::Work);
        let running = Running {
            id,
            uid,
            demand,
            gpu: gpu.is_some(),
        };
        let worker = Worker {
            running,
            gpu,
            wanted,
        };
        self.workers.insert(id, worker);
        hears
    }

    fn free_gpu(&self) -> Option<usize> {
        let taken = |index: &usize| self.workers.values().any(|w| w.gpu == Some(*index));
        (0..self.shared.settings.budget.gpus as usize).find(|index| !taken(index))
    }

    /// The daemon ends: every worker is asked to stop.
    fn drain(&mut self) {
        self.draining = true;
        self.shared.close();
        let ids: Vec<JobId> = self.workers.keys().copied().collect();
        let terms = self.terms();
        let asked = self.store.write(|tx| {
            let ask = |id: &JobId| take::happen(tx, *id, Happening::DrainAsked, &terms);
            ids.iter()
                .map(ask)
                .collect::<Result<Vec<_>, JobStoreError>>()
        });
        match asked {
            Ok(outcomes) => outcomes
                .into_iter()
                .filter_map(|outcome| outcome.changed)
                .for_each(|job| self.note(job)),
            Err(error) => tracing::error!("{error}"),
        }
        // Also those of which the store does not know it.
        for worker in self.workers.values() {
            worker.wanted.send_replace(Wanted::Stop);
        }
    }

    fn figures(&self) -> Figures {
        let mut admitted = crate::daemon::core::Resources::default();
        for worker in self.workers.values() {
            let running = worker.running;
            admitted.memory_bytes += running.demand.memory_bytes;
            admitted.threads += running.demand.threads;
            admitted.gpus += u32::from(running.gpu);
        }
        Figures {
            admitted,
            waiting: self.queue.len() as u64,
            jobs: self.store.counts().unwrap_or_default(),
            ended: self.ended.clone(),
            interruptions: self.interruptions,
        }
    }
}

impl From<&Unfinished> for Waiting {
    fn from(job: &Unfinished) -> Self {
        Self {
            id: job.id,
            uid: job.uid,
            priority: job.priority,
            demand: job.demand,
            ready_at: job.retry_at.unwrap_or(job.submitted_at),
            passed: 0,
        }
    }
}

/// Milliseconds since 1970.
pub(super) fn now() -> Millis {
    jiff::Timestamp::now().as_millisecond()
}
