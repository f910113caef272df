//! Which marks of the text are stereo, and what they add to the colours of atoms. RDKit decides this from its ranks
//! (its legacy perception, the default); this module decides it from colours in the same way. A centre or a
//! double bond is stereo if its neighbours differ. What it adds to colours may make others differ. Marks of which the
//! neighbours never differ are dropped, except ring stereo centres.

use bytemuck::Zeroable;

use super::{
    aromatic::may_be_aromatic,
    atom::{ATOMS_MAX, Atom, CARBON, Chirality, DOUBLE, NITROGEN, PLACES},
    colours::{Colours, mix},
    kinds::Kinds,
    list::List,
    molecule::Molecule,
    reason::Reason,
    refine::refine,
    stereo_bond::{has_mark, in_small_ring, sides},
    stereo_centre::{is_odd, is_ring_centre, may_be_centre, neighbours_differ},
};

/// The parity of a centre, in bits of its colour.
pub(super) const CENTRE_EVEN: u8 = 1;
pub(super) const CENTRE_ODD: u8 = 2;
/// The geometry of a double bond, added at both ends; an atom may be the end of two.
pub(super) const SAME_SIDE: u8 = 4;
pub(super) const OTHER_SIDE: u8 = 32;
/// Mixed into the colour of an atom with stereo.
pub(super) const STEREO_MIX: u64 = 0xa5;

/// The marks of a molecule.
#[derive(Debug, Zeroable)]
pub(super) struct Stereo {
    /// The ends of double bonds with stereo.
    ends: [bool; PLACES],
    /// Marked centres whose neighbours do not differ yet.
    pub pending: List<u8>,
    bonds: List<(u8, u8)>,
}

impl Stereo {
    pub fn clear(&mut self, atoms: usize) {
        self.ends[..atoms].fill(false);
        self.pending.clear();
        self.bonds.clear();
    }

    /// Copies the pending centres; the colours include the rest already.
    pub fn copy_pending(&mut self, from: &Self) {
        self.pending = from.pending;
        self.bonds.clear();
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
        if !kinds.distinguish(mol, colours, &self.pending, &self.bonds) {
            return Err(Reason::Chirality);
        }
        let mut any = false;
        while self.apply(mol, colours)? {
            any = true;
            refine(mol, colours);
        }
        self.keep_ring_centres(mol, colours)?;
        self.bonds.clear();
        if mol.any_side && self.marks_conflict(mol) {
            return Err(Reason::Marks);
        }
        Ok(any || !self.pending.is_empty())
    }

    /// Whether a double bond without stereo lies between two with stereo. Both of its ends then have marks, and RDKit may
    /// write SMILES that mean another molecule.
    fn marks_conflict(&self, mol: &Molecule) -> bool {
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
    pub fn apply(&mut self, mol: &Molecule, colours: &mut Colours) -> Result<bool, Reason> {
        let mut now = [0u8; PLACES];
        let mut any = false;
        self.pending.retain(|index| {
            let atom = &mol.atoms[usize::from(index)];
            let differ = neighbours_differ(atom, colours);
            if differ {
                let odd = is_odd(atom, colours);
                now[usize::from(index)] += if odd { CENTRE_ODD } else { CENTRE_EVEN };
                any = true;
            }
            !differ
        });
        let mut fault = Ok(());
        self.bonds.retain(|(a, b)| {
            let same = sides(mol, a, b, colours).unwrap_or_else(|reason| {
                fault = Err(reason);
                None
            });
            if let Some(same) = same {
                for end in [a, b].map(usize::from) {
                    now[end] += if same { SAME_SIDE } else { OTHER_SIDE };
                    self.ends[end] = true;
                }
                any = true;
            }
            same.is_none()
        });
        fault?;
        if any {
            for (index, &code) in now[..mol.count].iter().enumerate() {
                if code != 0 {
                    let colour = &mut colours.of[index];
                    *colour = mix(*colour ^ u64::from(code) << 56 ^ STEREO_MIX);
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
                self.pending.push(index as u8);
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
                    let usual = |end: &Atom| matches!(end.number, CARBON | NITROGEN);
                    if !usual(atom) || !usual(end) {
                        return Err(Reason::Chirality);
                    }
                    let ends = [index, usize::from(other)];
                    if atom.bond_in_ring(slot) && ends.iter().all(|&end| may_be_aromatic(mol, end))
                    {
                        return Err(Reason::Aromatic);
                    }
                    if self.bonds.len() == ATOMS_MAX {
                        return Err(Reason::Size);
                    }
                    self.bonds.push((index as u8, other));
                }
            }
        }
        Ok(())
    }

    /// Keeps centres with equal neighbours that share a ring system with another such centre. If only some atoms of one
    /// colour are marked, RDKit may write the same SMILES for two molecules, so RDKit decides.
    fn keep_ring_centres(&mut self, mol: &Molecule, colours: &Colours) -> Result<(), Reason> {
        let kept = &mut self.pending;
        kept.retain(|index| is_ring_centre(mol, usize::from(index), colours));
        let able = *kept;
        let mut systems = [0u8; PLACES];
        for (i, &index) in able.iter().enumerate() {
            if systems[usize::from(index)] == 0 {
                mark_ring_system(mol, index, i as u8 + 1, &mut systems);
            }
        }
        kept.retain(|index| {
            let same = |other: &&u8| systems[usize::from(**other)] == systems[usize::from(index)];
            able.iter().filter(same).count() > 1
        });
        let (kept, systems): (&[u8], _) = (kept, &systems);
        let bare = |(index, atom): (usize, &Atom)| {
            atom.chirality == Chirality::None
                && kept.iter().any(|&kept| colours.same(kept, index as u8))
        };
        let partly = !kept.is_empty() && mol.atoms().iter().enumerate().any(bare);
        // The same for two centres of one colour and two of another colour in one ring system.
        let beside = move |one: u8, same: bool| {
            let system = systems[usize::from(one)];
            let others = kept.iter().copied().filter(move |&other| other != one);
            others.filter(move |&other| {
                systems[usize::from(other)] == system && colours.same(one, other) == same
            })
        };
        let has_like = |one: u8| beside(one, true).next().is_some();
        let mixed = |&one: &u8| has_like(one) && beside(one, false).any(has_like);
        let fault = (partly || kept.iter().any(mixed)).then_some(Reason::RingStereo);
        fault.map_or(Ok(()), Err)
    }
}

/// Marks the atoms that ring bonds connect.
fn mark_ring_system(mol: &Molecule, from: u8, system: u8, systems: &mut [u8; PLACES]) {
    let mut stack = List::zeroed();
    stack.push(from);
    systems[usize::from(from)] = system;
    while let Some(here) = stack.pop() {
        let atom = &mol.atoms[usize::from(here)];
        for (slot, other) in atom.neighbours() {
            if atom.bond_in_ring(slot) && systems[usize::from(other)] == 0 {
                systems[usize::from(other)] = system;
                stack.push(other);
            }
        }
    }
}
