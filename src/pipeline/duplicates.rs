//! `--duplicates`: once all rows are written, finds which row each other one was merged into, and writes that.

use std::sync::atomic::Ordering::Relaxed;

use super::{control::DiskFull, error::PipelineError, run_files::RunFiles};
use crate::{
    settle::{decide::Spilled, duplicates},
    store::disk,
    table::sink::{DuplicateSink, seen_rows::SEEN_ROWS},
};

const DUPLICATES_DIR: &str = "duplicates";

/// Publishes `duplicates.parquet`, if the job wants it and does not stop.
pub(super) fn publish(mut files: RunFiles<'_>) -> Result<RunFiles<'_>, PipelineError> {
    let (control, times) = (files.control, &files.meters.times);
    if control.is_stopping() {
        return Ok(files);
    }
    let Some(seen) = files.flush_seen()? else {
        return Ok(files);
    };
    let free = disk::free_bytes(files.output.path())?;
    // Each pass of the sorters writes a part of every row.
    if free < seen.bytes {
        let needed = seen.bytes;
        control.stop_for_full_disk(DiskFull { free, needed });
    } else {
        let seen = Spilled {
            path: files.output.work_file(SEEN_ROWS),
            length: seen,
        };
        times.measure(&times.settle, || find(&mut files, &seen))?;
    }
    if control.may_save() {
        control.saving(|| files.checkpoint_if_moved())?;
    }
    Ok(files)
}

fn find(files: &mut RunFiles<'_>, seen: &Spilled) -> Result<(), PipelineError> {
    let (control, meters) = (files.control, files.meters);
    // They are shown as a part of settling, which is done.
    let settled = meters.to_settle.load(Relaxed);
    meters.settled.store(settled, Relaxed);
    let items = duplicates::PASSES * seen.length.items;
    meters.to_settle.store(settled + items, Relaxed);
    let go_on = |items| {
        meters.settled.fetch_add(items, Relaxed);
        !control.is_stopping()
    };
    // Runs of an interrupted sort are made again.
    let folder = files.output.work_file(DUPLICATES_DIR);
    disk::remove(&folder)?;
    disk::create_dir(&folder)?;
    let memory = files.job.plan.settle_bytes;
    let mut sink = DuplicateSink::new(files.output, files.encoders())?;
    let whole = duplicates::find(seen, &folder, memory, &go_on, |duplicate| {
        sink.push(duplicate).map_err(PipelineError::from)
    })?;
    if whole {
        files.duplicates = Some(sink.publish()?);
        disk::remove(&folder)?;
    }
    Ok(())
}
