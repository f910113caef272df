//! Cleaning by RDKit's MolStandardize.

use cxx::UniquePtr;

use super::{ChemistryError, RdKit, answer, bridge::ffi, check_text, code};
use crate::{
    cleaning::{CleanStep, CleanSteps},
    limits::TAUTOMER_ATOMS_MAX,
    reject::Rejection,
};

/// A molecule that cleaning has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// Its canonical SMILES.
    pub smiles: String,
    /// The steps that changed it.
    pub steps: CleanSteps,
    /// Whether its enhanced stereo (CXSMILES) is lost.
    pub drops_stereo_groups: bool,
}

/// What RDKit says of a molecule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The molecule after cleaning; `None` if that is the molecule as read.
    pub cleaned: Option<Cleaned>,
    /// Whether RDKit stopped before it had all tautomers.
    pub tautomers_capped: bool,
}

/// Cleans molecules on one thread.
pub struct Cleaner {
    inner: UniquePtr<ffi::Cleaner>,
}

impl Cleaner {
    /// Builds what the steps need.
    pub fn new(_: RdKit, steps: CleanSteps) -> Result<Self, ChemistryError> {
        let inner = ffi::new_cleaner(steps.bits(), TAUTOMER_ATOMS_MAX)
            .map_err(|error| ChemistryError::Failed(error.what().to_owned()))?;
        Ok(Self { inner })
    }

    /// The same, or `None` where there are no steps.
    pub fn of_steps(rdkit: RdKit, steps: CleanSteps) -> Result<Option<Self>, ChemistryError> {
        let wanted = !steps.is_empty();
        wanted.then(|| Self::new(rdkit, steps)).transpose()
    }

    /// Cleans the molecule of a SMILES.
    pub fn clean(&mut self, smiles: &[u8]) -> Result<Answer, Rejection> {
        check_text(smiles)?;
        cleaned(self.inner.pin_mut().clean(smiles))
    }

    /// Cleans the molecule of a mol block.
    pub fn clean_mol_block(&mut self, block: &[u8]) -> Result<Answer, Rejection> {
        cleaned(self.inner.pin_mut().clean_mol_block(block))
    }

    /// The canonical SMILES of a SMILES without an extension: fast where that is proved to be the same.
    pub fn canonical(&mut self, smiles: &[u8]) -> Result<String, Rejection> {
        answer(self.inner.pin_mut().canonical(smiles))
    }
}

fn cleaned(answer: ffi::CleanAnswer) -> Result<Answer, Rejection> {
    if let Some(code) = code(answer.failure) {
        return Err(code.because(answer.text));
    }
    let mut steps = CleanSteps::of_bits(answer.steps);
    if steps.is_empty() {
        steps = [CleanStep::Cleanup].into_iter().collect();
    }
    let cleaned = Cleaned {
        smiles: answer.text,
        steps,
        drops_stereo_groups: answer.drops_groups,
    };
    Ok(Answer {
        cleaned: answer.changed.then_some(cleaned),
        tautomers_capped: answer.capped,
    })
}
