//! Hydrogens, charges of nitro groups and valences: what the text leaves to the reader.

use super::{
    Reason,
    elements::{PLAIN, aromatic_valence, implicit_hydrogens, is_certain},
    molecule::{
        Atom, DOUBLE, HYDROGEN, Molecule, NITROGEN, NOBODY, ONES, OXYGEN, PLACES, SINGLE,
    },
};

/// Hydrogens of atoms without brackets, which are few kinds in few states.
#[derive(Debug)]
pub(super) struct Usual {
    /// By number, whether it is aromatic, pairs and aromatic bonds: hydrogens, and above [`PAIRS_SHIFT`] the pairs
    /// in all bonds. [`NOT_USUAL`]: there is more to be looked at.
    states: [[[[u8; AROMATIC_BONDS]; PAIRS]; 2]; NUMBERS],
}

const NUMBERS: usize = 64;
const PAIRS: usize = 8;
const AROMATIC_BONDS: usize = 4;
const PAIRS_SHIFT: u8 = 4;
const NOT_USUAL: u8 = 255;

impl Usual {
    pub fn new() -> Self {
        let mut states = [[[[NOT_USUAL; AROMATIC_BONDS]; PAIRS]; 2]; NUMBERS];
        for (number, aromatic) in PLAIN {
            for pairs in 0..PAIRS as u8 {
                for bonds in 0..AROMATIC_BONDS as u8 {
                    let mut atom = Atom {
                        number,
                        aromatic,
                        in_ring: u8::from(aromatic),
                        ..Atom::NONE
                    };
                    if complete_one(&mut atom, pairs, bonds).is_ok() {
                        states[usize::from(number)][usize::from(aromatic)][usize::from(pairs)]
                            [usize::from(bonds)] = atom.hydrogens | atom.unsaturation << PAIRS_SHIFT;
                    }
                }
            }
        }
        Self { states }
    }

    /// Hydrogens and pairs in all bonds.
    fn of(&self, atom: &Atom, pairs: u8, aromatic: u8) -> Option<(u8, u8)> {
        // An aromatic atom must be in a ring.
        let bare = atom.bracket | (atom.aromatic & (atom.in_ring == 0));
        let kind = self.states.get(usize::from(atom.number))?;
        let by_pairs = kind[usize::from(atom.aromatic)].get(usize::from(pairs))?;
        let state = *by_pairs.get(usize::from(aromatic))?;
        let usual = !bare & (state != NOT_USUAL);
        usual.then_some((state & ((1 << PAIRS_SHIFT) - 1), state >> PAIRS_SHIFT))
    }

    /// Gives every atom its hydrogens and its unsaturation; hydrogens that are atoms become counted ones.
    pub fn complete(&self, mol: &mut Molecule) -> Result<(), Reason> {
        for index in 0..mol.count {
            let atom = &mut mol.atoms[index];
            let (pairs, aromatic) = pairs_in_bonds(atom);
            if let Some((hydrogens, all)) = self.of(atom, pairs, aromatic) {
                (atom.hydrogens, atom.unsaturation) = (hydrogens, all - atom.degree);
            } else if atom.number == NITROGEN && pairs == 5 && !atom.bracket && !atom.aromatic {
                if aromatic > 0 {
                    return Err(Reason::Aromatic);
                }
                charge_nitro(mol, index)?;
            } else {
                complete_one(atom, pairs, aromatic)?;
            }
        }
        if mol.any_hydrogen_atom {
            count_hydrogen_atoms(mol)?;
        }
        Ok(())
    }
}

/// An atom by itself.
fn complete_one(atom: &mut Atom, pairs: u8, aromatic: u8) -> Result<(), Reason> {
    if atom.aromatic {
        return complete_aromatic(atom, pairs, aromatic);
    }
    if aromatic > 0 {
        return Err(Reason::Aromatic);
    }
    if !atom.bracket {
        atom.hydrogens = implicit_hydrogens(atom.number, pairs).ok_or(Reason::Valence)?;
    } else if !is_certain(atom, pairs + atom.hydrogens) {
        return Err(Reason::Valence);
    }
    atom.unsaturation = pairs - atom.degree;
    Ok(())
}

/// Pairs of electrons in bonds that are not aromatic, and the number of those that are.
fn pairs_in_bonds(atom: &Atom) -> (u8, u8) {
    let orders = u64::from_le_bytes(atom.orders);
    // The highest byte of a product with ones is the sum of all bytes.
    let sum = |word: u64| (word.wrapping_mul(ONES) >> 56) as u8;
    (sum(orders & (3 * ONES)), sum(orders >> 2 & ONES))
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
    (atom.neighbours[last], atom.orders[last]) = (NOBODY, 0);
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
