//! Refines colours over neighbours until atoms that differ have different colours (Morgan 1965; Weisfeiler and
//! Leman 1968). A colour is a hash of what an atom sees, so it does not depend on the order of the text.

use std::hint::select_unpredictable;

use super::{
    atom::{FEW, NEIGHBOURS_MAX, NO_ATOM, PLACES},
    colours::{Colours, FIRST, ORDER_BITS, TABLE, mix},
    molecule::Molecule,
};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};

/// Which properties of atoms count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Properties {
    /// All of them.
    All,
    /// Those that count for ranks by the rules of Cahn, Ingold and Prelog as RDKit applies them: no charges.
    Ranked,
}

/// The bits of [`super::atom::Atom::invariant`] that count for ranks: no charge, no unsaturation.
const RANKED: u64 = (1 << 40) - 1;

/// Sets the first colours, and what each atom sees.
#[inline(always)]
pub(super) fn begin(mol: &mut Molecule, properties: Properties, colours: &mut Colours) {
    let counted = match properties {
        Properties::All => u64::MAX,
        Properties::Ranked => RANKED,
    };
    #[cfg(target_arch = "x86_64")]
    if let (Some(modern), None) = (mol.modern, mol.simd) {
        return avx2::begin(modern, mol, counted, colours);
    }
    mol.around.wide = false;
    for index in 0..mol.count {
        let atom = &mol.atoms[index];
        colours.of[index] = mix(atom.invariant() & counted | FIRST);
        mol.around.set(index, atom);
    }
    colours.distinct = 0;
}

/// Refines until nothing changes.
#[inline(always)]
pub(super) fn refine(mol: &Molecule, colours: &mut Colours) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = mol.simd
        && avx512::has_room(mol)
    {
        return avx512::refine(simd, mol, colours);
    }
    #[cfg(target_arch = "x86_64")]
    if let (Some(modern), None) = (mol.modern, mol.simd)
        && avx2::has_room(mol)
    {
        avx2::show(modern, mol, colours);
        return refine_by(
            mol,
            colours,
            #[inline(always)]
            |mol, colours| avx2::two_steps(modern, mol, colours),
        );
    }
    refine_by(mol, colours, two_steps);
}

#[inline(always)]
fn refine_by(mol: &Molecule, colours: &mut Colours, two_steps: impl Fn(&Molecule, &mut Colours)) {
    // Few molecules need fewer rounds, so colours are not counted before.
    let mut counted = false;
    while colours.distinct < mol.count {
        two_steps(mol, colours);
        if counted && still_equal(mol.count, colours) {
            break;
        }
        let distinct = count(mol.count, colours);
        let stable = distinct == colours.distinct;
        colours.distinct = distinct;
        if stable {
            break;
        }
        counted = true;
    }
}

/// One more round, summed over all atoms in two ways. If the colours identify the graph, so do the sums. The order of
/// the atoms does not matter.
#[inline(always)]
pub(super) fn sum_up(mol: &Molecule, colours: &mut Colours) -> [u64; 2] {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = mol.simd
        && avx512::has_room(mol)
    {
        return avx512::sum_up(simd, mol, colours);
    }
    #[cfg(target_arch = "x86_64")]
    if let (Some(modern), None) = (mol.modern, mol.simd)
        && avx2::has_room(mol)
    {
        return avx2::sum_up(modern, mol, colours);
    }
    let mut sums = [0u64; 2];
    for index in 0..mol.count {
        let seen = next_colour(mol, index, &colours.of);
        sums = [sums[0].wrapping_add(seen), sums[1].wrapping_add(mix(seen))];
    }
    sums
}

#[inline(always)]
fn two_steps(mol: &Molecule, colours: &mut Colours) {
    let Colours { of, seen, .. } = colours;
    step(mol, of, seen);
    step(mol, seen, of);
}

/// One round.
#[inline(always)]
fn step(mol: &Molecule, from: &[u64; PLACES], to: &mut [u64; PLACES]) {
    for (index, to) in to.iter_mut().enumerate().take(mol.count) {
        *to = next_colour(mol, index, from);
    }
}

/// What an atom sees. Colours are mixed already, so their sum identifies the neighbours.
#[inline(always)]
fn next_colour(mol: &Molecule, index: usize, colours: &[u64; PLACES]) -> u64 {
    let atom = &mol.atoms[index];
    let seen = |slot: usize| {
        let colour = colours[usize::from(atom.neighbours[slot])];
        colour.rotate_left(u32::from(atom.assigned[slot]) * ORDER_BITS as u32)
    };
    // `NO_ATOM` adds 0, so the first four are summed whatever the degree.
    let mut sum = colours[index].wrapping_mul(5);
    for slot in 0..FEW {
        sum = sum.wrapping_add(seen(slot));
    }
    if mol.around.wide && usize::from(atom.degree) > FEW {
        for slot in FEW..NEIGHBOURS_MAX {
            sum = sum.wrapping_add(seen(slot));
        }
    }
    mix(sum)
}

/// Whether atoms that had the same colour at the last count still have the same colour. Atoms that differed still
/// differ.
fn still_equal(atoms: usize, colours: &Colours) -> bool {
    let Colours {
        of, representative, ..
    } = colours;
    let differ = (0..atoms).map(|index| of[usize::from(representative[index])] ^ of[index]);
    differ.fold(0, |all, differ| all | differ) == 0
}

/// Counts the distinct colours, and finds the first atom of each.
#[inline(always)]
fn count(atoms: usize, colours: &mut Colours) -> usize {
    let places = (16 * atoms).next_power_of_two().clamp(128, TABLE);
    let Colours {
        of,
        table,
        representative,
        ..
    } = colours;
    let table = &mut table[..places];
    table.fill(NO_ATOM);
    let mut distinct = 0;
    for index in 0..atoms {
        let colour = of[index];
        let mut place = colour as usize & (places - 1);
        loop {
            let holder = table[place];
            let free = holder == NO_ATOM;
            // Whether the entry is free is unpredictable, so it is not a branch of its own.
            if select_unpredictable(free, colour, of[usize::from(holder)]) == colour {
                representative[index] = select_unpredictable(free, index as u8, holder);
                table[place] = representative[index];
                distinct += usize::from(free);
                break;
            }
            place = (place + 1) & (places - 1);
        }
    }
    distinct
}
