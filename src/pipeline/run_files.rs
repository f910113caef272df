//! The files of a run and its state: what is written, how far the run is, checkpoints.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::{
    checkpoint::{CHECKPOINT, Checkpoint, JOB, Phase, StepDone},
    control::{Control, DiskFull, Kept},
    drops,
    error::PipelineError,
    in_work,
    job::Job,
    meters::{Meters, SerialClocks, seconds},
    reagent_sets::ReadyReagents,
};
use crate::{
    account::{Account, Counts, RuleAccount},
    chem::drops::DropSample,
    config::Dedup,
    cores::Cores,
    limits::{CHECKPOINT_SECONDS, STREAM_PARTS_MAX, UNWRITTEN_BYTES},
    machine,
    settle::{self, Lengths, Spills, rows::OpenBlock},
    sieve::{Engine, Tally},
    slot::{Slot, Verdict},
    store::{OutputDir, PRODUCTS_DIR, StoreError, disk, sealed, spill::SpillLength},
    table::sink::{
        Begun, Encoders, Gathered, Part, ProductSink, RejectLog, Rewrite, publish_drops,
        publish_rejects,
        row_log::PART_ROWS,
        seen_rows::{SEEN_ROWS, SeenLog},
    },
};

const REJECTS: &str = "rejects";
/// The ordinals of the *maybe* rows that survive.
pub(super) const SURVIVORS: &str = "survivors";
/// Sets [`CHECKPOINT_SECONDS`] otherwise, for tests.
const INTERVAL_VARIABLE: &str = "MOLSIEVE_CHECKPOINT_SECONDS";

/// The files of `.molsieve/` that a checkpoint refers to.
pub(super) fn kept() -> Vec<&'static str> {
    let sealed = [CHECKPOINT, JOB, in_work::POISONED, drops::DROPS].map(|kind| kind.name);
    let files = [REJECTS, PART_ROWS, SURVIVORS, SEEN_ROWS, in_work::IN_WORK];
    [settle::FILES.as_slice(), &files, &sealed].concat()
}

pub(super) struct RunFiles<'a> {
    pub(super) job: &'a Job,
    pub(super) output: &'a OutputDir,
    pub(super) control: &'a Control,
    pub(super) meters: &'a Meters,
    pub(super) products: ProductSink<'a>,
    encoders: Arc<Encoders>,
    pub(super) spills: Spills,
    rejects: RejectLog,
    /// With `--explain-drops`.
    drops: Option<&'a Arc<DropSample>>,
    /// With `--duplicates`.
    seen: Option<SeenLog>,
    /// With `--duplicates`: the file, once it is published.
    pub(super) duplicates: Option<Part>,
    /// As of the slot written last; what it says of files is as of the last checkpoint.
    pub(super) state: Checkpoint,
    /// The state before the batch that is being written, if that takes more than one slot.
    pub(super) batch_start: Option<Box<Checkpoint>>,
    /// What came next at the last checkpoint, and when that was.
    checkpoint_phase: Phase,
    checkpoint_time: Instant,
    checkpoint_interval: Duration,
    /// When the last part was closed.
    part_closed: Instant,
}

