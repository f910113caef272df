//! Checkpoints: how far a run is, recorded when a part is closed, after [`CHECKPOINT_SECONDS`], and when the run
//! stops.
//!
//! Two sealed files (see [`crate::store::sealed`]) in `.molsieve/`: `job`, written once, identifies the
//! run ([`Identity`]); `checkpoint`, replaced each time, records how far it is ([`Checkpoint`]).
//! Everything a checkpoint refers to is on the disk before the checkpoint is: first a full part is published,
//! then the spills are synced, the rows of the open part among them, then the checkpoint is written. Whatever
//! was written after it is cut off when the run resumes, and made again. Nothing before it is made again, but
//! the open part is encoded again from its rows.
//!
//! [`CHECKPOINT_SECONDS`]: crate::limits::CHECKPOINT_SECONDS
//!
//! A checkpoint is taken where a batch of parents ends. Batches depend on the input alone and each begins in a
//! slot of its own, and a filter that is filled again from the keys is the same filter. So a resumed run
//! judges the same slots by the same bits.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use super::begun::{CHECKPOINT, JOB};
use super::{
    capped::Capped,
    error::PipelineError,
    in_work::{POISONED, Poisoned},
    job::Job,
};
use crate::{
    account::Account,
    chem::ChemistryTimes,
    config::written_path,
    identity::KeyKind,
    limits::{FINGERPRINT_BLOCK_BYTES, FINGERPRINT_BLOCKS},
    plan::Sizes,
    report::{manifest::Stages, timeline::Timeline},
    settle::{Lengths, rows::OpenBlock},
    store::{
        WORK_DIR,
        sealed::{self, hex},
        spill::SpillLength,
    },
    table::{
        sink::{Density, Part},
        source::SourceError,
    },
};

/// How far a run is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The step in work, of which the first is 1; 0 reads what the library itself holds.
    pub(super) step: usize,
    /// The steps before it.
    pub(super) done: Vec<StepDone>,
    /// Of the step in work.
    pub(super) phase: Phase,
    pub(super) parts: Vec<Part>,
    /// What encoding made of the last of them.
    pub(super) density: Density,
    pub(super) lengths: Lengths,
    pub(super) rejects: SpillLength,
    /// With `--duplicates`: the rows that were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seen: Option<SpillLength>,
    /// The rows of the open part.
    pub(super) part_rows: SpillLength,
    /// *Maybe* rows after the last whole block of their spill.
    pub(super) open_block: OpenBlock,
    /// Bytes of content that were in no part when the last part was closed.
    pub(super) unwritten_before: u64,
    /// The ordinals of the *maybe* rows that survive, once that is decided.
    pub(super) survivors: Option<SpillLength>,
    /// Their places among the new rows; where a step follows.
    pub(super) places: Option<SpillLength>,
    /// Parts published when the input was read: what follows is settled.
    pub(super) settled_from: usize,
    /// Of the step in work.
    pub(super) account: Account,
    pub(super) capped: Capped,
    pub(super) elapsed_seconds: f64,
    pub(super) stages: Stages,
    pub(super) chemistry: ChemistryTimes,
    pub(super) peak_memory_bytes: u64,
    /// Times the run was interrupted.
    pub(super) interruptions: u64,
    #[serde(default)]
    pub(super) timeline: Timeline,
}

impl Checkpoint {
    /// Where a run begins.
    pub(super) fn at_start(job: &Job) -> Self {
        Self {
            step: job.first_step(),
            ..Self::default()
        }
    }

    /// The parts, by number, of the step before the one in work.
    pub(super) fn parts_of_step_before(&self) -> Range<usize> {
        let ends: Vec<usize> = self.done.iter().map(|step| step.parts).collect();
        match ends.as_slice() {
            [.., begin, end] => *begin..*end,
            [end] => 0..*end,
            [] => 0..0,
        }
    }

    /// The steps that make products, done or in work, each with its number and account.
    pub(super) fn accounts(&self) -> impl Iterator<Item = (usize, &Account)> {
        let first = self.step - self.done.len();
        let accounts = self.done.iter().map(|step| &step.account);
        let numbered = (first..).zip(accounts.chain([&self.account]));
        numbered.filter(|(step, _)| *step > 0)
    }

