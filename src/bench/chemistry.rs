//! RDKit's speed on one core, with which the sieve's speed is compared.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    error::BenchError,
    input::{MOLECULES, RULE},
    measure::{Effort, median},
    report::{Chemistry, StageTimes},
};
use crate::{
    chem::{ChemistryTimes, Method, ProductKeys, Progress, RdKit, TransformSettings, Transformer},
    identity::KeyMaker,
    property::PropertySet,
    rules::RuleSet,
    slot::{Slot, SlotParent},
};

/// Measures a cheap rule, with which RDKit is fast and the sieve's share is large. The fast method, with canonical SMILES and
/// with direct ones, and the reference alternate.
pub(super) fn measure(rdkit: RdKit, effort: Effort) -> Result<Chemistry, BenchError> {
    let rules = RuleSet::parse(Path::new("bench.toml"), RULE)?;
    let mut fast = Side::new(rdkit, &rules, Method::Fast)?;
    let mut reference = Side::new(rdkit, &rules, Method::Reference)?;
    let mut direct = Side::new(rdkit, &rules, Method::Fast)?;
    let keys = ProductKeys::new(KeyMaker::new(rdkit));
    direct.transformer.write_directly(keys);
    let mut slot = Slot::smallest(PropertySet::NONE);
    effort.time(u32::MAX, &mut |passes| -> Result<_, BenchError> {
        let began = Instant::now();
        for _ in 0..passes {
            fast.pass(&mut slot)?;
            direct.pass(&mut slot)?;
            reference.pass(&mut slot)?;
        }
        Ok(began.elapsed())
    })?;
    let (of_fast, of_reference) = (fast.medians(), reference.medians());
    let of_direct = direct.medians();
    Ok(Chemistry {
        rule: "[cH:1]>>[c:1]F",
        molecules: MOLECULES.len(),
        products: fast.products,
        products_per_second_per_core: 1e6 / of_fast.whole,
        repeats: fast.passes.len() - 1,
        times_as_fast_as_reference: of_reference.whole / of_fast.whole,
        fast: of_fast,
        reference: of_reference,
        direct_products_per_second_per_core: 1e6 / of_direct.whole,
        direct: of_direct,
    })
}

/// One method, and the time of its passes.
struct Side {
    transformer: Transformer,
    products: u64,
    passes: Vec<(Duration, ChemistryTimes)>,
}

impl Side {
    fn new(rdkit: RdKit, rules: &RuleSet, method: Method) -> Result<Self, BenchError> {
        let settings = TransformSettings {
            method,
            ..TransformSettings::default()
        };
        Ok(Self {
            transformer: Transformer::new(rdkit, rules, settings)?,
            products: 0,
            passes: Vec::new(),
        })
    }

    /// Transforms all molecules once.
    fn pass(&mut self, slot: &mut Slot) -> Result<(), BenchError> {
        let _ = self.transformer.take_times();
        let began = Instant::now();
        self.products = transform(&mut self.transformer, slot)?;
        self.transformer.end();
        self.passes
            .push((began.elapsed(), self.transformer.take_times()));
        Ok(())
    }

    /// Medians over all passes except the first, in which memory grows.
    fn medians(&self) -> StageTimes {
        let microseconds = |part: fn(&(Duration, ChemistryTimes)) -> Duration| {
            let passes = self.passes[1..].iter();
            let mut seconds: Vec<_> = passes.map(|pass| part(pass).as_secs_f64()).collect();
            1e6 * median(&mut seconds) / self.products as f64
        };
        StageTimes {
            parse: microseconds(|(_, times)| times.parse),
            find_sites: microseconds(|(_, times)| times.find_sites),
            react: microseconds(|(_, times)| times.react),
            finish: microseconds(|(_, times)| times.finish),
            write: microseconds(|(_, times)| times.write),
            keys: microseconds(|(_, times)| times.keys),
            whole: microseconds(|(whole, _)| *whole),
        }
    }
}

/// Transforms all molecules once. Returns the number of products.
fn transform(transformer: &mut Transformer, slot: &mut Slot) -> Result<u64, BenchError> {
    let mut products = 0;
    for smiles in MOLECULES {
        transformer
            .begin(0, smiles.as_bytes())
            .map_err(|rejection| BenchError::Molecule(rejection.reason))?;
        loop {
            slot.clear();
            let parent = slot.push_parent(SlotParent::default()).unwrap_or_default();
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
            assert_eq!(rdkit.canonical_smiles(smiles).as_deref(), Ok(smiles));
        }
        let chemistry = measure(rdkit, Effort { seconds: 0.05 }).unwrap();
        assert!(
            chemistry.products > 2 * MOLECULES.len() as u64,
            "{chemistry:?}"
        );
        assert!(
            chemistry.products_per_second_per_core > 100.0,
            "{chemistry:?}"
        );
        assert!(chemistry.times_as_fast_as_reference > 1.5, "{chemistry:?}");
        assert!(chemistry.direct.keys > 0.0, "{chemistry:?}");
        for stages in [chemistry.fast, chemistry.direct, chemistry.reference] {
            let sum = stages.named()[..6].iter().map(|stage| stage.1).sum::<f64>();
            // The stages are nearly all of the time, whatever else the machine does.
            assert!(
                sum > 0.5 * stages.whole && sum < 1.5 * stages.whole,
                "{stages:?}"
            );
        }
    }
}
