//! Completes what the text leaves out: hydrogens, charges of nitro groups, valences.

use super::{
    atom::{
        AROMATIC, Atom, DOUBLE, FEW, HYDROGEN, NITROGEN, NO_ATOM, ONES, OXYGEN, PHOSPHORUS, PLACES,
        SINGLE, sum_of_bytes,
    },
    elements::{PLAIN, aromatic_valence, implicit_hydrogens, is_certain},
    molecule::Molecule,
    reason::Reason,
};

/// A table of the hydrogens of atoms without brackets, which have few kinds and few states.
#[derive(Debug)]
pub(super) struct ValenceTable {
    /// By `Atom::plain` and bonds ([`Bonds::state`]): hydrogens, and above [`PAIRS_SHIFT`] the electron pairs in all
    /// bonds. [`NOT_IN_TABLE`] for a state that takes more than the table.
    states: [[u8; STATES]; 1 + PLAIN.len()],
}

const STATES: usize = 256;
const PAIRS_SHIFT: u8 = 4;
const NOT_IN_TABLE: u8 = 255;

impl ValenceTable {
    pub fn new() -> Self {
        let mut states = [[NOT_IN_TABLE; STATES]; 1 + PLAIN.len()];
        for (of_plain, (number, aromatic)) in states[1..].iter_mut().zip(PLAIN) {
            for (state, outcome) in of_plain.iter_mut().enumerate() {
                let bonds = Bonds::of_state(state as u8);
                let mut atom = Atom {
                    number,
                    aromatic,
                    in_ring: u8::from(aromatic),
                    plain: 1,
                    ..Atom::NONE
                };
                // More than four neighbours are rare.
                if bonds.pairs <= 12
                    && bonds.aromatic <= 4
                    && complete_one(&mut atom, bonds).is_ok()
                {
                    *outcome = atom.hydrogens | atom.unsaturation << PAIRS_SHIFT;
                }
            }
        }
        Self { states }
    }

    /// The hydrogens, and the electron pairs in all bonds.
    fn of(&self, atom: &Atom, state: u8) -> Option<(u8, u8)> {
        let outcome = self.states[usize::from(atom.plain)][usize::from(state)];
        // An aromatic atom must be in a ring.
        let bare = atom.aromatic & (atom.in_ring == 0);
        let usual = (outcome != NOT_IN_TABLE) & !bare & (usize::from(atom.degree) <= FEW);
        usual.then_some((outcome & ((1 << PAIRS_SHIFT) - 1), outcome >> PAIRS_SHIFT))
    }

    /// Sets the hydrogens and the unsaturation of every atom; hydrogens written as atoms become counts.
    #[inline(always)]
    pub fn complete(&self, mol: &mut Molecule) -> Result<(), Reason> {
        let mut any_aromatic = false;
        for index in 0..mol.count {
            let atom = &mut mol.atoms[index];
            any_aromatic |= atom.aromatic;
            if let Some((hydrogens, all)) = self.of(atom, Bonds::state(atom)) {
                (atom.hydrogens, atom.unsaturation) = (hydrogens, all - atom.degree);
                continue;
            }
            let bonds = Bonds::of(atom);
            let nitrogen = atom.number == NITROGEN && !atom.bracket() && !atom.aromatic;
            if nitrogen && bonds.pairs == 5 && bonds.aromatic == 0 {
                charge_nitro(mol, index)?;
            } else {
                complete_one(atom, bonds)?;
            }
        }
        mol.any_aromatic = any_aromatic;
        if mol.any_hydrogen_atom {
            count_hydrogen_atoms(mol)?;
        }
        Ok(())
    }
}

/// The electron pairs in bonds that are not aromatic, and the number of aromatic bonds.
#[derive(Clone, Copy)]
struct Bonds {
    pairs: u8,
    aromatic: u8,
}

/// In a state, the number of aromatic bonds is above the electron pairs.
const AROMATIC_SHIFT: u8 = 5;

impl Bonds {
    fn of(atom: &Atom) -> Self {
        let orders = u64::from_le_bytes(atom.orders);
        Self {
            pairs: sum_of_bytes(orders & (3 * ONES)),
            aromatic: sum_of_bytes(orders >> 2 & ONES),
        }
    }

    /// Both in one byte, for an atom with few neighbours.
    fn state(atom: &Atom) -> u8 {
        let orders = u64::from_le_bytes(atom.orders);
        let aromatic = orders & (u64::from(AROMATIC) * ONES);
        sum_of_bytes(orders ^ aromatic | aromatic << (AROMATIC_SHIFT - 2))
    }

