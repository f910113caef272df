//! `--clean`: molecules of the library are cleaned before anything else is done with them.
//!
//! [`QuickCleaner`] decides most of them from the text; RDKit's MolStandardize cleans the others, and one in
//! [`CLEANED_CHECKED_ONE_IN`] of the first as well. If the two disagree, the row is rejected with both SMILES.

use super::{error::PipelineError, resources::WorkerPorts};
use crate::{
    account::Account,
    chem::{Cleaned, Cleaner},
    cleaning::CleanSteps,
    identity::{CleanOutcome, QuickCleaner},
    key::Key,
    limits::CLEANED_CHECKED_ONE_IN,
    reject::{RejectCode, Rejection},
    table::source::{ParentRow, TextKind},
};

/// Cleans the molecules of one thread.
pub(super) struct Cleaning {
    cleaner: Cleaner,
    quick: QuickCleaner,
}

/// What is known of a molecule before RDKit sees it.
#[derive(Clone, Copy)]
pub(super) struct Decision {
    outcome: CleanOutcome,
    /// Whether RDKit cleans the molecule whatever the outcome.
    checked: bool,
}

/// A molecule after cleaning.
#[derive(Default)]
pub(super) struct Clean {
    /// What it was changed to, if it was.
    pub(super) changed: Option<Cleaned>,
    /// Its structure key, if that is known.
    pub(super) key: Option<Key>,
    by_rdkit: bool,
    checked: bool,
    tautomers_capped: bool,
}

impl Decision {
    /// The structure key of a molecule that stays as it was read, if that is certain without RDKit.
    pub(super) fn unchanged(self) -> Option<Key> {
        match self.outcome {
            CleanOutcome::Unchanged(key) if !self.checked => Some(key),
            _ => None,
        }
    }
}

impl Cleaning {
    /// `None` if the job or the step does not clean.
    pub(super) fn new(ports: &WorkerPorts<'_>) -> Result<Option<Self>, PipelineError> {
        let steps = ports.job.spec.clean_steps_of(ports.step);
        let cleaner = Cleaner::of_steps(ports.job.rdkit, steps)?;
        Ok(cleaner.map(|cleaner| Self {
            cleaner,
            quick: QuickCleaner::new(steps),
        }))
    }

    /// What is known without RDKit of a row whose SMILES this is.
    pub(super) fn decide(&mut self, parent: ParentRow<'_>, smiles: &[u8]) -> Decision {
        let mut outcome = self.quick.decide(smiles);
        // RDKit may read more from a mol block than its SMILES says.
        if parent.kind == TextKind::MolBlock && !matches!(outcome, CleanOutcome::Unchanged(_)) {
            outcome = CleanOutcome::ByRdKit;
        }
        Decision {
            outcome,
            checked: is_drawn(parent.ordinal),
        }
    }

    /// Cleans a row that was decided just now. RDKit takes part.
    pub(super) fn finish(
        &mut self,
        decision: Decision,
        parent: ParentRow<'_>,
        smiles: &[u8],
    ) -> Result<Clean, Rejection> {
        let mut clean = match decision.outcome {
            CleanOutcome::ByRdKit => return self.by_rdkit(parent, smiles),
            CleanOutcome::Unchanged(key) => Clean {
                key: Some(key),
                ..Clean::default()
            },
            CleanOutcome::Changed {
                key,
                steps,
                centres,
            } => match self.write(steps, centres)? {
                Some(cleaned) => Clean {
                    changed: Some(cleaned),
                    key: Some(key),
                    ..Clean::default()
                },
                None => return self.by_rdkit(parent, smiles),
            },
        };
        if decision.checked {
            self.check(&clean, parent, smiles)?;
            clean.checked = true;
        }
        Ok(clean)
    }

    /// What the text of the quick cleaner is in canonical SMILES; `None` if it does not have these marked centres.
    fn write(
        &mut self,
        steps: CleanSteps,
        centres: Option<u8>,
    ) -> Result<Option<Cleaned>, Rejection> {
        let smiles = self.cleaner.canonical(self.quick.text())?;
        let written = centres_of(&smiles);
        let same = centres.is_none_or(|centres| usize::from(centres) == written);
        Ok(same.then_some(Cleaned {
            smiles,
            steps,
            drops_stereo_groups: false,
        }))
    }

    fn by_rdkit(&mut self, parent: ParentRow<'_>, smiles: &[u8]) -> Result<Clean, Rejection> {
        let answer = match parent.kind {
            TextKind::Smiles => self.cleaner.clean(smiles)?,
            TextKind::MolBlock => self.cleaner.clean_mol_block(parent.text)?,
        };
        Ok(Clean {
            changed: answer.cleaned,
            by_rdkit: true,
            tautomers_capped: answer.tautomers_capped,
            ..Clean::default()
        })
    }

    /// Compares an outcome with RDKit's.
    fn check(
        &mut self,
        clean: &Clean,
        parent: ParentRow<'_>,
        smiles: &[u8],
    ) -> Result<(), Rejection> {
        let text = |clean: &Clean| clean.changed.as_ref().map(|cleaned| cleaned.smiles.clone());
        let (own, rdkit) = (text(clean), text(&self.by_rdkit(parent, smiles)?));
        if own == rdkit {
            return Ok(());
        }
        let shown = |text: Option<String>| text.unwrap_or_else(|| "the molecule as it is".into());
        Err(RejectCode::Clean.because(format!(
            "molsieve cleans it to {}, RDKit to {}; please report it",
            shown(own),
            shown(rdkit)
        )))
    }
}

impl Clean {
    /// Counts the row.
    pub(super) fn count(&self, account: &mut Account) {
        let cleaning = &mut account.cleaning;
        cleaning.by_rdkit += u64::from(self.by_rdkit);
        cleaning.checked += u64::from(self.checked);
        cleaning.tautomers_capped += u64::from(self.tautomers_capped);
        if let Some(cleaned) = &self.changed {
            cleaning.count_changed(cleaned.steps);
            account.counts.parents_cleaned += 1;
            account.counts.enhanced_stereo_dropped += u64::from(cleaned.drops_stereo_groups);
        }
    }
}

/// Whether RDKit checks a row: one in [`CLEANED_CHECKED_ONE_IN`], by a hash of its place in the library.
fn is_drawn(ordinal: u64) -> bool {
    let hash = ordinal.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    hash.is_multiple_of(CLEANED_CHECKED_ONE_IN)
}

/// Marked centres of a SMILES: `@` or `@@`.
fn centres_of(smiles: &str) -> usize {
    smiles.matches('@').count() - smiles.matches("@@").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_are_counted_once() {
        for (smiles, centres) in [
            ("CC", 0),
            ("C[C@H](O)F", 1),
            ("C[C@@H](O)[C@@]1(N)[C@H](C)C1", 3),
        ] {
            assert_eq!(centres_of(smiles), centres);
        }
    }

    #[test]
    fn about_as_many_rows_are_checked_as_the_limit_says() {
        let drawn = (0..1_000_000).filter(|row| is_drawn(*row)).count();
        assert!((900..1_050).contains(&drawn), "{drawn}");
    }
}
