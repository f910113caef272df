//! Where the double and triple bonds are, told from the atoms alone.
//!
//! Each atom says how many pairs of electrons its bonds hold beyond the first of each (`unsaturation`), whatever
//! form the text has. An atom with a single neighbour that can take some must give it all of them, and so on;
//! a bond that alone holds two parts together takes what makes the count of both even. What is then left must
//! be six-membered rings of atoms with one pair each: RDKit finds those aromatic in every form, so the form does
//! not matter. Molecules in which anything else is left, of which two forms are two molecules to RDKit
//! (cyclooctatetraenes, pentalenes, porphyrins …), are left to RDKit.

use super::{
    atom::{AROMATIC, Atom, NEIGHBOURS_MAX, ONES, PLACES, SINGLE, bytes_of_bits},
    bridges::Bridges,
    molecule::Molecule,
    reason::Reason,
    six_rings::{SixRings, bits, is_plain},
};

/// What settling needs beside the molecule.
#[derive(Debug)]
pub(super) struct BondAssigner {
    open: OpenAtoms,
    queue: Queue,
    rings: SixRings,
    bridges: Bridges,
}

/// Atoms that have pairs to give, at the beginning.
#[derive(Debug)]
struct OpenAtoms {
    atoms: [u8; PLACES],
    count: usize,
}

impl OpenAtoms {
    /// Keeps those of which `wanted` holds.
    fn keep(&mut self, mut wanted: impl FnMut(u8) -> bool) {
        let mut kept = 0;
        for i in 0..self.count {
            let index = self.atoms[i];
            self.atoms[kept] = index;
            kept += usize::from(wanted(index));
        }
        self.count = kept;
    }

    fn all(&self) -> &[u8] {
        &self.atoms[..self.count]
    }
}

impl BondAssigner {
    pub fn new() -> Self {
        Self {
            open: OpenAtoms {
                atoms: [0; PLACES],
                count: 0,
            },
            queue: Queue {
                atoms: [0; 2 * PLACES],
                count: 0,
            },
            rings: SixRings::new(),
            bridges: Bridges::new(),
        }
    }

    /// Settles all bonds; `Atom::assigned` then holds them.
    pub fn assign(&mut self, mol: &mut Molecule) -> Result<(), Reason> {
        begin(mol, &mut self.open);
        self.queue.count = 0;
        for &atom in self.open.all() {
            self.queue.look_at(mol, usize::from(atom))?;
        }
        peel(mol, &mut self.queue)?;
        let is_open = |&atom: &u8| mol.atoms[usize::from(atom)].open > 0;
        if self.open.all().iter().any(is_open) {
            self.assign_rings(mol)?;
        }
        compare_with_text(mol)
    }

    fn assign_rings(&mut self, mol: &mut Molecule) -> Result<(), Reason> {
        loop {
            let (rings, open) = (&mut self.rings, &mut self.open);
            open.keep(|index| {
                mol.atoms[usize::from(index)].open > 0 && !rings.assign_simple(mol, index)
            });
            let open = open.all();
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
                let (here, above) = (usize::from(bridge.here), bridge.above);
                assign_bridge(mol, &mut self.queue, here, above, bridge.odd)?;
            }
            peel(mol, &mut self.queue)?;
        }
        let open = self.open.all();
        for &index in open {
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
            self.rings.check_form(mol, open)
        } else {
            Ok(())
        }
    }
}

/// Atoms that have a single way.
#[derive(Debug)]
pub(super) struct Queue {
    atoms: [u8; 2 * PLACES],
    count: usize,
}

impl Queue {
    /// An error: an atom has no way at all.
    fn look_at(&mut self, mol: &Molecule, index: usize) -> Result<(), Reason> {
        let Atom { open, may_take, .. } = mol.atoms[index];
        if open == 0 {
            return Ok(());
        }
        if may_take == 0 {
            return Err(Reason::Bonds);
        }
        // Twice at most: when its last way but one goes, and when a double bond leaves it open.
        if self.count == self.atoms.len() {
            return Err(Reason::Bonds);
        }
        // Kept if there is a single way, else written over by the next.
        self.atoms[self.count] = index as u8;
        self.count += usize::from(may_take & (may_take - 1) == 0);
        Ok(())
    }
}

