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
    canonical::Canonical,
    checkpoint::{CHECKPOINT, Checkpoint, Phase},
    in_work,
};
use crate::{
    account::{Account, Counts, RuleAccount},
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
    slot::{Slot, Verdict},
    store::{OutputDir, disk, sealed, spill::SpillLength},
    table::sink::{
        Part, ProductSink, RejectLog, Rewrite, SinkSettings, publish_rejects, row_log::PART_ROWS,
    },
};

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
            account: Account::default(),
            capped: Capped::default(),
            elapsed_seconds: 0.0,
            stages: Default::default(),
            chemistry: Default::default(),
            peak_memory_bytes: 0,
            interruptions: 0,
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
        let rules = &mut state.account.by_rule;
        rules.resize(job.rules.len(), RuleAccount::default());
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
        self.rejects.write(slot)?;
        let state = &mut self.state;
        // Of the rows the filter had not seen, this share was taken for seen.
        let filter = self.shared.job.plan.filter;
        let rate = filter.false_positive_rate(state.account.counts.products_unique);
        state.account.lost_expected += tally.new as f64 * rate / (1.0 - rate).max(f64::EPSILON);
        state.account += &slot.account;
        state.account.counts += Counts {
            parents_capped: state.capped.add(slot),
            products_unique: tally.new,
            products_duplicate: tally.duplicate + tally.maybe,
            products_maybe: tally.maybe,
            ..Counts::default()
        };
        count_unique(&mut state.account, slot);
        Ok(())
    }

    /// Whether the part under way is to be closed: by content alone, so that the files are a function of it.
    fn is_full(&self) -> bool {
        let unwritten = UNWRITTEN_BYTES * self.state.account.counts.unwritten();
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
        self.state.unwritten_before = UNWRITTEN_BYTES * self.state.account.counts.unwritten();
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
        *shared.counts.lock().unwrap_or_else(|p| p.into_inner()) = self.state.account.counts;
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
            self.state.account.settle(survivors);
            count_unique(&mut self.state.account, &slot);
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
        let lost = state
            .account
            .lost_expected
            .min(state.account.counts.products_maybe as f64);
        Ok(Sunk {
            parts: self.products.parts().to_vec(),
            rejects: publish_rejects(self.output, &rejects, state.rejects)?,
            capped: state.capped.named,
            lost: if exact { 0.0 } else { lost },
            account: state.account,
            interruptions: state.interruptions,
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
    /// The counts of the run.
    pub account: Account,
    /// Times the run was interrupted.
    pub interruptions: u64,
    /// Largest resident memory of any of the run's processes.
    pub peak_memory_bytes: u64,
}

/// The parents at which a cap took effect. One that spans slots can be capped in several of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Capped {
    named: Vec<CappedParent>,
    last: Option<u64>,
}

impl Capped {
    /// Adds the capped parents of a slot; returns how many of them are new.
    fn add(&mut self, slot: &Slot) -> u64 {
        let mut new = 0;
        for parent in slot.each_parent() {
            if !parent.flags.capped() || self.last == Some(parent.row) {
                continue;
            }
            self.last = Some(parent.row);
            new += 1;
            if self.named.len() < CAPPED_PARENTS_NAMED_MAX {
                self.named.push(CappedParent::of(parent));
            }
        }
        new
    }
}

/// Counts the rows of a slot that are written, by rule.
fn count_unique(account: &mut Account, slot: &Slot) {
    if account.by_rule.is_empty() {
        return;
    }
    let columns = slot.columns();
    let rows = columns.rule.iter().zip(columns.verdict).take(slot.rows());
    for (rule, _) in rows.filter(|(_, verdict)| Verdict::of(**verdict) == Verdict::New) {
        account.count_unique(*rule);
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
