//! For tests: compares molsieve's search for patterns with RDKit's.

use cxx::UniquePtr;

use super::bridge::ffi;

/// Patterns that molsieve and RDKit search for.
pub struct SearchCheck(UniquePtr<ffi::SearchCheck>);

impl SearchCheck {
    pub(super) fn new(smarts: &str, matches_max: u32) -> Self {
        cxx::let_cxx_string!(text = smarts);
        Self(ffi::new_search_check(&text, matches_max))
    }

    /// The first difference between the matches in a molecule.
    pub fn compare(&mut self, smiles: &str) -> Option<String> {
        cxx::let_cxx_string!(text = smiles);
        let difference = self.0.pin_mut().compare(&text);
        let difference = difference.to_string_lossy();
        (!difference.is_empty()).then(|| difference.into_owned())
    }

    /// SMARTS that are left to RDKit.
    pub fn left_to_rdkit(&self) -> Vec<String> {
        let lines = self.0.left_to_rdkit().to_string_lossy();
        lines.lines().map(str::to_owned).collect()
    }

    /// Patterns that are compared.
    pub fn patterns(&self) -> usize {
        self.0.patterns()
    }

    /// Searches compared so far.
    pub fn searches(&self) -> u64 {
        self.0.searches()
    }

    /// Matches that these found.
    pub fn matches(&self) -> u64 {
        self.0.matches()
    }

    /// Searches that were left to RDKit because a recursive SMARTS was at its limit.
    pub fn at_limit(&self) -> u64 {
        self.0.at_limit()
    }
}
