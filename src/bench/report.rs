//! The report: everything that was measured, as `bench --json` prints it.

use serde::Serialize;

use super::{
    input,
    measure::{Effort, Timing},
    scaling::Scaling,
    selection::Part,
};
use crate::{
    chem::RdKit,
    machine::{self, Machine},
};

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
    /// Whether the time was too short for reliable figures.
    pub trial: bool,
    /// Bytes of a row's text, on average.
    pub row_bytes: f64,
    /// The parts that were selected; empty for all.
    pub only: Vec<Part>,
    /// RDKit, if it was selected.
    pub chemistry: Option<Chemistry>,
    /// Structure keys, if they were selected.
    pub keys: Option<KeyTimes>,
    /// Each engine on each device.
    pub engines: Vec<EngineReport>,
    /// Engines that this machine does not have.
    pub absent: Vec<Absent>,
    /// What the figures mean for a job; `None` if no engine was measured completely, or if a part that it needs was not
    /// selected.
    #[serde(rename = "verdict")]
    pub assessment: Option<Assessment>,
    /// How jobs become faster with threads, with `--scaling`; beside it only the chemistry is measured then.
    pub scaling: Option<Scaling>,
}

/// RDKit's speed on one core.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chemistry {
    /// The rule, SMIRKS.
    pub rule: &'static str,
    /// Molecules it was applied to.
    pub molecules: usize,
    /// Distinct products per molecule, summed.
    pub products: u64,
    /// Products per second of one thread.
    pub products_per_second_per_core: f64,
    /// Number of repeats; the figure is their median.
    pub repeats: usize,
    /// How many times as fast as the reference, both alternating on one core.
    pub times_as_fast_as_reference: f64,
    /// The stages of the fast method.
    pub fast: StageTimes,
    /// The stages of the plain loop.
    pub reference: StageTimes,
    /// Products per second of one thread whose SMILES are written directly.
    pub direct_products_per_second_per_core: f64,
    /// The stages of the fast method with SMILES written directly.
    pub direct: StageTimes,
}

/// Microseconds per distinct product, by stage. They include the time of discarded products and of parsing parents.
/// In the fast method `react` finishes most products on flat graphs, so `finish` is the time of the few products that
/// RDKit finishes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageTimes {
    /// Parsing and sanitizing parents.
    pub parse: f64,
    /// Finding the sites of rules in parents.
    pub find_sites: f64,
    /// Running reactions.
    pub react: f64,
    /// Finishing products, so that their SMILES can be written.
    pub finish: f64,
    /// Writing SMILES.
    pub write: f64,
    /// Making structure keys of SMILES that are written directly.
    pub keys: f64,
    /// All stages, by the wall clock.
    pub whole: f64,
}

impl StageTimes {
    /// Every stage with its name, all together last.
    pub fn named(&self) -> [(&'static str, f64); 7] {
        [
            ("parse", self.parse),
            ("find sites", self.find_sites),
            ("react", self.react),
            ("finish", self.finish),
            ("write", self.write),
            ("keys", self.keys),
            ("together", self.whole),
        ]
    }
}

/// An engine that this machine does not have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Absent {
    /// Its name on the command line.
    pub engine: &'static str,
    /// What is missing.
    pub missing: String,
}

impl Absent {
    /// Removes the engine's name from the start of the error, since the report shows it already.
    pub(super) fn new(engine: &'static str, reason: String) -> Self {
        let missing = match reason.strip_prefix(&format!("engine {engine}: ")) {
            Some(missing) => missing.to_owned(),
            None => reason,
        };
        Self { engine, missing }
    }
}

/// The figures of an engine on a device.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EngineReport {
    /// Its name on the command line.
    pub engine: &'static str,
    /// The device; for the cpu engine its number of threads.
    pub device: String,
    /// The device's driver, if it is known.
    pub driver: Option<String>,
    /// Whether the device is a software renderer.
    pub software: bool,
    /// Threads of the cpu engine.
    pub threads: Option<usize>,
    /// Rate at which rows are copied to where they are hashed.
    pub copy_bytes_per_second: Option<f64>,
    /// Rate at which keys and verdicts are copied back.
    pub copy_back_bytes_per_second: Option<f64>,
    /// Hashing alone.
    pub hash: Option<Figure>,
    /// Structure keys of SMILES in host memory.
    pub structure_keys: Option<Figure>,
    /// Why structure keys were not measured.
    pub structure_keys_skipped: Option<String>,
    /// The figures for each filter, from small to large.
    pub filters: Vec<FilterReport>,
    /// Filters that were not measured, and why.
    pub skipped: Vec<Skipped>,
    /// Why the measurement of this engine failed, if it did.
    pub failed: Option<String>,
}