    /// The account of all steps that make products.
    pub(super) fn total(&self) -> Account {
        sum(self.accounts())
    }

    /// The same without the step in work.
    pub(super) fn total_before(&self) -> Account {
        sum(self.accounts().filter(|(step, _)| *step < self.step))
    }
}

fn sum<'a>(accounts: impl Iterator<Item = (usize, &'a Account)>) -> Account {
    let mut sum = Account::default();
    accounts.for_each(|(_, account)| sum += account);
    sum
}

/// A step that is done.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StepDone {
    /// Parts published until it was done.
    pub(super) parts: usize,
    /// Parts published when its input was read: those that follow hold what settling has brought back.
    pub(super) settled_from: usize,
    /// The places of these rows among the others, if there are any.
    pub(super) places: Option<SpillLength>,
    /// Rejects kept until it was done.
    pub(super) rejects: u64,
    /// Time the run took until it was done.
    pub(super) elapsed_seconds: f64,
    pub(super) account: Account,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Reading the input, from this row on.
    Reading {
        /// 0-based row over all inputs.
        next_row: u64,
    },
    /// Settling, from the *maybe* row of this ordinal on.
    Settling {
        /// 0-based.
        next_row: u64,
    },
}

impl Default for Phase {
    fn default() -> Self {
        Self::Reading { next_row: 0 }
    }
}

/// How far a run is, as its output directory shows: equal values mean that the run made no progress.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    step: usize,
    phase: Option<Phase>,
    poisoned: usize,
}

impl Standing {
    /// That of the run in an output directory.
    pub fn of(output: &Path) -> Self {
        let work = output.join(WORK_DIR);
        // The next attempt reports a file that can't be read.
        let checkpoint: Option<Checkpoint> = sealed::read(&work, CHECKPOINT).ok().flatten();
        let poisoned: Option<Poisoned> = sealed::read(&work, POISONED).ok().flatten();
        Self {
            step: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.step),
            phase: checkpoint.map(|checkpoint| checkpoint.phase),
            poisoned: poisoned.map_or(0, |poisoned| poisoned.rows.len()),
        }
    }
}

/// What a run is: everything that its files depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Settings by flag.
    settings: BTreeMap<String, String>,
    /// SHA-256 of the rules and of the filters.
    rules: String,
    /// SHA-256 of the reagents that they use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reagents: Option<String>,
    inputs: Vec<InputIdentity>,
    /// Sizes that the plan chose, by name.
    sizes: BTreeMap<String, u64>,
    /// Whether it was resumed with a smaller filter.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    filter_changed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct InputIdentity {
    path: String,
    bytes: u64,
    /// SHA-256 of the file, or of blocks spread over a large one.
    fingerprint: String,
}

impl Identity {
    /// The identity of a job that is ready to run. Reads the inputs, large ones in part.
    pub fn of(job: &Job) -> Result<Self, PipelineError> {
        let (spec, plan) = (&job.spec, &job.plan);
        let mut settings = spec.identity();
        settings.extend([
            ("molsieve".into(), env!("CARGO_PKG_VERSION").into()),
            ("RDKit".into(), job.rdkit.version()),
            ("--key".into(), named_with_definition(spec.key())),
            (
                "--exclude".into(),
                format!("{} products of earlier runs", plan.estimate.excluded),
            ),
        ]);
        let inputs = job.library.files().iter().map(|file| {
            Ok(InputIdentity {
                path: written_path(&file.path).display().to_string(),
                bytes: file.bytes,
                fingerprint: fingerprint(&file.path, file.bytes)?,
            })
        });
        Ok(Self {
            settings,
            rules: rules_digest(job),
            reagents: (job.reagents.as_ref()).map(|reagents| reagents.digest().into()),
            inputs: inputs.collect::<Result<_, SourceError>>()?,
            sizes: Sizes::of(plan).named(),
            filter_changed: false,
        })
    }

