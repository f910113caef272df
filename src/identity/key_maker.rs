//! Structure keys of every molecule that RDKit can read.

use super::{reason::Reason, structure_keys::StructureKeys};
use crate::{chem::RdKit, key::Key};

/// How a key was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the text alone.
    Direct,
    /// RDKit wrote the canonical SMILES first.
    ByRdKit(Reason),
}

/// In front of a canonical SMILES that has no key of its own; no other key is made from text that begins so.
const BY_TEXT: u8 = 0;

/// Makes keys of everything that RDKit can read.
#[derive(Debug)]
pub struct KeyMaker {
    keys: StructureKeys,
    rdkit: RdKit,
}

impl KeyMaker {
    /// One for a thread.
    pub fn new(rdkit: RdKit) -> Self {
        Self {
            keys: StructureKeys::new(),
            rdkit,
        }
    }

    /// The key of a SMILES, and how it was made. The error: RDKit can't read it.
    pub fn key(&mut self, smiles: &[u8]) -> Result<(Key, Way), String> {
        match self.direct(smiles) {
            Ok(key) => Ok((key, Way::Direct)),
            Err(reason) => Ok((self.by_rdkit(smiles)?, Way::ByRdKit(reason))),
        }
    }

    /// The key from the text alone, where that is certain.
    pub fn direct(&mut self, smiles: &[u8]) -> Result<Key, Reason> {
        // An extension of CXSMILES stands behind a blank.
        if smiles.contains(&b' ') {
            return Err(Reason::Text);
        }
        self.keys.key(smiles)
    }

    /// The key from RDKit's canonical SMILES, and from the enhanced stereo of a molecule that has some
    /// (CXSMILES), so that a racemate and its enantiomers are three molecules. The error: RDKit can't read the text.
    ///
    /// So whether a text is written in a way that is RDKit's business has no bearing on its key.
    pub fn by_rdkit(&mut self, smiles: &[u8]) -> Result<Key, String> {
        let text = std::str::from_utf8(smiles).map_err(|_| "the SMILES is not UTF-8".to_owned())?;
        let canonical = self.rdkit.identity_smiles(text)?;
        if canonical.is_empty() {
            return Err("the molecule has no atoms".into());
        }
        Ok(self.of_canonical(canonical.as_bytes()).0)
    }

    /// The key of a SMILES that RDKit has written, perhaps with enhanced stereo behind it, and why it is made of its bytes, if it is.
    pub fn of_canonical(&mut self, canonical: &[u8]) -> (Key, Option<Reason>) {
        match self.direct(canonical) {
            Ok(key) => (key, None),
            Err(reason) => {
                let mut bytes = Vec::with_capacity(canonical.len() + 1);
                bytes.push(BY_TEXT);
                bytes.extend_from_slice(canonical);
                (Key::of(&bytes), Some(reason))
            }
        }
    }
}
