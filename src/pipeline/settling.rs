//! Settling: decides the *maybe* rows when the input is read, and writes those that survive.

use std::sync::atomic::Ordering::Relaxed;

use super::{
    checkpoint::Phase,
    control::DiskFull,
    error::PipelineError,
    run_files::{RunFiles, SURVIVORS, count_unique},
};
use crate::{
    settle::{
        self, Survivors,
        decide::{self, DecideError, Spilled},
        limit::limit,
    },
    slot::Slot,
    store::disk,
};

const SETTLE_DIR: &str = "settle";

/// Decides the *maybe* rows and writes those that survive.
pub(super) fn settle(mut files: RunFiles<'_>) -> Result<RunFiles<'_>, PipelineError> {
    let Phase::Settling { next_row } = files.state.phase else {
        return Ok(files);
    };
    if files.state.lengths.maybe_keys.items == 0 {
        return Ok(files);
    }
    let (control, times) = (files.control, &files.meters.times);
    times.measure(&times.settle, || {
        match settle_from(&mut files, next_row) {
            // The job was asked to stop; the last checkpoint is kept.
            Ok(()) | Err(PipelineError::Settle(DecideError::Stopped)) if control.may_save() => {
                control.saving(|| files.checkpoint_if_moved())
            }
            Err(PipelineError::Settle(DecideError::Stopped)) => Ok(()),
            Err(PipelineError::Settle(DecideError::DiskTooSmall { needed, free })) => {
                control.stop_for_full_disk(DiskFull { free, needed });
                Ok(())
            }
            other => other,
        }
    })?;
    Ok(files)
}

fn settle_from(files: &mut RunFiles<'_>, next_row: u64) -> Result<(), PipelineError> {
    let (control, meters, job) = (files.control, files.meters, files.job);
    let lengths = files.state.lengths;
    // Keys and maybe-keys are read once to decide; the rows once to write.
    let items = lengths.keys.items + 2 * lengths.maybe_keys.items;
    meters.to_settle.store(items, Relaxed);
    let go_on = |items| {
        meters.settled.fetch_add(items, Relaxed);
        !control.is_stopping()
    };
    let survivors = survivors(files, &go_on)?;
    let mut reader = Survivors::new(files.output, lengths, &survivors)?;
    // Its size does not depend on the job's slots.
    let mut slot = Slot::new(job.plan.slot.smallest_like());
    while let Some(survivors) = reader.next(next_row, &mut slot)? {
        files.write_settled(&slot)?;
        // With a cap on the step every row waits, and none of them was a false positive.
        match job.spec.products_per_step_max() {
            Some(_) => files.state.account.keep(survivors),
            None => files.state.account.settle(survivors),
        }
        count_unique(&mut files.state.account, &slot);
        let next_row = reader.position();
        files.state.phase = Phase::Settling { next_row };
        files.show();
        if !go_on(slot.rows() as u64) {
            return Err(DecideError::Stopped.into());
        }
        if files.is_full_of_settled() {
            files.close_part()?;
        } else if files.time_to_checkpoint().is_zero() {
            files.checkpoint()?;
        }
    }
    Ok(())
}

/// The rows that survive: decided now, or before the run was interrupted.
fn survivors(
    files: &mut RunFiles<'_>,
    go_on: &dyn Fn(u64) -> bool,
) -> Result<Spilled, PipelineError> {
    let path = files.output.work_file(SURVIVORS);
    let lengths = files.state.lengths;
    if let Some(length) = files.state.survivors {
        go_on(lengths.keys.items + lengths.maybe_keys.items);
        return Ok(Spilled { path, length });
    }
    // Partitions of an interrupted run are made again.
    let folder = files.output.work_file(SETTLE_DIR);
    disk::remove(&folder)?;
    disk::create_dir(&folder)?;
    let [keys, maybe] = settle::spilled(files.output, lengths);
    let memory = files.job.plan.settle_bytes;
    let caller = decide::Caller {
        go_on,
        free_bytes: &|| disk::free_bytes(files.output.path()),
    };
    let mut decided = decide::decide(&keys, &maybe, &folder, memory, &caller)?;
    if let Some(most) = files.job.spec.products_per_step_max() {
        let distinct = decided.length.items;
        let kept = limit(&decided, &maybe, most, &folder.join("kept"))?;
        decided = kept.unwrap_or(decided);
        files
            .state
            .account
            .leave_out(distinct - decided.length.items);
    }
    disk::sync(&decided.path)?;
    disk::rename(&decided.path, &path)?;
    disk::remove(&folder)?;
    let survivors = Spilled {
        path,
        length: decided.length,
    };
    files.state.survivors = Some(survivors.length);
    let step = files.state.step;
    if step < files.job.spec.steps() {
        let places = files.output.work_file(settle::places_of(step));
        let written = settle::write_places(files.output, lengths, &survivors, &places)?;
        files.state.places = Some(written);
    }
    files.checkpoint()?;
    Ok(survivors)
}
