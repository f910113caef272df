//! The sink's thread: writes the new rows of judged slots, keeps the *maybe* rows, adds accounts up, takes checkpoints.

use std::{
    collections::VecDeque,
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use super::{checkpoint::Phase, error::PipelineError, judge::Judged, run_files::RunFiles};
use crate::{
    ring::Permit,
    sieve::Tally,
    table::sink::{Gathered, SinkError, Task},
};

/// A slot whose rows are being gathered, and what the sieve counted in it.
type Gathering = (Task<(Permit, Result<Gathered, SinkError>)>, Tally);

/// Takes slots until there are no more, or the job stops. Returns the files if the input was read to its end.
///
/// Rows are gathered on the pool, of as many slots at a time as it has threads; this thread appends them in order.
pub(super) fn sink<'a>(
    mut files: RunFiles<'a>,
    judged: &mpsc::Receiver<Judged>,
) -> Result<Option<RunFiles<'a>>, PipelineError> {
    let (control, times) = (files.control, &files.meters.times);
    let mut gathering: VecDeque<Gathering> = VecDeque::new();
    let mut all_judged = false;
    loop {
        let next = match gathering.len() {
            _ if all_judged => Err(RecvTimeoutError::Timeout),
            0 => judged.recv_timeout(files.time_to_checkpoint()),
            some if some < files.job.plan.encoders => judged.recv_timeout(Duration::ZERO),
            _ => Err(RecvTimeoutError::Timeout),
        };
        // Slots that still wait are made again; a stop must not wait for them.
        if control.is_stopping() {
            break;
        }
        match next {
            Ok(Some((slot, tally))) => {
                gathering.push_back((
                    files.products.start_gathering(slot, files.writes_at_once()),
                    tally,
                ));
                continue;
            }
            Ok(None) => all_judged = true,
            Err(RecvTimeoutError::Timeout) => match gathering.pop_front() {
                Some(oldest) => take(&mut files, oldest)?,
                None if all_judged => break,
                None => {}
            },
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
    files.end_reading()?;
    Ok(Some(files))
}

/// Appends the rows of a slot once they are gathered, and closes the part if it is full where the batch ends.
fn take(files: &mut RunFiles<'_>, (task, tally): Gathering) -> Result<(), PipelineError> {
    let times = &files.meters.times;
    times.measure(&times.sink, || {
        let ((slot, gathered), spent) = task.join()?;
        times.add_to_sink(spent);
        append(files, slot, gathered?, tally)
    })
}

fn append(
    files: &mut RunFiles<'_>,
    slot: Permit,
    gathered: Gathered,
    tally: Tally,
) -> Result<(), PipelineError> {
    if slot.batch_end.is_none() && files.batch_start.is_none() {
        files.note_batch_start()?;
    }
    files.write(&slot, gathered, tally)?;
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
