//! Reads SMILES. What it takes, RDKit takes in the same sense; everything else is left to RDKit, which also
//! says what is wrong with it.

use super::{
    Reason,
    elements::{Symbol, aromatic_symbol, symbol},
    molecule::{
        AROMATIC, ATOMS_MAX, Atom, HYDROGEN, Molecule, NEIGHBOURS_MAX, NOBODY, PLACES, SINGLE, Turn,
    },
};

/// Numbers that a ring closure may have.
const RING_NUMBERS: usize = 100;
/// Branches that may be open at a time.
const BRANCHES_MAX: usize = 64;
/// Largest charge, either way.
const CHARGE_MAX: u8 = 9;

/// What stands before an atom or a ring closure. Order 0: it does not say, as a mark of a side does not.
#[derive(Clone, Copy, Debug, Default)]
struct Link {
    order: u8,
    side: i8,
}

impl Link {
    fn is_none(self) -> bool {
        self.order == 0 && self.side == 0
    }
}

/// A ring closure that waits for its other end.
#[derive(Clone, Copy, Debug)]
struct OpenRing {
    atom: u8,
    slot: u8,
    link: Link,
}

const NO_RING: OpenRing = OpenRing {
    atom: NOBODY,
    slot: 0,
    link: Link { order: 0, side: 0 },
};

/// What reading needs beside the molecule.
#[derive(Debug)]
pub(super) struct Reader {
    rings: [OpenRing; RING_NUMBERS],
    rings_open: usize,
    branches: [u8; BRANCHES_MAX],
    branches_open: usize,
    /// Per atom: the one it hangs on, and how many there are up to the first of its part.
    above: [u8; PLACES],
    depth: [u8; PLACES],
}

impl Reader {
    pub fn new() -> Self {
        Self {
            rings: [NO_RING; RING_NUMBERS],
            rings_open: 0,
            branches: [0; BRANCHES_MAX],
            branches_open: 0,
            above: [NOBODY; PLACES],
            depth: [0; PLACES],
        }
    }

    /// Reads all of a text.
    pub fn read(&mut self, text: &[u8], mol: &mut Molecule) -> Result<(), Reason> {
        mol.clear();
        if self.rings_open > 0 {
            self.rings = [NO_RING; RING_NUMBERS];
        }
        (self.rings_open, self.branches_open) = (0, 0);
        let mut at = 0;
        let mut active = NOBODY;
        let mut link = Link::default();
        while at < text.len() {
            match text[at] {
                b'(' if active != NOBODY && link.is_none() && self.branches_open < BRANCHES_MAX => {
                    // A branch begins with a bond or an atom.
                    if text
                        .get(at + 1)
                        .is_none_or(|next| b"().0123456789%".contains(next))
                    {
                        return Err(Reason::Text);
                    }
                    self.branches[self.branches_open] = active;
                    self.branches_open += 1;
                    at += 1;
                }
                b')' if self.branches_open > 0 && link.is_none() => {
                    self.branches_open -= 1;
                    active = self.branches[self.branches_open];
                    at += 1;
                }
                b'.' if active != NOBODY && link.is_none() && self.branches_open == 0 => {
                    active = NOBODY;
                    at += 1;
                    if at == text.len() {
                        return Err(Reason::Text);
                    }
                }
                byte @ (b'-' | b'=' | b'#' | b':' | b'/' | b'\\')
                    if active != NOBODY && link.is_none() =>
                {
                    link = link_of(byte);
                    at += 1;
                }
                b'0'..=b'9' | b'%' if active != NOBODY => {
                    // Behind the bond with which a branch begins comes an atom.
                    if !link.is_none() && at >= 2 && text[at - 2] == b'(' {
                        return Err(Reason::Text);
                    }
                    let number = ring_number(text, &mut at)?;
                    self.ring(mol, active, number, link)?;
                    link = Link::default();
                }
                _ => {
                    let atom = read_atom(text, &mut at)?;
                    active = self.add(mol, atom, active, link)?;
                    link = Link::default();
                }
            }
        }
        let ended = self.branches_open == 0 && self.rings_open == 0 && link.is_none();
        if ended && mol.count > 0 {
            Ok(())
        } else {
            Err(Reason::Text)
        }
    }

