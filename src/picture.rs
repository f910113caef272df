//! Pictures of rows: a product beside the parent that it was made of.

pub mod grid;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    chem::{
        RdKit,
        draw::{Depictor, Legends, Making, PictureSize, Pictures},
    },
    config::JobSettings,
    report::manifest::Manifest,
    rules::RuleSet,
    table::product::ProductRow,
};

/// Pixels of a picture.
pub const SIZE: PictureSize = PictureSize {
    width: 250,
    height: 190,
};

/// Draws rows of a run.
pub struct Painter {
    depictor: Depictor,
    /// By step and name.
    rules: BTreeMap<(u64, String), usize>,
    /// Why there are no rules, if the run has some.
    pub fault: Option<String>,
}

impl Painter {
    /// Draws rows whose rules are not known: nothing is highlighted.
    pub fn without_rules(rdkit: RdKit) -> Self {
        Self {
            depictor: Depictor::new(rdkit, SIZE),
            rules: BTreeMap::new(),
            fault: None,
        }
    }

    /// Reads the rules of a run, as far as its files still are where they were.
    pub fn of_run(rdkit: RdKit, directory: &Path, manifest: &Manifest) -> Self {
        let mut painter = Self::without_rules(rdkit);
        if manifest.rules > 0 {
            painter.fault = painter.read_rules(directory).err();
        }
        painter
    }

    fn read_rules(&mut self, directory: &Path) -> Result<(), String> {
        let settings = JobSettings::from_file(&directory.join("job.toml"));
        let spec = settings.and_then(JobSettings::check);
        let spec = spec.map_err(|error| error.to_string())?;
        let mut read: Vec<(&[PathBuf], usize)> = Vec::new();
        let mut number = 0;
        for step in 1..=spec.steps() {
            let files = spec.rules_of(step);
            let rules = RuleSet::load(files).map_err(|error| error.to_string())?;
            let known = read.iter().find(|(known, _)| *known == files);
            let first = known.map_or(number, |(_, first)| *first);
            for (place, rule) in rules.rules().iter().enumerate() {
                if first == number + place || known.is_none() {
                    let added = self.depictor.add_rule(rule);
                    added.map_err(|error| error.to_string())?;
                }
                let name = (step as u64, rule.name.clone());
                self.rules.insert(name, first + place);
            }
            if known.is_none() {
                read.push((files, first));
                number += rules.len();
            }
        }
        Ok(())
    }

    /// Draws a molecule and, if it was made of one, its parent.
    ///
    /// # Errors
    ///
    /// RDKit's reason if it can't read or draw one of them.
    pub fn draw(
        &mut self,
        smiles: &str,
        product: Option<&ProductRow>,
        legends: Legends,
    ) -> Result<Pictures, String> {
        let reagents = product.map_or(&[][..], |product| &product.reagents);
        let reagents = reagents.iter().map(|reagent| reagent.smiles.clone());
        let reagents: Vec<_> = reagents.collect();
        let making = product.map(|product| Making {
            parent: &product.parent_smiles,
            rule: (self.rules.get(&(product.step, product.rule.clone()))).copied(),
            site: product.site,
            reagents: &reagents,
        });
        self.depictor.draw(smiles, making, legends)
    }
}
