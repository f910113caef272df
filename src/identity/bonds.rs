//! Assigns double and triple bonds, from the atoms alone.
//!
//! Each atom has a number of electron pairs in its bonds beyond the first of each (`unsaturation`), which does not
//! depend on the Kekulé form of the text. An atom with only one neighbour that can share its pairs must share all of
//! them with that neighbour, and so on. A bond that is the only connection of two parts gets the pair that makes the
//! count of both parts even. The remaining atoms must form six-membered rings with one pair for each atom: RDKit
//! perceives those as aromatic in every form, so the form does not matter. Molecules with other remaining atoms, whose
//! forms are different molecules to RDKit (cyclooctatetraenes, pentalenes, porphyrins …), are left to RDKit.

use bytemuck::Zeroable;

use super::{
    atom::{AROMATIC, Atom, NEIGHBOURS_MAX, ONES, PLACES, SINGLE, bytes_of_bits},
    bridges::{Bridge, Bridges},
    list::List,
    molecule::Molecule,
    reason::Reason,
    six_rings::{SixRings, bits, is_plain},
};

/// Working memory for the assignment.
#[derive(Debug, Zeroable)]
pub(super) struct BondAssigner {
    /// Atoms that have electron pairs to assign.
    open: List<u8>,
    queue: Queue,
    rings: SixRings,
    bridges: Bridges,
}

impl BondAssigner {
    /// Assigns all bonds, in `Atom::assigned`.
    #[inline(always)]
    pub fn assign(&mut self, mol: &mut Molecule) -> Result<(), Reason> {
        begin(mol, &mut self.open);
        self.queue.count = 0;
        for &atom in self.open.iter() {
            self.queue.look_at(mol, usize::from(atom))?;
        }
        assign_forced(mol, &mut self.queue)?;
        let is_open = |&atom: &u8| mol.atoms[usize::from(atom)].open > 0;
        if self.open.iter().any(is_open) {
            self.assign_rings(mol)?;
        }
        compare_with_text(mol)
    }

    fn assign_rings(&mut self, mol: &mut Molecule) -> Result<(), Reason> {
        loop {
            let (rings, open) = (&mut self.rings, &mut self.open);
            open.retain(|index| {
                mol.atoms[usize::from(index)].open > 0 && !rings.assign_simple(mol, index)
            });
            let is_no_ring = |&index: &u8| {
                let atom = &mol.atoms[usize::from(index)];
                atom.may_take & !atom.in_ring != 0
            };
            if !open.iter().any(is_no_ring) {
                rings.find(mol, open);
                if rings.hold_all(mol, open) {
                    break;
                }
            }
            let found = self.bridges.find(mol, open);
            if found.is_empty() {
                return Err(Reason::Bonds);
            }
            for bridge in found {
                assign_bridge(mol, &mut self.queue, bridge)?;
            }
            assign_forced(mol, &mut self.queue)?;
        }
        for &index in self.open.iter() {
            let atom = &mut mol.atoms[usize::from(index)];
            if atom.open == 0 {
                continue;
            }
            if !is_plain(atom) {
                return Err(Reason::Bonds);
            }
            atom.assign(self.rings.of(index), AROMATIC);
        }
        if mol.any_aromatic {
            self.rings.check_form(mol, &self.open)
        } else {
            Ok(())
        }
    }
}

/// Atoms with only one bond that can take their pairs.
#[derive(Debug, Zeroable)]
pub(super) struct Queue {
    atoms: [u8; 2 * PLACES],
    count: usize,
}

impl Queue {
    /// Adds an atom if it has only one such bond. Fails if it has none.
    fn look_at(&mut self, mol: &Molecule, index: usize) -> Result<(), Reason> {
        let Atom { open, may_take, .. } = mol.atoms[index];
        if open == 0 {
            return Ok(());
        }
        if may_take == 0 {
            return Err(Reason::Bonds);
        }
        // An atom is added at most twice: when its second to last bond is excluded, and when a double bond leaves it open.
        if self.count == self.atoms.len() {
            return Err(Reason::Bonds);
        }
        // Kept if there is only one bond, else overwritten by the next.
        self.atoms[self.count] = index as u8;
        self.count += usize::from(may_take & (may_take - 1) == 0);
        Ok(())
    }
}

#[inline(always)]
fn begin(mol: &mut Molecule, open: &mut List<u8>) {
    open.clear();
    for (index, atom) in mol.atoms_mut().iter_mut().enumerate() {
        atom.open = atom.unsaturation;
        atom.assigned = SINGLES[usize::from(atom.degree)];
        atom.may_take = 0;
        open.push_if(atom.open > 0, index as u8);
    }
    for &index in open.iter() {
        let atom = &mol.atoms[usize::from(index)];
        // `NO_ATOM` is not open.
        let takes = |slot: usize| {
            let other = usize::from(atom.neighbours[slot]);
            u8::from(mol.atoms[other].open > 0) << slot
        };
        let mut may_take = takes(0) | takes(1) | takes(2) | takes(3);
        if atom.degree > 4 {
            may_take |= takes(4) | takes(5) | takes(6) | takes(7);
        }
        mol.atoms[usize::from(index)].may_take = may_take;
    }
}

