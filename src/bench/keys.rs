//! Structure keys compared with RDKit's parser and canonical SMILES, on one core.

use std::time::Instant;

use super::{
    error::BenchError,
    measure::{Effort, median},
    report::KeyTimes,
};
use crate::{chem::RdKit, identity::StructureKeys, sieve::conformance::natural_products};

/// The shipped library: enough molecules that branch prediction can't memorise them, as it does a few dozen. Leaves out
/// the few whose keys need RDKit, which would compare RDKit with itself.
pub(super) fn molecules(keys: &mut StructureKeys) -> Vec<&'static str> {
    natural_products()
        .filter(|smiles| keys.key(smiles.as_bytes()).is_ok())
        .collect()
}

/// Passes over the molecules in each repeat of structure keys, so that the clock resolves them.
const PASSES: u32 = 10;

pub(super) fn measure(rdkit: RdKit, effort: Effort) -> Result<KeyTimes, BenchError> {
    let mut keys = StructureKeys::new();
    let molecules = molecules(&mut keys);
    let (mut structure, mut rdkit_times) = (Vec::new(), Vec::new());
    effort.time(u32::MAX, &mut |passes| -> Result<_, BenchError> {
        let all = Instant::now();
        for _ in 0..passes {
            let began = Instant::now();
            for _ in 0..PASSES {
                for smiles in &molecules {
                    std::hint::black_box(keys.key(smiles.as_bytes()).ok());
                }
            }
            structure.push(began.elapsed().as_secs_f64() / f64::from(PASSES));
            let began = Instant::now();
            for smiles in &molecules {
                std::hint::black_box(rdkit.canonical_smiles(smiles).ok());
            }
            rdkit_times.push(began.elapsed().as_secs_f64());
        }
        Ok(all.elapsed())
    })?;
    let per_molecule = |seconds: &mut [f64]| 1e6 * median(seconds) / molecules.len() as f64;
    let repeats = structure.len();
    let (structure, rdkit) = (per_molecule(&mut structure), per_molecule(&mut rdkit_times));
    Ok(KeyTimes {
        molecules: molecules.len(),
        structure,
        rdkit,
        times_as_fast: rdkit / structure,
        repeats,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_molecule_has_a_key_of_its_own_and_is_measured() {
        let mut keys = StructureKeys::new();
        let molecules = molecules(&mut keys);
        assert!(molecules.len() > 610, "{}", molecules.len());
        let all: std::collections::BTreeSet<_> = molecules
            .iter()
            .map(|smiles| keys.key(smiles.as_bytes()).unwrap())
            .collect();
        assert_eq!(all.len(), molecules.len());
        let rdkit = RdKit::initialise().unwrap();
        let times = measure(rdkit, Effort { seconds: 0.001 }).unwrap();
        assert!(
            times.structure > 0.1 && times.times_as_fast > 5.0,
            "{times:?}"
        );
    }
}
