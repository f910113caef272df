//! `--check N`: draws N distinct molecules by their keys and compares every row of theirs with RDKit.
//!
//! The N keys with the least ranks are drawn; a rank is a hash of the key. So every row of a drawn molecule is checked,
//! repeats included, and the draw depends on the library alone. Two things can be wrong: two rows have one key and two
//! canonical SMILES, or a row and its own canonical SMILES have two keys.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{
    chem::RdKit,
    identity::KeyMaker,
    key::Key,
    report::manifest::{CheckAccount, Disagreement},
};

/// Disagreements that are listed; all are counted.
const LISTED_MAX: usize = 1_000;

pub(super) struct Checks {
    molecules_max: usize,
    rdkit: RdKit,
    /// Keys of a higher rank are not drawn.
    rank_max: AtomicU64,
    sample: Mutex<Sample>,
}

#[derive(Default)]
struct Sample {
    /// At most one more than are wanted.
    molecules: BTreeMap<(u64, Key), Checked>,
    disagreements: u64,
    listed: Vec<Disagreement>,
}

struct Checked {
    /// A hash of the canonical SMILES, so that every molecule takes the same memory.
    canonical: Key,
    row: u64,
    rows: u64,
}

impl Checks {
    /// None, if none are wanted.
    pub(super) fn new(molecules: u64, rdkit: RdKit) -> Option<Self> {
        (molecules > 0).then(|| Self {
            molecules_max: molecules as usize,
            rdkit,
            rank_max: AtomicU64::new(u64::MAX),
            sample: Mutex::default(),
        })
    }

    /// Whether to check the rows of this key.
    pub(super) fn wants(&self, key: Key) -> bool {
        rank(key) <= self.rank_max.load(Relaxed)
    }

    /// Compares a row with RDKit.
    pub(super) fn look(&self, row: u64, smiles: &str, key: Key, keys: &mut KeyMaker) {
        let canonical = self.rdkit.identity_smiles(smiles).ok();
        let mut same = |canonical: &String| {
            keys.key(canonical.as_bytes())
                .is_ok_and(|(own, _)| own == key)
        };
        let fault = match &canonical {
            None => Some("RDKit cannot read it"),
            Some(canonical) if !same(canonical) => Some("its canonical SMILES has another key"),
            Some(_) => None,
        };
        let mut sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        let disagreement = |fault: &str, other_row| Disagreement {
            fault: String::from(fault),
            row,
            smiles: smiles.into(),
            canonical: canonical.clone(),
            other_row,
        };
        if let Some(fault) = fault {
            sample.disagree(disagreement(fault, None));
        }
        let form = Key::of(canonical.as_deref().unwrap_or_default().as_bytes());
        let first = Checked {
            canonical: form,
            row,
            rows: 0,
        };
        let held = sample.molecules.entry((rank(key), key)).or_insert(first);
        held.rows += 1;
        if held.canonical != form {
            let other_row = Some(held.row);
            sample.disagree(disagreement("another molecule has the same key", other_row));
        }
        if sample.molecules.len() > self.molecules_max {
            sample.molecules.pop_last();
            if let Some((&(rank, _), _)) = sample.molecules.last_key_value() {
                self.rank_max.store(rank, Relaxed);
            }
        }
    }

    /// The result so far.
    pub(super) fn account(&self) -> CheckAccount {
        let sample = self.sample.lock().unwrap_or_else(PoisonError::into_inner);
        CheckAccount {
            molecules: sample.molecules.len() as u64,
            decisions: sample
                .molecules
                .values()
                .map(|molecule| molecule.rows)
                .sum(),
            disagreements: sample.disagreements,
            listed: sample.listed.clone(),
        }
    }
}

impl Sample {
    fn disagree(&mut self, disagreement: Disagreement) {
        self.disagreements += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(disagreement);
        }
    }
}

/// Draws keys evenly whatever they are made of.
fn rank(key: Key) -> u64 {
    Key::of(&key.bytes()).words()[0]
}
