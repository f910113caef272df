//! An atom with its bonds, as flat arrays of fixed size.

/// Most atoms, hydrogens written as atoms among them, that a molecule may have here.
pub(super) const ATOMS_MAX: usize = 255;
/// Places of an array with one per atom: whatever byte is the number, it is within.
pub(super) const PLACES: usize = 256;
/// Most neighbours of an atom.
pub(super) const NEIGHBOURS_MAX: usize = 8;

/// A one in each byte: with it words are worked on byte by byte.
pub(super) const ONES: u64 = 0x0101_0101_0101_0101;

/// The highest byte of a product with ones is the sum of all bytes.
pub(super) fn sum_of_bytes(word: u64) -> u8 {
    (word.wrapping_mul(ONES) >> 56) as u8
}

/// A one in each byte whose bit is set, the lowest bit the lowest byte.
pub(super) fn bytes_of_bits(bits: u8) -> u64 {
    let spread = u64::from(bits).wrapping_mul(ONES) & 0x8040_2010_0804_0201;
    (spread + 0x7f * ONES) >> 7 & ONES
}

/// Stands where no atom does.
pub(super) const NO_ATOM: u8 = 255;

pub(super) const HYDROGEN: u8 = 1;
pub(super) const BORON: u8 = 5;
pub(super) const CARBON: u8 = 6;
pub(super) const NITROGEN: u8 = 7;
pub(super) const OXYGEN: u8 = 8;
pub(super) const PHOSPHORUS: u8 = 15;
pub(super) const SULFUR: u8 = 16;
pub(super) const CHLORINE: u8 = 17;
pub(super) const BROMINE: u8 = 35;
pub(super) const SELENIUM: u8 = 34;
pub(super) const TELLURIUM: u8 = 52;

/// The order of a bond; 1 to 3 count pairs of electrons.
pub(super) const SINGLE: u8 = 1;
pub(super) const DOUBLE: u8 = 2;
pub(super) const AROMATIC: u8 = 4;

/// The mark of a tetrahedral centre, seen from its first neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Chirality {
    #[default]
    None,
    /// `@`
    CounterClockwise,
    /// `@@`
    Clockwise,
}

/// An atom with its neighbours in the order of the text; a line of the cache, so that it is found by a shift.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Atom {
    // What it is by itself, in the order of `Atom::itself`.
    pub number: u8,
    /// Those that are no atoms of their own.
    pub hydrogens: u8,
    pub degree: u8,
    /// Little-endian; 0: as it comes.
    pub isotope: [u8; 2],
    pub charge: i8,
    /// Pairs of electrons in bonds beyond the first of each.
    pub unsaturation: u8,
    pub nothing: u8,
    /// Nobody behind the last.
    pub neighbours: [u8; NEIGHBOURS_MAX],
    /// As written.
    pub orders: [u8; NEIGHBOURS_MAX],
    /// As they are: forced, or aromatic.
    pub assigned: [u8; NEIGHBOURS_MAX],
    /// The side of a double bond on which a mark puts the neighbour: 1 above, -1 below.
    pub sides: [i8; NEIGHBOURS_MAX],
    /// Which of the atoms that need no brackets: a place in [`super::elements::PLAIN`], and 1; 0 in brackets.
    pub plain: u8,
    pub aromatic: bool,
    /// It begins the text or a part of it.
    pub first: bool,
    pub chirality: Chirality,
    /// Whether one of its hydrogens was an atom.
    pub hydrogen_was_atom: bool,
    /// Whether a hydrogen that was an atom takes an odd number of steps to come first among the neighbours.
    pub hydrogen_odd: bool,
    /// The side on which a mark puts a hydrogen that was an atom.
    pub hydrogen_side: i8,
    /// Ring closures.
    pub closures: u8,
    /// A bit per bond: it is in a ring.
    pub in_ring: u8,
    /// Of the unsaturation, how many pairs the assigned bonds leave over.
    pub open: u8,
    /// A bit per bond that may take one.
    pub may_take: u8,
}

impl Atom {
    /// Nothing is known of it.
    pub const NONE: Self = Self {
        number: 0,
        hydrogens: 0,
        degree: 0,
        isotope: [0; 2],
        charge: 0,
        unsaturation: 0,
        nothing: 0,
        neighbours: [NO_ATOM; NEIGHBOURS_MAX],
        orders: [0; NEIGHBOURS_MAX],
        assigned: [0; NEIGHBOURS_MAX],
        sides: [0; NEIGHBOURS_MAX],
        plain: 0,
        aromatic: false,
        first: false,
        chirality: Chirality::None,
        hydrogen_was_atom: false,
        hydrogen_odd: false,
        hydrogen_side: 0,
        closures: 0,
        in_ring: 0,
        open: 0,
        may_take: 0,
    };

    /// What it is by itself: a byte each of number, hydrogens, degree, isotope (two), charge, unsaturation.
    pub fn invariant(&self) -> u64 {
        let [low, high] = self.isotope;
        let charge = self.charge as u8;
        let bytes = [self.number, self.hydrogens, self.degree, low, high, charge];
        let [a, b, c, d, e, f] = bytes;
        u64::from_le_bytes([a, b, c, d, e, f, self.unsaturation, self.nothing])
    }

    /// Whether it stands in brackets.
    pub fn bracket(&self) -> bool {
        self.plain == 0
    }

    pub fn neighbours(&self) -> impl Iterator<Item = (usize, u8)> + '_ {
        let neighbours = self.neighbours[..usize::from(self.degree)].iter();
        neighbours.copied().enumerate()
    }

    /// The place of a neighbour in the list; not to be asked of nobody.
    pub fn slot_of(&self, neighbour: u8) -> Option<usize> {
        // The bytes that are the same become zero, and the lowest zero is found (Hacker's Delight, 6-1).
        let differ = u64::from_le_bytes(self.neighbours) ^ (u64::from(neighbour) * ONES);
        let same = differ.wrapping_sub(ONES) & !differ & (ONES << 7);
        (same != 0).then(|| same.trailing_zeros() as usize / 8)
    }

    /// Settles bonds that were single, a bit for each. All are written at once: a byte by itself would have whoever reads
    /// them all soon after wait.
    pub fn assign(&mut self, slots: u8, order: u8) {
        let more = bytes_of_bits(slots) * u64::from(order - SINGLE);
        self.assigned = (u64::from_le_bytes(self.assigned) + more).to_le_bytes();
    }

    /// Neighbours and hydrogens.
    pub fn total_degree(&self) -> u8 {
        self.degree + self.hydrogens
    }

    pub fn bond_in_ring(&self, slot: usize) -> bool {
        self.in_ring >> slot & 1 != 0
    }
}
