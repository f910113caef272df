//! Structure keys from the text alone.

use bytemuck::Zeroable;

use super::{
    atom::{Atom, CARBON},
    bonds::BondAssigner,
    canon::Canon,
    colours::{Colours, mix},
    kinds::Kinds,
    molecule::Molecule,
    quick_text::QuickReader,
    reason::Reason,
    refine::{Properties, begin, refine},
    stereo::Stereo,
    text::Reader,
    valence::ValenceTable,
};
use crate::key::Key;

/// Computes keys without RDKit. Each thread has one; a molecule allocates nothing.
#[derive(Debug)]
pub struct StructureKeys {
    /// The molecule of the last text that was read.
    pub(super) mol: Molecule,
    /// `None`: all texts are read by `reader`.
    quick_reader: Option<Box<QuickReader>>,
    reader: Reader,
    valences: ValenceTable,
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
            quick_reader: Some(QuickReader::new().into()),
            reader: Reader::new(),
            valences: ValenceTable::new(),
            bonds: BondAssigner::zeroed(),
            colours: Colours::new(),
            stereo: Stereo::zeroed(),
            kinds: Kinds::zeroed(),
            canon: Canon::new(),
        }
    }

    /// The same, in the plain way: with the instructions that every processor has, and with one reader for all texts.
    #[doc(hidden)]
    pub fn plain() -> Self {
        let mut keys = Self::new();
        keys.mol.use_plain_instructions();
        keys.quick_reader = None;
        keys
    }

    /// The key of a SMILES.
    pub fn key(&mut self, smiles: &[u8]) -> Result<Key, Reason> {
        #[cfg(target_arch = "x86_64")]
        if let Some(modern) = self.mol.modern {
            return modern.run(
                #[inline(always)]
                || self.key_of(smiles),
            );
        }
        self.key_of(smiles)
    }

    /// The same, compiled into the caller, for the instructions that the caller may use.
    #[inline(always)]
    pub(super) fn key_of(&mut self, smiles: &[u8]) -> Result<Key, Reason> {
        let quick_reader = self.quick_reader.as_mut();
        if !quick_reader.is_some_and(|reader| reader.read(smiles, &mut self.mol)) {
            self.reader.read(smiles, &mut self.mol)?;
        }
        self.valences.complete(&mut self.mol)?;
        self.bonds.assign(&mut self.mol)?;
        self.colour()?;
        self.canon.key(&self.mol, &mut self.colours, &self.stereo)
    }

    /// Colours the atoms, stereo included.
    #[inline(always)]
    fn colour(&mut self) -> Result<(), Reason> {
        let (mol, colours) = (&mut self.mol, &mut self.colours);
        if mol.any_chirality || mol.any_side {
            // The charges of other elements also show in their bonds and hydrogens.
            let hidden = |atom: &Atom| atom.number == CARBON && atom.charge != 0;
            let properties = if mol.atoms().iter().any(hidden) {
                Properties::Ranked
            } else {
                Properties::All
            };
            begin(mol, properties, colours);
            refine(mol, colours);
            if self.stereo.perceive(mol, colours, &mut self.kinds)? {
                if properties == Properties::Ranked {
                    add_hidden_properties(mol, colours);
                    while self.stereo.apply(mol, colours)? {
                        refine(mol, colours);
                    }
                }
                return Ok(());
            }
        }
        self.stereo.clear(mol.count);
        begin(mol, Properties::All, colours);
        refine(mol, colours);
        Ok(())
    }
}

/// Adds to the colours what ranks do not see, on top of what ranks distinguish.
fn add_hidden_properties(mol: &mut Molecule, colours: &mut Colours) {
    let ranked = colours.of;
    begin(mol, Properties::All, colours);
    for (colour, ranked) in colours.of[..mol.count].iter_mut().zip(ranked) {
        *colour = mix(*colour ^ ranked.rotate_left(17));
    }
    refine(mol, colours);
}
