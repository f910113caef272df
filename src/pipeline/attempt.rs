//! Attempts at a job: from its start or its last checkpoint, on the engine that was chosen. If that engine fails, the
//! next attempt runs from the last checkpoint on the CPU. The keys that were let through are on the disk and batches
//! depend on the input alone, so the files are the same.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{
    check::Checks,
    checkpoint::{CHECKPOINT, Checkpoint, Identity, JOB, Phase},
    control::Outcome,
    drops,
    error::PipelineError,
    in_work::{self, InWork},
    job::Job,
    meters::{Meters, Snapshot},
    resources::{Dispenser, Input, Resources},
    run_files,
    stages::{self, Ended},
    step_input::StepInput,
    watcher::Watcher,
};
use crate::{
    config::Work,
    cores::Cores,
    reagents::Reagents,
    ring::Ring,
    settle::{self, Lengths},
    sieve::{
        Chosen, Engine, EngineError,
        gpu::Room,
        structure_key::{KeyDevices, KeyRoom},
    },
    slot::Slot,
    store::{Existing, OutputDir, StoreError, sealed},
    table::source::{Products, Settled},
};

/// Runs a job to its end, or until `stop` is set. `watch` is called about ten times a second with
/// the state of the job.
pub fn run(
    job: &Job,
    stop: &AtomicBool,
    watch: &mut dyn FnMut(&Snapshot),
) -> Result<Outcome, PipelineError> {
    let cores = Cores::new(job.plan.threads);
    let (mut engines, lost) = open(job, &cores)?;
    let output = OutputDir::open(&job.spec.output, job.spec.existing())?;
    let mut attempt = Attempt {
        job,
        output: &output,
        cores: &cores,
        existing: job.spec.existing(),
        keep: job.spec.existing() == Existing::Resume,
        lost,
        filter_changed: false,
        reagents: OnceLock::new(),
    };
    let outcome = loop {
        let on_device = engines.sieve.name() != Chosen::CPU.name();
        match attempt.run(engines, stop, watch) {
            Err(PipelineError::Engine(error)) if on_device => {
                attempt.lost = Some(lost_engine(&error));
                attempt.existing = Existing::Resume;
                engines = open_chosen(job, &Chosen::CPU, &cores)?;
            }
            outcome => break outcome,
        }
    };
    let keep = attempt.keep;
    match &outcome {
        Ok(Outcome::Done(_)) => output.finish()?,
        Ok(Outcome::Stopped { .. } | Outcome::TimedOut { .. }) => {}
        Err(_) if keep => {}
        // Whether this works or not, the error to report is the first.
        Err(_) => drop(output.abandon()),
    }
    outcome
}

/// The file of reagents that take too much memory.
const REAGENTS: &str = "reagents";

/// What an attempt works with.
struct Engines {
    sieve: Box<dyn Engine>,
    /// For `dedup`: devices of the same engine, where it has any.
    keys: Option<KeyDevices>,
}

/// Opens the engine that was chosen. If its device is there and fails, returns the CPU engine and the reason; if `auto`
/// chose it, on any error.
fn open(job: &Job, cores: &Arc<Cores>) -> Result<(Engines, Option<String>), EngineError> {
    let chosen = &job.plan.engine;
    match open_chosen(job, chosen, cores) {
        Ok(engines) => Ok((engines, None)),
        Err(error) if chosen.name() == Chosen::CPU.name() => Err(error),
        Err(error @ (EngineError::Absent { .. } | EngineError::TooLarge { .. }))
            if !chosen.is_auto() =>
        {
            Err(error)
        }
        Err(error) => {
            let instead = open_chosen(job, &Chosen::CPU, cores)?;
            Ok((instead, Some(lost_engine(&error))))
        }
    }
}

fn open_chosen(job: &Job, chosen: &Chosen, cores: &Arc<Cores>) -> Result<Engines, EngineError> {
    let plan = &job.plan;
    let room = Room::new(plan.filter, &plan.slot);
    let sieve = chosen.open(room, cores)?;
    let keys = match job.spec.work {
        Work::Dedup(_) => {
            let room = KeyRoom::for_batches(plan.batch_parents);
            chosen.open_keys(room, chosen.key_devices(plan.threads))?
        }
        Work::Derive(_) => None,
    };
    Ok(Engines { sieve, keys })
}

