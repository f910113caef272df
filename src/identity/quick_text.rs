//! Reads the SMILES of nearly all molecules, quickly: which kind of byte comes next is unpredictable, so it is not a
//! branch. A text that needs more, or that has a fault, is left to [`super::text`], which also knows the fault.

use std::hint::select_unpredictable;

use super::{
    atom::{Chirality, NEIGHBOURS_MAX, NO_ATOM, PLACES},
    bracket::read_bracket,
    elements::{PLAIN, PLAIN_ATOMS, PLAIN_LETTERS},
    molecule::Molecule,
    rings::{BRANCHES_MAX, Link, RingEnd, Tree, link_of, of_two_letters, order_of, ring_bond},
};

/// The most bytes: so there are at most as many atoms as there is room for.
const BYTES_MAX: usize = 255;

/// What may come next, as the shift of its bits in [`Step::next`].
const START: u64 = 0;
/// After an atom, a ring closure or a branch.
const ATOM: u64 = 6;
const OPENED: u64 = 12;
const BOND: u64 = 18;
/// After the bond at the start of a branch, which an atom follows.
const FIRST_BOND: u64 = 24;
const FAULT: u64 = 30;

/// What a byte does.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
struct Step {
    /// For each state, the next one.
    next: u64,
    /// Added to [`Entry`]s: the byte.
    entry: u64,
    /// Added to the counts of [`Place`].
    counts: u64,
    /// The bond symbol that it is, as [`Entry`] has it.
    link: u32,
    /// Whether it is a bond of the active atom: to the next atom, or a ring closure.
    bonds: u8,
    is_atom: bool,
    closes: bool,
    /// Whether it needs more than a step.
    special: bool,
}

const fn next(after: [u64; 5]) -> u64 {
    let mut bits = FAULT << FAULT;
    let mut i = 0;
    while i < after.len() {
        bits |= after[i] << (6 * i);
        i += 1;
    }
    bits
}

const STEPS: [Step; 256] = {
    const F: u64 = FAULT;
    let mut steps = [Step {
        next: next([F; 5]),
        entry: 0,
        counts: 0,
        link: 0,
        bonds: 0,
        is_atom: false,
        closes: false,
        special: true,
    }; 256];
    let mut byte = 0;
    while byte < steps.len() {
        let step = &mut steps[byte];
        step.entry = (byte as u64) << Entry::BYTE;
        step.special = false;
        match byte as u8 {
            b'0'..=b'9' => {
                step.next = next([F, ATOM, F, ATOM, F]);
                (step.counts, step.bonds) = (1 << Place::CLOSURES, 1);
            }
            b'(' => {
                step.next = next([F, OPENED, F, F, F]);
                step.counts = 1 << Place::BRANCHES;
            }
            b')' => {
                step.next = next([F, ATOM, F, F, F]);
                (step.counts, step.closes) = (u64::MAX << Place::BRANCHES, true);
            }
            b'-' | b'=' | b'#' | b':' | b'/' | b'\\' => {
                step.next = next([F, BOND, FIRST_BOND, F, F]);
                let Link { order, side } = link_of(byte as u8);
                step.link = u32::from_le_bytes([0, 0, order, side as u8]);
            }
            _ => step.special = true,
        }
        byte += 1;
    }
    let mut i = 0;
    while i < PLAIN_LETTERS.len() {
        let step = &mut steps[PLAIN_LETTERS[i] as usize];
        step.next = next([ATOM; 5]);
        (step.counts, step.bonds) = (1 << Place::ATOMS, 1);
        (step.is_atom, step.special) = (true, false);
        i += 1;
    }
    steps
};

/// A step for an atom in brackets, which was read already.
const BRACKET: Step = Step {
    entry: (b'[' as u64) << Entry::BYTE,
    ..STEPS[b'C' as usize]
};

/// An atom or a ring closure, as it was read. A byte each: the atom that it is bonded to; the index of the bond there;
/// order and side of the bond as written; the first byte of the text; the number of atoms before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry(u64);

impl Entry {
    /// No entry: the byte of a text is not 0.
    const NONE: Self = Self(0);
    const BYTE: u32 = 32;

