//! Which marks of the text are stereo, and what they add to the colours of atoms. RDKit decides this from its ranks
//! (its legacy perception, the default in 2025.03); this module decides it from colours in the same way. A centre or a
//! double bond is stereo if its neighbours differ. What it adds to colours may make others differ. Marks of which the
//! neighbours never differ are dropped, except ring stereo centres.

use super::{
    aromatic::may_be_aromatic,
    atom::{
        ATOMS_MAX, Atom, BORON, CARBON, Chirality, DOUBLE, NITROGEN, PHOSPHORUS, PLACES, SELENIUM,
        SULFUR,
    },
    colours::{Colours, mix},
    kinds::Kinds,
    molecule::Molecule,
    reason::Reason,
    refine::refine,
};

/// RDKit's limit: double bonds in smaller rings can only be cis.
pub(super) const STEREO_RING_MIN: usize = 8;

/// The parity of a centre, in bits of its colour.
pub(super) const CENTRE_EVEN: u8 = 1;
pub(super) const CENTRE_ODD: u8 = 2;
/// The geometry of a double bond, added at both ends; an atom may be the end of two.
pub(super) const SAME_SIDE: u8 = 4;
pub(super) const OTHER_SIDE: u8 = 32;
/// Mixed into the colour of an atom with stereo.
pub(super) const SAID: u64 = 0xa5;

/// The marks of a molecule.
#[derive(Debug)]
pub(super) struct Stereo {
    /// The ends of double bonds with stereo.
    ends: [bool; PLACES],
    /// Marked centres whose neighbours do not differ yet.
    pub waiting: [u8; PLACES],
    pub waiting_count: usize,
    bonds: [(u8, u8); PLACES],
    bonds_count: usize,
}

impl Stereo {
    pub fn new() -> Self {
        Self {
            ends: [false; PLACES],
            waiting: [0; PLACES],
            waiting_count: 0,
            bonds: [(0, 0); PLACES],
            bonds_count: 0,
        }
    }

    pub fn clear(&mut self, atoms: usize) {
        self.ends[..atoms].fill(false);
        (self.waiting_count, self.bonds_count) = (0, 0);
    }

    /// Copies the pending centres; the colours include the rest already.
    pub fn copy_waiting(&mut self, from: &Self) {
        let waiting = from.waiting_count;
        self.waiting[..waiting].copy_from_slice(&from.waiting[..waiting]);
        (self.waiting_count, self.bonds_count) = (waiting, 0);
    }

    /// Finds the marks that may be stereo, and adds them to the colours until nothing changes. Returns whether there is
    /// any stereo, pending centres included.
    pub fn perceive(
        &mut self,
        mol: &Molecule,
        colours: &mut Colours,
        kinds: &mut Kinds,
    ) -> Result<bool, Reason> {
        self.clear(mol.count);
        self.collect_centres(mol)?;
        self.collect_bonds(mol)?;
        let (centres, bonds) = (
            &self.waiting[..self.waiting_count],
            &self.bonds[..self.bonds_count],
        );
        if !kinds.distinguish(mol, colours, centres, bonds) {
            return Err(Reason::Chirality);
        }
        let mut any = false;
        while self.say(mol, colours)? {
            any = true;
            refine(mol, colours);
        }
        self.keep_ring_centres(mol, colours)?;
        self.bonds_count = 0;
        if mol.any_side && self.marks_meet(mol) {
            return Err(Reason::Marks);
        }
        Ok(any || self.waiting_count > 0)
    }

    /// Whether a double bond without stereo lies between two with stereo. Both of its ends then have marks, and RDKit may
    /// write SMILES that mean another molecule.
    fn marks_meet(&self, mol: &Molecule) -> bool {
        let says = |index: u8| self.ends[usize::from(index)];
        let beside = |atom: &Atom, end: u8| {
            atom.neighbours()
                .any(|(_, other)| other != end && says(other))
        };
        mol.atoms().iter().enumerate().any(|(index, atom)| {
            atom.neighbours().any(|(slot, other)| {
                atom.assigned[slot] == DOUBLE
                    && usize::from(other) > index
                    && !(says(index as u8) && says(other))
                    && beside(atom, other)
                    && beside(&mol.atoms[usize::from(other)], index as u8)
                    && !in_small_ring(mol, index, slot)
            })
        })
    }

