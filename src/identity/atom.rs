//! An atom with its bonds, as flat arrays of fixed size.

/// The most atoms of a molecule, hydrogens that are written as atoms included.
pub(super) const ATOMS_MAX: usize = 255;
/// The length of an array with an entry per atom: every byte is a valid index.
pub(super) const PLACES: usize = 256;
/// The most neighbours of an atom.
pub(super) const NEIGHBOURS_MAX: usize = 8;

/// The most neighbours of nearly all atoms.
pub(super) const FEW: usize = 4;

/// A one in each byte, for arithmetic on all bytes of a word.
pub(super) const ONES: u64 = 0x0101_0101_0101_0101;

/// The sum of all bytes: the highest byte of the product with [`ONES`].
pub(super) fn sum_of_bytes(word: u64) -> u8 {
    (word.wrapping_mul(ONES) >> 56) as u8
}

/// A one in each byte whose bit is set; the lowest bit is the lowest byte's.
pub(super) fn bytes_of_bits(bits: u8) -> u64 {
    let spread = u64::from(bits).wrapping_mul(ONES) & 0x8040_2010_0804_0201;
    (spread + 0x7f * ONES) >> 7 & ONES
}

/// The index of the first byte that equals this one.
pub(super) fn first_equal(bytes: [u8; 8], byte: u8) -> Option<usize> {
    // Equal bytes become zero, and the lowest zero byte is found (Hacker's Delight, 6-1).
    let differ = u64::from_le_bytes(bytes) ^ (u64::from(byte) * ONES);
    let same = differ.wrapping_sub(ONES) & !differ & (ONES << 7);
    (same != 0).then(|| same.trailing_zeros() as usize / 8)
}

/// The index of no atom.
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

/// An atom with its neighbours in the order of the text. It fills a cache line, so that its address is a shift.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Atom {
    // The bytes of `Atom::invariant`, in their order.
    pub number: u8,
    /// Hydrogens that are not atoms of the molecule.
    pub hydrogens: u8,
    pub degree: u8,
    /// Mass number, little-endian; 0 for the natural mixture.
    pub isotope: [u8; 2],
    pub charge: i8,
    /// Electron pairs in its bonds beyond the first of each bond.
    pub unsaturation: u8,
    pub nothing: u8,
    /// [`NO_ATOM`] after the last.
    pub neighbours: [u8; NEIGHBOURS_MAX],
    /// Bond orders as written.
    pub orders: [u8; NEIGHBOURS_MAX],
    /// Bond orders as assigned: the only possible ones, or aromatic.
    pub assigned: [u8; NEIGHBOURS_MAX],
    /// The side of a double bond on which a mark places the neighbour: 1 above, -1 below.
    pub sides: [i8; NEIGHBOURS_MAX],
    /// 1 + the index in [`super::elements::PLAIN`] of an atom that is written without brackets; 0 in brackets.
    pub plain: u8,
    pub aromatic: bool,
    /// Whether it is the first atom of the text or of a component.
    pub first: bool,
    pub chirality: Chirality,
    /// Whether one of its hydrogens was written as an atom.
    pub hydrogen_was_atom: bool,
    /// Whether moving a hydrogen that was written as an atom to the front of the neighbours is an odd permutation.
    pub hydrogen_odd: bool,
    /// The side on which a mark places a hydrogen that was written as an atom.
    pub hydrogen_side: i8,
    /// The number of its ring closures.
    pub closures: u8,
    /// A bit per bond that is in a ring.
    pub in_ring: u8,
    /// The electron pairs of the unsaturation that are not yet assigned to bonds.
    pub open: u8,
    /// A bit per bond that may take such a pair.
    pub may_take: u8,
}

impl Atom {
    /// An atom without properties or bonds.
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

    /// Its own properties, a byte each: number, hydrogens, degree, isotope (two bytes), charge, unsaturation.
    pub fn invariant(&self) -> u64 {
        let [low, high] = self.isotope;
        let charge = self.charge as u8;
        let bytes = [self.number, self.hydrogens, self.degree, low, high, charge];
        let [a, b, c, d, e, f] = bytes;
        u64::from_le_bytes([a, b, c, d, e, f, self.unsaturation, self.nothing])
    }

    /// Whether it is a hydrogen like those that are not written as atoms.
    pub fn is_hydrogen_atom(&self) -> bool {
        self.number == HYDROGEN && self.isotope == [0; 2] && self.charge == 0
    }

    /// Whether it is written in brackets.
    pub fn bracket(&self) -> bool {
        self.plain == 0
    }

    pub fn neighbours(&self) -> impl Iterator<Item = (usize, u8)> + '_ {
        let neighbours = self.neighbours[..usize::from(self.degree)].iter();
        neighbours.copied().enumerate()
    }

    /// The index of a neighbour in the list. Not valid for [`NO_ATOM`].
    pub fn slot_of(&self, neighbour: u8) -> Option<usize> {
        first_equal(self.neighbours, neighbour)
    }

    /// Assigns an order to bonds that were single, a bit for each. Writes all orders at once: a read of the whole word
    /// soon after would have to wait for the write of a single byte.
    pub fn assign(&mut self, slots: u8, order: u8) {
        let more = bytes_of_bits(slots) * u64::from(order - SINGLE);
        self.assigned = (u64::from_le_bytes(self.assigned) + more).to_le_bytes();
    }

    /// Sets a bond in the list.
    #[inline(always)]
    pub fn set_bond(&mut self, slot: u8, neighbour: u8, order: u8, side: i8) {
        let slot = usize::from(slot) % NEIGHBOURS_MAX;
        (self.neighbours[slot], self.orders[slot], self.sides[slot]) = (neighbour, order, side);
    }

    /// Neighbours and hydrogens.
    pub fn total_degree(&self) -> u8 {
        self.degree + self.hydrogens
    }

    pub fn bond_in_ring(&self, slot: usize) -> bool {
        self.in_ring >> slot & 1 != 0
    }
}
