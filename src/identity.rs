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
mod atom;
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
mod key_maker;
mod kinds;
mod molecule;
mod reason;
mod refine;
#[cfg(target_arch = "x86_64")]
mod simd;
mod six_rings;
mod stereo;
mod structure_keys;
mod text;
mod valence;

pub use canon::DEFINITION;
pub use key_maker::{KeyMaker, Way};
pub use reason::Reason;
pub use structure_keys::StructureKeys;
