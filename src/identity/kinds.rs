//! Differences that RDKit's ranks always see, whatever the bond multiplicities.
//!
//! RDKit's ranks do not include degrees and charges. They count a bond once for each electron pair, and an aromatic bond
//! one and a half times. So a neighbour by a double bond can rank the same as one by a single bond that leads to another
//! atom like the first (`CS(=O)OS(C)=O`; vinyl and cyclobutyl in `CC(C=C)C1CC(C1)C(C)C=C`). A *kind* counts nothing: it
//! ignores how often a neighbour occurs, by which bonds and with which charge. So atoms of different kinds have
//! different ranks. Where colours distinguish atoms of one kind, RDKit decides.

use std::hint::select_unpredictable;

use bytemuck::Zeroable;

use super::{
    atom::{Atom, DOUBLE, FEW, NO_ATOM, PHOSPHORUS, PLACES},
    colours::{Colours, mix},
    molecule::Molecule,
};

/// For each atom, a hash of its surroundings.
#[derive(Debug, Zeroable)]
pub(super) struct Kinds {
    /// 0 for [`NO_ATOM`].
    of: [u64; PLACES],
    /// The kinds of the next round.
    next: [u64; PLACES],
}

/// Mixed into the kind of an atom with a double bond to phosphorus.
pub(super) const BY_PHOSPHORUS: u64 = 0x5050;

impl Kinds {
    /// Whether kinds, and so RDKit's ranks, distinguish all neighbours of marked centres and double bonds that colours
    /// distinguish.
    pub fn distinguish(
        &mut self,
        mol: &Molecule,
        colours: &Colours,
        centres: &[u8],
        bonds: &[(u8, u8)],
    ) -> bool {
        if centres.is_empty() && bonds.is_empty() {
            return true;
        }
        self.begin(mol);
        // So many rounds reach the whole molecule.
        for _ in 0..=mol.count {
            let centres_differ = || {
                centres
                    .iter()
                    .all(|&at| self.distinguish_at(mol, colours, at, NO_ATOM))
            };
            let ends_differ = |a, b| {
                self.distinguish_at(mol, colours, a, b) && self.distinguish_at(mol, colours, b, a)
            };
            if centres_differ() && bonds.iter().all(|&(a, b)| ends_differ(a, b)) {
                return true;
            }
            self.step(mol);
        }
        false
    }

    /// The same for the neighbours of one atom, except `end`.
    fn distinguish_at(&self, mol: &Molecule, colours: &Colours, index: u8, end: u8) -> bool {
        let kind = |index: u8| self.of[usize::from(index)];
        let atom = &mol.atoms[usize::from(index)];
        let neighbours = &atom.neighbours[..usize::from(atom.degree)];
        neighbours.iter().enumerate().all(|(slot, &one)| {
            neighbours[..slot].iter().all(|&other| {
                one == end || other == end || kind(one) != kind(other) || colours.same(one, other)
            })
        })
    }

    fn begin(&mut self, mol: &Molecule) {
        let mut any_phosphorus = false;
        for (kind, atom) in self.of.iter_mut().zip(mol.atoms()) {
            any_phosphorus |= atom.number == PHOSPHORUS;
            let [low, high] = atom.isotope;
            let label = [atom.number, atom.hydrogens, low, high, 0, 0, 0, 1];
            *kind = mix(u64::from_le_bytes(label));
        }
        if any_phosphorus {
            self.see_phosphorus(mol);
        }
    }

    /// RDKit counts the double bonds of phosphorus, and no others, as half a single bond.
    fn see_phosphorus(&mut self, mol: &Molecule) {
        let is_phosphorus =
            |atom: &&Atom| atom.number == PHOSPHORUS && matches!(atom.degree, 3 | 4);
        for phosphorus in mol.atoms().iter().filter(is_phosphorus) {
            for (slot, other) in phosphorus.neighbours() {
                if phosphorus.assigned[slot] == DOUBLE {
                    let kind = &mut self.of[usize::from(other)];
                    *kind = mix(*kind ^ BY_PHOSPHORUS);
                }
            }
        }
    }

    /// One round.
    fn step(&mut self, mol: &Molecule) {
        for (index, atom) in mol.atoms().iter().enumerate() {
            let mut sum = self.of[index].wrapping_mul(5);
            let kinds = atom.neighbours.map(|other| self.of[usize::from(other)]);
            // `NO_ATOM` adds 0, so the first four are summed whatever the degree.
            let [a, b, c, d, rest @ ..] = kinds;
            sum = sum.wrapping_add(a);
            sum = sum.wrapping_add(select_unpredictable(b == a, 0, b));
            sum = sum.wrapping_add(select_unpredictable((c == a) | (c == b), 0, c));
            sum = sum.wrapping_add(select_unpredictable((d == a) | (d == b) | (d == c), 0, d));
            if usize::from(atom.degree) > FEW {
                for (i, kind) in rest.iter().enumerate() {
                    if !kinds[..FEW + i].contains(kind) {
                        sum = sum.wrapping_add(*kind);
                    }
                }
            }
            self.next[index] = mix(sum);
        }
        self.of[..mol.count].copy_from_slice(&self.next[..mol.count]);
    }
}
