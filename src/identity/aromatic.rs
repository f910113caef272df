//! Rings that RDKit may find aromatic, in which no mark counts.

use super::{
    atom::{Atom, PLACES},
    molecule::Molecule,
};

/// More neighbours, hydrogens counted, leave an atom no electrons to share.
const NEIGHBOURS_MAX: u8 = 3;

/// Whether an atom lies in a ring of such atoms, or between two. What is so may be aromatic or not; nothing else is.
pub(super) fn may_be_aromatic(mol: &Molecule, index: usize) -> bool {
    let may = |atom: &Atom| atom.in_ring != 0 && atom.total_degree() <= NEIGHBOURS_MAX;
    if !may(&mol.atoms[index]) {
        return false;
    }
    let mut left = [false; PLACES];
    for (left, atom) in left.iter_mut().zip(mol.atoms()) {
        *left = may(atom);
    }
    // Those fall off from which no way leads on, until there is none.
    loop {
        let mut any = false;
        for (here, atom) in mol.atoms().iter().enumerate() {
            let on =
                |&(slot, other): &(usize, u8)| atom.bond_in_ring(slot) && left[usize::from(other)];
            if left[here] && atom.neighbours().filter(on).count() < 2 {
                (left[here], any) = (false, true);
            }
        }
        if !any {
            return left[index];
        }
    }
}
