//! The structure key: one key for each molecule, whichever way its SMILES is written, computed without RDKit.
//!
//! Two SMILES have the same key exactly when RDKit writes the same canonical SMILES for both. A molecule is defined,
//! independent of its Kekulé or aromatic form, by its elements, isotopes, charges, hydrogens, skeleton, and the number
//! of electron pairs beyond single bonds at each atom. Stereo is added to that as RDKit perceives it. A molecule that
//! can't be decided here with certainty has a [`Reason`], and RDKit decides it ([`KeyMaker`]). docs/identity.md has
//! the definition and the evidence.
//!
//! | module | contents |
//! |---|---|
//! | `structure_keys` | keys from the text alone: the steps below, in order |
//! | `quick_text`, `text` | read SMILES: nearly all quickly, and the rest |
//! | `rings`, `bracket` | ring closures, and atoms in brackets |
//! | `elements` | symbols and valences of elements |
//! | `valence` | hydrogens, nitro groups, valences |
//! | `bonds` | assigns double and triple bonds, from the atoms alone |
//! | `bridges` | bonds that are the only connection of two parts |
//! | `six_rings` | aromatic rings in which the Kekulé form does not matter |
//! | `atom`, `molecule`, `list` | the molecule as flat arrays, and lists of its atoms |
//! | `colours`, `shown`, `refine` | colours of atoms, and their refinement |
//! | `avx2`, `avx512`, `simd` | the refinement of four or eight atoms at a time, and which instructions there are |
//! | `aromatic` | rings in which stereo marks do not count |
//! | `key_kind` | the two kinds of key a job can use |
//! | `kinds` | differences that RDKit's ranks always see |
//! | `stereo`, `stereo_centre`, `stereo_bond` | which marks are stereo, and what they add to colours |
//! | `amenable` | whether the colours identify a molecule |
//! | `canon` | from colours to the key |
//! | `reason` | why a key needs RDKit |
//! | `quick_clean` | what cleaning makes of a molecule, where that is known without RDKit |
//! | `key_maker` | keys of every molecule that RDKit can read |

mod amenable;
mod aromatic;
mod atom;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bonds;
mod bracket;
mod bridges;
mod canon;
mod colours;
#[cfg(test)]
mod device;
mod elements;
mod key_kind;
mod key_maker;
mod kinds;
mod list;
mod molecule;
mod quick_clean;
mod quick_text;
mod reason;
mod refine;
mod rings;
mod shown;
#[cfg(target_arch = "x86_64")]
mod simd;
mod six_rings;
mod stereo;
mod stereo_bond;
mod stereo_centre;
mod structure_keys;
mod text;
mod valence;

pub use key_kind::KeyKind;

pub use canon::DEFINITION;
pub use key_maker::{KeyMaker, Way};
pub use quick_clean::{CleanOutcome, QuickCleaner};
pub use reason::Reason;
pub use structure_keys::StructureKeys;
