//! Measures this machine's engines: each step of the sieve and the whole sieve, compared with the speed of memory, and
//! RDKit on one core. [`scaling`] measures how whole jobs become faster with threads.
//!
//! | figure | what is timed | ceiling |
//! |---|---|---|
//! | hash | keys of rows that are already where the engine reads them | copying the same bytes |
//! | structure key | structure keys from SMILES in host memory to keys in host memory: the shipped library, repeated | copying the same bytes to where the engine hashes them |
//! | absent | look-ups of keys that are not in the filter, different keys each time | random reads |
//! | present | look-ups of keys that are in the filter | random reads |
//! | insert | inserts of keys | random atomics |
//! | end to end | the whole sieve of slots of a job's size, all rows new, copies to and from the device included | copying the same bytes to where the engine hashes them |
//!
//! Each engine's ceilings are measured by code that does nothing else:
//!
//! - Copies go from host memory, page-locked where the engine uses that, and back: to other host memory by the
//!   threads of the cpu engine, or to the device. The text of rows and their ends are copied in, and keys and verdicts
//!   are copied back.
//! - Random reads are independent reads of random words of the filter. Random atomics set a bit in such words, as an
//!   insert does. A word has 8 bytes, on wgpu 4. There are as many accesses for a key as it has bits, 30.
//!
//! When steps are timed, a random half of the filter's bits is set. So look-ups of absent keys read as much as in a
//! filter that holds all the keys that it is made for. Inserted keys and present keys are added to that. End to end, a
//! filter is empty at first and never holds more keys than it is made for. So a pass takes 32 slots, or as many slots
//! as have that many rows.
//!
//! A figure may exceed its ceiling: a GPU hashes rows that are in its memory already, and the cpu engine prefetches the
//! words of several keys in parallel before it sets bits in them.
//!
//! A figure is the median of five or more repeats, after a warm-up.

mod assessment;
mod chemistry;
mod engine;
mod error;
mod filter;
mod input;
mod keys;
mod measure;
mod report;
mod scaling;
mod selection;
mod structure_key;
mod subject;
mod whole;

pub use error::BenchError;
pub use measure::Effort;
pub use report::{
    Absent, Assessment, Chemistry, DirectShares, EngineKeys, EngineReport, EngineShare, Figure,
    FilterReport, KeyTimes, Report, Skipped, StageTimes,
};
pub use scaling::{
    JobKind, JobScaling, Limit, Scaling, ScalingPoint, ScalingSelection, SerialPart, scaling,
};
pub use selection::{Part, Selection};

use crate::chem::RdKit;
use subject::Subject;

/// Measures all that is selected. Calls `say` with the name of each measurement before it starts.
pub fn run(
    rdkit: RdKit,
    selection: &Selection,
    say: &mut dyn FnMut(&str),
) -> Result<Report, BenchError> {
    let (subjects, absent) = Subject::find(&selection.engines)?;
    let mut report = Report {
        only: selection.only.clone(),
        absent,
        ..Report::new(rdkit, selection.effort)
    };
    if selection.wants(Part::Chemistry) {
        say("RDKit on one core");
        report.chemistry = Some(chemistry::measure(rdkit, selection.effort)?);
    }
    if selection.wants(Part::Keys) {
        say("structure keys on one core");
        report.keys = Some(keys::measure(rdkit, selection.effort)?);
    }
    for subject in &subjects {
        let measured = engine::measure(subject, selection, say);
        report.engines.push(measured);
    }
    report.assessment = assessment::assess(&report);
    Ok(report)
}
