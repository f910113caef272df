//! Reads SMILES. RDKit reads all that this module accepts, with the same meaning. The rest is left to RDKit, which
//! also reports errors.

use std::hint::select_unpredictable;

use super::{
    atom::{ATOMS_MAX, Atom, Chirality, NEIGHBOURS_MAX, NO_ATOM, PLACES},
    bracket::read_bracket,
    elements::{PLAIN, PLAIN_ATOMS, PLAIN_LETTERS},
    molecule::Molecule,
    reason::Reason,
    rings::{BRANCHES_MAX, Link, RingEnd, Tree, link_of, of_two_letters, order_of, ring_bond},
};

/// Ring closure numbers.
pub(super) const RING_NUMBERS: usize = 100;

const NO_RING: RingEnd = RingEnd {
    atom: NO_ATOM,
    slot: 0,
    link: Link { order: 0, side: 0 },
};

/// For each byte, the atom without brackets that begins with it: 1 + its index in [`PLAIN_ATOMS`], 0 for none.
const PLAIN_SYMBOLS: [u8; 256] = {
    let mut plain = [0; 256];
    let mut i = 0;
    while i < PLAIN_LETTERS.len() {
        plain[PLAIN_LETTERS[i] as usize] = i as u8 + 1;
        i += 1;
    }
    plain
};

/// Bytes that can't be the first of a branch; 0 is the end of the text.
const NOT_FIRST: [bool; 256] = {
    let mut not = [false; 256];
    let bytes = *b"\0().0123456789%";
    let mut i = 0;
    while i < bytes.len() {
        not[bytes[i] as usize] = true;
        i += 1;
    }
    not
};

/// Working memory of the reader.
#[derive(Debug)]
pub(super) struct Reader {
    /// The atom that the next one is bonded to.
    active: u8,
    link: Link,
    rings: [RingEnd; RING_NUMBERS],
    rings_open: usize,
    branches: [u8; BRANCHES_MAX + 1],
    branches_open: usize,
    tree: Tree,
    /// For each atom, the first atom of its component.
    first: [u8; PLACES],
}

impl Reader {
    pub fn new() -> Self {
        Self {
            active: NO_ATOM,
            link: Link::default(),
            rings: [NO_RING; RING_NUMBERS],
            rings_open: 0,
            branches: [0; BRANCHES_MAX + 1],
            branches_open: 0,
            tree: Tree::new(),
            first: [NO_ATOM; PLACES],
        }
    }

