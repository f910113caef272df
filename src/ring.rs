//! The ring: a fixed number of slots that travel from the workers to the sieve and the sink and back.
//!
//! Constraints:
//! - Slots are allocated once. They are the only place where products wait, so memory between the
//!   stages is bounded by their number times their size.
//! - A worker that needs a slot waits for one ([`Ring::acquire`]). A permit travels with the slot and
//!   returns it when dropped.
//! - Slots reach the sieve in the order of the input: by batch, and within a batch in the order in
//!   which they were filled. Which thread was faster makes no difference.
//! - One slot is reserved for the oldest batch that is not finished. Later batches can't take it, so the oldest
//!   batch can always continue: ordering can't deadlock, even with two slots and any number of workers.
//!
//! The thread that takes filled slots must never wait for a free one, nor for a filled one while it holds others:
//! the slots it holds may be all there are.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    limits::{SLOTS_MAX, SLOTS_MIN},
    slot::{Slot, SlotLayout},
    sync::{Condvar, Mutex, MutexGuard},
};

/// Slots that only the oldest unfinished batch may take.
const RESERVE: usize = 1;

/// A fixed set of slots in circulation.
#[derive(Debug)]
pub struct Ring {
    state: Mutex<State>,
    /// A slot came free, or the oldest batch changed.
    freed: Condvar,
    /// A slot was filled, or the number of batches became known.
    filled: Condvar,
    slots: usize,
}

#[derive(Debug)]
struct State {
    free: Vec<Slot>,
    /// Filled slots that are not yet taken, by position.
    filled: BTreeMap<Position, Filled>,
    /// The position that is taken next; its batch is the oldest unfinished one.
    next: Position,
    /// Known once the input is read to its end.
    batches: Option<u64>,
    stopped: bool,
    waiting: usize,
    waits: u64,
    waited: Duration,
}

/// Position of a slot in the order of the input: its batch, and its part of that.
type Position = (u64, u64);

#[derive(Debug)]
struct Filled {
    slot: Slot,
    last_of_batch: bool,
}

/// The ring was stopped; the caller must end its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the ring was stopped")]
pub struct Stopped;

/// The state of the ring, for the progress display and the manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingState {
    /// Slots in circulation.
    pub slots: usize,
    /// Free slots.
    pub free: usize,
    /// Workers waiting for a slot at this moment.
    pub waiting: usize,
    /// Times a worker had to wait since the start.
    pub waits: u64,
    /// Time workers have waited, added over workers.
    pub waited: Duration,
}

impl Ring {
    /// Allocates the slots.
    ///
    /// # Panics
    /// If `slots` is outside `SLOTS_MIN..=SLOTS_MAX`; the memory plan has checked that.
    pub fn new(slots: usize, layout: &SlotLayout) -> Arc<Self> {
        Self::from_slots((0..slots).map(|_| Slot::new(layout.clone())).collect())
    }