    fn above(self) -> u8 {
        self.0 as u8
    }

    fn slot(self) -> u8 {
        (self.0 >> 8) as u8
    }

    fn link(self) -> Link {
        Link {
            order: (self.0 >> 16) as u8,
            side: (self.0 >> 24) as i8,
        }
    }

    fn byte(self) -> u8 {
        (self.0 >> Self::BYTE) as u8
    }

    fn atoms(self) -> usize {
        usize::from((self.0 >> Place::ATOMS) as u8)
    }
}

/// Atoms and ring closures in the order of the text.
#[derive(Debug)]
struct Entries {
    atoms: [Entry; PLACES],
    closures: [Entry; PLACES],
    degrees: [u8; PLACES],
    /// For each open branch, the atom that it is at.
    branches: [u8; PLACES],
}

impl Entries {
    fn new() -> Self {
        Self {
            atoms: [Entry::NONE; PLACES],
            closures: [Entry::NONE; PLACES],
            degrees: [0; PLACES],
            branches: [0; PLACES],
        }
    }

    #[inline(always)]
    fn step(&mut self, place: &mut Place, step: &Step) {
        let Place { active, counts, .. } = *place;
        let degree = self.degrees[active as usize % PLACES];
        let entry =
            Entry(counts | step.entry | u64::from(place.link) | u64::from(degree) << 8 | active);
        let atoms = place.number(Place::ATOMS);
        // Overwritten by the next one, if it is none.
        self.atoms[atoms] = entry;
        self.closures[place.number(Place::CLOSURES)] = entry;
        self.degrees[active as usize % PLACES] = degree.wrapping_add(step.bonds);
        self.degrees[atoms] = u8::from(atoms != 0);
        self.branches[place.number(Place::BRANCHES)] = active as u8;
        place.counts = counts.wrapping_add(step.counts);
        place.all |= place.counts;
        let before = u64::from(self.branches[place.number(Place::BRANCHES)]);
        let active = select_unpredictable(step.closes, before, active);
        place.active = select_unpredictable(step.is_atom, atoms as u64, active);
        place.state = step.next >> place.state & 63;
        place.link = step.link;
    }
}

/// Where the reader is.
struct Place {
    /// The atom that the next one is bonded to.
    active: u64,
    /// The numbers of atoms, ring closures and open branches, a byte each.
    counts: u64,
    /// All bits that `counts` has had.
    all: u64,
    state: u64,
    link: u32,
}

impl Place {
    const ATOMS: u32 = 40;
    const CLOSURES: u32 = 48;
    const BRANCHES: u32 = 56;

    #[inline(always)]
    fn number(&self, of: u32) -> usize {
        usize::from((self.counts >> of) as u8)
    }
}

/// Reads what it can. Each thread has one.
#[derive(Debug)]
pub(super) struct QuickReader {
    entries: Entries,
    tree: Tree,
}

impl QuickReader {
    pub fn new() -> Self {
        Self {
            entries: Entries::new(),
            tree: Tree::new(),
        }
    }

    /// Reads a text. Returns whether it did; if not, the molecule is undefined.
    #[inline(always)]
    pub fn read(&mut self, text: &[u8], mol: &mut Molecule) -> bool {
        mol.clear();
        let closures = match self.list(text, mol) {
            Some(closures) => closures,
            None => return false,
        };
        let joined = self.join_atoms(mol) && self.join_rings(mol, closures);
        if joined {
            self.tree.mark_rings(mol);
        }
        joined
    }

