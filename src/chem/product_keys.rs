//! Structure keys of products, for a transformer that writes SMILES directly. The identity of a molecule is computed in
//! a module that needs this one, so a transformer is given what computes it.

use crate::key::Key;

/// Computes the structure keys of the products of one thread.
pub trait StructureKey {
    /// The key from the text alone, if that is certain.
    fn direct(&mut self, smiles: &[u8]) -> Option<Key>;
    /// The key of a canonical SMILES; and, if it is a hash of the text, the number of the reason.
    fn canonical(&mut self, smiles: &[u8]) -> (Key, Option<usize>);
}

/// What a transformer makes structure keys with.
pub struct ProductKeys(Box<dyn StructureKey + Send>);

impl ProductKeys {
    /// With this maker of keys.
    pub fn new(maker: impl StructureKey + Send + 'static) -> Self {
        Self(Box::new(maker))
    }
}

/// Stands for no reason in C++.
const NO_REASON: u32 = u32::MAX;

pub(super) fn direct_key(
    keys: &mut ProductKeys,
    smiles: &[u8],
    low: &mut u64,
    high: &mut u64,
) -> bool {
    match keys.0.direct(smiles) {
        Some(key) => {
            [*low, *high] = key.words();
            true
        }
        None => false,
    }
}

pub(super) fn canonical_key(
    keys: &mut ProductKeys,
    smiles: &[u8],
    low: &mut u64,
    high: &mut u64,
) -> u32 {
    let (key, reason) = keys.0.canonical(smiles);
    [*low, *high] = key.words();
    reason.map_or(NO_REASON, |reason| reason as u32)
}