    /// Puts slots into circulation.
    ///
    /// # Panics
    /// As above.
    pub fn from_slots(free: Vec<Slot>) -> Arc<Self> {
        let slots = free.len();
        assert!((SLOTS_MIN..=SLOTS_MAX).contains(&slots), "{slots} slots");
        let state = State {
            free,
            filled: BTreeMap::new(),
            next: (0, 0),
            batches: None,
            stopped: false,
            waiting: 0,
            waits: 0,
            waited: Duration::ZERO,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            freed: Condvar::new(),
            filled: Condvar::new(),
            slots,
        })
    }

    /// An empty slot for the next part of a batch. Waits until one is free that this batch may
    /// take: any but the reserved one, or any at all if the batch is the oldest unfinished one.
    pub fn acquire(self: &Arc<Self>, batch: u64) -> Result<Permit, Stopped> {
        let mut state = self.lock();
        if !state.may_take(batch) && !state.stopped {
            let began = Instant::now();
            state.waiting += 1;
            state.waits += 1;
            while !state.may_take(batch) && !state.stopped {
                state = wait(&self.freed, state);
            }
            state.waiting -= 1;
            state.waited += began.elapsed();
        }
        if state.stopped {
            return Err(Stopped);
        }
        let mut slot = state.free.pop().ok_or(Stopped)?;
        drop(state);
        slot.clear();
        Ok(Permit {
            slot: Some(slot),
            ring: Arc::clone(self),
        })
    }

    /// Passes a filled slot on as part `part` of its batch. Parts count from 0 without gaps; after
    /// the `last_of_batch` there is none.
    pub fn submit(&self, mut permit: Permit, batch: u64, part: u64, last_of_batch: bool) {
        if let Some(slot) = permit.slot.take() {
            let filled = Filled {
                slot,
                last_of_batch,
            };
            let earlier = self.lock().filled.insert((batch, part), filled);
            debug_assert!(earlier.is_none(), "batch {batch} part {part}: filled twice");
            self.filled.notify_all();
        }
    }

    /// The next filled slot in the order of the input. `None`: all batches are through.
    pub fn next(self: &Arc<Self>) -> Result<Option<Permit>, Stopped> {
        let mut state = self.lock();
        loop {
            if let Some(permit) = self.take(&mut state)? {
                return Ok(Some(permit));
            }
            if state.batches == Some(state.next.0) {
                return Ok(None);
            }
            state = wait(&self.filled, state);
        }
    }

    /// The next filled slot if it is there already; the order is that of [`Ring::next`]. `None`: it is not
    /// filled yet, or all batches are through. For a caller that holds a slot and must not wait for another.
    pub fn next_now(self: &Arc<Self>) -> Result<Option<Permit>, Stopped> {
        self.take(&mut self.lock())
    }

    /// Takes the next slot in order, if it is filled.
    fn take(self: &Arc<Self>, state: &mut State) -> Result<Option<Permit>, Stopped> {
        if state.stopped {
            return Err(Stopped);
        }
        let (batch, part) = state.next;
        let Some(filled) = state.filled.remove(&(batch, part)) else {
            return Ok(None);
        };
        state.next = (batch, part + 1);
        if filled.last_of_batch {
            state.next = (batch + 1, 0);
            // The next batch is now the oldest: it may be waiting for the reserve.
            self.freed.notify_all();
        }
        Ok(Some(Permit {
            slot: Some(filled.slot),
            ring: Arc::clone(self),
        }))
    }

    /// Reports the number of batches, once it is known.
    pub fn finish(&self, batches: u64) {
        self.lock().batches = Some(batches);
        self.filled.notify_all();
    }

    /// Ends every wait with [`Stopped`].
    pub fn stop(&self) {
        self.lock().stopped = true;
        self.freed.notify_all();
        self.filled.notify_all();
    }

    /// Frees the memory of all free slots, once no more are needed.
    pub fn release(&self) {
        let slots = std::mem::take(&mut self.lock().free);
        drop(slots);
    }

    /// The state of the ring.
    pub fn state(&self) -> RingState {
        let state = self.lock();
        RingState {
            slots: self.slots,
            free: state.free.len(),
            waiting: state.waiting,
            waits: state.waits,
            waited: state.waited,
        }
    }

    fn give_back(&self, slot: Slot) {
        self.lock().free.push(slot);
        // All are woken: only the oldest batch can use the reserve, and it may be any of them.
        self.freed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock, so a poisoned one still holds a whole state.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl State {
    fn may_take(&self, batch: u64) -> bool {
        let kept_back = if batch == self.next.0 { 0 } else { RESERVE };
        self.free.len() > kept_back
    }
}

fn wait<'a>(condition: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    condition
        .wait(state)
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The right to use one slot. Dropped, it returns the slot to the ring.
#[derive(Debug)]
pub struct Permit {
    /// Present until the permit is dropped, submitted or split.
    slot: Option<Slot>,
    ring: Arc<Ring>,
}

/// Stands for a slot that has left the ring for a while. If the slot does not come back, the ring has one slot fewer.
#[derive(Debug)]
pub struct SlotTicket {
    ring: Arc<Ring>,
}

const HOLDS_ITS_SLOT: &str = "a permit holds its slot until it is dropped, submitted or split";

impl Permit {
    /// The slot by itself, for an owner that keeps it for a while, and its ticket.
    pub fn split(mut self) -> (SlotTicket, Slot) {
        let slot = self.slot.take().expect(HOLDS_ITS_SLOT);
        let ring = Arc::clone(&self.ring);
        (SlotTicket { ring }, slot)
    }
}

impl SlotTicket {
    /// The permit for the slot that has come back.
    pub fn with(self, slot: Slot) -> Permit {
        Permit {
            slot: Some(slot),
            ring: self.ring,
        }
    }
}

impl std::ops::Deref for Permit {
    type Target = Slot;

    fn deref(&self) -> &Slot {
        self.slot.as_ref().expect(HOLDS_ITS_SLOT)
    }
}

impl std::ops::DerefMut for Permit {
    fn deref_mut(&mut self) -> &mut Slot {
        self.slot.as_mut().expect(HOLDS_ITS_SLOT)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.ring.give_back(slot);
        }
    }
}

#[cfg(test)]
mod tests;
