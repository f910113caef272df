//! The whole sieve, end to end, on slots of a job's size in the engine's slot memory.

use std::time::Duration;

use super::{
    filter::capacity,
    input::{self, Filled},
    measure::clocked,
    subject::Subject,
};
use crate::{
    property::PropertySet,
    sieve::{Engine, EngineError, gpu::Room},
    slot::{Slot, SlotLayout},
};

/// Slots of a pass: so many that filling and draining the engine's lanes does not count.
const SLOTS: usize = 32;

/// An engine and its slots. A new engine with an empty filter replaces it whenever the filter is full.
pub(super) struct WholeSieve<'a> {
    subject: &'a Subject,
    room: Room,
    engine: Option<Box<dyn Engine>>,
    slots: Vec<Slot>,
    /// Rows and bytes of a pass.
    pub filled: Filled,
    in_filter: u64,
    number: u64,
    /// Rows of all passes.
    pub rows: u64,
    /// Those of them that the engine called new.
    pub new: u64,
}

impl<'a> WholeSieve<'a> {
    pub fn new(subject: &'a Subject, room: Room, layout: SlotLayout) -> Result<Self, EngineError> {
        let engine = subject.open(room)?;
        let (mut slots, mut filled) = (Vec::new(), Filled::default());
        let mut left = capacity(room.filter) as usize;
        while slots.len() < SLOTS && left > 0 {
            let mut slot = Slot::within(layout.clone(), engine.slot_memory(layout.bytes)?);
            let Filled { rows, bytes } = input::fill(&mut slot, filled.rows, left);
            left -= rows as usize;
            filled.rows += rows;
            filled.bytes += bytes;
            slots.push(slot);
        }
        Ok(Self {
            subject,
            room,
            engine: Some(engine),
            slots,
            filled,
            in_filter: 0,
            number: 0,
            rows: 0,
            new: 0,
        })
    }

    /// The time of one pass over the slots. All of their rows are new.
    pub fn pass(&mut self) -> Result<Duration, EngineError> {
        for slot in &mut self.slots {
            input::renumber(slot, self.number);
            self.number += slot.rows() as u64;
        }
        self.make_room()?;
        let Some(engine) = &mut self.engine else {
            return Ok(Duration::ZERO);
        };
        let (slots, new) = (&mut self.slots, &mut self.new);
        let time = clocked(|| {
            *new += sieve_all(engine.as_mut(), slots)?;
            Ok(())
        })?;
        self.rows += self.filled.rows;
        self.in_filter += self.filled.rows;
        Ok(time)
    }

    fn make_room(&mut self) -> Result<(), EngineError> {
        if self.in_filter + self.filled.rows > capacity(self.room.filter) {
            // Drop the old engine first: the memory may not have room for two.
            self.engine = None;
            self.engine = Some(self.subject.open(self.room)?);
            self.in_filter = 0;
        }
        // A driver may load a kernel only when it is first used.
        let layout = SlotLayout::smallest(PropertySet::NONE);
        let mut slot = Slot::new(layout);
        input::fill(&mut slot, u64::MAX >> 24, 1);
        match &mut self.engine {
            Some(engine) if self.in_filter == 0 => engine.sieve(slot).map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// Sieves the slots, as many at a time as the engine holds, as in a job. Returns the number of new rows.
fn sieve_all(engine: &mut dyn Engine, slots: &mut Vec<Slot>) -> Result<u64, EngineError> {
    let begun_max = engine.slots_begun_max();
    let (mut begun, mut new) = (0, 0);
    let mut finished = Vec::with_capacity(slots.len());
    let mut waiting = slots.drain(..);
    loop {
        let next = if begun < begun_max {
            waiting.next()
        } else {
            None
        };
        if let Some(slot) = next {
            engine.begin(slot)?;
            begun += 1;
        } else if let Some((slot, tally)) = engine.finish()? {
            begun -= 1;
            new += tally.new;
            finished.push(slot);
        } else {
            break;
        }
    }
    drop(waiting);
    *slots = finished;
    Ok(new)
}
