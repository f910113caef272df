//! The sieve: gives every product of a slot a key and a verdict.
//!
//! Contract, the same for every engine, bit for bit:
//! 1. The key of a row is [`Key::of`] its SMILES, unless the slot holds keys already ([`Slot::keys_given`]).
//! 2. Of equal keys in a slot only the first row is kept; the others are [`Verdict::Duplicate`].
//! 3. All first rows are looked up in the filter *as it was before the slot*: [`Verdict::Maybe`] if
//!    the filter may have seen the key, else [`Verdict::New`].
//! 4. Then all *new* keys are inserted.
//!
//! So the result depends only on the order in which slots are begun, and not on threads.
//!
//! A slot is begun and later finished. An engine may hold several slots between the two calls: on a GPU one is
//! copied in while the kernels of another run and a third is copied out.
//!
//! The filter is a `fastbloom` filter: its 64-bit source hash is the first word of the key, its bits
//! are fastbloom's bits. An engine decides nothing else: the pipeline handles the *maybe* rows.
//!
//! | module | contents |
//! |---|---|
//! | `engine` | the trait of an engine |
//! | `filter` | the size of a filter |
//! | `first_rows` | repeats within a slot, found by the workers |
//! | `rows` | what every program on a device reads and writes |
//! | `cpu` | the reference engine: fastbloom itself |
//! | [`gpu`] | the order of work on any GPU |
//! | [`cuda`] | NVIDIA GPUs |
//! | [`mod@wgpu`] | any GPU, through wgpu |
//! | `backend` | an engine on a device, before it is opened |
//! | `choose` | which engine a job runs on |
//! | [`structure_key`] | structure keys on a device, before the sieve |
//! | [`steps`] | the steps of an engine, each timed alone |
//! | [`conformance`] | the checks that compare any engine with fastbloom |

mod backend;
mod choose;
pub mod conformance;
mod cpu;
pub mod cuda;
mod engine;
mod error;
mod filter;
mod first_rows;
pub mod gpu;
mod rows;
pub mod steps;
pub mod structure_key;
pub mod wgpu;

pub(crate) use backend::Backend;
pub(crate) use choose::named_adapter;
pub use choose::{ADAPTER_VARIABLE, Chosen, EngineChoice, choose};
pub use cpu::CpuEngine;
pub use engine::{Engine, Tally};
pub use error::EngineError;
pub use filter::FilterShape;
pub use first_rows::FirstRows;
pub use rows::{Keyed, Texts};

#[cfg(doc)]
use crate::{
    key::Key,
    slot::{Slot, Verdict},
};

#[cfg(test)]
mod tests;
