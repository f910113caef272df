//! Runs a job: source → workers → ring → sieve → sink.
//!
//! Threads of a job:
//!
//! | thread | what it does | waits for |
//! |---|---|---|
//! | `chem-0` … | takes a batch of parents, fills slots with their products | a free slot |
//! | `sieve` | passes slots in input order to the engine | a filled slot; the oldest in the engine |
//! | `sieve-0` … | the cpu engine's pool | work |
//! | `sink-0` … | the encoders: rows into arrays, row groups into pages | work |
//! | `sink` | writes the new rows in order, publishes parts | a judged slot |
//! | the caller's | watches for requests to stop and slow parents, reports progress | 100 ms |
//!
//! Workers decode their batches themselves, one at a time under a lock: decoding takes under a hundredth of the
//! chemistry's time, and without a queue there is one bound fewer. The channel from sieve to sink carries permits, no
//! payload of its own.
//!
//! When the input is read, ring and engine free their memory and the *maybe* rows are settled ([`crate::settle`]); the
//! sink's files stay open.
//!
//! A benchmark can replace the work of the workers by slots that an earlier run has kept (`prepared`).
//!
//! What stages share is small and by subject: `control` (how a job ends early), `meters` (counters and times) and
//! `resources` (what an attempt works with). `stages` gives each stage the parts it uses.
//!
//! The first error stops the ring, so every stage notices it and ends. The last checkpoint (`checkpoint`) stays, and
//! `--resume` continues from it.

mod attempt;
mod batch_writer;
mod begun;
mod canonical;
mod capped;
mod check;
mod checkpoint;
mod cleaning;
mod control;
mod drops;
mod duplicates;
mod earlier;
mod error;
mod identify;
mod in_work;
mod job;
mod judge;
mod manifest;
mod meters;
pub(crate) mod parents;
mod prepared;
mod reagent_sets;
mod resources;
mod run_files;
mod settling;
mod sinking;
mod stages;
mod step_filters;
mod step_input;
mod step_rules;
mod transform;
mod watcher;
mod workers;
mod writing;

pub use crate::account::Counts;
pub use attempt::run;
pub use checkpoint::{CHECKPOINT, Checkpoint, Identity, JOB, Standing};
pub use control::{DiskFull, Kept, Outcome, Stuck};
pub use earlier::{EarlierRun, EarlierRunError};
pub use error::PipelineError;
pub use job::{Job, PrepareError};
pub use meters::{SerialTimes, Snapshot};
pub use prepared::{KeptSlots, RowOrigin};
pub(crate) use reagent_sets::ReadyReagents;
pub use reagent_sets::{JobReagents, ReagentError};
pub use step_rules::StepRules;
