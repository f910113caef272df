//! Colours of atoms, and what each atom sees of its neighbours.

use bytemuck::Zeroable;

use super::{
    atom::{Atom, FEW, NO_ATOM, PLACES},
    shown::{LANES, Shown, ShownAt},
};

/// Entries of the table in which colours are counted.
pub(super) const TABLE: usize = 1024;

/// The bits by which a neighbour's colour is rotated for each order of the bond, so that orders differ.
pub(super) const ORDER_BITS: u64 = 11;

/// A colour per atom, and how many different ones there are.
#[derive(Debug, Zeroable)]
pub(super) struct Colours {
    /// 0 for [`NO_ATOM`].
    pub of: [u64; PLACES],
    pub distinct: usize,
    /// The colours of the next round.
    pub seen: [u64; PLACES],
    /// The colours of this and of the next round, as neighbours see them.
    pub shown: [Shown; 2],
    /// A hash table of atoms by colour.
    pub table: [u8; TABLE],
    /// After refinement: for each atom, the first atom of the same colour, or [`NO_ATOM`].
    pub representative: [u8; PLACES],
}

impl Colours {
    pub fn new() -> Self {
        Self {
            representative: [NO_ATOM; PLACES],
            ..Self::zeroed()
        }
    }

    /// Copies the colours of the atoms.
    pub fn copy_from(&mut self, other: &Self, atoms: usize) {
        // Lanes after the last atom are 0.
        let words = atoms.next_multiple_of(LANES);
        self.of[..words].copy_from_slice(&other.of[..words]);
    }

    pub fn same(&self, a: u8, b: u8) -> bool {
        self.of[usize::from(a)] == self.of[usize::from(b)]
    }
}

/// What atoms see.
#[derive(Debug, Zeroable)]
pub(super) struct Around {
    /// A byte per bond: the neighbour, and the bits by which its colour is rotated.
    pub near: [u64; PLACES],
    pub rotation: [u64; PLACES],
    /// For each of the first bonds, where [`Shown`] has what is seen.
    pub places: [[ShownAt; FEW]; PLACES],
    /// Whether an atom has more than [`FEW`] neighbours.
    pub wide: bool,
}

impl Around {
    pub fn new() -> Self {
        Self {
            places: [ShownAt::NOTHING; PLACES],
            ..Self::zeroed()
        }
    }

    #[inline(always)]
    pub fn set(&mut self, index: usize, atom: &Atom) {
        self.near[index] = u64::from_le_bytes(atom.neighbours);
        self.rotation[index] = u64::from_le_bytes(atom.assigned) * ORDER_BITS;
        self.wide |= usize::from(atom.degree) > FEW;
    }
}

/// A bit of first colours, which no property has.
pub(super) const FIRST: u64 = 1 << 63;

/// Mixes a word: every bit of the word affects every bit of the result, and different words stay different
/// (Moremur's constants; Pelle Evensen 2019).
pub(super) fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 27).wrapping_mul(MIX[0]);
    let word = (word ^ word >> 33).wrapping_mul(MIX[1]);
    word ^ word >> 27
}

pub(super) const MIX: [u64; 2] = [0x3c79_ac49_2ba7_b653, 0x1c69_b3f7_4ac4_ae35];
