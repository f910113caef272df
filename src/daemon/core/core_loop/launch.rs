//! Starts jobs: asks the scheduler, commits the admissions, and has the supervisor start the processes.

use tokio::sync::watch;

use super::{ActiveJob, CoreLoop, now};
use crate::daemon::{
    core::{
        message::{Launch, ProcessStart, Wanted},
        take::{self, Admitted},
    },
    gpus::GpusLeft,
    job::Job,
    schedule::{self, Grant, Running},
    store::JobStoreError,
};

impl CoreLoop {
    /// Starts the jobs that are next.
    pub(super) fn admit(&mut self) {
        if self.draining || self.full_disk.is_full() {
            return;
        }
        // Start no further job until earlier starts are committed.
        self.waits.look_at_budget(&self.shared.settings().budget);
        if self.granted.is_empty() {
            self.granted = self.round();
        }
        if !self.granted.is_empty() {
            self.start_granted();
        }
    }

    fn round(&mut self) -> Vec<Grant> {
        let running: Vec<Running> = self.active.values().map(|worker| worker.running).collect();
        let budget = self.shared.settings().budget;
        let gpus = self.gpus_left();
        self.waits.queue.round_on(&budget, gpus, &running, now())
    }

    /// Commits that the granted jobs are admitted, then has their processes started.
    fn start_granted(&mut self) {
        let (terms, granted) = (self.terms(), &self.granted);
        let admitted = self.store.write(|tx| {
            let admit = |grant: &Grant| Ok((take::admit(tx, grant.id, &terms)?, grant.place));
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
            Err(error) if self.store.is_full(&error) => self.note_full_disk(),
            Err(error) => tracing::error!("{error}"),
        }
    }

    fn launch(&mut self, admitted: Admitted, gpu: Option<usize>) {
        let Admitted {
            job,
            settings,
            also,
        } = admitted;
        let Some(settings) = settings else {
            self.note(job);
            return also.into_iter().for_each(|job| self.note(job));
        };
        let wanted = self.engage(&job, gpu);
        let start = ProcessStart {
            id: job.id,
            uid: job.submission.uid,
            settings,
            mode: job.mode_of_next_attempt(),
            opened: job.course.opened,
            gpu: gpu.map(|place| self.shared.gpus().get(place)?.uuid.clone()),
            wanted,
        };
        self.note(job);
        // If the supervisor is gone, the daemon is about to stop.
        self.launches.send(Launch::New(Box::new(start))).ok();
    }

    /// Adds a job to the active ones.
    pub(super) fn engage(&mut self, job: &Job, gpu: Option<usize>) -> watch::Receiver<Wanted> {
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

    /// What the GPUs have left for further jobs.
    pub(super) fn gpus_left(&self) -> GpusLeft {
        let taken = self.active.values().filter_map(|job| {
            let bytes = schedule::device_bytes(&job.running.demand);
            Some((job.gpu?, bytes))
        });
        self.shared.gpus().left(taken)
    }
}
