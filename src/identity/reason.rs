//! Why a key needs RDKit.

use crate::{limits::KEY_REASONS_MAX, named::named};

named! {
    /// Why a key can't be computed without RDKit.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
    pub enum Reason {
        /// The text is not SMILES as far as this module knows SMILES.
        Text = "text",
        /// The molecule has more atoms than there is room for.
        Size = "size",
        /// An atom has more neighbours than there is room for.
        Degree = "degree",
        /// `*`, or a symbol that is no element.
        Wildcard = "wildcard",
        /// An atom map number.
        AtomMap = "atom map",
        /// A valence that is not certain: radicals, bonds of metals, uncommon charges, errors.
        Valence = "valence",
        /// Hydrogens written as atoms that are not bonded to exactly one heavy atom, or that have a mark.
        Hydrogen = "hydrogen",
        /// Aromatic atoms without a Kekulé form, or of an uncommon kind.
        Aromatic = "aromatic",
        /// Double bonds that can be assigned in more than one way.
        Bonds = "bonds",
        /// Stereo marks of double bonds that contradict each other.
        Marks = "marks",
        /// Stereo centres that are not tetrahedral, or of uncommon elements, or with neighbours that RDKit may rank
        /// equal.
        Chirality = "chirality",
        /// A stereo mark on a nitrogen that several rings share.
        NitrogenCentre = "nitrogen centre",
        /// Ring stereo centres of which only some have a mark.
        RingStereo = "ring stereo",
        /// The molecule is so symmetric that distinguishing its atoms takes too long.
        Symmetry = "symmetry",
    }
}

const _: () = assert!(Reason::ALL.len() <= KEY_REASONS_MAX);