    /// Lists atoms and ring closures. Returns the number of the latter.
    #[inline(always)]
    fn list(&mut self, text: &[u8], mol: &mut Molecule) -> Option<usize> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let mut place = Place {
            active: u64::from(NO_ATOM),
            counts: 0,
            all: 0,
            state: START,
            link: 0,
        };
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let step = &STEPS[usize::from(byte)];
            if !step.special {
                at += 1;
                self.entries.step(&mut place, step);
            } else if byte == b'[' {
                let atom = read_bracket(text, &mut at).ok()?;
                mol.any_chirality |= atom.chirality != Chirality::None;
                mol.any_hydrogen_atom |= atom.is_hydrogen_atom();
                mol.atoms[place.number(Place::ATOMS)] = atom;
                self.entries.step(&mut place, &BRACKET);
            } else {
                // Chlorine and bromine were read as carbon and boron.
                let before = *text.get(at.checked_sub(1)?)?;
                of_two_letters(before, byte)?;
                at += 1;
                let entry = &mut self.entries.atoms[place.number(Place::ATOMS) - 1];
                entry.0 ^= u64::from(before ^ byte) << Entry::BYTE;
            }
        }
        mol.count = place.number(Place::ATOMS);
        let deepest = (place.all >> Place::BRANCHES) as usize;
        let ended = place.state == ATOM && place.number(Place::BRANCHES) == 0;
        (ended && deepest < BRANCHES_MAX).then_some(place.number(Place::CLOSURES))
    }

    /// Bonds each atom to the one above it. Returns `false` if one has too many bonds.
    #[inline(always)]
    fn join_atoms(&mut self, mol: &mut Molecule) -> bool {
        let (mut most, mut all) = (0, 0);
        for index in 0..mol.count {
            let entry = self.entries.atoms[index];
            all |= entry.0;
            let byte = entry.byte();
            if byte != b'[' {
                mol.atoms[index] =
                    PLAIN_ATOMS[usize::from(PLAIN_INDICES[usize::from(byte)]) % PLAIN.len()];
            }
            let degree = self.entries.degrees[index];
            most = most.max(degree);
            mol.atoms[index].degree = degree;
            if index == 0 {
                mol.atoms[0].first = true;
                self.tree.above[0] = NO_ATOM;
                continue;
            }
            let (above, slot, link) = (entry.above(), entry.slot(), entry.link());
            (self.tree.above[index], self.tree.slot_above[index]) = (above, slot);
            let [there, here] = [usize::from(above), index];
            let order = order_of(link, mol.atoms[there].aromatic & mol.atoms[here].aromatic);
            mol.atoms[there].set_bond(slot, here as u8, order, link.side);
            mol.atoms[here].set_bond(0, above, order, -link.side);
        }
        mol.any_side = Entry(all).link().side != 0;
        usize::from(most) <= NEIGHBOURS_MAX
    }

    /// Adds the bonds of ring closures. Returns `false` if one of them is left to the other reader.
    #[inline(always)]
    fn join_rings(&mut self, mol: &mut Molecule, closures: usize) -> bool {
        let mut open = [Entry::NONE; 10];
        self.tree.clear();
        for index in 0..closures {
            let entry = self.entries.closures[index % PLACES];
            let here = usize::from(entry.above());
            mol.atoms[here].closures += 1;
            mol.any_side |= entry.link().side != 0;
            // RDKit orders ring closures after a branch of a centre differently.
            if mol.atoms[here].chirality != Chirality::None && here + 1 != entry.atoms() {
                return false;
            }
            let number = usize::from(entry.byte() - b'0');
            let first = std::mem::replace(&mut open[number], entry);
            if first == Entry::NONE {
                continue;
            }
            open[number] = Entry::NONE;
            let [first, second] = [first, entry].map(|entry| RingEnd {
                atom: entry.above(),
                slot: entry.slot(),
                link: entry.link(),
            });
            let Ok(bond) = ring_bond(mol, &first, &second) else {
                return false;
            };
            self.tree.close_ring(mol, &first, &second, bond);
        }
        open == [Entry::NONE; 10]
    }
}

/// An index in [`PLAIN_ATOMS`] for each first byte of an atom without brackets; for chlorine and bromine, the second
/// byte.
const PLAIN_INDICES: [u8; 256] = {
    let mut indices = [0; 256];
    let mut i = 0;
    while i < PLAIN_LETTERS.len() {
        indices[PLAIN_LETTERS[i] as usize] = i as u8;
        i += 1;
    }
    indices[b'l' as usize] = PLAIN.len() as u8 - 2;
    indices[b'r' as usize] = PLAIN.len() as u8 - 1;
    indices
};
