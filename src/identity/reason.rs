//! Why a key needs RDKit.

use crate::slot::REASONS_MAX;

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

const _: () = assert!(Reason::ALL.len() <= REASONS_MAX);
