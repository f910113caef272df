//! Elements: their symbols, and their certain valences.

use super::atom::{
    Atom, BORON, BROMINE, CARBON, CHLORINE, HYDROGEN, NITROGEN, OXYGEN, PHOSPHORUS, SELENIUM,
    SULFUR, TELLURIUM,
};

/// Symbols in the order of the atomic numbers, from hydrogen on.
pub(super) const SYMBOLS: [&[u8]; 118] = [
    b"H", b"He", b"Li", b"Be", b"B", b"C", b"N", b"O", b"F", b"Ne", b"Na", b"Mg", b"Al", b"Si",
    b"P", b"S", b"Cl", b"Ar", b"K", b"Ca", b"Sc", b"Ti", b"V", b"Cr", b"Mn", b"Fe", b"Co", b"Ni",
    b"Cu", b"Zn", b"Ga", b"Ge", b"As", b"Se", b"Br", b"Kr", b"Rb", b"Sr", b"Y", b"Zr", b"Nb",
    b"Mo", b"Tc", b"Ru", b"Rh", b"Pd", b"Ag", b"Cd", b"In", b"Sn", b"Sb", b"Te", b"I", b"Xe",
    b"Cs", b"Ba", b"La", b"Ce", b"Pr", b"Nd", b"Pm", b"Sm", b"Eu", b"Gd", b"Tb", b"Dy", b"Ho",
    b"Er", b"Tm", b"Yb", b"Lu", b"Hf", b"Ta", b"W", b"Re", b"Os", b"Ir", b"Pt", b"Au", b"Hg",
    b"Tl", b"Pb", b"Bi", b"Po", b"At", b"Rn", b"Fr", b"Ra", b"Ac", b"Th", b"Pa", b"U", b"Np",
    b"Pu", b"Am", b"Cm", b"Bk", b"Cf", b"Es", b"Fm", b"Md", b"No", b"Lr", b"Rf", b"Db", b"Sg",
    b"Bh", b"Hs", b"Mt", b"Ds", b"Rg", b"Cn", b"Nh", b"Fl", b"Mc", b"Lv", b"Ts", b"Og",
];

/// Atoms that are written without brackets: the atomic number, and whether the atom is aromatic. Symbols of one letter
/// come first.
pub(super) const PLAIN: [(u8, bool); 16] = [
    (BORON, false),
    (CARBON, false),
    (NITROGEN, false),
    (OXYGEN, false),
    (9, false),
    (PHOSPHORUS, false),
    (SULFUR, false),
    (53, false),
    (BORON, true),
    (CARBON, true),
    (NITROGEN, true),
    (OXYGEN, true),
    (PHOSPHORUS, true),
    (SULFUR, true),
    (CHLORINE, false),
    (BROMINE, false),
];

/// The letters of [`PLAIN`].
pub(super) const PLAIN_LETTERS: [u8; 14] = *b"BCNOFPSIbcnops";

/// The atoms of [`PLAIN`].
pub(super) const PLAIN_ATOMS: [Atom; PLAIN.len()] = {
    let mut atoms = [Atom::NONE; PLAIN.len()];
    let mut i = 0;
    while i < atoms.len() {
        (atoms[i].number, atoms[i].aromatic) = PLAIN[i];
        atoms[i].plain = i as u8 + 1;
        i += 1;
    }
    atoms
};

/// Reads a symbol in brackets at the start of a text: the atomic number, and the bytes of the symbol.
pub(super) fn symbol(text: &[u8]) -> Option<(u8, usize)> {
    let bytes = match text {
        [a, b, ..] if a.is_ascii_uppercase() && b.is_ascii_lowercase() => 2,
        [a, ..] if a.is_ascii_uppercase() => 1,
        _ => return None,
    };
    let wanted = &text[..bytes];
    let number = match wanted {
        b"C" => 6,
        b"N" => 7,
        b"O" => 8,
        b"H" => 1,
        b"S" => 16,
        _ => SYMBOLS.iter().position(|&symbol| symbol == wanted)? + 1,
    };
    Some((number as u8, bytes))
}

