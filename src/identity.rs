//! The structure key: one key for one molecule, however its SMILES is written, without RDKit.
//!
//! Two SMILES have the same key exactly when RDKit writes the same canonical SMILES for both. Elements, isotopes,
//! charges, hydrogens, the skeleton and the number of electron pairs beyond single bonds at each atom pin a
//! molecule down whatever its Kekulé or aromatic form; stereo comes on top of that as RDKit perceives it. What
//! cannot be decided here with certainty has a [`Reason`] and goes to RDKit ([`KeyMaker`]). docs/identity.md is the
//! definition and the evidence.
//!
//! | module | what |
//! |---|---|
//! | `text` | the text |
//! | `valence` | hydrogens, nitro groups, valences |
//! | `bonds` | where double bonds are, from the atoms alone |
//! | `bridges` | bonds that alone hold two parts together |
//! | `six_rings` | aromatic rings in which the form does not matter |
//! | `refine` | colours of atoms |
//! | `aromatic` | rings in which no mark counts |
//! | `avx512` | colours, eight atoms at a time |
//! | `kinds` | what RDKit's ranks tell apart at least |
//! | `stereo` | which marks count, and what they say |
//! | `canon` | from colours to the key |
//! | `amenable` | whether colours tell a molecule, by the cells of atoms that look alike |

mod amenable;
mod aromatic;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bonds;
mod bridges;
mod canon;
#[cfg(test)]
mod device;
mod elements;
mod kinds;
mod molecule;
mod refine;
mod six_rings;
mod stereo;
mod text;
mod valence;

use bonds::Settler;
use canon::Canon;
use kinds::Kinds;
use molecule::{Atom, CARBON, Molecule};
use refine::{Colours, Sight, begin, mix, refine};
use stereo::Stereo;
use text::Reader;
use valence::Usual;

use crate::{
    chem::RdKit,
    key::Key,
    limits::KEY_REASONS_MAX,
    reject::{RejectCode, Rejection},
};

/// Why a key can't be told without RDKit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Reason {
    /// Nothing that is known here to be SMILES.
    #[error("text")]
    Text,
    /// More atoms than there is room for.
    #[error("size")]
    Size,
    /// More neighbours than there is room for.
    #[error("degree")]
    Degree,
    /// `*`, or an element that is none.
    #[error("wildcard")]
    Wildcard,
    /// An atom map number.
    #[error("atom map")]
    AtomMap,
    /// A valence that is not certain: radicals, bonds of metals, uncommon charges, faults.
    #[error("valence")]
    Valence,
    /// Hydrogens as atoms that are not hydrogens of one heavy atom, or that bear a mark.
    #[error("hydrogen")]
    Hydrogen,
    /// Aromatic atoms for which no form with double bonds is found, or of an uncommon kind.
    #[error("aromatic")]
    Aromatic,
    /// Double bonds that may lie in more than one way.
    #[error("bonds")]
    Bonds,
    /// Marks of double bonds that contradict each other.
    #[error("marks")]
    Marks,
    /// Centres that are not tetrahedral, or of uncommon elements, or beside what RDKit may take for alike.
    #[error("chirality")]
    Chirality,
    /// A mark on a nitrogen where rings meet.
    #[error("nitrogen centre")]
    NitrogenCentre,
    /// Centres by a ring of which only some have a mark.
    #[error("ring stereo")]
    RingStereo,
    /// So symmetric that setting atoms apart takes too long.
    #[error("symmetry")]
    Symmetry,
}

impl Reason {
    /// All of them; a reason's number is its place.
    pub const ALL: [Self; 14] = [
        Self::Text,
        Self::Size,
        Self::Degree,
        Self::Wildcard,
        Self::AtomMap,
        Self::Valence,
        Self::Hydrogen,
        Self::Aromatic,
        Self::Bonds,
        Self::Marks,
        Self::Chirality,
        Self::NitrogenCentre,
        Self::RingStereo,
        Self::Symmetry,
    ];
}

const _: () = assert!(Reason::ALL.len() <= KEY_REASONS_MAX);

/// Which definition of a structure key this is. Keys of two definitions are not to be compared.
pub const DEFINITION: u8 = 2;

/// Makes keys without RDKit. One for a thread; nothing is allocated for a molecule.
#[derive(Debug)]
pub struct StructureKeys {
    mol: Molecule,
    reader: Reader,
    usual: Usual,
    settler: Settler,
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
    /// Room for the largest molecule.
    pub fn new() -> Self {
        Self {
            mol: Molecule::new(),
            reader: Reader::new(),
            usual: Usual::new(),
            settler: Settler::new(),
            colours: Colours::new(),
            stereo: Stereo::new(),
            kinds: Kinds::new(),
            canon: Canon::new(),
        }
    }

    /// The same, as a processor without AVX-512 makes the keys.
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
        self.settler.settle(&mut self.mol)?;
        self.colour()?;
        self.canon.key(&self.mol, &self.colours, &self.stereo)
    }

    /// Colours with all that is to be seen.
    fn colour(&mut self) -> Result<(), Reason> {
        let (mol, colours) = (&mut self.mol, &mut self.colours);
        if mol.any_turn || mol.any_side {
            // Charges of others show in their bonds and hydrogens too.
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

/// What ranks do not see is seen at last, on top of what they have set apart.
fn see_the_rest(mol: &mut Molecule, colours: &mut Colours) {
    let ranked = colours.of;
    begin(mol, Sight::Full, colours);
    for (colour, ranked) in colours.of[..mol.count].iter_mut().zip(ranked) {
        *colour = mix(*colour ^ ranked.rotate_left(17));
    }
    refine(mol, colours);
}

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
    pub fn key(&mut self, smiles: &[u8]) -> Result<(Key, Way), Rejection> {
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
    pub fn by_rdkit(&mut self, smiles: &[u8]) -> Result<Key, Rejection> {
        let text = std::str::from_utf8(smiles)
            .map_err(|_| RejectCode::Encoding.because("the SMILES is not UTF-8"))?;
        let canonical = self.rdkit.identity_smiles(text)?;
        if canonical.is_empty() {
            return Err(RejectCode::Empty.because("the molecule has no atoms"));
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
