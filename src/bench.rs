//! What this machine's engines are worth, honestly: each step of the sieve and the whole of it on every
//! engine, beside what the memory allows, and RDKit's speed beside all of them.
//!
//! | figure | what is timed | what it is a share of |
//! |---|---|---|
//! | hash | keys of rows that are where the engine reads them | copying the same bytes |
//! | structure key | structure keys from SMILES in host memory to keys there: the shipped library, over and over | copying the same bytes to where the engine hashes them |
//! | absent | look-ups of keys that are not in the filter, others each time | random reads |
//! | present | look-ups of keys that are in the filter | random reads |
//! | insert | inserts of keys | random atomics |
//! | end to end | the whole sieve of slots as a ring has them, all rows new: what goes to a device and what comes back counts | copying the same bytes to where the engine hashes them |
//!
//! The ceilings are measured, on every engine by code that does nothing else:
//!
//! - Copies are from host memory, page-locked where the engine wants it, and back: to other host memory by the
//!   threads of the cpu engine, or to the device. What is copied there is the text of rows and where each ends, what
//!   comes back their keys and verdicts.
//! - Random reads are independent reads of words at random places of the filter, random atomics set a bit in such
//!   words, as an insert does. A word has 8 bytes, on wgpu 4. As many are made for a key as it has bits, 30.
//!
//! Half of a filter's bits are set, at random, when steps are timed: so look-ups of absent keys read as much as in
//! a filter that holds all the keys it is made for. Those that are inserted and looked up as present come on top.
//! End to end a filter is empty at first, and never holds more keys than it is made for: so a pass takes 32 slots, or
//! as many as it holds the rows of.
//!
//! A share may be over 1: keys on a GPU are made of what is there already, and the cpu engine reads the words of
//! several keys side by side before it sets bits in them.
//!
//! A figure is the median of five repeats or more, after a warm-up.

mod assessment;
mod chemistry;
mod engine;
mod error;
mod filter;
mod input;
mod keys;
mod measure;
mod report;
mod selection;
mod structure_key;
mod subject;
mod whole;

use std::time::SystemTime;

pub use error::BenchError;
pub use measure::Effort;
pub use report::{
    Absent, Assessment, Chemistry, EngineKeys, EngineReport, EngineShare, Figure, FilterReport,
    KeyTimes, Report, Skipped, StageTimes,
};
pub use selection::{Part, Selection};

use crate::{chem::RdKit, machine, units};
use subject::Subject;

/// Measures; `say` hears what comes next.
pub fn run(
    rdkit: RdKit,
    selection: &Selection,
    say: &mut dyn FnMut(&str),
) -> Result<Report, BenchError> {
    let (subjects, absent) = Subject::find(&selection.engines)?;
    let mut report = Report {
        molsieve: env!("CARGO_PKG_VERSION"),
        rdkit: rdkit.version(),
        date: units::utc(SystemTime::now()),
        machine: machine::look(),
        seconds: selection.effort.seconds,
        trial: selection.effort.is_trial(),
        row_bytes: input::mean_row_bytes(),
        only: selection.only.clone(),
        chemistry: None,
        keys: None,
        engines: Vec::new(),
        absent,
        assessment: None,
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
