//! The other side of the scales: what one core makes of molecules with RDKit.

use std::{path::Path, time::Instant};

use super::{
    BenchError, Chemistry, Effort,
    input::{MOLECULES, RULE},
};
use crate::{
    chem::{Progress, RdKit, TransformSettings, Transformer},
    limits::PRODUCTS_PER_PARENT_DEFAULT,
    rules::RuleSet,
    slot::{Slot, SlotLayout},
    trial::NOBODY,
};

/// The cheapest rule that there is work in: with it RDKit is fastest, and the sieve's share largest.
pub(super) fn measure(rdkit: RdKit, effort: Effort) -> Result<Chemistry, BenchError> {
    let rules = RuleSet::parse(Path::new("bench.toml"), RULE)?;
    let settings = TransformSettings {
        method: Default::default(),
        properties: false,
        products_per_parent_max: PRODUCTS_PER_PARENT_DEFAULT,
    };
    let mut transformer = Transformer::new(rdkit, &rules, settings)?;
    let mut slot = Slot::new(SlotLayout::smallest(false));
    let mut products = 0;
    let timing = effort.time(u32::MAX, &mut |passes| -> Result<_, BenchError> {
        let began = Instant::now();
        for _ in 0..passes {
            products = transform(&mut transformer, &mut slot)?;
        }
        Ok(began.elapsed())
    })?;
    transformer.end();
    Ok(Chemistry {
        rule: "[cH:1]>>[c:1]F",
        molecules: MOLECULES.len(),
        products,
        products_per_second_per_core: products as f64 / timing.seconds,
        repeats: timing.repeats,
    })
}

/// All molecules once; gives their products.
fn transform(transformer: &mut Transformer, slot: &mut Slot) -> Result<u64, BenchError> {
    let mut products = 0;
    for smiles in MOLECULES {
        transformer
            .begin(smiles.as_bytes())
            .map_err(BenchError::Molecule)?;
        loop {
            slot.clear();
            let parent = slot.push_parent(NOBODY).unwrap_or_default();
            let progress = transformer.fill(slot, parent)?;
            products += slot.rows() as u64;
            if progress == Progress::Finished {
                break;
            }
        }
    }
    Ok(products)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_molecule_is_canonical_and_answers_the_rule() {
        let rdkit = RdKit::initialise().unwrap();
        for smiles in MOLECULES {
            assert_eq!(rdkit.canonical_smiles(smiles).as_deref(), Some(smiles));
        }
        let chemistry = measure(rdkit, Effort { seconds: 0.001 }).unwrap();
        assert!(
            chemistry.products > 2 * MOLECULES.len() as u64,
            "{chemistry:?}"
        );
        assert!(
            chemistry.products_per_second_per_core > 100.0,
            "{chemistry:?}"
        );
    }
}