/// The same for an aromatic atom.
pub(super) fn aromatic_symbol(text: &[u8]) -> Option<(u8, usize)> {
    Some(match text {
        [b's', b'e', ..] => (SELENIUM, 2),
        [b't', b'e', ..] => (TELLURIUM, 2),
        [b's' | b't' | b'a', b'i' | b's', ..] => return None,
        [b'c', ..] => (CARBON, 1),
        [b'n', ..] => (NITROGEN, 1),
        [b'o', ..] => (OXYGEN, 1),
        [b's', ..] => (SULFUR, 1),
        [b'p', ..] => (PHOSPHORUS, 1),
        [b'b', ..] => (BORON, 1),
        _ => return None,
    })
}

/// The valence of an aromatic atom. If it is one more than the atom's bonds and hydrogens, the atom needs a double bond
/// in its ring.
pub(super) fn aromatic_valence(atom: &Atom) -> Option<u8> {
    Some(match (atom.number, atom.charge) {
        (CARBON, 0) | (NITROGEN, 1) | (PHOSPHORUS, 1) => 4,
        (CARBON, -1 | 1) | (NITROGEN | PHOSPHORUS | BORON, 0) => 3,
        (OXYGEN | SULFUR | SELENIUM | TELLURIUM, 1) => 3,
        (NITROGEN, -1) | (OXYGEN | SULFUR | SELENIUM | TELLURIUM, 0) => 2,
        _ => return None,
    })
}

/// The hydrogens of an atom outside brackets whose bonds use `used` valences. `None` if there is no such state, or if
/// RDKit has to decide it.
pub(super) fn implicit_hydrogens(number: u8, used: u8) -> Option<u8> {
    // The most frequent case.
    if let (CARBON, 0..=4) = (number, used) {
        return Some(4 - used);
    }
    let valences: &[u8] = match number {
        BORON => &[3],
        CARBON => &[4],
        NITROGEN => &[3],
        OXYGEN => &[2],
        PHOSPHORUS => &[3, 5],
        SULFUR => &[2, 4, 6],
        _ => &[1],
    };
    valences
        .iter()
        .find(|&&valence| valence >= used)
        .map(|valence| valence - used)
}

/// Whether an atom can have this valence without being a radical, and RDKit agrees.
pub(super) fn is_certain(atom: &Atom, valence: u8) -> bool {
    // The most frequent case.
    if (atom.number, atom.charge) == (CARBON, 0) {
        return valence == 4;
    }
    let all: &[u8] = match (atom.number, atom.charge) {
        (HYDROGEN, 0) => &[1],
        (HYDROGEN, 1) => &[0],
        (BORON, 0) => &[3],
        (BORON, -1) => &[4],
        (14 | 32, 0) => &[4],
        (CARBON, 1 | -1) => &[3],
        (NITROGEN, 0) => &[3],
        (NITROGEN, 1) => &[4],
        (NITROGEN, -1) => &[2],
        (OXYGEN, 0) => &[2],
        (OXYGEN, 1) => &[3],
        (OXYGEN | SULFUR | SELENIUM | TELLURIUM, -1) => &[1],
        (OXYGEN | SULFUR | SELENIUM | TELLURIUM, -2) => &[0],
        (SULFUR | SELENIUM | TELLURIUM, 0) => &[2, 4, 6],
        (SULFUR | SELENIUM | TELLURIUM, 1) => &[3],
        (PHOSPHORUS | 33, 0) => &[3, 5],
        (PHOSPHORUS | 33, 1) => &[4],
        (PHOSPHORUS, -1) => &[6],
        (9 | 17 | 35 | 53, 0) => &[1],
        (9 | 17 | 35 | 53, -1) => &[0],
        // Single ions and atoms; bonds of metals are left to RDKit.
        (number, _) if !IN_BONDS.contains(&number) && atom.degree == 0 && atom.hydrogens == 0 => {
            &[0]
        }
        _ => &[],
    };
    all.contains(&valence)
}

/// Elements whose bonds this module handles.
const IN_BONDS: [u8; 17] = [1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 32, 33, 34, 35, 52, 53, 0];
