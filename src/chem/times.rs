//! What the chemistry of a job takes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The time that the chemistry took, and the number of products made on flat molecules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChemistryTimes {
    /// Parsing and sanitizing parents.
    pub parse: Duration,
    /// Finding the sites of rules.
    pub find_sites: Duration,
    /// Running reactions.
    pub react: Duration,
    /// Finishing products, so that their SMILES can be written.
    pub finish: Duration,
    /// Writing SMILES.
    pub write: Duration,
    /// Computing properties.
    #[serde(default)]
    pub describe: Duration,
    /// Making structure keys, of SMILES that are written directly.
    #[serde(default)]
    pub keys: Duration,
    /// Products made on flat molecules; RDKit made the others.
    #[serde(default)]
    pub on_graphs: u64,
    /// Products made on flat molecules and by RDKit too, with the same SMILES.
    #[serde(default)]
    pub checked: u64,
    /// Products whose properties RDKit had to compute.
    #[serde(default)]
    pub described_by_rdkit: u64,
    /// Searches for patterns in parents, on flat molecules.
    #[serde(default)]
    pub searches_on_graphs: u64,
    /// Searches for patterns in parents that RDKit did.
    #[serde(default)]
    pub searches_by_rdkit: u64,
}

impl std::ops::AddAssign for ChemistryTimes {
    fn add_assign(&mut self, other: Self) {
        self.parse += other.parse;
        self.find_sites += other.find_sites;
        self.react += other.react;
        self.finish += other.finish;
        self.write += other.write;
        self.describe += other.describe;
        self.keys += other.keys;
        self.on_graphs += other.on_graphs;
        self.checked += other.checked;
        self.described_by_rdkit += other.described_by_rdkit;
        self.searches_on_graphs += other.searches_on_graphs;
        self.searches_by_rdkit += other.searches_by_rdkit;
    }
}
