//! The report: everything that was measured, as `bench --json` prints it.

use serde::Serialize;

use super::{measure::Timing, selection::Part};
use crate::machine::Machine;

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
    pub(super) fn new(engine: &'static str, reason: String) -> Self {
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
    /// Whether every engine was measured to the end.
    pub fn is_whole(&self) -> bool {
        self.engines.iter().all(|engine| engine.failed.is_none())
    }
}

/// What keys take, microseconds per molecule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct KeyTimes {
    /// Molecules, each with a SMILES of its own that is enough for its key.
    pub molecules: usize,
    /// The structure key, from the text.
    pub structure: f64,
    /// RDKit: parse, sanitize, canonical SMILES.
    pub rdkit: f64,
    /// How many times as fast; the two take turns.
    pub times_as_fast: f64,
    /// Repeats that these are the medians of.
    pub repeats: usize,
}

/// What was found, in numbers and in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Assessment {
    /// Processors this process may use.
    pub cores: usize,
    /// Products that RDKit makes a second on all of them.
    pub products_per_second: f64,
    /// Size of the filter that the figures are for: the largest that all engines were measured with.
    pub filter_bytes: u64,
    /// How shares follow from what was measured.
    pub formula: &'static str,
    /// Each engine's structure keys.
    pub keys: Vec<EngineKeys>,
    /// Each engine's share.
    pub engines: Vec<EngineShare>,
    /// The same in words, sentence by sentence.
    pub words: Vec<String>,
}

/// What the sieve takes of a job on one engine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EngineShare {
    /// The engine.
    pub engine: &'static str,
    /// Its device.
    pub device: String,
    /// Products it sieves a second, end to end.
    pub sieved_per_second: f64,
    /// The sieve's share of a job's work.
    pub share: f64,
    /// What it saves of a job's time against the cpu engine; less than nothing if it costs time. Not for
    /// the cpu engine, nor without it.
    pub saves: Option<f64>,
}

/// What an engine makes of structure keys, as `dedup` takes them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EngineKeys {
    /// The engine.
    pub engine: &'static str,
    /// Its device.
    pub device: String,
    /// Structure keys it makes a second, from SMILES in host memory to keys there.
    pub made_per_second: f64,
    /// How many times as many as the cpu engine; not for that engine, nor without it.
    pub times_cpu: Option<f64>,
}
