//! The sink's thread: counts what comes out of the sieve, writes what is new, keeps what must wait, and
//! takes checkpoints; and, when the input is read, settling.

use std::{
    path::PathBuf,
    sync::{
        atomic::Ordering::Relaxed,
        mpsc::{self, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{
    Job, Kept, PipelineError, Shared,
    by_rule::ByRule,
    canonical::Canonical,
    checkpoint::{CHECKPOINT, Checkpoint, Phase},
    in_work,
};
use crate::{
    config::{Dedup, Task},
    limits::{CAPPED_PARENTS_NAMED_MAX, CHECKPOINT_SECONDS, UNWRITTEN_BYTES},
    machine,
    report::manifest::CappedParent,
    ring::Permit,
    settle::{
        self, Spills, Survivors,
        decide::{self, Spilled},
    },
    sieve::{Engine, Tally},
    slot::{ParentFlags, REASONS_MAX, Slot},
    store::{OutputDir, disk, sealed, spill::SpillLength},
    table::sink::{
        Part, ProductSink, RejectLog, Rewrite, SinkSettings, publish_rejects, row_log::PART_ROWS,
    },
};

/// What became of parents and products. Every parent read and every product made is counted in one
/// place: `parents_read = parents_transformed + parents_rejected`, and `products_made` is the sum of
/// unique, duplicate, symmetric, unchanged, invalid and capped ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows of the input.
    pub parents_read: u64,
    /// Rows whose products were made.
    pub parents_transformed: u64,
    /// Rows that can't be used; they are in `rejects.parquet`.
    pub parents_rejected: u64,
    /// Parents at which a cap took effect.
    pub parents_capped: u64,
    /// Product molecules made, those included that a cap kept from being made or written.
    pub products_made: u64,
    /// Rows written.
    pub products_unique: u64,
    /// Products given before by another parent; until they are settled, as far as the filter can tell.
    pub products_duplicate: u64,
    /// Products that the filter took for seen: settled exactly, or dropped with `--dedup bloom`.
    pub products_maybe: u64,
    /// Products that the same parent had given before.
    pub products_symmetric: u64,
    /// Products equal to their parent.
    pub products_unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub products_invalid: u64,
    /// Products that a cap kept from being made or written; of sites beyond the cap, at least as many.
    pub products_capped: u64,
    /// Parents with enhanced stereo (CXSMILES), which is in none of their products' SMILES.
    #[serde(default)]
    pub enhanced_stereo_dropped: u64,
}

impl Counts {
    fn add(&mut self, slot: &Slot, tally: Tally, rejected: u64) {
        for parent in slot.each_parent() {
            if !parent.flags.has(ParentFlags::CONTINUED) {
                self.parents_read += 1;
            }
        }
        self.parents_rejected += rejected;
        self.parents_transformed = self.parents_read - self.parents_rejected;
        self.products_unique += tally.new;
        self.products_duplicate += tally.duplicate + tally.maybe;
        self.products_maybe += tally.maybe;
        self.products_symmetric += slot.dropped.symmetric;
        self.products_unchanged += slot.dropped.unchanged;
        self.products_invalid += slot.dropped.invalid;
        self.products_capped += slot.dropped.capped;
        self.enhanced_stereo_dropped += slot.dropped.enhanced_stereo;
        self.products_made = self.products_unique
            + self.products_duplicate
            + self.products_symmetric
            + self.products_unchanged
            + self.products_invalid
            + self.products_capped;
    }

    fn add_survivors(&mut self, survivors: u64) {
        self.products_unique += survivors;
        self.products_duplicate -= survivors;
    }

    /// Parents, and products that are in no part: what a part does not grow by. Most of those that
    /// are capped were not made and took no time.
    fn unwritten(&self) -> u64 {
        self.parents_read + self.products_worked_out() - self.products_unique
    }

    /// Products made but for those that a cap kept from it: what took time.
    pub fn products_worked_out(&self) -> u64 {
        self.products_made - self.products_capped
    }
}

/// The files of a run and what was counted on the way to them.
pub(super) struct Sinking<'a> {
    shared: &'a Shared<'a>,
    output: &'a OutputDir,
    products: ProductSink<'a>,
    spills: Spills,
    rejects: RejectLog,
    /// As of the slot written last; what it says of files is as of the last checkpoint.
    state: Checkpoint,
    /// Where the batch that is being written begins, if it is more than one slot.
    batch_start: Option<Box<Checkpoint>>,
    /// What came next at the last checkpoint, and when that was.
    checkpoint_phase: Phase,
    checkpoint_time: Instant,
    checkpoint_interval: Duration,
}

impl Checkpoint {
    /// The checkpoint before anything is done.
    fn zero() -> Self {
        Self {
            phase: Phase::Reading { next_row: 0 },
            parts: Vec::new(),
            lengths: settle::Lengths::default(),
            rejects: Default::default(),
            part_rows: SpillLength::EMPTY,
            open_block: Default::default(),
            unwritten_before: 0,
            survivors: None,
            counts: Counts::default(),
            capped: Capped::default(),
            lost: 0.0,
            settled: 0,
            elapsed_seconds: 0.0,
            stages: Default::default(),
            chemistry: Default::default(),
            peak_memory_bytes: 0,
            interruptions: 0,
            keys_by_rdkit: Default::default(),
            keys_too_large: 0,
            by_rule: ByRule::default(),
        }
    }
}

/// The files of `.molsieve/` that a checkpoint speaks of.
pub(super) fn kept() -> Vec<&'static str> {
    let mut kept = settle::FILES.to_vec();
    kept.extend([CHECKPOINT.name, super::checkpoint::JOB.name]);
    kept.extend([REJECTS, PART_ROWS, SURVIVORS]);
    kept.extend([in_work::IN_WORK, in_work::POISONED.name]);
    kept
}