/// Warns that an engine has failed, and returns the reason.
fn lost_engine(error: &EngineError) -> String {
    tracing::warn!("{error}; the job continues on the engine cpu");
    error.to_string()
}

struct Attempt<'a> {
    job: &'a Job,
    output: &'a OutputDir,
    /// What all stages work on.
    cores: &'a Arc<Cores>,
    /// How to treat what is in the directory.
    existing: Existing,
    /// Whether there is a checkpoint to keep if the job fails.
    keep: bool,
    /// Why the engine is not the one that was chosen.
    lost: Option<String>,
    /// Whether the filter is another than when the run began.
    filter_changed: bool,
    /// The reagents of the job, once they are asked for.
    reagents: OnceLock<Arc<Reagents>>,
}

impl<'a> Attempt<'a> {
    fn run(
        &mut self,
        engines: Engines,
        stop: &AtomicBool,
        watch: &mut dyn FnMut(&Snapshot),
    ) -> Result<Outcome, PipelineError> {
        let mut begun = self.find_checkpoint()?;
        self.keep &= begun.is_some();
        let mut watcher = Watcher { stop, watch };
        let mut engines = Some(engines);
        loop {
            let (job, cores) = (self.job, self.cores);
            // Each step has a new engine: settling has taken the memory of the last one.
            let engines = match engines.take() {
                Some(engines) => engines,
                None => watcher.during(|| Ok(open_chosen(job, &self.chosen(), cores)?))?,
            };
            let from = begun.as_ref();
            let (resources, input) = watcher.during(|| self.make_ready(from, engines))?;
            let meters = Meters::new(from, resources.step.step, resources.step.rows(job));
            let ended = stages::run(&resources, &meters, from, input, &mut watcher);
            // The first checkpoint says that nothing is done yet.
            self.keep |= meters.checkpoints.load(Relaxed) > 1;
            match ended? {
                Ended::Step => begun = sealed::read(&self.output.work_dir(), CHECKPOINT)?,
                Ended::Job(outcome) => return Ok(outcome),
            }
        }
    }

    /// The reagents of the job; in a file of the output directory if they take too much memory.
    fn reagents(&self) -> Result<Arc<Reagents>, PipelineError> {
        if let Some(reagents) = self.reagents.get() {
            return Ok(Arc::clone(reagents));
        }
        let reagents = match &self.job.reagents {
            Some(reagents) => reagents.texts(&self.output.work_file(REAGENTS))?,
            None => Reagents::none().into(),
        };
        Ok(Arc::clone(self.reagents.get_or_init(|| reagents)))
    }

    /// The engine of the next step.
    fn chosen(&self) -> Chosen {
        match self.lost {
            Some(_) => Chosen::CPU,
            None => self.job.plan.engine.clone(),
        }
    }

    /// The checkpoint to continue from, with everything after it removed; or `None`, with the directory prepared
    /// for a run from the start.
    fn find_checkpoint(&mut self) -> Result<Option<Checkpoint>, PipelineError> {
        let (job, output) = (self.job, self.output);
        let identity = Identity::of(job)?;
        let folder = output.work_dir();
        let begun: Option<Checkpoint> = match self.existing {
            Existing::Resume => sealed::read(&folder, CHECKPOINT)?,
            Existing::Refuse | Existing::Overwrite => None,
        };
        let Some(mut begun) = begun else {
            output.clear_behind(0, &[])?;
            sealed::write(&folder, JOB, &identity)?;
            output.write("job.toml", job.job_toml.as_bytes())?;
            return Ok(None);
        };
        let then: Option<Identity> = sealed::read(&folder, JOB)?;
        let missing = || StoreError::damaged(&output.work_file(JOB.name), "it is missing");
        let then = then.ok_or_else(missing)?;
        identity.check_against(&then, job)?;
        self.filter_changed = then.filter_changed();
        if let Some(identity) = identity.with_other_filter(&then) {
            self.filter_changed = true;
            sealed::write(&folder, JOB, &identity)?;
        }
        output.clear_behind(begun.parts.len(), &run_files::kept())?;
        if self.is_first() {
            // Written at once: this run may be stopped before its next checkpoint.
            begun.interruptions += 1;
            sealed::write(&folder, CHECKPOINT, &begun)?;
        }
        Ok(Some(begun))
    }

