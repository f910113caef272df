//! Structure keys from the text alone.

use super::{
    atom::{Atom, CARBON},
    bonds::BondAssigner,
    canon::Canon,
    colours::{Colours, mix},
    kinds::Kinds,
    molecule::Molecule,
    reason::Reason,
    refine::{Sight, begin, refine},
    stereo::Stereo,
    text::Reader,
    valence::Usual,
};
use crate::key::Key;

/// Computes keys without RDKit. Each thread has one; a molecule allocates nothing.
#[derive(Debug)]
pub struct StructureKeys {
    mol: Molecule,
    reader: Reader,
    usual: Usual,
    bonds: BondAssigner,
    colours: Colours,
    stereo: Stereo,
    kinds: Kinds,
    canon: Canon,
}

impl Default for StructureKeys {
    fn default() -> Self {
        Self::new()
    }
}

impl StructureKeys {
    /// Allocates room for the largest molecule.
    pub fn new() -> Self {
        Self {
            mol: Molecule::new(),
            reader: Reader::new(),
            usual: Usual::new(),
            bonds: BondAssigner::new(),
            colours: Colours::new(),
            stereo: Stereo::new(),
            kinds: Kinds::new(),
            canon: Canon::new(),
        }
    }

    /// The same, without AVX-512.
    #[doc(hidden)]
    pub fn atom_by_atom() -> Self {
        let mut keys = Self::new();
        keys.mol.work_atom_by_atom();
        keys
    }

    /// The key of a SMILES.
    pub fn key(&mut self, smiles: &[u8]) -> Result<Key, Reason> {
        self.reader.read(smiles, &mut self.mol)?;
        self.usual.complete(&mut self.mol)?;
        self.bonds.assign(&mut self.mol)?;
        self.colour()?;
        self.canon.key(&self.mol, &self.colours, &self.stereo)
    }

    /// Colours the atoms, stereo included.
    fn colour(&mut self) -> Result<(), Reason> {
        let (mol, colours) = (&mut self.mol, &mut self.colours);
        if mol.any_chirality || mol.any_side {
            // The charges of other elements also show in their bonds and hydrogens.
            let hidden = |atom: &Atom| atom.number == CARBON && atom.charge != 0;
            let sight = if mol.atoms().iter().any(hidden) {
                Sight::Ranks
            } else {
                Sight::Full
            };
            begin(mol, sight, colours);
            refine(mol, colours);
            if self.stereo.perceive(mol, colours, &mut self.kinds)? {
                if sight == Sight::Ranks {
                    see_the_rest(mol, colours);
                    while self.stereo.say(mol, colours)? {
                        refine(mol, colours);
                    }
                }
                return Ok(());
            }
        }
        self.stereo.clear(mol.count);
        begin(mol, Sight::Full, colours);
        refine(mol, colours);
        Ok(())
    }
}

/// Adds to the colours what ranks do not see, on top of what ranks distinguish.
fn see_the_rest(mol: &mut Molecule, colours: &mut Colours) {
    let ranked = colours.of;
    begin(mol, Sight::Full, colours);
    for (colour, ranked) in colours.of[..mol.count].iter_mut().zip(ranked) {
        *colour = mix(*colour ^ ranked.rotate_left(17));
    }
    refine(mol, colours);
}