    fn add(
        &mut self,
        mol: &mut Molecule,
        mut atom: Atom,
        from: u8,
        link: Link,
    ) -> Result<u8, Reason> {
        let index = mol.count;
        if index == ATOMS_MAX {
            return Err(Reason::Size);
        }
        mol.any_turn |= atom.turn != Turn::None;
        mol.any_aromatic |= atom.aromatic;
        mol.any_hydrogen_atom |= atom.number == HYDROGEN && atom.isotope == 0 && atom.charge == 0;
        atom.first = from == NOBODY;
        mol.atoms[index] = atom;
        mol.count += 1;
        self.above[index] = from;
        self.depth[index] = 0;
        if from != NOBODY {
            self.depth[index] = self.depth[usize::from(from)] + 1;
            let both = mol.atoms[usize::from(from)].aromatic && atom.aromatic;
            let order = order_of(link, both);
            mol.any_side |= link.side != 0;
            push(mol, usize::from(from), index as u8, order, link.side)?;
            push(mol, index, from, order, -link.side)?;
        }
        Ok(index as u8)
    }

    fn ring(
        &mut self,
        mol: &mut Molecule,
        active: u8,
        number: usize,
        link: Link,
    ) -> Result<(), Reason> {
        let here = usize::from(active);
        // RDKit has an order of its own for closures that stand behind a branch of a centre.
        if mol.atoms[here].turn != Turn::None && here + 1 != mol.count {
            return Err(Reason::Text);
        }
        mol.atoms[here].closures += 1;
        mol.any_side |= link.side != 0;
        let open = self.rings[number];
        if open.atom == NOBODY {
            let slot = push(mol, here, NOBODY, 0, 0)?;
            self.rings[number] = OpenRing {
                atom: active,
                slot,
                link,
            };
            self.rings_open += 1;
            return Ok(());
        }
        self.rings[number] = NO_RING;
        self.rings_open -= 1;
        let there = usize::from(open.atom);
        if there == here || mol.atoms[here].slot_of(open.atom).is_some() {
            return Err(Reason::Text);
        }
        let both = mol.atoms[here].aromatic && mol.atoms[there].aromatic;
        let order = match (open.link.order, link.order) {
            (0, 0) => order_of(link, both),
            (order, 0) | (0, order) => order,
            (one, other) if one == other => one,
            _ => return Err(Reason::Text),
        };
        // Either end may bear the mark, each as seen from itself.
        let side = match (open.link.side, link.side) {
            (side, 0) => side,
            (0, side) => -side,
            (one, other) if one == -other => one,
            _ => return Err(Reason::Marks),
        };
        let slot = usize::from(open.slot);
        let atom = &mut mol.atoms[there];
        (atom.neighbours[slot], atom.orders[slot], atom.sides[slot]) = (active, order, side);
        let slot_here = push(mol, here, open.atom, order, -side)?;
        mol.atoms[there].in_ring |= 1 << slot;
        mol.atoms[here].in_ring |= 1 << slot_here;
        self.mark_ring(mol, there, here)
    }