    /// Whether this is the first attempt of this process.
    fn is_first(&self) -> bool {
        self.existing == self.job.spec.existing() && self.lost.is_none()
    }

    /// Inserts the keys that were let through. A filter that was made smaller must also know the keys of the *maybe* rows:
    /// the first of them waits to be settled, so no later one may be let through.
    fn fill(&self, engine: &mut dyn Engine, lengths: Lengths) -> Result<(), PipelineError> {
        let mut insert = |keys: &[[u64; 2]]| engine.insert(keys).map_err(PipelineError::from);
        settle::for_each_key(self.output, lengths, &mut insert)?;
        match self.filter_changed {
            true => settle::for_each_maybe_key(self.output, lengths, &mut insert),
            false => Ok(()),
        }
    }

    /// Brings filter, source and ring to the state of a checkpoint. No input is returned once all of it is read.
    fn make_ready(
        &self,
        begun: Option<&Checkpoint>,
        engines: Engines,
    ) -> Result<(Resources<'a>, Option<Input>), PipelineError> {
        let (job, output) = (self.job, self.output);
        let mut engine = engines.sieve;
        let name = engine.name();
        let phase = begun.map(|begun| begun.phase).unwrap_or_default();
        let step = step_input(job, output, begun);
        let rows = step.products.as_ref().map(Products::rows);
        let reagents = job.ready_reagents(step.step, rows, &self.reagents()?)?;
        let mut poisoned = in_work::poisoned(output, step.step)?;
        let mut cleared = BTreeSet::new();
        let (ring, input) = match phase {
            Phase::Settling { .. } => (Ring::new(job.plan.slots, &job.plan.slot), None),
            Phase::Reading { next_row } => {
                if let Some(begun) = begun {
                    self.fill(engine.as_mut(), begun.lengths)?;
                }
                let dispenser = Dispenser::new(&step, job, next_row)?;
                // If the engine failed, no parent is suspect.
                if self.lost.is_none() {
                    (poisoned, cleared) =
                        in_work::after_interruption(job, output, &step, next_row)?;
                }
                let ring = Ring::from_slots(slots(job, engine.as_ref())?);
                (ring, Some(Input { dispenser, engine }))
            }
        };
        let resources = Resources {
            job,
            output,
            cores: Arc::clone(self.cores),
            ring,
            engine: name,
            engine_lost: self.lost.clone(),
            key_devices: engines.keys,
            in_work: InWork::new(output, 2 * job.plan.threads, cleared)?,
            poisoned,
            checks: Checks::new(job.spec.molecules_checked(), job.rdkit),
            reagents,
            drops: drops::open(job, output)?,
            step,
        };
        Ok((resources, input))
    }
}

/// What the step in work reads.
fn step_input(job: &Job, output: &OutputDir, begun: Option<&Checkpoint>) -> StepInput {
    let step = begun.map_or(job.first_step(), |begun| begun.step);
    let products = begun.filter(|_| step > 1).map(|begun| {
        let before = begun.parts_of_step_before();
        let parts = begun.parts[before.clone()].iter();
        let parts = parts.map(|part| (output.path().join(&part.file.name), part.rows));
        let settled = begun.done.last().and_then(|done| {
            let places = output.work_file(settle::places_of(step - 1));
            Some(Settled {
                first_part: done.settled_from - before.start,
                places: (places, done.places?),
            })
        });
        Products {
            parts: parts.collect(),
            key_column: job.spec.key().column(),
            settled,
            kept: job.library.kept().cloned(),
        }
    });
    StepInput { step, products }
}

/// The ring's slots, in memory that suits the engine.
fn slots(job: &Job, engine: &dyn Engine) -> Result<Vec<Slot>, EngineError> {
    let layout = &job.plan.slot;
    let slot = |_| {
        let memory = engine.slot_memory(layout.bytes)?;
        Ok(Slot::within(layout.clone(), memory))
    };
    (0..job.plan.slots).map(slot).collect()
}
