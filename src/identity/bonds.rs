//! Where the double and triple bonds are, told from the atoms alone.
//!
//! Each atom says how many pairs of electrons its bonds hold beyond the first of each (`unsaturation`), whatever
//! form the text has. An atom with a single neighbour that can take some must give it all of them, and so on;
//! a bond that alone holds two parts together takes what makes the count of both even. What is then left must
//! be six-membered rings of atoms with one pair each: RDKit finds those aromatic in every form, so the form does
//! not matter. Molecules in which anything else is left, of which two forms are two molecules to RDKit
//! (cyclooctatetraenes, pentalenes, porphyrins …), are left to RDKit.

use super::{
    Reason,
    molecule::{
        AROMATIC, ATOMS_MAX, CARBON, Molecule, NEIGHBOURS_MAX, NITROGEN, OXYGEN, PLACES, SINGLE,
        SULFUR,
    },
};

/// Settles all bonds; `Atom::settled` then holds them.
pub(super) fn settle(mol: &mut Molecule) -> Result<(), Reason> {
    let mut queue = Queue::new();
    begin(mol);
    for atom in 0..mol.count {
        queue.look_at(mol, atom)?;
    }
    peel(mol, &mut queue)?;
    if mol.atoms().iter().any(|atom| atom.open > 0) {
        settle_rings(mol, &mut queue)?;
    }
    compare_with_text(mol)
}

/// Atoms that have a single way.
struct Queue {
    atoms: [u8; 2 * ATOMS_MAX],
    count: usize,
}

impl Queue {
    fn new() -> Self {
        Self {
            atoms: [0; 2 * ATOMS_MAX],
            count: 0,
        }
    }

