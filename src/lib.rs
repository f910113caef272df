//! molsieve applies reaction rules to a chemical library within a memory limit that is fixed beforehand, and
//! writes each distinct product once. The program `molsieve` is a thin command line over this library.
//!
//! # Running a job
//!
//! A job starts as [`config::JobSettings`], which has the keys of a job file. [`check`](config::JobSettings::check)
//! makes a [`config::JobSpec`] of it, [`Job::prepare`](pipeline::Job::prepare) opens its files and plans its
//! memory, and [`pipeline::run`] runs it:
//!
//! ```no_run
//! use std::sync::atomic::AtomicBool;
//!
//! use molsieve::{
//!     config::JobSettings,
//!     pipeline::{self, Job, Outcome},
//! };
//!
//! let settings = JobSettings {
//!     input: vec!["library.smi".into()],
//!     rules: vec!["rules.toml".into()],
//!     output: Some("out".into()),
//!     ..JobSettings::default()
//! };
//! let job = Job::prepare(settings.check()?, None)?;
//! let stop = AtomicBool::new(false);
//! if let Outcome::Done(manifest) = pipeline::run(&job, &stop, &mut |_progress| {})? {
//!     println!("{} products", manifest.counts.products_unique);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `examples/run_job.rs` is this as a whole program, `examples/keys.rs` computes the keys of molecules
//! ([`key::Key`], [`identity::KeyMaker`]).
//!
//! # Layers
//!
//! A module uses modules of the lines above its own and of its own line, never of a line below. No two
//! files import each other, directly or through others. `tests/it/layers.rs` reads this list and checks both.
//!
//! 1. `limits`, `units`, `key`, `machine`, `sync`, `cores`, `named`, `property`, `cleaning`, `faults`
//! 2. `store`
//! 3. `rules`, `reject`, `account`, `slot`, `reagents`, `filter`
//! 4. `ring`, `chem`, `identity`, `table`
//! 5. `sieve`, `settle`, `trial`, `nvidia`
//! 6. `config`, `plan`
//! 7. `pipeline`, `report`, `bench`, `doctor`, `route`, `export`, `diff`, `picture`, `page`, `show`
//! 8. `daemon`
//! 9. `cli`

pub mod account;
pub mod bench;
pub mod chem;
pub mod cleaning;
pub mod cli;
pub mod config;
pub mod cores;
pub mod daemon;
pub mod diff;
pub mod doctor;
pub mod export;
#[cfg(feature = "failpoints")]
mod faults;
pub mod filter;
pub mod identity;
pub mod key;
pub mod limits;
pub mod machine;
mod named;
pub mod nvidia;
pub mod page;
pub mod picture;
pub mod pipeline;
pub mod plan;
pub mod property;
pub mod reagents;
pub mod reject;
pub mod report;
pub mod ring;
pub mod route;
pub mod rules;
pub mod settle;
pub mod show;
pub mod sieve;
pub mod slot;
pub mod store;
mod sync;
pub mod table;
pub mod trial;
pub mod units;
