//! The steps of an engine one by one, so that each can be timed by itself. A job never takes them apart:
//! it begins and finishes whole slots ([`Engine`](super::Engine)).
//!
//! Every call returns when what it asked for is done. `passes` repeat a step over what is loaded without
//! waiting in between, so that what a call costs does not count where a step is short. Repeating changes
//! nothing: a key has the same bits every time.
//!
//! Beside the steps stand what they are shares of: copies both ways, and accesses to the filter at random that do
//! nothing else. These take the first words of the keys loaded as the states of generators, and change the keys.

mod cpu;
mod gpu;
mod step;

pub use cpu::CpuSteps;
pub use gpu::GpuSteps;
pub use step::{Access, PROBE_BATCHES, Steps, accesses_of_absent};