    /// The bonds on the way from one atom to the other are in a ring.
    fn mark_ring(&self, mol: &mut Molecule, mut a: usize, mut b: usize) -> Result<(), Reason> {
        while a != b {
            let lower = if self.depth[a] >= self.depth[b] {
                &mut a
            } else {
                &mut b
            };
            let above = self.above[*lower];
            if above == NOBODY {
                // The closure joins two parts.
                return Err(Reason::Text);
            }
            let up = usize::from(above);
            // The atom above is the first of the neighbours.
            mol.atoms[*lower].in_ring |= 1;
            let slot = mol.atoms[up].slot_of(*lower as u8).ok_or(Reason::Text)?;
            mol.atoms[up].in_ring |= 1 << slot;
            *lower = up;
        }
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

fn order_of(link: Link, both_aromatic: bool) -> u8 {
    match link.order {
        0 if both_aromatic => AROMATIC,
        0 => SINGLE,
        order => order,
    }
}

fn link_of(byte: u8) -> Link {
    let (order, side) = match byte {
        b'=' => (2, 0),
        b'#' => (3, 0),
        b':' => (AROMATIC, 0),
        b'/' => (0, 1),
        b'\\' => (0, -1),
        _ => (SINGLE, 0),
    };
    Link { order, side }
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

fn read_atom(text: &[u8], at: &mut usize) -> Result<Atom, Reason> {
    if text[*at] == b'[' {
        return read_bracket(text, at);
    }
    let next = text.get(*at + 1).copied().unwrap_or(0);
    let (number, aromatic, bytes) = match (text[*at], next) {
        (b'C', b'l') => (17, false, 2),
        (b'B', b'r') => (35, false, 2),
        (b'C', _) => (6, false, 1),
        (b'N', _) => (7, false, 1),
        (b'O', _) => (8, false, 1),
        (b'F', _) => (9, false, 1),
        (b'S', _) => (16, false, 1),
        (b'P', _) => (15, false, 1),
        (b'I', _) => (53, false, 1),
        (b'B', _) => (5, false, 1),
        (b'c', _) => (6, true, 1),
        (b'n', _) => (7, true, 1),
        (b'o', _) => (8, true, 1),
        (b's', _) => (16, true, 1),
        (b'p', _) => (15, true, 1),
        (b'b', _) => (5, true, 1),
        (b'*', _) => return Err(Reason::Wildcard),
        _ => return Err(Reason::Text),
    };
    *at += bytes;
    Ok(Atom {
        number,
        aromatic,
        ..Atom::default()
    })
}

fn read_bracket(text: &[u8], at: &mut usize) -> Result<Atom, Reason> {
    *at += 1;
    let peek = |at: usize| text.get(at).copied().unwrap_or(0);
    let mut atom = Atom {
        bracket: true,
        ..Atom::default()
    };
    if peek(*at) == b'0' {
        return Err(Reason::Text);
    }
    while peek(*at).is_ascii_digit() {
        atom.isotope = 10 * atom.isotope + u16::from(peek(*at) - b'0');
        *at += 1;
        if atom.isotope > 999 {
            return Err(Reason::Text);
        }
    }
    let Symbol {
        number,
        aromatic,
        bytes,
    } = match aromatic_symbol(&text[*at..]) {
        Some(symbol) => symbol,
        None => symbol(&text[*at..]).ok_or(Reason::Wildcard)?,
    };
    (atom.number, atom.aromatic) = (number, aromatic);
    *at += bytes;
    if peek(*at) == b'@' {
        *at += 1;
        atom.turn = Turn::Left;
        if peek(*at) == b'@' {
            *at += 1;
            atom.turn = Turn::Right;
        }
        if !b"H+-]".contains(&peek(*at)) || number == HYDROGEN {
            return Err(Reason::Chirality);
        }
    }
    if peek(*at) == b'H' {
        *at += 1;
        atom.hydrogens = 1;
        if peek(*at).is_ascii_digit() {
            atom.hydrogens = peek(*at) - b'0';
            *at += 1;
        }
    }
    atom.charge = read_charge(text, at)?;
    match peek(*at) {
        b']' => {
            *at += 1;
            Ok(atom)
        }
        b':' => Err(Reason::AtomMap),
        _ => Err(Reason::Text),
    }
}

fn read_charge(text: &[u8], at: &mut usize) -> Result<i8, Reason> {
    let sign = match text.get(*at) {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Ok(0),
    };
    let byte = text[*at];
    *at += 1;
    let mut size = 1;
    if let Some(digit) = text.get(*at).filter(|digit| digit.is_ascii_digit()) {
        size = digit - b'0';
        *at += 1;
    } else {
        while text.get(*at) == Some(&byte) && size < CHARGE_MAX {
            size += 1;
            *at += 1;
        }
    }
    Ok(sign * size as i8)
}