/// By the degree: as many single bonds.
const SINGLES: [[u8; NEIGHBOURS_MAX]; NEIGHBOURS_MAX + 1] = {
    let mut all = [[0; NEIGHBOURS_MAX]; NEIGHBOURS_MAX + 1];
    let mut degree = 1;
    while degree < all.len() {
        all[degree] = all[degree - 1];
        all[degree][degree - 1] = SINGLE;
        degree += 1;
    }
    all
};

#[inline(always)]
fn assign_forced(mol: &mut Molecule, queue: &mut Queue) -> Result<(), Reason> {
    while queue.count > 0 {
        queue.count -= 1;
        let index = usize::from(queue.atoms[queue.count]);
        let atom = &mol.atoms[index];
        if atom.open > 0 {
            let slot = atom.may_take.trailing_zeros() as usize;
            assign_pairs(mol, queue, index, slot, atom.open)?;
        }
    }
    Ok(())
}

/// Assigns electron pairs to a bond.
fn assign_pairs(
    mol: &mut Molecule,
    queue: &mut Queue,
    index: usize,
    slot: usize,
    pairs: u8,
) -> Result<(), Reason> {
    if slot >= NEIGHBOURS_MAX {
        return Err(Reason::Bonds);
    }
    let (other, twin) = mol.twin(index, slot);
    if pairs > 2 || mol.atoms[other].open < pairs || mol.atoms[index].open < pairs {
        return Err(Reason::Bonds);
    }
    for (atom, slot) in [(index, slot), (other, twin)] {
        let atom = &mut mol.atoms[atom];
        atom.assign(1 << slot, SINGLE + pairs);
        atom.open -= pairs;
        atom.may_take &= !(1 << slot);
    }
    for atom in [index, other] {
        if mol.atoms[atom].open == 0 {
            close_atom(mol, queue, atom)?;
        } else {
            queue.look_at(mol, atom)?;
        }
    }
    Ok(())
}

/// Excludes the bonds of an atom that has assigned all of its pairs.
fn close_atom(mol: &mut Molecule, queue: &mut Queue, index: usize) -> Result<(), Reason> {
    let left = std::mem::take(&mut mol.atoms[index].may_take);
    for slot in bits(left) {
        let (other, twin) = mol.twin(index, slot);
        mol.atoms[other].may_take &= !(1 << twin);
        queue.look_at(mol, other)?;
    }
    Ok(())
}

fn assign_bridge(mol: &mut Molecule, queue: &mut Queue, bridge: &Bridge) -> Result<(), Reason> {
    let &Bridge { here, above, odd } = bridge;
    let here = usize::from(here);
    let slot = mol.atoms[here].slot_of(above).expect("a bridge is a bond");
    if mol.atoms[here].may_take >> slot & 1 == 0 {
        // Another bridge has assigned it already: both must agree.
        let agrees = (mol.atoms[here].assigned[slot] > SINGLE) == odd;
        return agrees.then_some(()).ok_or(Reason::Bonds);
    }
    if odd {
        return assign_pairs(mol, queue, here, slot, 1);
    }
    let (other, twin) = mol.twin(here, slot);
    mol.atoms[here].may_take &= !(1 << slot);
    mol.atoms[other].may_take &= !(1 << twin);
    queue.look_at(mol, here)?;
    queue.look_at(mol, other)
}

/// The assigned bonds must be those of the text, where the text has them.
fn compare_with_text(mol: &Molecule) -> Result<(), Reason> {
    let faults = mol.atoms().iter().map(contradictions);
    if faults.fold(0, |all, one| all | one) == 0 {
        Ok(())
    } else {
        Err(Reason::Aromatic)
    }
}

/// A bit in the byte of each bond that contradictions the text. Without branches, since the kind of a bond is
/// unpredictable.
fn contradictions(atom: &Atom) -> u64 {
    let [written, assigned] = [atom.orders, atom.assigned].map(u64::from_le_bytes);
    let aromatic = |orders: u64| orders >> AROMATIC.trailing_zeros();
    // If both are aromatic they are equal.
    let one_way = aromatic(written) & (assigned & !(assigned >> 1) | bytes_of_bits(atom.in_ring));
    let other_way = aromatic(assigned) & !(written & written >> 1);
    let differ = written ^ assigned;
    let differ = (differ | differ >> 1 | differ >> 2) & ONES;
    differ & !(one_way | other_way)
}
