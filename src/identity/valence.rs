//! Hydrogens, charges of nitro groups and valences: what the text leaves to the reader.

use super::{
    Reason,
    elements::{aromatic_valence, implicit_hydrogens, is_certain},
    molecule::{
        AROMATIC, Atom, DOUBLE, HYDROGEN, Molecule, NITROGEN, NOBODY, OXYGEN, PLACES, SINGLE,
    },
};

/// Gives every atom its hydrogens and its unsaturation; hydrogens that are atoms become counted ones.
pub(super) fn complete(mol: &mut Molecule) -> Result<(), Reason> {
    for index in 0..mol.count {
        let atom = mol.atoms[index];
        let (pairs, aromatic) = pairs_in_bonds(&atom);
        if aromatic > 0 && !atom.aromatic {
            return Err(Reason::Aromatic);
        }
        if atom.aromatic {
            complete_aromatic(&mut mol.atoms[index], pairs, aromatic)?;
        } else if atom.number == NITROGEN && pairs == 5 && !atom.bracket {
            charge_nitro(mol, index)?;
        } else {
            let atom = &mut mol.atoms[index];
            if !atom.bracket {
                atom.hydrogens = implicit_hydrogens(atom.number, pairs).ok_or(Reason::Valence)?;
            } else if !is_certain(atom, pairs + atom.hydrogens) {
                return Err(Reason::Valence);
            }
            atom.unsaturation = pairs - atom.degree;
        }
    }
    if mol.any_hydrogen_atom {
        count_hydrogen_atoms(mol)?;
    }
    Ok(())
}

/// Pairs of electrons in bonds that are not aromatic, and the number of those that are.
fn pairs_in_bonds(atom: &Atom) -> (u8, u8) {
    let (mut pairs, mut aromatic) = (0, 0);
    for &order in &atom.orders[..usize::from(atom.degree)] {
        if order == AROMATIC {
            aromatic += 1;
        } else {
            pairs += order;
        }
    }
    (pairs, aromatic)
}

fn complete_aromatic(atom: &mut Atom, pairs: u8, aromatic: u8) -> Result<(), Reason> {
    if aromatic < 2 || atom.in_ring == 0 {
        return Err(Reason::Aromatic);
    }
    let valence = aromatic_valence(atom).ok_or(Reason::Aromatic)?;
    if !atom.bracket {
        // An aromatic bond counts as one and a half.
        atom.hydrogens = valence.saturating_sub(pairs + (3 * aromatic).div_ceil(2));
    }
    // A ring has one double bond at most for an atom; others lie outside of it.
    let used = pairs + aromatic + atom.hydrogens;
    // RDKit overlooks one and a half too much, such as that of pyrrole's nitrogen.
    if 3 * aromatic + 2 * (pairs + atom.hydrogens) > 2 * valence + 3 {
        return Err(Reason::Aromatic);
    }
    match valence.checked_sub(used) {
        Some(wanted @ (0 | 1)) => {
            atom.unsaturation = pairs + aromatic - atom.degree + wanted;
            Ok(())
        }
        _ => Err(Reason::Aromatic),
    }
}

/// N(=O)=O is written with charges by RDKit.
fn charge_nitro(mol: &mut Molecule, index: usize) -> Result<(), Reason> {
    let atom = mol.atoms[index];
    let oxide = |slot: &usize| {
        let other = &mol.atoms[usize::from(atom.neighbours[*slot])];
        atom.orders[*slot] == DOUBLE
            && other.number == OXYGEN
            && other.degree == 1
            && !other.bracket
            && other.isotope == 0
    };
    let mut oxides = (0..usize::from(atom.degree)).filter(oxide);
    let (Some(slot), Some(_)) = (oxides.next(), oxides.next()) else {
        return Err(Reason::Valence);
    };
    if atom.degree != 3 {
        return Err(Reason::Valence);
    }
    let oxygen = usize::from(atom.neighbours[slot]);
    let nitrogen = &mut mol.atoms[index];
    (
        nitrogen.orders[slot],
        nitrogen.charge,
        nitrogen.unsaturation,
    ) = (SINGLE, 1, 1);
    let oxygen = &mut mol.atoms[oxygen];
    // In brackets from now on: it takes no hydrogen, whichever of the two is looked at first.
    (oxygen.orders[0], oxygen.charge, oxygen.bracket) = (SINGLE, -1, true);
    (oxygen.hydrogens, oxygen.unsaturation) = (0, 0);
    Ok(())
}

/// Takes hydrogens that are atoms out of the lists of their neighbours, as RDKit does.
fn count_hydrogen_atoms(mol: &mut Molecule) -> Result<(), Reason> {
    let mut gone = [false; PLACES];
    let mut any = false;
    for (index, gone) in gone.iter_mut().enumerate().take(mol.count) {
        let atom = mol.atoms[index];
        if atom.number != HYDROGEN || atom.isotope != 0 || atom.charge != 0 {
            continue;
        }
        let heavy = usize::from(atom.neighbours[0]);
        if atom.degree != 1 || atom.hydrogens != 0 || mol.atoms[heavy].number == HYDROGEN {
            return Err(Reason::Hydrogen);
        }
        take_out(&mut mol.atoms[heavy], index as u8)?;
        (*gone, any) = (true, true);
    }
    if any {
        close_ranks(mol, &gone);
    }
    Ok(())
}

fn take_out(atom: &mut Atom, hydrogen: u8) -> Result<(), Reason> {
    let slot = atom.slot_of(hydrogen).ok_or(Reason::Hydrogen)?;
    let side = atom.sides[slot];
    if side != 0 {
        if atom.hydrogen_side != 0 && atom.hydrogens > 0 && atom.hydrogen_side != -side {
            return Err(Reason::Marks);
        }
        atom.hydrogen_side = side;
    }
    (atom.hydrogen_was_atom, atom.hydrogen_odd) = (true, slot % 2 == 1);
    atom.hydrogens += 1;
    let last = usize::from(atom.degree) - 1;
    atom.neighbours.copy_within(slot + 1..=last, slot);
    atom.orders.copy_within(slot + 1..=last, slot);
    atom.sides.copy_within(slot + 1..=last, slot);
    let below = atom.in_ring & ((1 << slot) - 1);
    atom.in_ring = below | (atom.in_ring >> (slot + 1)) << slot;
    atom.degree -= 1;
    Ok(())
}

/// Numbers the atoms that are left from 0 on.
fn close_ranks(mol: &mut Molecule, gone: &[bool; PLACES]) {
    let mut numbers = [NOBODY; PLACES];
    let mut count = 0;
    for index in 0..mol.count {
        if !gone[index] {
            numbers[index] = count;
            mol.atoms[usize::from(count)] = mol.atoms[index];
            count += 1;
        }
    }
    mol.count = usize::from(count);
    for atom in mol.atoms_mut() {
        let degree = usize::from(atom.degree);
        for neighbour in &mut atom.neighbours[..degree] {
            *neighbour = numbers[usize::from(*neighbour)];
        }
    }
}