    /// One round over all pending marks. Returns whether any was added to the colours.
    pub fn say(&mut self, mol: &Molecule, colours: &mut Colours) -> Result<bool, Reason> {
        let mut now = [0u8; PLACES];
        let mut any = false;
        let waiting = std::mem::take(&mut self.waiting_count);
        for i in 0..waiting {
            let index = self.waiting[i];
            let atom = &mol.atoms[usize::from(index)];
            if neighbours_differ(atom, colours) {
                now[usize::from(index)] += if is_odd(atom, colours) {
                    CENTRE_ODD
                } else {
                    CENTRE_EVEN
                };
                any = true;
            } else {
                self.waiting[self.waiting_count] = index;
                self.waiting_count += 1;
            }
        }
        let bonds = std::mem::take(&mut self.bonds_count);
        for i in 0..bonds {
            let (a, b) = self.bonds[i];
            match sides(mol, a, b, colours)? {
                Some(same) => {
                    let code = if same { SAME_SIDE } else { OTHER_SIDE };
                    now[usize::from(a)] += code;
                    now[usize::from(b)] += code;
                    (self.ends[usize::from(a)], self.ends[usize::from(b)]) = (true, true);
                    any = true;
                }
                None => {
                    self.bonds[self.bonds_count] = (a, b);
                    self.bonds_count += 1;
                }
            }
        }
        if any {
            for (index, &code) in now[..mol.count].iter().enumerate() {
                if code != 0 {
                    let colour = &mut colours.of[index];
                    *colour = mix(*colour ^ u64::from(code) << 56 ^ SAID);
                }
            }
        }
        Ok(any)
    }

    fn collect_centres(&mut self, mol: &Molecule) -> Result<(), Reason> {
        if !mol.any_chirality {
            return Ok(());
        }
        for (index, atom) in mol.atoms().iter().enumerate() {
            if atom.chirality != Chirality::None && may_be_centre(mol, index)? {
                if may_be_aromatic(mol, index) {
                    return Err(Reason::Aromatic);
                }
                self.waiting[self.waiting_count] = index as u8;
                self.waiting_count += 1;
            }
        }
        Ok(())
    }

    fn collect_bonds(&mut self, mol: &Molecule) -> Result<(), Reason> {
        if !mol.any_side {
            return Ok(());
        }
        for (index, atom) in mol.atoms().iter().enumerate() {
            for (slot, other) in atom.neighbours() {
                if usize::from(other) < index || atom.assigned[slot] != DOUBLE {
                    continue;
                }
                let end = &mol.atoms[usize::from(other)];
                let marked = has_mark(atom, other)? && has_mark(end, index as u8)?;
                let able = |atom: &Atom| atom.degree == 2 || atom.degree == 3;
                if marked && able(atom) && able(end) && !in_small_ring(mol, index, slot) {
                    // RDKit writes some double bonds of other elements as another molecule.
                    if ![atom, end]
                        .iter()
                        .all(|end| matches!(end.number, CARBON | NITROGEN))
                    {
                        return Err(Reason::Chirality);
                    }
                    let ends = [index, usize::from(other)];
                    if atom.bond_in_ring(slot) && ends.iter().all(|&end| may_be_aromatic(mol, end))
                    {
                        return Err(Reason::Aromatic);
                    }
                    if self.bonds_count == ATOMS_MAX {
                        return Err(Reason::Size);
                    }
                    self.bonds[self.bonds_count] = (index as u8, other);
                    self.bonds_count += 1;
                }
            }
        }
        Ok(())
    }

