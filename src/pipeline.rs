//! Runs a job: source → workers → ring → sieve → sink.
//!
//! Threads of a job:
//!
//! | thread | what it does | waits for |
//! |---|---|---|
//! | `chem-0` … | takes a batch of parents, fills slots with their products | a free slot |
//! | `sieve` | takes slots in input order, has the engine judge them | a filled slot; the oldest in the engine |
//! | `sieve-0` … | the cpu engine's pool | work |
//! | `sink` | encodes what remains, publishes parts | a judged slot |
//! | the caller's | watches: stop requests, progress | 100 ms |
//!
//! Workers decode their batches themselves, one at a time under a lock: decoding takes under a
//! hundredth of the chemistry's time, and a queue less is a bound less. The hand-over from sieve to
//! sink passes permits, never payload of its own.
//!
//! When the input is read, ring and engine give their memory back and the *maybe* rows are settled
//! ([`crate::settle`]); the sink's files go on.
//!
//! The first error stops the ring; everybody hears of it there and winds up. What the last checkpoint
//! ([`checkpoint`]) says stays, and `--resume` goes on from it.

mod attempt;
mod batch_writer;
mod by_rule;
mod canonical;
mod capped;
mod check;
mod checkpoint;
mod control;
mod error;
mod identify;
mod in_work;
mod job;
mod judge;
mod manifest;
mod meters;
mod outcome;
mod parents;
mod run_files;
mod settling;
mod sinking;
mod stages;
mod standing;
mod times;
mod transform;
mod watcher;
mod workers;

pub use crate::account::Counts;
pub use attempt::run;
pub use by_rule::RuleCounts;
pub use capped::CappedParent;
pub use check::{CheckAccount, Disagreement};
pub use checkpoint::{CHECKPOINT, Checkpoint, Identity, JOB};
pub use control::{Kept, Stuck};
pub use error::PipelineError;
pub use job::Job;
pub use manifest::Manifest;
pub use meters::Snapshot;
pub use outcome::Outcome;
pub use standing::Standing;
pub use times::Stages;
