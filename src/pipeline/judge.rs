//! The sieve's thread: passes slots in input order to the engine and on to the sink.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc},
    time::Instant,
};

use super::{error::PipelineError, meters::Times};
use crate::{
    ring::{Permit, Ring, SlotTicket},
    sieve::{Engine, Tally},
};

/// What the sieve sends to the sink: a slot with its verdicts; `None` if there was no further slot in the input.
pub(super) type Judged = Option<(Permit, Tally)>;

/// Judges slots until the input ends or the job stops. The engine holds as many slots as it takes; this thread waits
/// for another only while the engine holds none, because the slots it holds may be all there are.
pub(super) fn judge(
    ring: &Arc<Ring>,
    times: &Times,
    mut engine: Box<dyn Engine>,
    judged: mpsc::SyncSender<Judged>,
) -> Result<(), PipelineError> {
    let begun_max = engine.slots_begun_max();
    let mut begun: VecDeque<SlotTicket> = VecDeque::with_capacity(begun_max);
    loop {
        let next = match begun.len() {
            0 => ring.next(),
            count if count < begun_max => ring.next_now(),
            _ => Ok(None),
        };
        let Ok(next) = next else {
            break; // the job stops
        };
        if let Some(permit) = next {
            let (ticket, slot) = permit.split();
            let began = Instant::now();
            engine.begin(slot)?;
            times.add(
                &times.sieve,
                began.elapsed().saturating_sub(engine.take_waited()),
            );
            begun.push_back(ticket);
            continue;
        }
        let Some(ticket) = begun.pop_front() else {
            // A sink that is gone has reported its error.
            let _ = judged.send(None);
            break;
        };
        let finished = times.measure(&times.sieve, || engine.finish())?;
        let (slot, tally) = finished.expect("a slot is begun for every ticket");
        if judged.send(Some((ticket.with(slot), tally))).is_err() {
            break; // the sink has failed and reported it
        }
    }
    Ok(())
}
