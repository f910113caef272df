//! Colours of atoms, refined over neighbours until atoms that look different have different ones
//! (Morgan 1965; Weisfeiler and Leman 1968). A colour is a hash of what an atom sees, so it does not depend on
//! the order of the text.

use super::molecule::{DOUBLE, Molecule, PHOSPHORUS, PLACES};

/// Places of the table in which colours are counted.
const TABLE: usize = 512;

/// A colour per atom, and how many different ones there are.
#[derive(Clone, Debug)]
pub(super) struct Colours {
    pub of: [u64; PLACES],
    pub distinct: usize,
    /// The next round's.
    seen: [u64; PLACES],
    table: [u64; TABLE],
}

impl Colours {
    pub fn new() -> Self {
        Self {
            of: [0; PLACES],
            distinct: 0,
            seen: [0; PLACES],
            table: [0; TABLE],
        }
    }

    pub fn same(&self, a: u8, b: u8) -> bool {
        self.of[usize::from(a)] == self.of[usize::from(b)]
    }
}

/// Who looks: that decides what is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// All there is.
    Full,
    /// What counts for ranks by the rules of Cahn, Ingold and Prelog as RDKit applies them where there is
    /// phosphorus: no charges, and a double bond to phosphorus counts as a single one.
    Ranks,
}

/// Mixes a word: every bit of it bears on every bit of the result, and different words stay different
/// (Moremur's constants; Pelle Evensen 2019).
pub(super) fn mix(word: u64) -> u64 {
    let word = (word ^ word >> 27).wrapping_mul(0x3c79_ac49_2ba7_b653);
    let word = (word ^ word >> 33).wrapping_mul(0x1c69_b3f7_4ac4_ae35);
    word ^ word >> 27
}

/// By how many bits a neighbour's colour is turned for each order of the bond to it, to set orders apart.
const ORDER_BITS: u32 = 11;

/// What an atom is by itself.
pub(super) fn begin(mol: &Molecule, sight: Sight, colours: &mut Colours) {
    for (index, atom) in mol.atoms().iter().enumerate() {
        let mut label = u64::from(atom.number)
            | u64::from(atom.hydrogens) << 8
            | u64::from(atom.degree) << 16
            | u64::from(atom.isotope) << 24;
        if sight == Sight::Full {
            label |= u64::from(atom.charge as u8) << 40 | u64::from(atom.unsaturation) << 48;
        }
        colours.of[index] = mix(label | 1 << 63);
    }
    colours.distinct = 0;
}

/// Refines until nothing changes.
pub(super) fn refine(mol: &Molecule, sight: Sight, colours: &mut Colours) {
    // Few molecules are done with fewer rounds, so nothing is counted before.
    if colours.distinct == 0 {
        two_steps(mol, sight, colours);
        colours.distinct = count(mol.count, colours);
    }
    while colours.distinct < mol.count {
        two_steps(mol, sight, colours);
        let distinct = count(mol.count, colours);
        let stable = distinct == colours.distinct;
        colours.distinct = distinct;
        if stable {
            break;
        }
    }
}

fn two_steps(mol: &Molecule, sight: Sight, colours: &mut Colours) {
    let Colours { of, seen, .. } = colours;
    step(mol, sight, of, seen);
    step(mol, sight, seen, of);
}

/// A round. Colours are mixed already, so their sum tells what is around an atom.
fn step(mol: &Molecule, sight: Sight, from: &[u64; PLACES], to: &mut [u64; PLACES]) {
    for (index, atom) in mol.atoms().iter().enumerate() {
        let mut sum = from[index].wrapping_mul(5);
        for (slot, other) in atom.neighbours() {
            let mut order = atom.settled[slot];
            if sight == Sight::Ranks
                && order == DOUBLE
                && mol.atoms[usize::from(other)].number == PHOSPHORUS
            {
                order = 1;
            }
            sum = sum
                .wrapping_add(from[usize::from(other)].rotate_left(ORDER_BITS * u32::from(order)));
        }
        to[index] = mix(sum);
    }
}

/// How many different ones there are.
fn count(atoms: usize, colours: &mut Colours) -> usize {
    let places = (2 * atoms).next_power_of_two().max(64);
    let Colours { of, table, .. } = colours;
    let table = &mut table[..places];
    table.fill(0);
    let mut distinct = 0;
    for &colour in &of[..atoms] {
        let mut place = colour as usize & (places - 1);
        loop {
            if table[place] == colour {
                break;
            }
            if table[place] == 0 {
                table[place] = colour;
                distinct += 1;
                break;
            }
            place = (place + 1) & (places - 1);
        }
    }
    distinct
}