    /// Returns an error with the difference if `begun`, the run to be resumed, is not the same run. Its plan has the sizes
    /// of `begun`, whatever its memory, but for a smaller filter.
    pub fn check_against(&self, begun: &Self, job: &Job) -> Result<(), PipelineError> {
        let changed = |what: String| Err(PipelineError::Changed(what));
        for (name, value) in &self.settings {
            let then = begun.settings.get(name);
            if then != Some(value) {
                let then = then.map_or("another", String::as_str);
                return changed(format!("{name} was {then} and is {value}"));
            }
        }
        if self.rules != begun.rules {
            return changed("the rules or the filters are others".into());
        }
        if self.reagents != begun.reagents {
            return changed("the reagents are others".into());
        }
        if self.inputs.len() != begun.inputs.len() {
            let (then, now) = (begun.inputs.len(), self.inputs.len());
            return changed(format!("it had {then} input files and has {now}"));
        }
        for (now, then) in self.inputs.iter().zip(&begun.inputs) {
            if (now.bytes, &now.fingerprint) != (then.bytes, &then.fingerprint) {
                return changed(format!("the input {} has changed", now.path));
            }
        }
        match Sizes::from_named(&begun.sizes) {
            Some(sizes) => {
                (sizes.refusal(&job.spec, job.plan.filter_products)).map_or(Ok(()), changed)
            }
            None => changed("its sizes are not known".into()),
        }
    }

    /// Whether the run was resumed with a smaller filter.
    pub(super) fn filter_changed(&self) -> bool {
        self.filter_changed
    }

    /// This identity as that of a run which was begun as `begun`, and whose filter does not fit the memory any more; `None`
    /// if it still has that filter.
    pub(super) fn with_other_filter(self, begun: &Self) -> Option<Self> {
        let filter_changed = true;
        (self.sizes != begun.sizes).then_some(Self {
            filter_changed,
            ..self
        })
    }
}

/// A `--key`, with its definition where that may change.
fn named_with_definition(key: KeyKind) -> String {
    match key.definition() {
        Some(number) => format!("{}, definition {number}", key.name()),
        None => key.name().into(),
    }
}

fn rules_digest(job: &Job) -> String {
    let mut hash = Sha256::new();
    let steps = 1..=job.spec.steps();
    for rule in steps.flat_map(|step| job.rules.of(step).rules()) {
        let require = rule.require.iter().map(String::as_str);
        let texts = [rule.name.as_str(), rule.smirks.as_str()].into_iter();
        let exclude = rule.exclude.iter().map(String::as_str);
        for text in texts.chain(exclude).chain(["require"]).chain(require) {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        hash.update([u8::from(rule.add_hydrogens)]);
        if rule.reactants > 1 {
            hash.update(&rule.parent);
            hash.update(rule.reagents.keys().copied().collect::<Vec<u8>>());
        }
    }
    for filters in job
        .filters
        .all()
        .iter()
        .filter(|filters| !filters.is_empty())
    {
        let text = serde_json::to_vec(filters).expect("filters are texts and numbers");
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hex(hash.finalize().as_slice())
}

/// SHA-256 of a file; of one that has more than [`FINGERPRINT_BLOCKS`] blocks, of that many, from the
/// first to the last at equal distances.
fn fingerprint(path: &Path, bytes: u64) -> Result<String, SourceError> {
    let unreadable = |error| SourceError::unreadable(path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let block_bytes = FINGERPRINT_BLOCK_BYTES as u64;
    let blocks = bytes.div_ceil(block_bytes).clamp(1, FINGERPRINT_BLOCKS);
    let last = bytes.saturating_sub(block_bytes);
    let mut hash = Sha256::new();
    let mut block = Vec::with_capacity(FINGERPRINT_BLOCK_BYTES);
    for i in 0..blocks {
        let at = (u128::from(last) * u128::from(i) / u128::from((blocks - 1).max(1))) as u64;
        block.clear();
        file.seek(SeekFrom::Start(at)).map_err(unreadable)?;
        (&mut file)
            .take(block_bytes)
            .read_to_end(&mut block)
            .map_err(unreadable)?;
        hash.update(&block);
    }
    Ok(hex(hash.finalize().as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_sees_every_byte_of_a_small_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.smi");
        let text: Vec<u8> = (0..200_000u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &text).unwrap();
        let whole = fingerprint(&path, text.len() as u64).unwrap();
        for at in [0, 65_535, 65_536, 131_072, 199_999] {
            let mut other = text.clone();
            other[at] ^= 1;
            std::fs::write(&path, &other).unwrap();
            let changed = fingerprint(&path, text.len() as u64).unwrap();
            assert_ne!(changed, whole, "{at}");
        }
    }
}