impl<'a> RunFiles<'a> {
    /// Begins a run, or continues one after a checkpoint. `rewrite`: with `--canonical`, how rows are written.
    /// `engine`: to be given the keys of earlier runs; `None` if the input is read already.
    pub(super) fn begin(
        (job, output, cores): (&'a Job, &'a OutputDir, &Arc<Cores>),
        (reagents, drops): (&ReadyReagents, Option<&'a Arc<DropSample>>),
        (control, meters): (&'a Control, &'a Meters),
        begun: Option<&Checkpoint>,
        rewrite: Option<Box<Rewrite<'a>>>,
        engine: Option<&mut Box<dyn Engine>>,
    ) -> Result<Self, PipelineError> {
        let mut state = begun.cloned().unwrap_or_else(|| Checkpoint::at_start(job));
        let texts = (reagents.per_row > 0).then(|| Arc::clone(&reagents.texts));
        let settings = job.sink_settings(state.step, texts);
        let exact = job.spec.dedup == Dedup::Exact;
        let lengths = begun.map(|begun| (begun.lengths, begun.open_block.clone()));
        let spills = Spills::new(
            output,
            lengths,
            (exact, state.step < job.spec.steps()),
            job.spec.properties(),
        )?;
        let rejects = RejectLog::new(&output.work_file(REJECTS), begun.map(|begun| begun.rejects))?;
        let seen = || SeenLog::new(&output.work_file(SEEN_ROWS), begun.and_then(|b| b.seen));
        let seen = job.spec.duplicates().then(seen).transpose()?;
        let rules = job.rules.of(state.step).len();
        let by_rule = &mut state.account.by_rule;
        by_rule.resize(rules, RuleAccount::default());
        let encoders = Encoders::new(job.plan.encoders, cores)?;
        let begun_sink = begun.map(|begun| Begun {
            parts: begun.parts.clone(),
            density: begun.density,
            part_rows: begun.part_rows,
        });
        let encoders = Arc::new(encoders);
        let for_products = Arc::clone(&encoders);
        let mut files = Self {
            job,
            output,
            control,
            meters,
            products: ProductSink::new(output, settings, rewrite, for_products, begun_sink)?,
            encoders,
            spills,
            rejects,
            drops,
            seen,
            duplicates: None,
            batch_start: None,
            checkpoint_phase: state.phase,
            checkpoint_time: Instant::now(),
            checkpoint_interval: checkpoint_interval(),
            part_closed: Instant::now(),
            state,
        };
        if begun.is_none() {
            engine.map_or(Ok(()), |engine| files.exclude(engine.as_mut()))?;
            files.checkpoint()?;
        }
        files.note_checkpoint();
        files.show();
        Ok(files)
    }

    /// Gives the keys of earlier runs to the filter and to the keys that were let through.
    fn exclude(&mut self, engine: &mut dyn Engine) -> Result<(), PipelineError> {
        self.job.earlier.iter().try_for_each(|run| {
            run.for_each_key(|keys| {
                engine.insert(keys)?;
                self.spills.exclude(keys).map_err(PipelineError::from)
            })
        })
    }

    /// Whether new rows are written as they come: not in step 0, nor with a cap on the step, where all of them wait.
    pub(super) fn writes_at_once(&self) -> bool {
        self.state.step > 0 && self.job.spec.products_per_step_max().is_none()
    }

    /// Appends the rows of a slot that the sieve has judged, and adds its account.
    pub(super) fn write(
        &mut self,
        slot: &Slot,
        mut gathered: Gathered,
        tally: Tally,
    ) -> Result<(), PipelineError> {
        if let Some(seen) = &mut self.seen {
            seen.push(&std::mem::take(&mut gathered.seen))?;
        }
        let all_wait = !self.writes_at_once();
        let spills = &mut self.spills;
        if self.state.step == 0 {
            // Of what the library itself holds, only the keys are kept; and a row of it may be in the filter by accident.
            let columns = slot.columns();
            let seen = |row: &usize| columns.verdict(*row) != Verdict::Duplicate;
            let rows = (0..slot.rows()).filter(seen);
            let keys: Vec<_> = rows.map(|row| columns.key[row]).collect();
            spills.exclude(&keys)?;
            self.state.account.counts.parents_read += slot.account.counts.parents_read;
            return Ok(());
        }
        // With a cap on the step, no row is written before all are known.
        let waiting = if all_wait { tally.new } else { 0 };
        if all_wait {
            spills.write_all_as_maybe(slot)?;
        } else {
            let products = &mut self.products;
            products.append(slot, gathered, |keys| spills.write_keys(keys))?;
            if tally.maybe > 0 {
                spills.write_maybe(slot, self.state.account.counts.products_unique)?;
            }
        }
        self.rejects.write(slot)?;
        let step = self.job.spec.has_roots().then_some(self.state.step as u8);
        let before: u64 = self
            .state
            .accounts()
            .map(|(_, account)| account.counts.products_unique)
            .sum();
        let Checkpoint {
            account, capped, ..
        } = &mut self.state;
        // Of the rows the filter had not seen, this share was taken for seen.
        let filter = self.job.plan.filter;
        let rate = filter.false_positive_rate(before);
        account.lost_expected += tally.new as f64 * rate / (1.0 - rate).max(f64::EPSILON);
        *account += &slot.account;
        account.counts += Counts {
            parents_capped: capped.add(slot, step),
            products_unique: tally.new - waiting,
            products_duplicate: tally.duplicate + tally.maybe + waiting,
            products_maybe: tally.maybe,
            ..Counts::default()
        };
        if !all_wait {
            count_unique(account, slot);
        }
        Ok(())
    }

    /// Appends rows that settling has brought back. A further step must know their keys.
    pub(super) fn write_settled(&mut self, slot: &Slot) -> Result<(), PipelineError> {
        if let Some(seen) = &mut self.seen {
            seen.push_settled(slot)?;
        }
        let (spills, is_last) = (&mut self.spills, self.state.step == self.job.spec.steps());
        self.products.write(slot, |keys| match is_last {
            true => Ok(()),
            false => spills.write_keys(keys),
        })?;
        Ok(())
    }

    /// Records the state of files and counts before a batch of several slots: a checkpoint that is taken within the
    /// batch stores that state.
    pub(super) fn note_batch_start(&mut self) -> Result<(), PipelineError> {
        self.state.lengths = self.spills.flush()?;
        self.state.open_block.clone_from(self.spills.open_block());
        self.state.rejects = self.rejects.flush()?;
        self.state.seen = self.flush_seen()?;
        self.state.part_rows = self.products.flush_rows()?;
        // A checkpoint takes the parts from the sink, and there may be many: they are not copied here.
        let parts = std::mem::take(&mut self.state.parts);
        self.batch_start = Some(Box::new(self.state.clone()));
        self.state.parts = parts;
        Ok(())
    }

    /// With `--duplicates`: the end of the rows that were seen.
    pub(super) fn flush_seen(&mut self) -> Result<Option<SpillLength>, StoreError> {
        self.seen.as_mut().map(SeenLog::flush).transpose()
    }

    /// What encodes files.
    pub(super) fn encoders(&self) -> &Arc<Encoders> {
        &self.encoders
    }

    /// Whether to close the part: by content alone, so that the files are a function of it. Of a stream only the
    /// concatenation counts, so time may close its parts too.
    pub(super) fn is_full(&self) -> bool {
        let unwritten = UNWRITTEN_BYTES * self.state.account.counts.unwritten();
        let unwritten = unwritten - self.state.unwritten_before;
        self.products.part_bytes() + unwritten >= self.job.spec.part_size.0 || self.is_stream_due()
    }

    /// The same while settled rows are written.
    pub(super) fn is_full_of_settled(&self) -> bool {
        self.products.part_bytes() >= self.job.spec.part_size.0 || self.is_stream_due()
    }

    /// Whether the reader of a stream should get the rows of the open part. The longer the stream, the later: parts are
    /// listed in checkpoints, so their number grows with the logarithm of the time.
    fn is_stream_due(&self) -> bool {
        const SOONEST: Duration = Duration::from_millis(250);
        self.job.is_stream
            && self.products.has_open_part()
            && self.part_closed.elapsed() >= SOONEST.max(self.meters.elapsed() / 32)
    }

    /// Waits while the reader of a stream is behind: what it has not read yet takes disk.
    fn wait_for_reader(&self) -> Result<(), PipelineError> {
        let products = self.output.path().join(PRODUCTS_DIR);
        while self.job.is_stream
            && !self.control.is_stopping()
            && disk::entries(&products)?.len() >= STREAM_PARTS_MAX
        {
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Time until the next checkpoint is due, whatever the size of the part.
    pub(super) fn time_to_checkpoint(&self) -> Duration {
        self.checkpoint_interval
            .saturating_sub(self.checkpoint_time.elapsed())
    }

    /// Closes the part when the input is read, and takes a checkpoint from which settling begins.
    pub(super) fn end_reading(&mut self) -> Result<(), PipelineError> {
        self.state.phase = Phase::Settling { next_row: 0 };
        self.spills.end()?;
        self.products.close_part()?;
        self.state.settled_from = self.products.parts().len();
        self.close_part()
    }

    /// Closes the part and takes a checkpoint.
    pub(super) fn close_part(&mut self) -> Result<(), PipelineError> {
        self.products.close_part()?;
        self.state.unwritten_before = UNWRITTEN_BYTES * self.state.account.counts.unwritten();
        self.checkpoint()?;
        self.products.forget_rows()?;
        self.part_closed = Instant::now();
        self.wait_for_reader()
    }

    /// Takes a checkpoint unless it would equal the last one.
    pub(super) fn checkpoint_if_moved(&mut self) -> Result<(), PipelineError> {
        let state = self.batch_start.as_deref().unwrap_or(&self.state);
        if state.phase == self.checkpoint_phase {
            self.checkpoint_time = Instant::now();
            return Ok(());
        }
        self.checkpoint()
    }

    /// Takes a checkpoint: up to the slot written last or, within a batch, up to the start of that batch.
    pub(super) fn checkpoint(&mut self) -> Result<(), PipelineError> {
        self.checkpoint_time = Instant::now();
        let lengths = self.spills.sync()?;
        let rejects = self.rejects.sync()?;
        let seen = self.seen.as_mut().map(SeenLog::sync).transpose()?;
        let part_rows = self.products.sync_rows()?;
        // Within a batch: the lengths at its start are within what was synced.
        if self.batch_start.is_none() {
            self.state.lengths = lengths;
            self.state.open_block.clone_from(self.spills.open_block());
            (self.state.rejects, self.state.seen) = (rejects, seen);
            self.state.part_rows = part_rows;
        }
        self.save()
    }

    /// Ends a step that another one follows, with a checkpoint at the start of that one.
    pub(super) fn end_step(mut self) -> Result<(), PipelineError> {
        self.products.close_part()?;
        let (keys, rejects) = (self.spills.sync()?.keys, self.rejects.sync()?);
        let state = &mut self.state;
        state.done.push(StepDone {
            parts: self.products.parts().len(),
            settled_from: state.settled_from,
            places: state.places.take(),
            rejects: rejects.items,
            elapsed_seconds: self.meters.elapsed().as_secs_f64(),
            account: std::mem::take(&mut state.account),
        });
        state.step += 1;
        state.phase = Phase::default();
        // The *maybe* rows are settled. Their files are cut off when the next step begins.
        state.lengths = Lengths {
            keys,
            maybe_keys: SpillLength::EMPTY,
            maybe_rows: SpillLength::EMPTY,
            maybe_places: SpillLength::EMPTY,
        };
        (state.rejects, state.part_rows) = (rejects, SpillLength::EMPTY);
        (state.open_block, state.survivors) = (OpenBlock::default(), None);
        state.unwritten_before = 0;
        state.capped.begin_step();
        self.save()?;
        self.products.forget_rows()?;
        Ok(())
    }

    /// Writes the checkpoint. What it says of files is on the disk.
    fn save(&mut self) -> Result<(), PipelineError> {
        let state = match &mut self.batch_start {
            Some(batch_start) => batch_start,
            None => &mut self.state,
        };
        state.parts = self.products.parts().to_vec();
        state.density = self.products.density();
        state.elapsed_seconds = self.meters.elapsed().as_secs_f64();
        state.stages = self.meters.times.stages();
        state.chemistry = self.meters.times.chemistry();
        state.timeline = self.meters.timeline();
        state.peak_memory_bytes = state.peak_memory_bytes.max(machine::peak_memory_bytes());
        // The sample may be ahead of the checkpoint: what is done again changes nothing in it.
        if let Some(sample) = self.drops {
            drops::save(self.output, sample)?;
        }
        sealed::write(&self.output.work_dir(), CHECKPOINT, state)?;
        self.checkpoint_phase = state.phase;
        self.meters.checkpoints.fetch_add(1, Relaxed);
        self.note_checkpoint();
        self.stop_if_disk_is_full()
    }

    /// Stops the job while nothing is lost: what a full disk does not take would have to be made again.
    fn stop_if_disk_is_full(&self) -> Result<(), PipelineError> {
        let free = disk::free_bytes(self.output.path())?;
        let needed = self.job.disk_bytes_to_continue();
        if free < needed {
            self.control.stop_for_full_disk(DiskFull { free, needed });
        }
        Ok(())
    }

    /// Reports what is kept if the run stops now.
    fn note_checkpoint(&self) {
        let state = self.batch_start.as_deref().unwrap_or(&self.state);
        self.meters.set_kept(Kept {
            parts: state.parts.len(),
            rows: state.parts.iter().map(|part| part.rows).sum(),
            rows_under_way: state.part_rows.items,
        });
    }

    /// Shows what is written.
    pub(super) fn show(&mut self) {
        let times = &self.meters.times;
        times.add_to_sink(self.products.take_spent());
        SerialClocks::set(&times.serial.log, self.products.log_cpu_time());
        let seen = self.seen.as_ref().map_or(0, SeenLog::bytes);
        let bytes = self.products.bytes() + self.spills.bytes() + seen;
        let (counts, parts) = (self.state.account.counts, self.products.parts().len());
        self.meters.set_written(counts, bytes, parts);
    }

    /// Publishes everything but the manifest. Returns the state at the end, and the files beside the parts.
    pub(super) fn finish(mut self) -> Result<(Checkpoint, Beside), PipelineError> {
        self.products.begin_first_part()?;
        self.products.close_part()?;
        self.show();
        let rejects = self.output.work_file(REJECTS);
        let ends = self.state.done.iter().map(|step| step.rejects);
        let first = self.state.step - self.state.done.len();
        let steps = (first..).zip(ends.chain([u64::MAX]));
        let steps = steps.map(|(step, end)| (step as u8, end));
        let steps = self.job.spec.has_roots().then(|| steps.collect());
        let log = (rejects.as_path(), self.state.rejects);
        let sample = self.drops.map(|sample| drops::rows(self.job, sample));
        let has_steps = self.job.spec.has_roots();
        let drops = sample.map(|rows| publish_drops(self.output, &rows, has_steps, &self.encoders));
        let beside = Beside {
            rejects: publish_rejects(self.output, log, steps, &self.encoders)?,
            duplicates: self.duplicates,
            drops: drops.transpose()?.flatten(),
        };
        let peak_memory_bytes = self
            .state
            .peak_memory_bytes
            .max(machine::peak_memory_bytes());
        let state = Checkpoint {
            parts: self.products.parts().to_vec(),
            peak_memory_bytes,
            ..self.state
        };
        Ok((state, beside))
    }
}

/// The files beside the parts.
pub(super) struct Beside {
    /// If there are any.
    pub(super) rejects: Option<Part>,
    /// If they were wanted.
    pub(super) duplicates: Option<Part>,
    /// If there are any in the sample.
    pub(super) drops: Option<Part>,
}

/// Counts the rows of a slot that are written, by rule.
pub(super) fn count_unique(account: &mut Account, slot: &Slot) {
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
