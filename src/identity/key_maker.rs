//! Structure keys of every molecule that RDKit can read.

use super::{reason::Reason, structure_keys::StructureKeys};
use crate::{
    chem::{RdKit, StructureKey},
    key::Key,
    reject::{RejectCode, Rejection},
};

/// How a key was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Computed from the text alone.
    Direct,
    /// Computed from the canonical SMILES that RDKit wrote.
    ByRdKit(Reason),
}

/// Precedes a canonical SMILES whose bytes are hashed; no other key is computed from text that begins so.
const BY_TEXT: u8 = 0;

/// Computes the key of every molecule that RDKit can read. Each thread has one.
#[derive(Debug)]
pub struct KeyMaker {
    keys: StructureKeys,
    rdkit: RdKit,
}

impl KeyMaker {
    /// Allocates the working memory.
    pub fn new(rdkit: RdKit) -> Self {
        Self {
            keys: StructureKeys::new(),
            rdkit,
        }
    }

    /// The key of a SMILES, and how it was computed. Fails with RDKit's message if RDKit can't read the SMILES.
    pub fn key(&mut self, smiles: &[u8]) -> Result<(Key, Way), Rejection> {
        match self.direct(smiles) {
            Ok(key) => Ok((key, Way::Direct)),
            Err(reason) => Ok((self.by_rdkit(smiles)?, Way::ByRdKit(reason))),
        }
    }

    /// The key from the text alone, where that is certain.
    pub fn direct(&mut self, smiles: &[u8]) -> Result<Key, Reason> {
        // A CXSMILES extension follows a space, which no text without RDKit has.
        self.keys
            .key(smiles)
            .map_err(|reason| match smiles.contains(&b' ') {
                true => Reason::Text,
                false => reason,
            })
    }

    /// The key from RDKit's canonical SMILES, with the enhanced stereo of a molecule that has some (CXSMILES), so that a
    /// racemate and its enantiomers are three molecules. Fails with RDKit's message if RDKit can't read the text.
    ///
    /// So a molecule has the same key whether or not its text needed RDKit.
    pub fn by_rdkit(&mut self, smiles: &[u8]) -> Result<Key, Rejection> {
        let text = std::str::from_utf8(smiles)
            .map_err(|_| RejectCode::Encoding.because("the SMILES is not UTF-8"))?;
        let canonical = self.rdkit.identity_smiles(text)?;
        if canonical.is_empty() {
            return Err(RejectCode::Empty.because("the molecule has no atoms"));
        }
        Ok(self.of_canonical(canonical.as_bytes()).0)
    }

    /// The key of a SMILES that RDKit has written, perhaps followed by enhanced stereo. The reason is set if the key is
    /// a hash of the text's bytes.
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

impl StructureKey for KeyMaker {
    fn direct(&mut self, smiles: &[u8]) -> Option<Key> {
        Self::direct(self, smiles).ok()
    }

    fn canonical(&mut self, smiles: &[u8]) -> (Key, Option<usize>) {
        let (key, reason) = self.of_canonical(smiles);
        (key, reason.map(|reason| reason as usize))
    }
}
