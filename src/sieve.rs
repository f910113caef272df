//! The sieve: gives every product of a slot a key and a verdict.
//!
//! Contract, the same for every engine, bit for bit:
//! 1. The key of a row is [`Key::of`] its SMILES, or stands in the slot already ([`Slot::keys_given`]).
//! 2. Of equal keys in a slot only the first row goes on; the others are [`Verdict::Duplicate`].
//! 3. All first rows are looked up in the filter *as it stood before the slot*: [`Verdict::Maybe`] if
//!    the filter says it may have seen the key, else [`Verdict::New`].
//! 4. Then all *new* keys are inserted.
//!
//! So the answer depends on the order in which slots are begun and on nothing else, least of all on
//! threads.
//!
//! A slot is begun and later finished. An engine may have several in hand in between: on a GPU one is
//! copied in while the kernels of another run and a third is copied out.
//!
//! The filter is a `fastbloom` filter: its 64-bit source hash is the first word of the key, its bits
//! are fastbloom's bits. An engine holds no policy; what becomes of *maybe* rows is the pipeline's
//! business.
//!
//! | module | what |
//! |---|---|
//! | `cpu` | the reference: fastbloom itself |
//! | [`gpu`] | the order of work on a GPU, whichever it is |
//! | [`cuda`] | an NVIDIA GPU |
//! | [`mod@wgpu`] | any GPU, through wgpu |
//! | `choose` | which of them a job runs on |
//! | [`structure_key`] | structure keys on a device, before the sieve |
//! | [`steps`] | the steps of an engine one by one, to be timed |
//! | [`conformance`] | what every engine must agree on with fastbloom, as a body that any engine runs |

mod choose;
pub mod conformance;
mod cpu;
pub mod cuda;
mod engine;
mod error;
mod filter;
pub mod gpu;
pub mod steps;
pub mod structure_key;
pub mod wgpu;

pub(crate) use choose::named_adapter;
pub use choose::{ADAPTER_VARIABLE, Chosen, EngineChoice, choose};
pub use cpu::CpuEngine;
pub use engine::{Engine, Tally};
pub use error::EngineError;
pub use filter::FilterShape;

#[cfg(doc)]
use crate::{
    key::Key,
    slot::{Slot, Verdict},
};

#[cfg(test)]
mod tests;
