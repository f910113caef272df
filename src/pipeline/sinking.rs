//! The sink's thread: writes the new rows of judged slots, keeps the *maybe* rows, adds accounts up, takes checkpoints.

use std::sync::mpsc::{self, RecvTimeoutError};

use super::{checkpoint::Phase, error::PipelineError, judge::Judged, run_files::RunFiles};
use crate::{ring::Permit, sieve::Tally};

/// Takes slots until there are no more, or the job stops. Returns the files if the input was read to its end.
pub(super) fn sink<'a>(
    mut files: RunFiles<'a>,
    judged: &mpsc::Receiver<Judged>,
) -> Result<Option<RunFiles<'a>>, PipelineError> {
    let (control, times) = (files.control, &files.meters.times);
    let mut all_judged = false;
    loop {
        match judged.recv_timeout(files.time_to_checkpoint()) {
            Ok(None) => {
                all_judged = true;
                break;
            }
            // Slots that still wait are made again; a stop must not wait for them.
            Ok(_) if control.is_stopping() => break,
            Ok(Some((slot, tally))) => {
                times.measure(&times.sink, || take(&mut files, slot, tally))?;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if files.time_to_checkpoint().is_zero() {
            times.measure(&times.sink, || files.checkpoint_if_moved())?;
        }
    }
    if control.may_save() {
        control.saving(|| files.checkpoint_if_moved())?;
        return Ok(None);
    }
    if !all_judged || control.is_stopping() {
        return Ok(None);
    }
    files.state.phase = Phase::Settling { next_row: 0 };
    files.spills.end()?;
    files.close_part()?;
    Ok(Some(files))
}

/// Writes a slot, and closes the part if it is full where the batch ends.
fn take(files: &mut RunFiles<'_>, slot: Permit, tally: Tally) -> Result<(), PipelineError> {
    if slot.batch_end.is_none() && files.batch_start.is_none() {
        files.note_batch_start()?;
    }
    files.write(&slot, tally)?;
    if let Some(next_row) = slot.batch_end {
        drop(slot);
        files.batch_start = None;
        files.state.phase = Phase::Reading { next_row };
        if files.is_full() {
            files.close_part()?;
        }
    }
    files.show();
    Ok(())
}