const REJECTS: &str = "rejects";
const SETTLE_DIR: &str = "settle";
const SURVIVORS: &str = "survivors";
/// Sets [`CHECKPOINT_SECONDS`] otherwise, for tests.
const INTERVAL_VARIABLE: &str = "MOLSIEVE_CHECKPOINT_SECONDS";

impl<'a> Sinking<'a> {
    /// Begins a run, or goes on behind a checkpoint.
    pub(super) fn begin(
        shared: &'a Shared<'a>,
        output: &'a OutputDir,
        begun: Option<&Checkpoint>,
        engine: Option<&mut Box<dyn Engine>>,
    ) -> Result<Self, PipelineError> {
        let job: &Job = shared.job;
        let settings = SinkSettings {
            rule_names: job.rule_names(),
            properties: job.spec.properties,
            key_column: job.spec.key.column(),
            molecules: job.spec.task == Task::Dedup,
            row_group_bytes: job.plan.row_group_bytes,
        };
        let exact = job.spec.dedup == Dedup::Exact;
        let lengths = begun.map(|begun| (begun.lengths, begun.open_block.clone()));
        let spills = Spills::new(output, lengths, exact, job.spec.properties)?;
        let rejects = RejectLog::new(&output.work_file(REJECTS), begun.map(|begun| begun.rejects))?;
        let mut state = begun.cloned().unwrap_or_else(Checkpoint::zero);
        state.by_rule.make_room(job.rules.len());
        let parts = state.parts.clone();
        let under_way = begun.map(|begun| begun.part_rows);
        let mut sinking = Self {
            shared,
            output,
            products: ProductSink::new(output, settings, rewrite(shared)?, parts, under_way)?,
            spills,
            rejects,
            batch_start: None,
            checkpoint_phase: state.phase,
            checkpoint_time: Instant::now(),
            checkpoint_interval: checkpoint_interval(),
            state,
        };
        if begun.is_none() {
            engine.map_or(Ok(()), |engine| sinking.exclude(engine.as_mut()))?;
            sinking.checkpoint()?;
        }
        sinking.note_checkpoint();
        sinking.show();
        Ok(sinking)
    }

    /// Takes the products of earlier runs for products that were let through.
    fn exclude(&mut self, engine: &mut dyn Engine) -> Result<(), PipelineError> {
        self.shared.job.earlier.iter().try_for_each(|run| {
            run.for_each_key(|keys| {
                engine.insert(keys)?;
                self.spills.exclude(keys).map_err(PipelineError::from)
            })
        })
    }

