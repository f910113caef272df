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
mod input;
mod keys;
mod measure;
mod structure_key;
mod subject;
mod whole;

use std::time::SystemTime;

use clap::ValueEnum;
use serde::Serialize;

pub use assessment::{Assessment, EngineKeys, EngineShare};
pub use keys::KeyTimes;
pub use measure::Effort;

use crate::{
    chem::{ChemistryError, RdKit},
    machine::{self, Machine},
    rules::RuleError,
    sieve::{EngineChoice, EngineError},
    slot::LayoutError,
    units,
};
use measure::Timing;
use subject::Subject;

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of molsieve.
    pub molsieve: &'static str,
    /// Version of RDKit.
    pub rdkit: String,
    /// When it was measured, UTC: `2026-11-25T15:00:00Z`.
    pub date: String,
    /// The machine.
    pub machine: Machine,
    /// Seconds per figure.
    pub seconds: f64,
    /// Whether the time was too short for figures to be trusted.
    pub trial: bool,
    /// Bytes of a row's text, on average.
    pub row_bytes: f64,
    /// What was to be measured; all of it if this is empty.
    pub only: Vec<Part>,
    /// RDKit, if that was to be measured.
    pub chemistry: Option<Chemistry>,
    /// Structure keys, if they were to be measured.
    pub keys: Option<KeyTimes>,
    /// Each engine on each device.
    pub engines: Vec<EngineReport>,
    /// Engines that are not there.
    pub absent: Vec<Absent>,
    /// What that means for a job; none if no engine was measured to the end, or not all that it takes was to be
    /// measured.
    #[serde(rename = "verdict")]
    pub assessment: Option<Assessment>,
}

/// RDKit's speed on one core.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chemistry {
    /// The rule, SMIRKS.
    pub rule: &'static str,
    /// Molecules it was applied to.
    pub molecules: usize,
    /// Distinct products they give, each for itself.
    pub products: u64,
    /// Products per second of one thread.
    pub products_per_second_per_core: f64,
    /// Repeats that this is the median of.
    pub repeats: usize,
    /// How many times as fast as the reference, both on one core and taking turns.
    pub times_as_fast_as_reference: f64,
    /// The stages on the fast way.
    pub fast: StageTimes,
    /// The stages of the plain loop.
    pub reference: StageTimes,
}

/// Microseconds per distinct product, stage by stage; they carry what comes to nothing, and the parents'
/// parsing. On the fast way most products need no finishing beyond what `react` does on flat graphs, so
/// that `finish` is the few that RDKit makes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageTimes {
    /// Parsing and sanitizing parents.
    pub parse: f64,
    /// Finding the sites of rules.
    pub find_sites: f64,
    /// Running reactions.
    pub react: f64,
    /// Finishing products, so that their SMILES can be written.
    pub finish: f64,
    /// Writing canonical SMILES.
    pub write: f64,
    /// All of it, by the wall clock.
    pub whole: f64,
}

impl StageTimes {
    /// Every stage with its name, the whole last.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("parse", self.parse),
            ("find sites", self.find_sites),
            ("react", self.react),
            ("finish", self.finish),
            ("write", self.write),
            ("whole", self.whole),
        ]
    }
}

/// An engine that is not there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Absent {
    /// Its name on the command line.
    pub engine: &'static str,
    /// What is missing.
    pub missing: String,
}

impl Absent {
    /// An error begins with the engine's name, which is told anyway.
    fn new(engine: &'static str, reason: String) -> Self {
        let missing = match reason.strip_prefix(&format!("engine {engine}: ")) {
            Some(missing) => missing.to_owned(),
            None => reason,
        };
        Self { engine, missing }
    }
}