fn begin(mol: &mut Molecule, open: &mut OpenAtoms) {
    open.count = 0;
    for (index, atom) in mol.atoms_mut().iter_mut().enumerate() {
        atom.open = atom.unsaturation;
        atom.assigned = SINGLES[usize::from(atom.degree)];
        atom.may_take = 0;
        // Kept if it is open, else written over by the next.
        open.atoms[open.count] = index as u8;
        open.count += usize::from(atom.open > 0);
    }
    for &index in open.all() {
        let atom = &mol.atoms[usize::from(index)];
        // Nobody is not open.
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

/// As many single bonds as the index says.
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

fn peel(mol: &mut Molecule, queue: &mut Queue) -> Result<(), Reason> {
    while queue.count > 0 {
        queue.count -= 1;
        let index = usize::from(queue.atoms[queue.count]);
        let atom = &mol.atoms[index];
        if atom.open > 0 {
            let slot = atom.may_take.trailing_zeros() as usize;
            give(mol, queue, index, slot, atom.open)?;
        }
    }
    Ok(())
}

/// Puts pairs into a bond; with that it is assigned.
fn give(
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
            shut(mol, queue, atom)?;
        } else {
            queue.look_at(mol, atom)?;
        }
    }
    Ok(())
}

/// An atom that has given all takes no more.
fn shut(mol: &mut Molecule, queue: &mut Queue, index: usize) -> Result<(), Reason> {
    let left = std::mem::take(&mut mol.atoms[index].may_take);
    for slot in bits(left) {
        let (other, twin) = mol.twin(index, slot);
        mol.atoms[other].may_take &= !(1 << twin);
        queue.look_at(mol, other)?;
    }
    Ok(())
}

fn assign_bridge(
    mol: &mut Molecule,
    queue: &mut Queue,
    here: usize,
    above: u8,
    odd: bool,
) -> Result<(), Reason> {
    let slot = mol.atoms[here].slot_of(above).expect("a bridge is a bond");
    if mol.atoms[here].may_take >> slot & 1 == 0 {
        // Another bridge has assigned it: it must have done so in the same way.
        return if (mol.atoms[here].assigned[slot] > SINGLE) == odd {
            Ok(())
        } else {
            Err(Reason::Bonds)
        };
    }
    if odd {
        return give(mol, queue, here, slot, 1);
    }
    let (other, twin) = mol.twin(here, slot);
    mol.atoms[here].may_take &= !(1 << slot);
    mol.atoms[other].may_take &= !(1 << twin);
    queue.look_at(mol, here)?;
    queue.look_at(mol, other)
}

/// What is assigned must be what the text says, where it says it.
fn compare_with_text(mol: &Molecule) -> Result<(), Reason> {
    let faults = mol
        .atoms()
        .iter()
        .map(contradicts)
        .fold(0, |all, one| all | one);
    if faults == 0 {
        Ok(())
    } else {
        Err(Reason::Aromatic)
    }
}

/// A bit in the byte of each bond of which the text says something else; without a branch, for of which kind a bond
/// is can't be foretold.
fn contradicts(atom: &Atom) -> u64 {
    let [written, assigned] = [atom.orders, atom.assigned].map(u64::from_le_bytes);
    let aromatic = |orders: u64| orders >> AROMATIC.trailing_zeros();
    // Where both are aromatic they are the same.
    let one_way = aromatic(written) & (assigned & !(assigned >> 1) | bytes_of_bits(atom.in_ring));
    let other_way = aromatic(assigned) & !(written & written >> 1);
    let differ = written ^ assigned;
    let differ = (differ | differ >> 1 | differ >> 2) & ONES;
    differ & !(one_way | other_way)
}