    /// Reads a whole text.
    pub fn read(&mut self, text: &[u8], mol: &mut Molecule) -> Result<(), Reason> {
        mol.clear();
        self.clear();
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let plain = PLAIN_SYMBOLS[usize::from(byte)];
            if plain != 0 {
                at += 1;
                self.add(
                    mol,
                    &PLAIN_ATOMS[usize::from(plain - 1) % PLAIN_ATOMS.len()],
                )?;
                // Chlorine and bromine were read as carbon and boron.
                if let Some(&second @ (b'l' | b'r')) = text.get(at)
                    && let Some(plain) = of_two_letters(byte, second)
                {
                    let atom = &mut mol.atoms[mol.count - 1];
                    (atom.plain, atom.number) = (plain, PLAIN[usize::from(plain) - 1].0);
                    at += 1;
                }
            } else if byte.is_ascii_digit() || byte == b'%' {
                self.read_closure(text, &mut at, mol)?;
            } else if byte == b'[' {
                let atom = read_bracket(text, &mut at)?;
                mol.any_chirality |= atom.chirality != Chirality::None;
                mol.any_hydrogen_atom |= atom.is_hydrogen_atom();
                self.add(mol, &atom)?;
            } else {
                self.read_sign(text, &mut at, mol)?;
            }
        }
        let ended = self.branches_open == 0 && self.rings_open == 0 && self.link.is_none();
        if !ended || mol.count == 0 {
            return Err(Reason::Text);
        }
        self.tree.mark_rings(mol);
        Ok(())
    }

    fn clear(&mut self) {
        if self.rings_open > 0 {
            self.rings = [NO_RING; RING_NUMBERS];
        }
        (self.rings_open, self.branches_open) = (0, 0);
        self.tree.clear();
        (self.active, self.link) = (NO_ATOM, Link::default());
    }

    /// Reads a parenthesis, a dot or a bond.
    #[inline(always)]
    fn read_sign(&mut self, text: &[u8], at: &mut usize, mol: &mut Molecule) -> Result<(), Reason> {
        let byte = text[*at];
        if byte == b'*' {
            return Err(Reason::Wildcard);
        }
        if !self.link.is_none() {
            return Err(Reason::Text);
        }
        *at += 1;
        let next = text.get(*at).copied().unwrap_or(0);
        match byte {
            b'(' | b')' => return self.read_parenthesis(byte == b'(', next),
            b'.' if self.active != NO_ATOM && self.branches_open == 0 && *at < text.len() => {
                self.active = NO_ATOM;
            }
            b'-' | b'=' | b'#' | b':' | b'/' | b'\\' if self.active != NO_ATOM => {
                self.link = link_of(byte);
                mol.any_side |= self.link.side != 0;
            }
            _ => return Err(Reason::Text),
        }
        Ok(())
    }

    /// Reads either parenthesis without a branch, since which of them it is is unpredictable.
    #[inline(always)]
    fn read_parenthesis(&mut self, opens: bool, next: u8) -> Result<(), Reason> {
        let height = self.branches_open;
        // A branch starts with a bond or an atom.
        let may_open =
            (self.active != NO_ATOM) & (height < BRANCHES_MAX) & !NOT_FIRST[usize::from(next)];
        if !select_unpredictable(opens, may_open, height > 0) {
            return Err(Reason::Text);
        }
        // Past the end of the stack, if a branch closes.
        self.branches[height] = self.active;
        self.branches_open = select_unpredictable(opens, height + 1, height.wrapping_sub(1));
        let before = self.branches[self.branches_open & (BRANCHES_MAX - 1)];
        self.active = select_unpredictable(opens, self.active, before);
        Ok(())
    }

    #[inline(always)]
    fn read_closure(
        &mut self,
        text: &[u8],
        at: &mut usize,
        mol: &mut Molecule,
    ) -> Result<(), Reason> {
        // The bond at the start of a branch is followed by an atom.
        let begins_branch = !self.link.is_none() && *at >= 2 && text[*at - 2] == b'(';
        if self.active == NO_ATOM || begins_branch {
            return Err(Reason::Text);
        }
        let number = ring_number(text, at)?;
        let link = std::mem::take(&mut self.link);
        self.ring(mol, self.active, number, link)
    }

    /// Adds an atom, bonded to the active one.
    #[inline(always)]
    fn add(&mut self, mol: &mut Molecule, atom: &Atom) -> Result<(), Reason> {
        let index = mol.count;
        if index == ATOMS_MAX {
            return Err(Reason::Size);
        }
        mol.atoms[index] = *atom;
        mol.count += 1;
        let from = self.active;
        let link = std::mem::take(&mut self.link);
        self.active = index as u8;
        self.tree.above[index] = from;
        if from == NO_ATOM {
            self.first[index] = index as u8;
            mol.atoms[index].first = true;
            return Ok(());
        }
        self.first[index] = self.first[usize::from(from)];
        let both = mol.atoms[usize::from(from)].aromatic & atom.aromatic;
        let order = order_of(link, both);
        self.tree.slot_above[index] = push(mol, usize::from(from), index as u8, order, link.side)?;
        let own = &mut mol.atoms[index];
        (own.neighbours[0], own.orders[0], own.sides[0]) = (from, order, -link.side);
        own.degree = 1;
        Ok(())
    }

    fn ring(
        &mut self,
        mol: &mut Molecule,
        active: u8,
        number: usize,
        link: Link,
    ) -> Result<(), Reason> {
        let here = usize::from(active);
        // RDKit orders ring closures after a branch of a centre differently.
        if mol.atoms[here].chirality != Chirality::None && here + 1 != mol.count {
            return Err(Reason::Text);
        }
        mol.atoms[here].closures += 1;
        let open = self.rings[number];
        if open.atom == NO_ATOM {
            let slot = push(mol, here, NO_ATOM, 0, 0)?;
            self.rings[number] = RingEnd {
                atom: active,
                slot,
                link,
            };
            self.rings_open += 1;
            return Ok(());
        }
        self.rings[number] = NO_RING;
        self.rings_open -= 1;
        // One between two components.
        if self.first[here] != self.first[usize::from(open.atom)] {
            return Err(Reason::Text);
        }
        let mut end = RingEnd {
            atom: active,
            slot: 0,
            link,
        };
        let bond = ring_bond(mol, &open, &end)?;
        end.slot = push(mol, here, NO_ATOM, 0, 0)?;
        self.tree.close_ring(mol, &open, &end, bond);
        Ok(())
    }
}

fn push(mol: &mut Molecule, atom: usize, neighbour: u8, order: u8, side: i8) -> Result<u8, Reason> {
    let atom = &mut mol.atoms[atom];
    let slot = usize::from(atom.degree);
    if slot == NEIGHBOURS_MAX {
        return Err(Reason::Degree);
    }
    atom.neighbours[slot] = neighbour;
    atom.orders[slot] = order;
    atom.sides[slot] = side;
    atom.degree += 1;
    Ok(slot as u8)
}

fn ring_number(text: &[u8], at: &mut usize) -> Result<usize, Reason> {
    let digit = |at: usize| {
        text.get(at)
            .filter(|byte| byte.is_ascii_digit())
            .map(|byte| usize::from(byte - b'0'))
    };
    if let Some(number) = digit(*at) {
        *at += 1;
        return Ok(number);
    }
    let number = digit(*at + 1)
        .zip(digit(*at + 2))
        .map(|(tens, ones)| 10 * tens + ones);
    *at += 3;
    number.filter(|&number| number >= 10).ok_or(Reason::Text)
}
