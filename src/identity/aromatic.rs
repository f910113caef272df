//! Rings that RDKit may perceive as aromatic, in which stereo marks do not count.

use super::{
    atom::{Atom, PLACES},
    molecule::Molecule,
};

/// An atom with more neighbours, hydrogens included, has no electrons to share.
const NEIGHBOURS_MAX: u8 = 3;

/// Whether an atom is in a ring of such atoms, or between two such rings. Only these atoms can be aromatic.
pub(super) fn may_be_aromatic(mol: &Molecule, index: usize) -> bool {
    let may = |atom: &Atom| atom.in_ring != 0 && atom.total_degree() <= NEIGHBOURS_MAX;
    if !may(&mol.atoms[index]) {
        return false;
    }
    let mut left = [false; PLACES];
    for (left, atom) in left.iter_mut().zip(mol.atoms()) {
        *left = may(atom);
    }
    // Repeatedly drop atoms with fewer than two remaining ring neighbours.
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
