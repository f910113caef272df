//! Six-membered rings without chords, of atoms that all have one electron pair to assign.

use std::hint::select_unpredictable;

use bytemuck::Zeroable;

use super::{
    atom::{AROMATIC, Atom, CARBON, NITROGEN, NO_ATOM, OXYGEN, PLACES, SULFUR, first_equal},
    list::List,
    molecule::Molecule,
    reason::Reason,
};

/// A path of atoms, with `NO_ATOM` after the last.
type Walk = [u8; 8];

/// Atoms of a ring.
const RING: usize = 6;

/// Working memory for finding rings.
#[derive(Debug, Zeroable)]
pub(super) struct SixRings {
    /// For each atom, a bit per bond that is in such a ring.
    bonds: [u8; PLACES],
    /// For the check of a Kekulé form: the atoms of a bond have sides 1 and 2; 0 for not yet known.
    sides: [u8; PLACES],
    stack: List<u8>,
    partner: [u8; PLACES],
}

impl SixRings {
    /// A bit per bond of an atom that is in such a ring.
    pub fn of(&self, index: u8) -> u8 {
        self.bonds[usize::from(index)]
    }

    /// Assigns the ring of an atom if the ring is isolated and the text has either all or none of it as aromatic. Returns
    /// whether it did. The atoms of an isolated ring have only their two ring bonds that may take a pair, so it has no
    /// chord.
    pub fn assign_simple(&mut self, mol: &mut Molecule, first: u8) -> bool {
        let mut walk = [first; RING];
        let (mut before, mut here) = (NO_ATOM, first);
        let mut written = 0;
        for place in &mut walk {
            *place = here;
            let atom = &mol.atoms[usize::from(here)];
            let [a, b] = match two_bits(atom.may_take) {
                Some(slots) if is_plain(atom) => slots,
                _ => return false,
            };
            let aromatic = |slot: usize| atom.orders[slot] == AROMATIC;
            written += u8::from(atom.aromatic & aromatic(a) & aromatic(b));
            written += u8::from(atom.aromatic) << 4;
            let onward = if atom.neighbours[a] == before { b } else { a };
            (before, here) = (here, atom.neighbours[onward]);
        }
        // After half of the path it is back at the start if the ring has three atoms.
        if here != first || walk[RING / 2] == first || (written != 0 && written != 0x66) {
            return false;
        }
        for index in walk {
            let atom = &mut mol.atoms[usize::from(index)];
            atom.assign(atom.may_take, AROMATIC);
            (atom.open, atom.may_take) = (0, 0);
        }
        true
    }

    /// Finds the bonds in such rings.
    pub fn find(&mut self, mol: &Molecule, open: &[u8]) {
        for &index in open {
            self.bonds[usize::from(index)] = 0;
        }
        for &index in open {
            let atom = &mol.atoms[usize::from(index)];
            for slot in bits(atom.may_take & !self.bonds[usize::from(index)]) {
                if self.bonds[usize::from(index)] >> slot & 1 == 0 {
                    let mut walk = [NO_ATOM; 8];
                    (walk[0], walk[1]) = (index, atom.neighbours[slot]);
                    if close(mol, &mut walk, 2) {
                        self.mark(mol, &walk);
                    }
                }
            }
        }
    }

    /// Whether all bonds that may take a pair are in such rings.
    pub fn hold_all(&self, mol: &Molecule, open: &[u8]) -> bool {
        let holds = |&index: &u8| mol.atoms[usize::from(index)].may_take & !self.of(index) == 0;
        open.iter().all(holds)
    }

    fn mark(&mut self, mol: &Molecule, walk: &Walk) {
        for i in 0..RING {
            let atom = &mol.atoms[usize::from(walk[i])];
            for neighbour in [walk[(i + 1) % RING], walk[(i + RING - 1) % RING]] {
                let slot = atom.slot_of(neighbour).expect("the ring is made of bonds");
                self.bonds[usize::from(walk[i])] |= 1 << slot;
            }
        }
    }

    /// Rings that the text has as aromatic must have a Kekulé form. (Those that it has with double bonds have one.)
    pub fn check_form(&mut self, mol: &Molecule, open: &[u8]) -> Result<(), Reason> {
        for &index in open {
            let at = usize::from(index);
            (self.sides[at], self.partner[at]) = (0, NO_ATOM);
        }
        for &root in open {
            if mol.atoms[usize::from(root)].open > 0 && self.sides[usize::from(root)] == 0 {
                self.assign_sides(mol, root)?;
            }
        }
        for &index in open {
            let atom = &mol.atoms[usize::from(index)];
            if atom.open > 0 && atom.aromatic && self.sides[usize::from(index)] == 1 {
                self.find_partner(mol, index);
            }
        }
        let alone = |&index: &u8| {
            let atom = &mol.atoms[usize::from(index)];
            atom.open > 0 && atom.aromatic && self.partner[usize::from(index)] == NO_ATOM
        };
        let fault = open.iter().any(alone).then_some(Reason::Aromatic);
        fault.map_or(Ok(()), Err)
    }

