//! A molecule as flat arrays of fixed size, used again for every text.

/// Most atoms, hydrogens written as atoms among them, that a molecule may have here.
pub(super) const ATOMS_MAX: usize = 255;
/// Places of an array with one per atom: whatever byte is the number, it is within.
pub(super) const PLACES: usize = 256;
/// Most neighbours of an atom.
pub(super) const NEIGHBOURS_MAX: usize = 8;

/// Stands where no atom does.
pub(super) const NOBODY: u8 = 255;

pub(super) const HYDROGEN: u8 = 1;
pub(super) const BORON: u8 = 5;
pub(super) const CARBON: u8 = 6;
pub(super) const NITROGEN: u8 = 7;
pub(super) const OXYGEN: u8 = 8;
pub(super) const PHOSPHORUS: u8 = 15;
pub(super) const SULFUR: u8 = 16;
pub(super) const SELENIUM: u8 = 34;
pub(super) const TELLURIUM: u8 = 52;

/// The order of a bond; 1 to 3 count pairs of electrons.
pub(super) const SINGLE: u8 = 1;
pub(super) const DOUBLE: u8 = 2;
pub(super) const AROMATIC: u8 = 4;

/// The mark of a tetrahedral centre, seen from its first neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    #[default]
    None,
    /// `@`
    Left,
    /// `@@`
    Right,
}

/// An atom with its neighbours in the order of the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Atom {
    pub number: u8,
    /// 0: as it comes.
    pub isotope: u16,
    pub charge: i8,
    /// Hydrogens that are no atoms of their own.
    pub hydrogens: u8,
    pub aromatic: bool,
    pub bracket: bool,
    /// It begins the text or a part of it.
    pub first: bool,
    pub turn: Turn,
    /// Whether one of its hydrogens was an atom.
    pub hydrogen_was_atom: bool,
    /// Whether a hydrogen that was an atom takes an odd number of steps to come first among the neighbours.
    pub hydrogen_odd: bool,
    /// The side on which a mark puts a hydrogen that was an atom.
    pub hydrogen_side: i8,
    /// Ring closures.
    pub closures: u8,
    pub degree: u8,
    pub neighbours: [u8; NEIGHBOURS_MAX],
    /// As written.
    pub orders: [u8; NEIGHBOURS_MAX],
    /// As they are: forced, or aromatic.
    pub settled: [u8; NEIGHBOURS_MAX],
    /// The side of a double bond on which a mark puts the neighbour: 1 above, -1 below.
    pub sides: [i8; NEIGHBOURS_MAX],
    /// A bit per bond: it is in a ring.
    pub in_ring: u8,
    /// Pairs of electrons in bonds beyond the first of each.
    pub unsaturation: u8,
    /// Of those, how many the settled bonds leave over.
    pub open: u8,
    /// A bit per bond that may take one.
    pub may_take: u8,
}

impl Atom {
    pub fn neighbours(&self) -> impl Iterator<Item = (usize, u8)> + '_ {
        let neighbours = self.neighbours[..usize::from(self.degree)].iter();
        neighbours.copied().enumerate()
    }

    /// The place of a neighbour in the list.
    pub fn slot_of(&self, neighbour: u8) -> Option<usize> {
        let neighbours = &self.neighbours[..usize::from(self.degree)];
        neighbours.iter().position(|&other| other == neighbour)
    }

    /// Neighbours and hydrogens.
    pub fn total_degree(&self) -> u8 {
        self.degree + self.hydrogens
    }

    pub fn bond_in_ring(&self, slot: usize) -> bool {
        self.in_ring >> slot & 1 != 0
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Molecule {
    pub atoms: [Atom; PLACES],
    pub count: usize,
    pub any_turn: bool,
    pub any_side: bool,
    pub any_aromatic: bool,
    pub any_hydrogen_atom: bool,
}

impl Molecule {
    pub fn new() -> Self {
        Self {
            atoms: [Atom::default(); PLACES],
            count: 0,
            any_turn: false,
            any_side: false,
            any_aromatic: false,
            any_hydrogen_atom: false,
        }
    }

    pub fn clear(&mut self) {
        self.count = 0;
        self.any_turn = false;
        self.any_side = false;
        self.any_aromatic = false;
        self.any_hydrogen_atom = false;
    }

    pub fn atoms(&self) -> &[Atom] {
        &self.atoms[..self.count]
    }

    pub fn atoms_mut(&mut self) -> &mut [Atom] {
        &mut self.atoms[..self.count]
    }

    /// The place of the bond at its other end.
    pub fn twin(&self, atom: usize, slot: usize) -> (usize, usize) {
        let other = usize::from(self.atoms[atom].neighbours[slot]);
        let twin = self.atoms[other].slot_of(atom as u8);
        (
            other,
            twin.expect("a bond is in the lists of both its atoms"),
        )
    }
}
