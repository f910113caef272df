//! The core's thread.

mod fair;
mod full_disk;
mod launch;
mod output_disk;

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::timeout,
};

use self::full_disk::{FullDisk, LOOK_EVERY};
use super::{
    audit,
    handle::{Core, Shared},
    message::{Launch, Message, ProcessMessage, Wanted},
    take::{self, Effect, Reply, Terms},
    waits::Waits,
};
use crate::{
    daemon::{
        gpus::Gpus,
        job::{GpuDemand, Job, JobEvent, JobId, Millis, Resources, State},
        refusal::Refusal,
        schedule::{Grant, Running, Waiting},
        settings::ServeSettings,
        snapshot::{Figures, Notice},
        store::{JobStoreError, Reader, Store, Tx},
    },
    limits::BATCH_MESSAGES_MAX,
};

/// Pause after an error of the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);

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
    waits: Waits,
    active: BTreeMap<JobId, ActiveJob>,
    /// Jobs to start, until their admission is committed.
    granted: Vec<Grant>,
    full_disk: FullDisk,
    /// Messages of job processes that the store failed to record.
    again: Vec<Message>,
    launches: mpsc::UnboundedSender<Launch>,
    draining: bool,
    drained: watch::Sender<bool>,
    /// Jobs that have ended since the start, by state.
    ended: BTreeMap<State, u64>,
    /// Interrupted job processes since the start.
    interruptions: u64,
    /// When recent use was stored last.
    saved_at: Instant,
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
    gpus: Gpus,
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
        waits: Waits::default(),
        active: BTreeMap::new(),
        granted: Vec::new(),
        full_disk: FullDisk::default(),
        again: Vec::new(),
        launches,
        draining: false,
        drained,
        ended: BTreeMap::new(),
        interruptions: 0,
        saved_at: Instant::now(),
    };
    core_loop.set_policy();
    core_loop.restore_use()?;
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
        self.look_at_state_disk();
        self.admit();
        loop {
            self.check_space();
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
            self.look_at_state_disk();
            self.admit();
            self.save_use(false);
            let over = self.draining && self.active.is_empty() && self.again.is_empty();
            self.drained
                .send_if_modified(|drained| over && !std::mem::replace(drained, over));
        }
    }

    /// Time until there may be work without a message.
    fn pause(&self) -> Duration {
        let retries = !self.again.is_empty() || !self.granted.is_empty();
        if retries || self.full_disk.is_full() || !self.store.reserve().1 {
            return STORE_PAUSE;
        }
        let now = now();
        let wakes = [self.waits.queue.next_wake(now), self.next_space_check(now)];
        let wake = wakes.into_iter().flatten().min().map_or(LOOK_EVERY, |at| {
            Duration::from_millis((at - now).unsigned_abs())
        });
        wake.min(LOOK_EVERY)
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
        // Only those with a process are kept as a whole.
        let mut active = Vec::new();
        let budget = self.shared.settings().budget;
        let Self { store, waits, .. } = self;
        store.each_unfinished(|job| {
            if !waits.note(&job, &budget) {
                active.push(job);
            }
        })?;
        for job in active {
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
            let gpu = gpu.then(|| self.gpus_left().find(0)).flatten();
            self.engage(&job, gpu);
        }
        for (id, uid) in self.store.notifications()? {
            self.launches.send(Launch::Notify(id, uid)).ok();
        }
        if !gone.is_empty() {
            self.commit(gone);
        }
        Ok(())
    }

    fn terms(&self) -> Terms {
        let now = now();
        let settings = self.shared.settings();
        Terms {
            now,
            retry: settings.retry,
            ended_before: now - settings.keep.as_millis() as Millis,
            draining: self.draining,
        }
    }

    /// Applies messages in one transaction, then follows up on each.
    fn commit(&mut self, batch: Vec<Message>) {
        if self.full_disk.is_full() {
            return self.commit_from_reserve(batch);
        }
        let (terms, settings) = (self.terms(), self.shared.settings());
        let waiting = (&self.waits, settings.as_ref());
        let work = |tx: &Tx<'_>| take::take_all(tx, &batch, &terms, waiting);
        let mut effects = self.store.write(work);
        // Free pages of the database can take new jobs; the reserve is for SQLite's log meanwhile.
        if let Err(error) = &effects
            && self.store.is_full(error)
            && self.store.has_space(true) == Ok(true)
        {
            effects = self.store.write_from_reserve(work);
        }
        match effects {
            Ok(effects) => {
                for (message, effect) in batch.into_iter().zip(effects) {
                    self.follow(message, effect);
                }
            }
            Err(error) if self.store.is_full(&error) => self.commit_from_reserve(batch),
            Err(error) => self.not_stored(batch, &error),
        }
    }

    /// Handles an error of the store: refuses requests, keeps the other messages for a retry.
    fn not_stored(&mut self, batch: Vec<Message>, error: &JobStoreError) {
        tracing::error!("{error}");
        for message in batch {
            if message.is_request() {
                let refusal = match self.full_disk.is_full() {
                    true => self.shared.state_full(),
                    false => Refusal::Store(error.to_string()),
                };
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
                Message::Process(_, ProcessMessage::SpaceChecked(_)) => self.note_checked(&job),
                _ => self.note(job),
            }
        }
        effect.also.into_iter().for_each(|job| self.note(job));
        match &message {
            Message::Process(id, ProcessMessage::Said(_)) => self.publish(Notice::Log(*id)),
            Message::Drain => self.drain(),
            Message::Reload => self.set_policy(),
            Message::Process(id, ProcessMessage::SpaceChecked(_)) => self.waits.space.checked(*id),
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
        match message {
            // The asker may be gone.
            Message::Standing(asked, to) => drop(to.send(Ok(self.standing(asked)))),
            message => message.answer(answer, || self.figures()),
        }
    }

    /// Updates memory to a committed job, and publishes the change.
    fn note(&mut self, job: Job) {
        self.waits.note(&job, &self.shared.settings().budget);
        let course = &job.course;
        if course.ending.is_some()
            && let Some(worker) = self.active.get(&job.id)
        {
            worker.wanted.send_replace(Wanted::Stop);
        }
        if course.state.is_final() {
            *self.ended.entry(course.state).or_default() += 1;
            if job.submission.options.notify.is_some() {
                let notify = Launch::Notify(job.id, job.submission.uid);
                self.launches.send(notify).ok();
            }
        }
        if course.state == State::Interrupted {
            self.interruptions += 1;
        }
        // That the process is recorded is not a change of state.
        if course.state != State::Starting || course.process.is_none() {
            let error = course.error.as_deref().unwrap_or_default();
            let (id, owner, state) = (job.id, job.submission.uid, course.state.name());
            tracing::info!(job = id.0, owner, state, error, "job {id} is {state}");
            output_disk::log_wait(&job);
        }
        self.publish(Notice::State(job.id, course.state));
    }

    /// Updates memory to a committed job whose user has changed it, and publishes the change.
    fn note_change(&mut self, job: &Job) {
        if let Some(waiting) = Waiting::of(job) {
            self.waits.queue.replace(waiting, now());
            // Its start was not committed, and it may need other resources now.
            self.granted.retain(|grant| grant.id != job.id);
        }
        let budget = &self.shared.settings().budget;
        self.waits.oversized.note(job, budget);
        self.publish(Notice::State(job.id, job.course.state));
    }

    fn publish(&self, notice: Notice) {
        // There may be no receivers.
        self.shared.notices.send(notice).ok();
    }

    /// The daemon stops: asks every job process to stop.
    fn drain(&mut self) {
        self.draining = true;
        self.shared.close();
        self.save_use(true);
        let ids: Vec<JobId> = self.active.keys().copied().collect();
        let terms = self.terms();
        let asked = self.store.write_from_reserve(|tx| {
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
            waiting: self.waits.len() as u64,
            waiting_for_space: self.waits.space.len() as u64,
            too_large: self.waits.oversized.count(),
            gpu_places: self.active.values().filter_map(|job| job.gpu).collect(),
            state_full: self.full_disk.is_full(),
            reserve_bytes: self.store.reserve().0,
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