    /// Keeps centres with equal neighbours that share a ring system with another such centre. If only some atoms of one
    /// colour are marked, RDKit may write the same SMILES for two molecules, so RDKit decides.
    fn keep_ring_centres(&mut self, mol: &Molecule, colours: &Colours) -> Result<(), Reason> {
        let waiting = std::mem::take(&mut self.waiting_count);
        let mut able = [0u8; PLACES];
        let mut count = 0;
        for &index in &self.waiting[..waiting] {
            if is_ring_centre(mol, usize::from(index), colours) {
                able[count] = index;
                count += 1;
            }
        }
        let mut systems = [0u8; PLACES];
        let able = &able[..count];
        for (i, &index) in able.iter().enumerate() {
            if systems[usize::from(index)] == 0 {
                mark_ring_system(mol, index, i as u8 + 1, &mut systems);
            }
        }
        for &index in able {
            let system = systems[usize::from(index)];
            if able
                .iter()
                .filter(|&&other| systems[usize::from(other)] == system)
                .count()
                > 1
            {
                self.waiting[self.waiting_count] = index;
                self.waiting_count += 1;
            }
        }
        let kept = &self.waiting[..self.waiting_count];
        let bare = |(index, atom): (usize, &Atom)| {
            atom.chirality == Chirality::None
                && kept.iter().any(|&kept| colours.same(kept, index as u8))
        };
        let partly = !kept.is_empty() && mol.atoms().iter().enumerate().any(bare);
        // The same for two centres of one colour and two of another colour in one ring system.
        let like = |one: u8| {
            let within = |other: u8| systems[usize::from(other)] == systems[usize::from(one)];
            let like = |other: u8| other != one && within(other) && colours.same(one, other);
            kept.iter().any(|&other| like(other))
        };
        let mixed = |&one: &u8| {
            let beside = |&other: &u8| {
                systems[usize::from(other)] == systems[usize::from(one)]
                    && !colours.same(one, other)
                    && like(other)
            };
            like(one) && kept.iter().any(beside)
        };
        if partly || kept.iter().any(mixed) {
            Err(Reason::RingStereo)
        } else {
            Ok(())
        }
    }
}

/// Marks the atoms that ring bonds connect.
fn mark_ring_system(mol: &Molecule, from: u8, system: u8, systems: &mut [u8; PLACES]) {
    let mut stack = [0u8; PLACES];
    stack[0] = from;
    systems[usize::from(from)] = system;
    let mut height = 1;
    while height > 0 {
        height -= 1;
        let atom = &mol.atoms[usize::from(stack[height])];
        for (slot, other) in atom.neighbours() {
            if atom.bond_in_ring(slot) && systems[usize::from(other)] == 0 {
                systems[usize::from(other)] = system;
                stack[height] = other;
                height += 1;
            }
        }
    }
}

fn may_be_centre(mol: &Molecule, index: usize) -> Result<bool, Reason> {
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

fn neighbours_differ(atom: &Atom, colours: &Colours) -> bool {
    let neighbours = &atom.neighbours[..usize::from(atom.degree)];
    (0..neighbours.len()).all(|i| (0..i).all(|j| !colours.same(neighbours[i], neighbours[j])))
}

/// Whether the centre is `@@` with its neighbours in the order of their colours, its hydrogen first.
fn is_odd(atom: &Atom, colours: &Colours) -> bool {
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

/// Whether a mark distinguishes the neighbours of one end of a double bond.
fn has_mark(atom: &Atom, other_end: u8) -> Result<bool, Reason> {
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
fn sides(mol: &Molecule, a: u8, b: u8, colours: &Colours) -> Result<Option<bool>, Reason> {
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
fn in_small_ring(mol: &Molecule, index: usize, slot: usize) -> bool {
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

/// Whether a centre with equal neighbours may be a ring stereo centre.
fn is_ring_centre(mol: &Molecule, index: usize, colours: &Colours) -> bool {
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
    match out {
        2 => !colours.same(outside[0], outside[1]),
        1 => count >= 2,
        _ => {
            let distinct = (0..count)
                .filter(|&i| (0..i).all(|j| !colours.same(inside[i], inside[j])))
                .count();
            (count == 4 && distinct == 3) || (count == 3 && distinct == 2)
        }
    }
}
