//! Why a key needs RDKit.

use crate::limits::KEY_REASONS_MAX;

/// Why a key can't be computed without RDKit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum Reason {
    /// The text is not SMILES as far as this module knows SMILES.
    #[error("text")]
    Text,
    /// The molecule has more atoms than there is room for.
    #[error("size")]
    Size,
    /// An atom has more neighbours than there is room for.
    #[error("degree")]
    Degree,
    /// `*`, or a symbol that is no element.
    #[error("wildcard")]
    Wildcard,
    /// An atom map number.
    #[error("atom map")]
    AtomMap,
    /// A valence that is not certain: radicals, bonds of metals, uncommon charges, errors.
    #[error("valence")]
    Valence,
    /// Hydrogens written as atoms that are not bonded to exactly one heavy atom, or that have a mark.
    #[error("hydrogen")]
    Hydrogen,
    /// Aromatic atoms without a Kekulé form, or of an uncommon kind.
    #[error("aromatic")]
    Aromatic,
    /// Double bonds that can be assigned in more than one way.
    #[error("bonds")]
    Bonds,
    /// Stereo marks of double bonds that contradict each other.
    #[error("marks")]
    Marks,
    /// Stereo centres that are not tetrahedral, or of uncommon elements, or with neighbours that RDKit may rank equal.
    #[error("chirality")]
    Chirality,
    /// A stereo mark on a nitrogen that several rings share.
    #[error("nitrogen centre")]
    NitrogenCentre,
    /// Ring stereo centres of which only some have a mark.
    #[error("ring stereo")]
    RingStereo,
    /// The molecule is so symmetric that distinguishing its atoms takes too long.
    #[error("symmetry")]
    Symmetry,
}

impl Reason {
    /// All of them; a reason's number is its index.
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