    /// Gives the two atoms of every bond of a component different sides.
    fn assign_sides(&mut self, mol: &Molecule, root: u8) -> Result<(), Reason> {
        let aromatic = mol.atoms[usize::from(root)].aromatic;
        self.sides[usize::from(root)] = 1;
        self.stack.clear();
        self.stack.push(root);
        while let Some(here) = self.stack.pop() {
            let here = usize::from(here);
            let atom = &mol.atoms[here];
            for slot in bits(atom.may_take) {
                let other = usize::from(atom.neighbours[slot]);
                if mol.atoms[other].aromatic != aromatic || self.sides[other] == self.sides[here] {
                    return Err(Reason::Aromatic);
                }
                if self.sides[other] == 0 {
                    self.sides[other] = 3 - self.sides[here];
                    self.stack.push(other as u8);
                }
            }
        }
        Ok(())
    }

    /// Finds a partner for an atom, by a bond that the text has as aromatic.
    fn find_partner(&mut self, mol: &Molecule, index: u8) {
        for other in may_pair(mol, index) {
            if self.partner[usize::from(other)] == NO_ATOM {
                self.pair(index, other);
                return;
            }
        }
        self.change_partners(mol, index, &mut [false; PLACES]);
    }

    fn pair(&mut self, one: u8, other: u8) {
        self.partner[usize::from(one)] = other;
        self.partner[usize::from(other)] = one;
    }

    /// The same, by changing the partners of others (Kuhn 1955).
    fn change_partners(&mut self, mol: &Molecule, index: u8, seen: &mut [bool; PLACES]) -> bool {
        for other in may_pair(mol, index) {
            if std::mem::replace(&mut seen[usize::from(other)], true) {
                continue;
            }
            let partner = self.partner[usize::from(other)];
            if partner == NO_ATOM || self.change_partners(mol, partner, seen) {
                self.pair(index, other);
                return true;
            }
        }
        false
    }
}

/// Extends a path over open atoms until it closes. Returns whether it did.
fn close(mol: &Molecule, walk: &mut Walk, length: usize) -> bool {
    let last = &mol.atoms[usize::from(walk[length - 1])];
    for slot in bits(last.may_take) {
        let next = last.neighbours[slot];
        if length == RING {
            if next == walk[0] && is_without_chord(mol, walk) {
                return true;
            }
        } else if !is_in(walk, next) {
            walk[length] = next;
            if close(mol, walk, length + 1) {
                return true;
            }
            walk[length] = NO_ATOM;
        }
    }
    false
}

/// Whether no atom of the ring has another neighbour in the ring than its two.
fn is_without_chord(mol: &Molecule, walk: &Walk) -> bool {
    walk[..RING].iter().all(|&index| {
        let atom = &mol.atoms[usize::from(index)];
        let known = |&(_, other): &(usize, u8)| is_in(walk, other);
        atom.neighbours().filter(known).count() == 2
    })
}

/// Whether an atom is in a path.
fn is_in(walk: &Walk, index: u8) -> bool {
    first_equal(*walk, index).is_some()
}

/// The possible partners of an atom.
fn may_pair(mol: &Molecule, index: u8) -> impl Iterator<Item = u8> + '_ {
    let atom = &mol.atoms[usize::from(index)];
    let aromatic = |&slot: &usize| atom.orders[slot] == AROMATIC;
    bits(atom.may_take)
        .filter(aromatic)
        .map(|slot| atom.neighbours[slot])
}

/// Whether RDKit perceives such an atom as aromatic in such a ring.
pub(super) fn is_plain(atom: &Atom) -> bool {
    const NEUTRAL: u32 = 1 << CARBON | 1 << NITROGEN;
    const CHARGED: u32 = 1 << NITROGEN | 1 << OXYGEN | 1 << SULFUR;
    // Without branches, since the element is unpredictable.
    let neutral = atom.charge == 0;
    let plain = select_unpredictable(neutral, NEUTRAL, CHARGED) >> (atom.number & 31) & 1 != 0;
    plain & (atom.number < 32) & (neutral | (atom.charge == 1)) & (atom.open == 1)
}

/// The numbers of the bits that are set, if there are exactly two.
fn two_bits(word: u8) -> Option<[usize; 2]> {
    let second = word & word.wrapping_sub(1);
    let two = (second != 0) & (second & second.wrapping_sub(1) == 0);
    two.then(|| [word, second].map(|word| word.trailing_zeros() as usize))
}

/// The numbers of the bits that are set, the lowest first.
pub(super) fn bits(mut word: u8) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (word != 0).then(|| {
            let bit = word.trailing_zeros() as usize;
            word &= word - 1;
            bit
        })
    })
}