/// What was measured of an engine on a device.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EngineReport {
    /// Its name on the command line.
    pub engine: &'static str,
    /// The device; for the cpu engine its threads.
    pub device: String,
    /// The device's driver, where that is known.
    pub driver: Option<String>,
    /// Whether the device is a program that stands in for a GPU.
    pub software: bool,
    /// Threads of the cpu engine.
    pub threads: Option<usize>,
    /// Rate at which rows are copied to where they are hashed.
    pub copy_bytes_per_second: Option<f64>,
    /// Rate at which keys and verdicts are copied back.
    pub copy_back_bytes_per_second: Option<f64>,
    /// Keys alone.
    pub hash: Option<Figure>,
    /// Structure keys of SMILES in host memory.
    pub structure_keys: Option<Figure>,
    /// Why they were not measured: they do not fit the device.
    pub structure_keys_skipped: Option<String>,
    /// What depends on the filter, from small to large.
    pub filters: Vec<FilterReport>,
    /// Filters that were not tried, or did not fit, and why.
    pub skipped: Vec<Skipped>,
    /// Why it was given up, if it was.
    pub failed: Option<String>,
}

/// What was measured at one size of filter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FilterReport {
    /// Its size.
    pub bytes: u64,
    /// Bits per key.
    pub hashes: u32,
    /// Independent reads of its words at random, per second: the ceiling of look-ups.
    pub reads_per_second: f64,
    /// Bits set in its words at random, by atomics, per second: the ceiling of inserts.
    pub atomics_per_second: f64,
    /// Look-ups of keys that are not in it.
    pub absent: Option<Figure>,
    /// Look-ups of keys that are in it.
    pub present: Option<Figure>,
    /// Inserts.
    pub insert: Option<Figure>,
    /// The whole sieve.
    pub end_to_end: Option<Figure>,
}

/// A filter that was not measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Skipped {
    /// Its size.
    pub bytes: u64,
    /// Why.
    pub reason: String,
}

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// Keys per second.
    pub keys_per_second: f64,
    /// Bytes per second: of the rows' text and ends; of the words that are accessed in the filter.
    pub bytes_per_second: f64,
    /// Words of the filter that are accessed per second, of steps that do nothing else.
    pub accesses_per_second: Option<f64>,
    /// Share of what the memory allows; see the module's table.
    pub share_of_ceiling: f64,
    /// Keys of a pass.
    pub keys: u64,
    /// Repeats that this is the median of.
    pub repeats: usize,
}

impl Figure {
    /// Of a pass over `keys`; `ceiling` is in keys per second.
    fn new(timing: Timing, keys: u64, bytes_per_key: f64, ceiling: f64) -> Self {
        let keys_per_second = keys as f64 / timing.seconds;
        Self {
            keys_per_second,
            bytes_per_second: keys_per_second * bytes_per_key,
            accesses_per_second: None,
            share_of_ceiling: keys_per_second / ceiling,
            keys,
            repeats: timing.repeats,
        }
    }
}

/// Why nothing can be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BenchError {
    /// An engine that is named is not there; in mid-run: it fails.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// An engine gives wrong answers: its figures are worth nothing.
    #[error("engine {engine}: gives wrong answers, it {fault}")]
    Wrong {
        /// The engine and its device.
        engine: String,
        /// What it did.
        fault: &'static str,
    },
    /// RDKit does not work.
    #[error(transparent)]
    Chemistry(#[from] ChemistryError),
    /// RDKit does not read one of the built-in molecules.
    #[error("RDKit does not read a molecule that is built in: {0}")]
    Molecule(String),
    /// The built-in rule can't be read; a fault of molsieve.
    #[error(transparent)]
    Rule(#[from] RuleError),
    /// A slot can't be made; a fault of molsieve.
    #[error(transparent)]
    Layout(#[from] LayoutError),
}

/// What is to be measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// Engines, all of which must be there; none: whatever is there.
    pub engines: Vec<EngineChoice>,
    /// How long.
    pub effort: Effort,
    /// No filter above this size.
    pub filter_bytes_max: Option<u64>,
    /// These parts only; none: all.
    pub only: Vec<Part>,
}

/// A part of what can be measured. What its shares are shares of comes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Copies both ways, random reads and random atomics
    Ceilings,
    /// Keys of products
    Hash,
    /// Structure keys
    Keys,
    /// Look-ups, inserts and the whole sieve at filters of many sizes
    Filters,
    /// RDKit on one core
    Chemistry,
}

impl Selection {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

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
    report.assessment = Assessment::of(&report);
    Ok(report)
}

impl Report {
    /// Whether every engine was measured to the end.
    pub fn is_whole(&self) -> bool {
        self.engines.iter().all(|engine| engine.failed.is_none())
    }
}