    /// An error: an atom has no way at all.
    fn look_at(&mut self, mol: &Molecule, index: usize) -> Result<(), Reason> {
        let atom = &mol.atoms[index];
        if atom.open == 0 {
            return Ok(());
        }
        match atom.may_take.count_ones() {
            0 => Err(Reason::Bonds),
            1 => {
                // Twice at most: when its last way but one goes, and when a double bond leaves it open.
                if self.count == self.atoms.len() {
                    return Err(Reason::Bonds);
                }
                self.atoms[self.count] = index as u8;
                self.count += 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

fn begin(mol: &mut Molecule) {
    for atom in mol.atoms_mut() {
        atom.open = atom.unsaturation;
        atom.settled = [SINGLE; NEIGHBOURS_MAX];
        atom.may_take = 0;
    }
    for index in 0..mol.count {
        if mol.atoms[index].open == 0 {
            continue;
        }
        let mut may_take = 0;
        for (slot, other) in mol.atoms[index].neighbours() {
            may_take |= u8::from(mol.atoms[usize::from(other)].open > 0) << slot;
        }
        mol.atoms[index].may_take = may_take;
    }
}

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

/// Puts pairs into a bond; with that it is settled.
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
        mol.atoms[atom].settled[slot] = SINGLE + pairs;
        mol.atoms[atom].open -= pairs;
        mol.atoms[atom].may_take &= !(1 << slot);
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
    let mut left = std::mem::take(&mut mol.atoms[index].may_take);
    while left != 0 {
        let slot = left.trailing_zeros() as usize;
        left &= left - 1;
        let (other, twin) = mol.twin(index, slot);
        mol.atoms[other].may_take &= !(1 << twin);
        queue.look_at(mol, other)?;
    }
    Ok(())
}

/// A bit per bond of each atom.
type Bits = [u8; PLACES];

fn settle_rings(mol: &mut Molecule, queue: &mut Queue) -> Result<(), Reason> {
    let mut rings = [0; PLACES];
    loop {
        mark_six_rings(mol, &mut rings);
        if (0..mol.count).all(|index| mol.atoms[index].may_take & !rings[index] == 0) {
            break;
        }
        if !settle_bridges(mol, queue)? {
            return Err(Reason::Bonds);
        }
        peel(mol, queue)?;
        rings = [0; PLACES];
    }
    for (atom, &ring) in mol.atoms_mut().iter_mut().zip(&rings) {
        if atom.open == 0 {
            continue;
        }
        let plain = match (atom.number, atom.charge) {
            (CARBON, 0) | (NITROGEN, 0 | 1) => true,
            (OXYGEN | SULFUR, charge) => charge == 1,
            _ => false,
        };
        if !plain || atom.open > 1 {
            return Err(Reason::Bonds);
        }
        let mut left = ring;
        while left != 0 {
            atom.settled[left.trailing_zeros() as usize] = AROMATIC;
            left &= left - 1;
        }
    }
    if mol.any_aromatic {
        match_rings(mol)
    } else {
        Ok(())
    }
}

/// Marks the bonds of six-membered rings without chords whose atoms are all open.
fn mark_six_rings(mol: &Molecule, rings: &mut Bits) {
    for index in 0..mol.count {
        let mut left = mol.atoms[index].may_take & !rings[index];
        while left != 0 {
            let slot = left.trailing_zeros() as usize;
            left &= left - 1;
            if rings[index] >> slot & 1 == 0 {
                let next = mol.atoms[index].neighbours[slot];
                let mut way = [index as u8, next, 0, 0, 0, 0];
                find_ring(mol, &mut way, 2, rings);
            }
        }
    }
}

/// Goes on with a way of open atoms until it closes; whether it did.
fn find_ring(mol: &Molecule, way: &mut [u8; 6], length: usize, rings: &mut Bits) -> bool {
    let last = &mol.atoms[usize::from(way[length - 1])];
    let mut left = last.may_take;
    while left != 0 {
        let slot = left.trailing_zeros() as usize;
        left &= left - 1;
        let next = last.neighbours[slot];
        if length == 6 {
            if next == way[0] {
                mark_ring(mol, way, rings);
                return true;
            }
        } else if !way[..length].contains(&next) {
            // No chord: beside its neighbours in the ring an atom knows none of them.
            let known = |&&other: &&u8| mol.atoms[usize::from(next)].slot_of(other).is_some();
            let chords = way[..length - 1].iter().filter(known).count();
            let closes = usize::from(length == 5 && known(&&way[0]));
            if chords == closes {
                way[length] = next;
                if find_ring(mol, way, length + 1, rings) {
                    return true;
                }
            }
        }
    }
    false
}

fn mark_ring(mol: &Molecule, way: &[u8; 6], rings: &mut Bits) {
    for i in 0..6 {
        let atom = &mol.atoms[usize::from(way[i])];
        for neighbour in [way[(i + 1) % 6], way[(i + 5) % 6]] {
            let slot = atom.slot_of(neighbour).expect("the ring is made of bonds");
            rings[usize::from(way[i])] |= 1 << slot;
        }
    }
}

/// What a search in depth notes of an atom.
#[derive(Clone, Copy, Default)]
struct Visit {
    /// Number in the order of visits, from 1.
    order: u8,
    /// The least that it or those below it reach by another bond.
    low: u8,
    /// Where it was come from.
    above: u8,
    /// Bonds still to follow.
    left: u8,
    /// Pairs that it and those below it have to place.
    pairs: u16,
}

/// Settles bonds that alone hold two parts of the open atoms together. Whether there was one.
fn settle_bridges(mol: &mut Molecule, queue: &mut Queue) -> Result<bool, Reason> {
    let mut visits = [Visit::default(); PLACES];
    let mut bridges = [(0u8, 0u8, false); PLACES];
    let mut count = 0;
    let mut order = 0;
    for root in 0..mol.count {
        if mol.atoms[root].may_take == 0 || visits[root].order != 0 {
            continue;
        }
        let mut visit = |visits: &mut [Visit; PLACES], atom: usize, above: usize| {
            order += 1;
            let left = mol.atoms[atom].may_take;
            let pairs = u16::from(mol.atoms[atom].open);
            visits[atom] = Visit {
                order,
                low: order,
                above: above as u8,
                left,
                pairs,
            };
        };
        visit(&mut visits, root, root);
        let mut here = root;
        loop {
            let now = &mut visits[here];
            if now.left != 0 {
                let slot = now.left.trailing_zeros() as usize;
                now.left &= now.left - 1;
                let next = usize::from(mol.atoms[here].neighbours[slot]);
                if visits[next].order == 0 {
                    visit(&mut visits, next, here);
                    here = next;
                } else if next != usize::from(visits[here].above) {
                    visits[here].low = visits[here].low.min(visits[next].order);
                }
                continue;
            }
            if here == root {
                break;
            }
            let done = visits[here];
            let above = usize::from(done.above);
            visits[above].low = visits[above].low.min(done.low);
            visits[above].pairs += done.pairs;
            if done.low > visits[above].order
                && mol.atoms[here].open.min(mol.atoms[above].open) == 1
            {
                bridges[count] = (here as u8, above as u8, done.pairs % 2 == 1);
                count += 1;
            }
            here = above;
        }
    }
    for &(here, above, odd) in &bridges[..count] {
        settle_bridge(mol, queue, usize::from(here), above, odd)?;
    }
    Ok(count > 0)
}

fn settle_bridge(
    mol: &mut Molecule,
    queue: &mut Queue,
    here: usize,
    above: u8,
    odd: bool,
) -> Result<(), Reason> {
    let slot = mol.atoms[here].slot_of(above).expect("a bridge is a bond");
    if mol.atoms[here].may_take >> slot & 1 == 0 {
        // Another bridge has settled it: it must have done so in the same way.
        return if (mol.atoms[here].settled[slot] > SINGLE) == odd {
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

/// Rings that the text has as aromatic must have a form with double bonds. (Those that it has with double
/// bonds have one.)
fn match_rings(mol: &Molecule) -> Result<(), Reason> {
    // Colours 1 and 2 on either side of every bond; 0 is none.
    let mut colours = [0u8; PLACES];
    let mut stack = [0u8; PLACES];
    for root in 0..mol.count {
        let atom = &mol.atoms[root];
        if atom.open == 0 || colours[root] != 0 {
            continue;
        }
        colours[root] = 1;
        stack[0] = root as u8;
        let mut height = 1;
        while height > 0 {
            height -= 1;
            let here = usize::from(stack[height]);
            for other in open_neighbours(mol, here) {
                if mol.atoms[other].aromatic != atom.aromatic || colours[other] == colours[here] {
                    return Err(Reason::Aromatic);
                }
                if colours[other] == 0 {
                    colours[other] = 3 - colours[here];
                    stack[height] = other as u8;
                    height += 1;
                }
            }
        }
    }
    let mut partner = [u8::MAX; PLACES];
    let (mut matched, mut all) = (0, 0);
    for (index, atom) in mol.atoms().iter().enumerate() {
        if atom.open > 0 && atom.aromatic {
            all += 1;
            if colours[index] == 1 {
                let mut seen = [false; PLACES];
                matched += 2 * usize::from(find_partner(mol, index, &mut partner, &mut seen));
            }
        }
    }
    if matched == all {
        Ok(())
    } else {
        Err(Reason::Aromatic)
    }
}

fn open_neighbours(mol: &Molecule, index: usize) -> impl Iterator<Item = usize> + '_ {
    let atom = &mol.atoms[index];
    let open = move |(slot, _): &(usize, u8)| atom.may_take >> slot & 1 != 0;
    atom.neighbours()
        .filter(open)
        .map(|(_, other)| usize::from(other))
}

/// Finds an atom a partner, if need be by having others change theirs (Kuhn 1955). Partners are bound by bonds
/// that the text has as aromatic.
fn find_partner(
    mol: &Molecule,
    index: usize,
    partner: &mut [u8; PLACES],
    seen: &mut [bool; PLACES],
) -> bool {
    for (slot, other) in mol.atoms[index].neighbours() {
        let atom = &mol.atoms[index];
        if atom.may_take >> slot & 1 == 0
            || atom.orders[slot] != AROMATIC
            || seen[usize::from(other)]
        {
            continue;
        }
        let other = usize::from(other);
        seen[other] = true;
        if partner[other] == u8::MAX
            || find_partner(mol, usize::from(partner[other]), partner, seen)
        {
            partner[other] = index as u8;
            return true;
        }
    }
    false
}

/// What is settled must be what the text says, where it says it.
fn compare_with_text(mol: &Molecule) -> Result<(), Reason> {
    for atom in mol.atoms() {
        for slot in 0..usize::from(atom.degree) {
            let (written, settled) = (atom.orders[slot], atom.settled[slot]);
            let same = match written {
                AROMATIC => settled == SINGLE || atom.bond_in_ring(slot),
                _ => written == settled || (settled == AROMATIC && written <= 2),
            };
            if !same {
                return Err(Reason::Aromatic);
            }
        }
    }
    Ok(())
}
