//! The steps of an engine, so that each can be timed alone. A job never runs them apart: it begins and finishes whole
//! slots ([`Engine`](super::Engine)).
//!
//! Every call returns when its work has ended. `passes` repeats a step over the loaded rows without waiting in
//! between, so that the cost of a call does not count where a step is short. Repeating changes nothing: a key has
//! the same bits every time.
//!
//! The trait also has the ceilings that steps are compared with: copies both ways, and random accesses to the filter
//! that do nothing else. The random accesses use the first words of the loaded keys as the states of generators, and
//! change the keys.

mod cpu;
mod gpu;
mod step;

pub use cpu::CpuSteps;
pub use gpu::GpuSteps;
pub use step::{Access, PROBE_BATCHES, Steps, accesses_of_absent};
