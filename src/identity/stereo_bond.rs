//! Stereo double bonds: their marks, and on which side their neighbours are.

use super::{
    atom::{Atom, PLACES},
    colours::Colours,
    molecule::Molecule,
    reason::Reason,
};

/// RDKit's limit: double bonds in smaller rings can only be cis.
pub(super) const STEREO_RING_MIN: usize = 8;

/// Whether a mark distinguishes the neighbours of one end of a double bond.
pub(super) fn has_mark(atom: &Atom, other_end: u8) -> Result<bool, Reason> {
    let mut heavy = false;
    let mut marked = false;
    for (slot, other) in atom.neighbours() {
        if other != other_end {
            heavy = true;
            marked |= atom.sides[slot] != 0;
        }
    }
    // RDKit keeps such a hydrogen as an atom.
    if atom.hydrogen_side != 0 && !heavy {
        return Err(Reason::Hydrogen);
    }
    Ok(marked || atom.hydrogen_side != 0)
}

/// Whether the neighbours of the higher colour at both ends are on the same side of the double bond.
pub(super) fn sides(
    mol: &Molecule,
    a: u8,
    b: u8,
    colours: &Colours,
) -> Result<Option<bool>, Reason> {
    let at_a = side(&mol.atoms[usize::from(a)], b, colours)?;
    let at_b = side(&mol.atoms[usize::from(b)], a, colours)?;
    Ok(at_a.zip(at_b).map(|(a, b)| a == b))
}

fn side(atom: &Atom, other_end: u8, colours: &Colours) -> Result<Option<i8>, Reason> {
    let mut found: Option<(u64, i8)> = None;
    for (slot, other) in atom.neighbours() {
        if other == other_end {
            continue;
        }
        let (colour, mark) = (colours.of[usize::from(other)], atom.sides[slot]);
        found = Some(match found {
            None => (colour, mark),
            Some((first, _)) if first == colour => return Ok(None),
            Some((_, first_mark)) if first_mark != 0 && first_mark == mark => {
                return Err(Reason::Marks);
            }
            // One mark places both neighbours.
            Some((first, first_mark)) if first > colour => {
                (first, if first_mark != 0 { first_mark } else { -mark })
            }
            Some((_, first_mark)) => (colour, if mark != 0 { mark } else { -first_mark }),
        });
    }
    let Some((_, mark)) = found else {
        return Ok(None);
    };
    match (mark, atom.hydrogen_side) {
        (0, side) => Ok(Some(-side)),
        (mark, side) if side == mark => Err(Reason::Marks),
        _ => Ok(Some(mark)),
    }
}

/// Whether the bond is in a ring that is too small for RDKit to see stereo at its double bonds.
pub(super) fn in_small_ring(mol: &Molecule, index: usize, slot: usize) -> bool {
    if !mol.atoms[index].bond_in_ring(slot) {
        return false;
    }
    let goal = mol.atoms[index].neighbours[slot];
    let mut distance = [0u8; PLACES];
    let mut queue = [0u8; PLACES];
    queue[0] = index as u8;
    distance[index] = 1;
    let (mut at, mut count) = (0, 1);
    while at < count {
        let here = usize::from(queue[at]);
        at += 1;
        // The atoms of the path so far; the goal adds one.
        if usize::from(distance[here]) + 1 >= STEREO_RING_MIN {
            return false;
        }
        for (step, other) in mol.atoms[here].neighbours() {
            if here == index && step == slot {
                continue;
            }
            if other == goal {
                return true;
            }
            if distance[usize::from(other)] == 0 {
                distance[usize::from(other)] = distance[here] + 1;
                queue[count] = other;
                count += 1;
            }
        }
    }
    false
}
