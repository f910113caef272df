//! `--check N`: of N distinct molecules, drawn by their keys, RDKit is asked about every row.
//!
//! The N keys with the least ranks are drawn, a rank being a hash of the key. So every row of a molecule that is
//! drawn is looked at, those that were dropped as repeats above all, and which are drawn depends on the library
//! alone. Two things can be wrong: two rows have one key and two canonical SMILES, or a row and its own canonical
//! SMILES have two keys.

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

/// See the module's documentation.
pub(super) struct Checks {
    molecules_max: usize,
    rdkit: RdKit,
    /// Keys of a higher rank are not drawn.
    rank_max: AtomicU64,
    sample: Mutex<Sample>,
}

#[derive(Default)]
struct Sample {
    /// At most as many as are wanted, and one.
    molecules: BTreeMap<(u64, Key), Checked>,
    disagreements: u64,
    listed: Vec<Disagreement>,
}

struct Checked {
    /// A hash of the canonical SMILES: what is kept of a molecule has one size.
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

    /// Whether a row of this key is to be looked at.
    pub(super) fn wants(&self, key: Key) -> bool {
        rank(key) <= self.rank_max.load(Relaxed)
    }

    /// Has RDKit look at a row.
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

    /// What came of it so far.
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
