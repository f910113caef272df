//! Reads an atom in brackets.

use super::{
    atom::{Atom, Chirality, HYDROGEN},
    elements::{aromatic_symbol, symbol},
    reason::Reason,
};

/// The most signs that a charge may be written with; a larger charge takes a number.
pub(super) const SIGNS_MAX: u8 = 2;

/// Reads from the opening bracket to the end of the closing one.
pub(super) fn read_bracket(text: &[u8], at: &mut usize) -> Result<Atom, Reason> {
    *at += 1;
    let peek = |at: usize| text.get(at).copied().unwrap_or(0);
    let mut atom = Atom::NONE;
    if peek(*at) == b'0' {
        return Err(Reason::Text);
    }
    let mut isotope = 0;
    while peek(*at).is_ascii_digit() {
        isotope = 10 * isotope + u16::from(peek(*at) - b'0');
        *at += 1;
        if isotope > 999 {
            return Err(Reason::Text);
        }
    }
    atom.isotope = isotope.to_le_bytes();
    let aromatic = aromatic_symbol(&text[*at..]);
    let symbol = aromatic.or_else(|| symbol(&text[*at..]));
    let (number, bytes) = symbol.ok_or(Reason::Wildcard)?;
    (atom.number, atom.aromatic) = (number, aromatic.is_some());
    *at += bytes;
    if peek(*at) == b'@' {
        *at += 1;
        atom.chirality = Chirality::CounterClockwise;
        if peek(*at) == b'@' {
            *at += 1;
            atom.chirality = Chirality::Clockwise;
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
        while text.get(*at) == Some(&byte) && size < SIGNS_MAX {
            size += 1;
            *at += 1;
        }
    }
    Ok(sign * size as i8)
}