    /// Takes slots until there are no more, or the job stops.
    pub(super) fn sink(
        mut self,
        judged: &mpsc::Receiver<(Permit, Tally)>,
    ) -> Result<Self, PipelineError> {
        let times = &self.shared.times;
        loop {
            match judged.recv_timeout(self.time_to_checkpoint()) {
                // What still waits is made again; a stop is not to wait for it.
                Ok(_) if self.shared.is_stopping() => break,
                Ok((slot, tally)) => times.measure(&times.sink, || self.take(slot, tally))?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.time_to_checkpoint().is_zero() {
                times.measure(&times.sink, || self.checkpoint_if_moved())?;
            }
        }
        if self.shared.may_save() {
            self.shared.saving(|| self.checkpoint_if_moved())?;
        } else if self.shared.all_judged.load(Relaxed) && !self.shared.is_stopping() {
            self.state.phase = Phase::Settling { next_row: 0 };
            self.spills.end()?;
            self.close_part()?;
        }
        Ok(self)
    }

    /// Writes a slot, and closes the part if it is full where the batch ends.
    fn take(&mut self, slot: Permit, tally: Tally) -> Result<(), PipelineError> {
        if slot.batch_end.is_none() && self.batch_start.is_none() {
            self.note_batch_start()?;
        }
        self.write(&slot, tally)?;
        if let Some(next_row) = slot.batch_end {
            drop(slot);
            self.batch_start = None;
            self.state.phase = Phase::Reading { next_row };
            if self.is_full() {
                self.close_part()?;
            }
        }
        self.show();
        Ok(())
    }

    /// Takes down where the files and counts stand in front of a batch of several slots: a checkpoint that is taken
    /// inside of the batch speaks of that.
    fn note_batch_start(&mut self) -> Result<(), PipelineError> {
        self.state.lengths = self.spills.flush()?;
        self.state.open_block.clone_from(self.spills.open_block());
        self.state.rejects = self.rejects.flush()?;
        self.state.part_rows = self.products.flush_rows()?;
        // The parts are the same when a checkpoint is taken, and there may be many.
        let parts = std::mem::take(&mut self.state.parts);
        self.batch_start = Some(Box::new(self.state.clone()));
        self.state.parts = parts;
        Ok(())
    }

    fn write(&mut self, slot: &Slot, tally: Tally) -> Result<(), PipelineError> {
        self.products.write(slot)?;
        self.spills.write(slot)?;
        let rejected = self.rejects.write(slot)?;
        let state = &mut self.state;
        // Of the rows the filter had not seen, this share was taken for seen.
        let filter = self.shared.job.plan.filter;
        let rate = filter.false_positive_rate(state.counts.products_unique);
        state.lost += tally.new as f64 * rate / (1.0 - rate).max(f64::EPSILON);
        state.counts.add(slot, tally, rejected);
        let by_rdkit = state.keys_by_rdkit.iter_mut().zip(slot.keys_by_rdkit);
        by_rdkit.for_each(|(all, of_slot)| *all += u64::from(of_slot));
        state.keys_too_large += u64::from(slot.keys_too_large);
        state.by_rule.add(slot);
        state.capped.add(slot);
        state.counts.parents_capped = state.capped.parents;
        Ok(())
    }

    /// Whether the part under way is to be closed: by content alone, so that the files are a function of it.
    fn is_full(&self) -> bool {
        let unwritten = UNWRITTEN_BYTES * self.state.counts.unwritten();
        let unwritten = unwritten - self.state.unwritten_before;
        self.products.part_bytes() + unwritten >= self.shared.job.spec.part_bytes
    }

    /// Time until the next checkpoint is due, whatever the size of the part under way.
    fn time_to_checkpoint(&self) -> Duration {
        self.checkpoint_interval
            .saturating_sub(self.checkpoint_time.elapsed())
    }

    /// Closes the part under way and takes down how far the run is.
    fn close_part(&mut self) -> Result<(), PipelineError> {
        self.products.close_part()?;
        self.state.unwritten_before = UNWRITTEN_BYTES * self.state.counts.unwritten();
        self.checkpoint()?;
        self.products.forget_rows()?;
        Ok(())
    }

    /// Takes a checkpoint unless it would say what the last one says.
    fn checkpoint_if_moved(&mut self) -> Result<(), PipelineError> {
        let state = self.batch_start.as_deref().unwrap_or(&self.state);
        if state.phase == self.checkpoint_phase {
            self.checkpoint_time = Instant::now();
            return Ok(());
        }
        self.checkpoint()
    }

    /// Takes down how far the run is: up to the slot written last or, inside of a batch, up to that batch.
    fn checkpoint(&mut self) -> Result<(), PipelineError> {
        self.checkpoint_time = Instant::now();
        let lengths = self.spills.sync()?;
        let rejects = self.rejects.sync()?;
        let part_rows = self.products.sync_rows()?;
        let state = match &mut self.batch_start {
            // What it says of files lies within what was synced.
            Some(batch_start) => batch_start,
            None => {
                self.state.lengths = lengths;
                self.state.open_block.clone_from(self.spills.open_block());
                self.state.rejects = rejects;
                self.state.part_rows = part_rows;
                &mut self.state
            }
        };
        state.parts = self.products.parts().to_vec();
        state.elapsed_seconds = self.shared.elapsed().as_secs_f64();
        state.stages = self.shared.times.stages();
        state.chemistry = self.shared.times.chemistry();
        state.peak_memory_bytes = state.peak_memory_bytes.max(machine::peak_memory_bytes());
        sealed::write(&self.output.work_dir(), CHECKPOINT, state)?;
        self.checkpoint_phase = state.phase;
        self.shared.checkpoints.fetch_add(1, Relaxed);
        self.note_checkpoint();
        let free = disk::free_bytes(self.output.path())?;
        let job = self.shared.job;
        let estimate = &job.plan.estimate;
        let all = estimate.disk_bytes() + estimate.disk_bytes_while_running();
        if free < job.spec.part_bytes.min(all) {
            // Here nothing is lost; on a full disk what follows would be made for nothing.
            self.shared.stop_for_full_disk(free);
        }
        Ok(())
    }

    /// Lets it be known what would be there if the run stopped now.
    fn note_checkpoint(&self) {
        let state = self.batch_start.as_deref().unwrap_or(&self.state);
        let kept = Kept {
            parts: state.parts.len(),
            rows: state.parts.iter().map(|part| part.rows).sum(),
            rows_under_way: state.part_rows.items,
        };
        let mut checkpoint = self
            .shared
            .checkpoint
            .lock()
            .unwrap_or_else(|p| p.into_inner());
        *checkpoint = kept;
    }

    fn show(&self) {
        let shared = self.shared;
        *shared.counts.lock().unwrap_or_else(|p| p.into_inner()) = self.state.counts;
        let bytes = self.products.bytes() + self.spills.bytes();
        shared.bytes_written.store(bytes, Relaxed);
        let parts = self.products.parts().len() as u64;
        shared.parts.store(parts, Relaxed);
    }

    /// Decides the *maybe* rows and writes those that survive.
    pub(super) fn settle(mut self) -> Result<Self, PipelineError> {
        let Phase::Settling { next_row } = self.state.phase else {
            return Ok(self);
        };
        if self.state.lengths.maybe_keys.items == 0 {
            return Ok(self);
        }
        let shared = self.shared;
        shared.times.measure(&shared.times.settle, || {
            match self.settle_from(next_row) {
                // Somebody has asked for it; what the checkpoint says stands.
                Ok(()) | Err(PipelineError::Settle(decide::DecideError::Stopped))
                    if self.shared.may_save() =>
                {
                    self.shared.saving(|| self.checkpoint_if_moved())
                }
                Err(PipelineError::Settle(decide::DecideError::Stopped)) => Ok(()),
                Err(PipelineError::Settle(decide::DecideError::DiskTooSmall { free, .. })) => {
                    self.shared.stop_for_full_disk(free);
                    Ok(())
                }
                other => other,
            }
        })?;
        Ok(self)
    }

    fn settle_from(&mut self, next_row: u64) -> Result<(), PipelineError> {
        let shared = self.shared;
        let lengths = self.state.lengths;
        // Keys and maybe-keys are read once to decide; the rows once to write.
        let items = lengths.keys.items + 2 * lengths.maybe_keys.items;
        shared.to_settle.store(items, Relaxed);
        let go_on = |items| {
            shared.settled.fetch_add(items, Relaxed);
            !shared.is_stopping()
        };
        let survivors = self.survivors(&go_on)?;
        let mut reader = Survivors::new(self.output, lengths, &survivors)?;
        let mut slot = settle::slot(shared.job.spec.properties);
        while let Some(survivors) = reader.next(next_row, &mut slot)? {
            self.products.write(&slot)?;
            self.state.counts.add_survivors(survivors);
            self.state.by_rule.add(&slot);
            self.state.settled += survivors;
            let next_row = reader.position();
            self.state.phase = Phase::Settling { next_row };
            self.show();
            if !go_on(slot.rows() as u64) {
                return Err(decide::DecideError::Stopped.into());
            }
            if self.products.part_bytes() >= shared.job.spec.part_bytes {
                self.close_part()?;
            } else if self.time_to_checkpoint().is_zero() {
                self.checkpoint()?;
            }
        }
        Ok(())
    }

    /// The rows that survive: decided now, or before the run was interrupted.
    fn survivors(&mut self, go_on: &dyn Fn(u64) -> bool) -> Result<Spilled, PipelineError> {
        let path = self.output.work_file(SURVIVORS);
        let lengths = self.state.lengths;
        if let Some(length) = self.state.survivors {
            go_on(lengths.keys.items + lengths.maybe_keys.items);
            return Ok(Spilled { path, length });
        }
        let folder = self.empty_settle_dir()?;
        let [keys, maybe] = settle::spilled(self.output, lengths);
        let memory = self.shared.job.plan.settle_bytes;
        let caller = decide::Caller {
            go_on,
            free_bytes: &|| disk::free_bytes(self.output.path()),
        };
        let decided = decide::decide(&keys, &maybe, &folder, memory, &caller)?;
        disk::sync(&decided.path)?;
        disk::rename(&decided.path, &path)?;
        disk::remove(&folder)?;
        let length = decided.length;
        self.state.survivors = Some(length);
        self.checkpoint()?;
        Ok(Spilled { path, length })
    }

    /// A folder for partitions. What an interrupted run left in it is made again.
    fn empty_settle_dir(&self) -> Result<PathBuf, PipelineError> {
        let folder = self.output.work_file(SETTLE_DIR);
        disk::remove(&folder)?;
        disk::create_dir(&folder)?;
        Ok(folder)
    }

    /// Publishes what is left to publish but the manifest.
    pub(super) fn finish(mut self) -> Result<Sunk, PipelineError> {
        self.products.begin_first_part()?;
        self.products.close_part()?;
        self.show();
        let rejects = self.output.work_file(REJECTS);
        let state = self.state;
        let exact = self.shared.job.spec.dedup == Dedup::Exact;
        let lost = state.lost.min(state.counts.products_maybe as f64);
        Ok(Sunk {
            parts: self.products.parts().to_vec(),
            rejects: publish_rejects(self.output, &rejects, state.rejects)?,
            capped: state.capped.named,
            lost: if exact { 0.0 } else { lost },
            settled: state.settled,
            interruptions: state.interruptions,
            keys_by_rdkit: state.keys_by_rdkit,
            keys_too_large: state.keys_too_large,
            by_rule: state.by_rule,
            peak_memory_bytes: state.peak_memory_bytes.max(machine::peak_memory_bytes()),
        })
    }
}

/// With `--canonical`: how rows are written anew.
fn rewrite<'a>(shared: &'a Shared<'a>) -> Result<Option<Box<Rewrite<'a>>>, PipelineError> {
    if !shared.job.spec.canonical {
        return Ok(None);
    }
    let canonical = Canonical::new(shared)?;
    // Behind the workers' places in the account.
    let first = shared.job.plan.threads;
    Ok(Some(Box::new(move |slot, rows| {
        canonical.write(slot, rows, &shared.in_work, first)
    })))
}

/// What the sink leaves.
pub(crate) struct Sunk {
    /// The published parts.
    pub parts: Vec<Part>,
    /// The rejects, if there are any.
    pub rejects: Option<Part>,
    /// Parents at which a cap took effect, the first ones.
    pub capped: Vec<CappedParent>,
    /// Distinct products expected to have been lost to the filter's false positives.
    pub lost: f64,
    /// Distinct products that the filter took for seen and that settling brought back.
    pub settled: u64,
    /// Times the run was interrupted.
    pub interruptions: u64,
    /// Rows whose structure key took RDKit, by the number of the reason.
    pub keys_by_rdkit: [u64; REASONS_MAX],
    /// Rows whose structure key a device left to the CPU as too large.
    pub keys_too_large: u64,
    /// What each rule made.
    pub by_rule: ByRule,
    /// Largest resident memory of any of the run's processes.
    pub peak_memory_bytes: u64,
}

/// The parents at which a cap took effect. One that spans slots can be capped in several of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Capped {
    named: Vec<CappedParent>,
    parents: u64,
    last: Option<u64>,
}

impl Capped {
    fn add(&mut self, slot: &Slot) {
        for parent in slot.each_parent() {
            if !parent.flags.capped() || self.last == Some(parent.row) {
                continue;
            }
            self.last = Some(parent.row);
            self.parents += 1;
            if self.named.len() < CAPPED_PARENTS_NAMED_MAX {
                self.named.push(CappedParent::of(parent));
            }
        }
    }
}

fn checkpoint_interval() -> Duration {
    let set = std::env::var(INTERVAL_VARIABLE).ok();
    let set = set.and_then(|seconds| seconds.parse().ok());
    let interval = set.map_or(Duration::from_secs(CHECKPOINT_SECONDS), seconds);
    interval.max(Duration::from_millis(1))
}

/// Seconds as a duration; what can't be one counts for nothing.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
