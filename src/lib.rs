//! molsieve turns a chemical library into a derivative library on one node, inside a memory budget
//! fixed beforehand, and writes every distinct product once.
//!
//! The binary `molsieve` is what users see; this library is what the binary is made of.
//!
//! # Layers
//!
//! A module uses modules of the lines above its own and of its own line, never of a line below. No two
//! files import each other, directly or through others. `tests/it/layers.rs` reads this list and checks both.
//!
//! 1. `limits`, `units`, `key`, `machine`, `sync`, `faults`
//! 2. `store`
//! 3. `rules`, `reject`, `account`, `slot`
//! 4. `ring`, `chem`, `identity`, `table`
//! 5. `sieve`, `settle`, `trial`, `nvidia`
//! 6. `config`, `plan`
//! 7. `pipeline`, `report`, `bench`, `doctor`
//! 8. `daemon`
//! 9. `cli`

pub mod account;
pub mod bench;
pub mod chem;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
#[cfg(feature = "failpoints")]
mod faults;
pub mod identity;
pub mod key;
pub mod limits;
pub mod machine;
pub mod nvidia;
pub mod pipeline;
pub mod plan;
pub mod reject;
pub mod report;
pub mod ring;
pub mod rules;
pub mod settle;
pub mod sieve;
pub mod slot;
pub mod store;
mod sync;
pub mod table;
pub mod trial;
pub mod units;
