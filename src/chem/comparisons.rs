//! For tests: compares molsieve's own ways with RDKit's, within one process.

use cxx::UniquePtr;

use super::{RdKit, bridge::ffi};

impl RdKit {
    /// For tests: how the molecule of the fast parser differs from that of RDKit's own, `None` if it does not; and
    /// whether RDKit's parser was not needed.
    #[doc(hidden)]
    pub fn parse_differs(self, smiles: &str) -> (Option<String>, bool) {
        cxx::let_cxx_string!(text = smiles);
        let mut fast = false;
        let difference = ffi::parse_differs(&text, &mut fast);
        let difference = difference.to_string_lossy();
        (
            (!difference.is_empty()).then(|| difference.into_owned()),
            fast,
        )
    }

    /// For tests: two texts of a molecule, written with its atoms in its own order and in so many others, that differ although
    /// one was said to be the same for any order; and whether that was said of the first.
    #[doc(hidden)]
    pub fn settled_text_differs(self, smiles: &str, orders: u32) -> (Option<String>, bool) {
        cxx::let_cxx_string!(text = smiles);
        let mut settled = false;
        let difference = ffi::settled_text_differs(&text, orders, &mut settled);
        let difference = difference.to_string_lossy();
        (
            (!difference.is_empty()).then(|| difference.into_owned()),
            settled,
        )
    }

    /// For tests: compares molsieve's search for SMARTS, one a line, with RDKit's, up to a number of matches.
    #[doc(hidden)]
    pub fn search_check(self, smarts: &str, matches_max: u32) -> SearchCheck {
        SearchCheck::new(smarts, matches_max)
    }

    /// For tests: the SMARTS of RDKit's catalogues of alerts, one a line.
    #[doc(hidden)]
    pub fn catalogue_smarts(self) -> String {
        ffi::catalogue_smarts().to_string_lossy().into_owned()
    }
}

/// Patterns that molsieve and RDKit search for.
pub struct SearchCheck(UniquePtr<ffi::SearchCheck>);

impl SearchCheck {
    fn new(smarts: &str, matches_max: u32) -> Self {
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
