//! What both readers of SMILES need: bonds as they are written, and ring closures.

use std::hint::select_unpredictable;

use super::{
    atom::{AROMATIC, ATOMS_MAX, NEIGHBOURS_MAX, NO_ATOM, PLACES, SINGLE},
    elements::PLAIN,
    molecule::Molecule,
    reason::Reason,
};

/// The most branches that are open at a time.
pub(super) const BRANCHES_MAX: usize = 64;
/// The most ring closures: each is a neighbour of two atoms.
const CLOSURES_MAX: usize = ATOMS_MAX * NEIGHBOURS_MAX / 2;

/// The bond symbol before an atom or a ring closure. Order 0: none is written, as with a stereo mark.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    pub order: u8,
    pub side: i8,
}

impl Link {
    pub fn is_none(self) -> bool {
        self.order == 0 && self.side == 0
    }
}

/// The order of a bond, as written or by default.
#[inline(always)]
pub(super) fn order_of(link: Link, both_aromatic: bool) -> u8 {
    let implied = select_unpredictable(both_aromatic, AROMATIC, SINGLE);
    select_unpredictable(link.order == 0, implied, link.order)
}

/// The bond that a byte of text stands for.
pub(super) const fn link_of(byte: u8) -> Link {
    let (order, side) = match byte {
        b'=' => (2, 0),
        b'#' => (3, 0),
        b':' => (AROMATIC, 0),
        b'/' => (0, 1),
        b'\\' => (0, -1),
        _ => (SINGLE, 0),
    };
    Link { order, side }
}

/// One of the two ends of a ring closure, as it was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct RingEnd {
    pub atom: u8,
    /// The index of the bond there.
    pub slot: u8,
    pub link: Link,
}

/// The order of a ring closure's bond, and the side of the bond that a mark gives the second atom.
#[inline(always)]
pub(super) fn ring_bond(
    mol: &Molecule,
    first: &RingEnd,
    second: &RingEnd,
) -> Result<(u8, i8), Reason> {
    let [there, here] = [first, second].map(|end| &mol.atoms[usize::from(end.atom)]);
    // The same bond twice.
    if first.atom == second.atom || here.slot_of(first.atom).is_some() {
        return Err(Reason::Text);
    }
    let order = match (first.link.order, second.link.order) {
        (0, 0) => order_of(Link::default(), there.aromatic & here.aromatic),
        (order, 0) | (0, order) => order,
        (one, other) if one == other => one,
        _ => return Err(Reason::Text),
    };
    // Either end may have the mark, each as seen from that end.
    let side = match (first.link.side, second.link.side) {
        (side, 0) => side,
        (0, side) => -side,
        (one, other) if one == -other => one,
        _ => return Err(Reason::Marks),
    };
    Ok((order, side))
}

/// The tree of the text's atoms, and the ring closures, which add bonds to it.
#[derive(Debug)]
pub(super) struct Tree {
    /// For each atom: its parent, and its index among the parent's neighbours.
    pub above: [u8; PLACES],
    pub slot_above: [u8; PLACES],
    /// The two atoms of each ring closure.
    closures: [(u8, u8); CLOSURES_MAX],
    closures_count: usize,
}

impl Tree {
    pub fn new() -> Self {
        Self {
            above: [NO_ATOM; PLACES],
            slot_above: [0; PLACES],
            closures: [(NO_ATOM, NO_ATOM); CLOSURES_MAX],
            closures_count: 0,
        }
    }

    /// Forgets the ring closures.
    pub fn clear(&mut self) {
        self.closures_count = 0;
    }

    /// Adds the bond of a ring closure at both ends.
    #[inline(always)]
    pub fn close_ring(
        &mut self,
        mol: &mut Molecule,
        first: &RingEnd,
        second: &RingEnd,
        (order, side): (u8, i8),
    ) {
        for (end, other, side) in [(first, second, side), (second, first, -side)] {
            let atom = &mut mol.atoms[usize::from(end.atom)];
            atom.set_bond(end.slot, other.atom, order, side);
            atom.in_ring |= 1 << (end.slot % 8);
        }
        self.closures[self.closures_count % CLOSURES_MAX] = (first.atom, second.atom);
        self.closures_count += 1;
    }

    /// Marks the bonds in rings: those on the path between the two ends of each closure.
    pub fn mark_rings(&self, mol: &mut Molecule) {
        for &(one, other) in &self.closures[..self.closures_count] {
            let (mut one, mut other) = (one, other);
            while one != other {
                // The parent of an atom precedes it.
                let here = usize::from(one.max(other));
                let above = self.above[here];
                mol.atoms[here].in_ring |= 1;
                mol.atoms[usize::from(above)].in_ring |= 1 << self.slot_above[here];
                (one, other) = (one.min(other), above);
            }
        }
    }
}

/// `Atom::plain` of an element of two letters that needs no brackets.
pub(super) fn of_two_letters(first: u8, second: u8) -> Option<u8> {
    match [first, second] {
        [b'C', b'l'] => Some(PLAIN.len() as u8 - 1),
        [b'B', b'r'] => Some(PLAIN.len() as u8),
        _ => None,
    }
}
