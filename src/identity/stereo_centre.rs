//! Tetrahedral stereo centres: which atoms can be one, and their parity.

use super::{
    atom::{Atom, BORON, CARBON, Chirality, NITROGEN, PHOSPHORUS, SELENIUM, SULFUR},
    colours::Colours,
    molecule::Molecule,
    reason::Reason,
};

pub(super) fn may_be_centre(mol: &Molecule, index: usize) -> Result<bool, Reason> {
    let atom = &mol.atoms[index];
    match (atom.total_degree(), atom.hydrogens) {
        (5.., _) => Err(Reason::Chirality),
        (_, 1..) if atom.number == PHOSPHORUS || atom.number == 33 => Err(Reason::Chirality),
        (4, 0 | 1) => Ok(true),
        (3, 0) => centre_of_three(mol, atom),
        _ => Ok(false),
    }
}

fn centre_of_three(mol: &Molecule, atom: &Atom) -> Result<bool, Reason> {
    match atom.number {
        CARBON => Ok(false),
        NITROGEN if atom.unsaturation > 0 => Ok(false),
        NITROGEN if atom.charge == 0 => {
            let conjugated = atom
                .neighbours()
                .any(|(_, other)| mol.atoms[usize::from(other)].unsaturation > 0);
            let in_rings = (0..3).filter(|&slot| atom.bond_in_ring(slot)).count();
            match in_rings {
                0 | 1 if !conjugated => Ok(false),
                // In a ring of three, or shared by rings: RDKit's result depends on its set of rings.
                _ if conjugated || in_rings == 3 => Err(Reason::NitrogenCentre),
                _ => Ok(in_ring_of_three(mol, atom)),
            }
        }
        SULFUR | SELENIUM => Ok(match atom.charge {
            0 => atom.unsaturation == 1,
            1 => atom.unsaturation == 0,
            _ => false,
        }),
        PHOSPHORUS if atom.unsaturation == 0 => Ok(true),
        BORON if atom.charge == 0 => Ok(false),
        _ => Err(Reason::Chirality),
    }
}

fn in_ring_of_three(mol: &Molecule, atom: &Atom) -> bool {
    let of = |i: usize| &mol.atoms[usize::from(atom.neighbours[i])];
    (0..3).any(|i| (0..i).any(|j| of(i).slot_of(atom.neighbours[j]).is_some()))
}

pub(super) fn neighbours_differ(atom: &Atom, colours: &Colours) -> bool {
    let neighbours = &atom.neighbours[..usize::from(atom.degree)];
    (0..neighbours.len()).all(|i| (0..i).all(|j| !colours.same(neighbours[i], neighbours[j])))
}

/// Whether the centre is `@@` with its neighbours in the order of their colours, its hydrogen first.
pub(super) fn is_odd(atom: &Atom, colours: &Colours) -> bool {
    let neighbours = &atom.neighbours[..usize::from(atom.degree)];
    let colour = |i: usize| colours.of[usize::from(neighbours[i])];
    let mut odd = atom.chirality == Chirality::Clockwise;
    for i in 0..neighbours.len() {
        for j in 0..i {
            odd ^= colour(j) > colour(i);
        }
    }
    let lone = atom.degree == 3 && atom.hydrogens == 0;
    // In brackets the hydrogen follows the preceding atom, if there is one.
    odd ^= atom.hydrogens == 1
        && if atom.hydrogen_was_atom {
            atom.hydrogen_odd
        } else {
            !atom.first
        };
    // RDKit treats a centre of three neighbours with one ring closure this way.
    odd ^ (lone && atom.closures == 1 && atom.unsaturation == 0)
}

/// Whether a centre with equal neighbours may be a ring stereo centre.
pub(super) fn is_ring_centre(mol: &Molecule, index: usize, colours: &Colours) -> bool {
    let atom = &mol.atoms[index];
    if atom.in_ring == 0 {
        return false;
    }
    let mut outside = [0u8; 2];
    let mut inside = [0u8; 8];
    let (mut out, mut count) = (0, 0);
    for (slot, other) in atom.neighbours() {
        if atom.bond_in_ring(slot) {
            inside[count] = other;
            count += 1;
        } else {
            if out == 2 {
                return false;
            }
            outside[out] = other;
            out += 1;
        }
    }
    let inside = &inside[..count];
    let distinct = (0..count)
        .filter(|&i| (0..i).all(|j| !colours.same(inside[i], inside[j])))
        .count();
    match out {
        2 => distinct < count && !colours.same(outside[0], outside[1]),
        1 => distinct < count,
        _ => (count == 4 && distinct == 3) || (count == 3 && distinct == 2),
    }
}