    fn of_state(state: u8) -> Self {
        Self {
            pairs: state & ((1 << AROMATIC_SHIFT) - 1),
            aromatic: state >> AROMATIC_SHIFT,
        }
    }
}

/// Completes one atom.
fn complete_one(atom: &mut Atom, bonds: Bonds) -> Result<(), Reason> {
    let Bonds { pairs, aromatic } = bonds;
    if atom.aromatic {
        return complete_aromatic(atom, bonds);
    }
    if aromatic > 0 {
        return Err(Reason::Aromatic);
    }
    if !atom.bracket() {
        atom.hydrogens = implicit_hydrogens(atom.number, pairs).ok_or(Reason::Valence)?;
    } else if !is_certain(atom, pairs + atom.hydrogens) {
        return Err(Reason::Valence);
    }
    atom.unsaturation = pairs - atom.degree;
    // RDKit writes some of these with charges.
    let two_double_bonds = atom.number == PHOSPHORUS && atom.charge == 0 && atom.unsaturation > 1;
    // RDKit does not read these in an aromatic ring.
    let uncommon = atom.bracket() && atom.unsaturation > 0 && aromatic_valence(atom).is_none();
    if two_double_bonds || uncommon && atom.total_degree() <= 3 {
        return Err(Reason::Valence);
    }
    Ok(())
}

fn complete_aromatic(atom: &mut Atom, bonds: Bonds) -> Result<(), Reason> {
    let Bonds { pairs, aromatic } = bonds;
    if aromatic < 2 || atom.in_ring == 0 {
        return Err(Reason::Aromatic);
    }
    let valence = aromatic_valence(atom).ok_or(Reason::Aromatic)?;
    if !atom.bracket() {
        // An aromatic bond counts as one and a half.
        atom.hydrogens = valence.saturating_sub(pairs + (3 * aromatic).div_ceil(2));
    }
    // An atom has at most one double bond in its ring; others are outside of it.
    let used = pairs + aromatic + atom.hydrogens;
    // RDKit accepts an excess of one and a half, as at the nitrogen of pyrrole.
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

/// Rewrites N(=O)=O with charges, as RDKit does.
fn charge_nitro(mol: &mut Molecule, index: usize) -> Result<(), Reason> {
    let atom = mol.atoms[index];
    let oxide = |slot: &usize| {
        let other = &mol.atoms[usize::from(atom.neighbours[*slot])];
        atom.orders[*slot] == DOUBLE
            && other.number == OXYGEN
            && other.degree == 1
            && !other.bracket()
            && other.isotope == [0; 2]
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
    // Treated as in brackets from now on: it has no hydrogens, in whichever order the two atoms are completed.
    (oxygen.orders[0], oxygen.charge, oxygen.plain) = (SINGLE, -1, 0);
    (oxygen.hydrogens, oxygen.unsaturation) = (0, 0);
    Ok(())
}

/// Removes hydrogens that are written as atoms, as RDKit does.
fn count_hydrogen_atoms(mol: &mut Molecule) -> Result<(), Reason> {
    let mut gone = [false; PLACES];
    let mut any = false;
    for (index, gone) in gone.iter_mut().enumerate().take(mol.count) {
        let atom = mol.atoms[index];
        if atom.number != HYDROGEN || atom.isotope != [0; 2] || atom.charge != 0 {
            continue;
        }
        let heavy = usize::from(atom.neighbours[0]);
        if atom.degree != 1 || atom.hydrogens != 0 || mol.atoms[heavy].number == HYDROGEN {
            return Err(Reason::Hydrogen);
        }
        remove_hydrogen(&mut mol.atoms[heavy], index as u8)?;
        (*gone, any) = (true, true);
    }
    if any {
        renumber(mol, &gone);
    }
    Ok(())
}

fn remove_hydrogen(atom: &mut Atom, hydrogen: u8) -> Result<(), Reason> {
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
    (atom.neighbours[last], atom.orders[last]) = (NO_ATOM, 0);
    let below = atom.in_ring & ((1 << slot) - 1);
    atom.in_ring = below | (atom.in_ring >> (slot + 1)) << slot;
    atom.degree -= 1;
    Ok(())
}

/// Renumbers the remaining atoms from 0.
fn renumber(mol: &mut Molecule, gone: &[bool; PLACES]) {
    let mut numbers = [NO_ATOM; PLACES];
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
