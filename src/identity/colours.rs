//! Colours of atoms, and what each atom sees of its neighbours.

use super::atom::{Atom, NO_ATOM, PLACES};

/// Places of the table in which colours are counted.
pub(super) const TABLE: usize = 1024;

/// By how many bits a colour is turned for each order of the bond by which it is seen, to set orders apart.
pub(super) const ORDER_BITS: u64 = 11;

/// A colour per atom, and how many different ones there are.
#[derive(Debug)]
pub(super) struct Colours {
    /// 0 for nobody.
    pub of: [u64; PLACES],
    pub distinct: usize,
    /// The next round's.
    pub seen: [u64; PLACES],
    /// Atoms at places that their colours say.
    pub table: [u8; TABLE],
    /// Per atom the first that has its colour, once they are refined and there are such; nobody's is nobody.
    pub like: [u8; PLACES],
}

impl Colours {
    pub fn new() -> Self {
        Self {
            of: [0; PLACES],
            distinct: 0,
            seen: [0; PLACES],
            table: [NO_ATOM; TABLE],
            like: [NO_ATOM; PLACES],
        }
    }

    pub fn same(&self, a: u8, b: u8) -> bool {
        self.of[usize::from(a)] == self.of[usize::from(b)]
    }
}

/// Where atoms look, a byte per slot: its neighbour, and by how many bits that one's colour is turned.
#[derive(Debug)]
pub(super) struct Around {
    pub near: [u64; PLACES],
    pub rotation: [u64; PLACES],
    /// Whether an atom has more than [`FEW`] neighbours.
    pub wide: bool,
}

impl Around {
    pub fn new() -> Self {
        Self {
            near: [u64::MAX; PLACES],
            rotation: [0; PLACES],
            wide: false,
        }
    }

    pub fn look(&mut self, index: usize, atom: &Atom) {
        self.near[index] = u64::from_le_bytes(atom.neighbours);
        self.rotation[index] = u64::from_le_bytes(atom.assigned) * ORDER_BITS;
        self.wide |= usize::from(atom.degree) > FEW;
    }
}

/// Neighbours that most atoms have at most.
pub(super) const FEW: usize = 4;

/// Mixes a word: every bit of it bears on every bit of the result, and different words stay different
/// (Moremur's constants; Pelle Evensen 2019).
pub(super) fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 27).wrapping_mul(MIX[0]);
    let word = (word ^ word >> 33).wrapping_mul(MIX[1]);
    word ^ word >> 27
}

pub(super) const MIX: [u64; 2] = [0x3c79_ac49_2ba7_b653, 0x1c69_b3f7_4ac4_ae35];