/// The figures at one size of filter.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct FilterReport {
    /// Its size.
    pub bytes: u64,
    /// Bits per key.
    pub hashes: u32,
    /// Independent random reads of its words per second: the ceiling of look-ups.
    pub reads_per_second: f64,
    /// Bits set in random words by atomics per second: the ceiling of inserts.
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
    /// Bytes per second: of the text and ends of rows, or of the words of the filter that are accessed.
    pub bytes_per_second: f64,
    /// Words of the filter that are accessed per second, for steps that do nothing else.
    pub accesses_per_second: Option<f64>,
    /// Share of the ceiling; see the table in the documentation of [`crate::bench`].
    pub share_of_ceiling: f64,
    /// Keys of a pass.
    pub keys: u64,
    /// Number of repeats; the figure is their median.
    pub repeats: usize,
}

impl Figure {
    /// The figure of a pass over `keys`; `ceiling` is in keys per second.
    pub(super) fn new(timing: Timing, keys: u64, bytes_per_key: f64, ceiling: f64) -> Self {
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

impl Report {
    /// A report of this machine without figures.
    pub(super) fn new(rdkit: RdKit, effort: Effort) -> Self {
        Self {
            molsieve: env!("CARGO_PKG_VERSION"),
            rdkit: rdkit.version(),
            date: format!("{:.0}", jiff::Timestamp::now()),
            machine: machine::look(),
            seconds: effort.seconds,
            trial: effort.is_trial(),
            row_bytes: input::mean_row_bytes(),
            only: Vec::new(),
            chemistry: None,
            keys: None,
            engines: Vec::new(),
            absent: Vec::new(),
            assessment: None,
            scaling: None,
        }
    }

    /// Whether every engine was measured completely.
    pub fn is_whole(&self) -> bool {
        self.engines.iter().all(|engine| engine.failed.is_none())
    }
}

/// The time of keys, in microseconds per molecule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KeyTimes {
    /// Distinct molecules whose keys need no RDKit.
    pub molecules: usize,
    /// The structure key from the text.
    pub structure: f64,
    /// RDKit: parse, sanitize, canonical SMILES.
    pub rdkit: f64,
    /// How many times as fast as RDKit; the two alternate.
    pub times_as_fast: f64,
    /// Number of repeats; the figures are their medians.
    pub repeats: usize,
}

/// What the figures mean for a job, in numbers and in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// Processors this process may use.
    pub cores: usize,
    /// Products that RDKit makes per second on all of them.
    pub products_per_second: f64,
    /// Size of the filter that the figures are for: the largest that was measured with all engines.
    pub filter_bytes: u64,
    /// How the shares are calculated.
    pub formula: &'static str,
    /// Each engine's structure keys.
    pub keys: Vec<EngineKeys>,
    /// Each engine's share.
    pub engines: Vec<EngineShare>,
    /// A job that writes SMILES directly; `None` if the engine `cpu` was not measured.
    pub direct: Option<DirectShares>,
    /// The same as sentences.
    pub words: Vec<String>,
}

/// What a job with `--smiles direct` does that a device could take over.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DirectShares {
    /// Products per second on all cores, structure keys included.
    pub products_per_second: f64,
    /// Share of the work that structure keys take.
    pub keys: f64,
    /// Share of the work that the sieve takes on the engine `cpu`.
    pub sieve: f64,
}

/// The sieve's share of a job on one engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EngineShare {
    /// The engine.
    pub engine: &'static str,
    /// Its device.
    pub device: String,
    /// Products that it sieves per second, end to end.
    pub sieved_per_second: f64,
    /// The sieve's share of a job's work.
    pub share: f64,
    /// The share of a job's time that it saves compared with the cpu engine; negative if it costs time. `None` for the
    /// cpu engine, and if that was not measured.
    pub saves: Option<f64>,
}

/// An engine's rate of structure keys, as `dedup` uses them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EngineKeys {
    /// The engine.
    pub engine: &'static str,
    /// Its device.
    pub device: String,
    /// Structure keys per second, from SMILES in host memory to keys in host memory.
    pub made_per_second: f64,
    /// How many times the rate of the cpu engine; `None` for that engine, and if that was not measured.
    pub times_cpu: Option<f64>,
}
