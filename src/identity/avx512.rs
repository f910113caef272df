//! Refines colours with AVX-512, eight atoms at a time, with the same result as [`super::refine`]. For molecules of up
//! to [`ATOMS`] atoms with up to [`FEW`] neighbours each, which are nearly all.
//!
//! A register holds the colours of eight atoms. Two permutations and a blend find the colours of neighbours in four
//! registers, and four permutations and three blends in eight. So nothing is gathered from memory, which is slow on
//! many processors. Lanes after the last atom are 0, and the last lane of all is the one of `NO_ATOM`.

use std::arch::x86_64::*;

use super::{
    atom::{FEW, PLACES},
    colours::{Colours, MIX},
    molecule::Molecule,
    simd::Simd,
};

/// Atoms of a register.
const LANES: usize = 8;
/// The most registers.
const GROUPS_MAX: usize = 8;
/// The most atoms: one less than lanes.
const ATOMS: usize = LANES * GROUPS_MAX - 1;

/// Whether this module can work on a molecule.
pub(super) fn has_room(mol: &Molecule) -> bool {
    mol.count <= ATOMS && !mol.around.wide
}

/// As [`super::refine::refine`].
pub(super) fn refine(_: Simd, mol: &Molecule, colours: &mut Colours) {
    // SAFETY: a `Simd` proves that the processor has the features.
    unsafe { refine_any(mol, colours) }
}

/// As [`super::refine::sum_up`].
pub(super) fn sum_up(_: Simd, mol: &Molecule, colours: &Colours) -> [u64; 2] {
    // SAFETY: as above.
    unsafe { sum_up_any(mol, colours) }
}

/// Chooses the number of registers.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn refine_any(mol: &Molecule, colours: &mut Colours) {
    match mol.count {
        0..=15 => refine_groups::<2>(mol, colours),
        16..=31 => refine_groups::<4>(mol, colours),
        _ => refine_groups::<8>(mol, colours),
    }
}

/// Chooses the number of registers.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn sum_up_any(mol: &Molecule, colours: &Colours) -> [u64; 2] {
    match mol.count {
        0..=15 => sum_up_groups::<2>(mol, colours),
        16..=31 => sum_up_groups::<4>(mol, colours),
        _ => sum_up_groups::<8>(mol, colours),
    }
}

/// Colours in registers.
type Lanes<const GROUPS: usize> = [__m512i; GROUPS];

/// A bit for each lane of a group that is an atom.
fn mask_of(group: usize, count: usize) -> u8 {
    let left = count.saturating_sub(LANES * group).min(LANES);
    ((1u32 << left) - 1) as u8
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn load<const GROUPS: usize>(colours: &Colours, count: usize) -> Lanes<GROUPS> {
    let mut lanes = [_mm512_setzero_si512(); GROUPS];
    for (group, lanes) in lanes.iter_mut().enumerate() {
        let all = load_group(&colours.of, group);
        *lanes = _mm512_maskz_mov_epi64(mask_of(group, count), all);
    }
    lanes
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn store<const GROUPS: usize>(lanes: &Lanes<GROUPS>, words: &mut [u64]) {
    for (lanes, chunk) in lanes.iter().zip(words.as_chunks_mut::<LANES>().0) {
        // SAFETY: the chunk has as many words as the instruction writes.
        unsafe { _mm512_storeu_epi64(chunk.as_mut_ptr().cast(), *lanes) };
    }
}

/// Loads the words of a group.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn load_group(words: &[u64; PLACES], group: usize) -> __m512i {
    let chunk = &words.as_chunks::<LANES>().0[group];
    // SAFETY: the chunk has as many words as the instruction reads.
    unsafe { _mm512_loadu_epi64(chunk.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn refine_groups<const GROUPS: usize>(mol: &Molecule, colours: &mut Colours) {
    let count = mol.count;
    let mut lanes = load::<GROUPS>(colours, count);
    let mut firsts: Option<Lanes<GROUPS>> = None;
    // Few molecules need fewer rounds, so colours are not counted before.
    while colours.distinct < count {
        lanes = step(mol, &lanes);
        lanes = step(mol, &lanes);
        store(&lanes, &mut colours.of);
        if firsts.is_some_and(|firsts| still_equal(&lanes, &firsts, count)) {
            break;
        }
        let found = first_equal(&lanes, &colours.of[..count]);
        let distinct = distinct(&found, count);
        let stable = distinct == colours.distinct;
        colours.distinct = distinct;
        firsts = Some(found);
        if stable {
            break;
        }
    }
    if let Some(firsts) = firsts {
        store_bytes(&firsts, &mut colours.representative);
    }
}

/// One round.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn step<const GROUPS: usize>(mol: &Molecule, from: &Lanes<GROUPS>) -> Lanes<GROUPS> {
    let mut to = [_mm512_setzero_si512(); GROUPS];
    for group in 0..GROUPS {
        if LANES * group >= mol.count {
            break;
        }
        let own = from[group];
        let mut sum = _mm512_add_epi64(own, _mm512_slli_epi64::<2>(own));
        // Only the lowest byte of a word counts, so a shift gives the next neighbour.
        let mut near = load_group(&mol.around.near, group);
        let mut rotation = load_group(&mol.around.rotation, group);
        for _ in 0..FEW {
            sum = _mm512_add_epi64(sum, _mm512_rolv_epi64(pick(from, near), rotation));
            near = _mm512_srli_epi64::<8>(near);
            rotation = _mm512_srli_epi64::<8>(rotation);
        }
        to[group] = _mm512_maskz_mov_epi64(mask_of(group, mol.count), mix(sum));
    }
    to
}

/// The lanes with these numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn pick<const GROUPS: usize>(from: &Lanes<GROUPS>, numbers: __m512i) -> __m512i {
    let of_two = |group: usize| _mm512_permutex2var_epi64(from[group], numbers, from[group + 1]);
    if GROUPS == 2 {
        return of_two(0);
    }
    let third = _mm512_test_epi64_mask(numbers, _mm512_set1_epi64(16));
    let of_four = |group: usize| _mm512_mask_blend_epi64(third, of_two(group), of_two(group + 2));
    if GROUPS == 4 {
        return of_four(0);
    }
    let fifth = _mm512_test_epi64_mask(numbers, _mm512_set1_epi64(32));
    _mm512_mask_blend_epi64(fifth, of_four(0), of_four(4))
}

/// As [`super::colours::mix`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn mix(words: __m512i) -> __m512i {
    let first = _mm512_set1_epi64(MIX[0] as i64);
    let second = _mm512_set1_epi64(MIX[1] as i64);
    let words = _mm512_xor_si512(words, _mm512_srli_epi64::<27>(words));
    let words = _mm512_mullo_epi64(words, first);
    let words = _mm512_xor_si512(words, _mm512_srli_epi64::<33>(words));
    let words = _mm512_mullo_epi64(words, second);
    _mm512_xor_si512(words, _mm512_srli_epi64::<27>(words))
}

/// For each atom, the number of the first atom of the same colour.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn first_equal<const GROUPS: usize>(lanes: &Lanes<GROUPS>, of: &[u64]) -> Lanes<GROUPS> {
    let mut firsts = [_mm512_setzero_si512(); GROUPS];
    for (index, &colour) in of.iter().enumerate().rev() {
        let (colour, number) = (
            _mm512_set1_epi64(colour as i64),
            _mm512_set1_epi64(index as i64),
        );
        for group in 0..GROUPS {
            let same = _mm512_cmpeq_epi64_mask(lanes[group], colour);
            firsts[group] = _mm512_mask_mov_epi64(firsts[group], same, number);
        }
    }
    firsts
}

/// Counts the atoms that are the first of their colour.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn distinct<const GROUPS: usize>(firsts: &Lanes<GROUPS>, count: usize) -> usize {
    let mut own = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    let mut distinct = 0;
    for (group, firsts) in firsts.iter().enumerate() {
        let is_first = _mm512_cmpeq_epi64_mask(*firsts, own) & mask_of(group, count);
        distinct += is_first.count_ones() as usize;
        own = _mm512_add_epi64(own, _mm512_set1_epi64(LANES as i64));
    }
    distinct
}

/// Whether atoms that had the same colour still have the same colour. Atoms that differed still differ.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn still_equal<const GROUPS: usize>(
    lanes: &Lanes<GROUPS>,
    firsts: &Lanes<GROUPS>,
    count: usize,
) -> bool {
    let mut differs = 0;
    for group in 0..GROUPS {
        let of_first = pick(lanes, firsts[group]);
        differs |= _mm512_cmpneq_epi64_mask(of_first, lanes[group]) & mask_of(group, count);
    }
    differs == 0
}

/// Writes the numbers in the lanes as bytes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn store_bytes<const GROUPS: usize>(lanes: &Lanes<GROUPS>, bytes: &mut [u8; PLACES]) {
    for (lanes, bytes) in lanes.iter().zip(bytes.as_chunks_mut::<LANES>().0) {
        let narrow = _mm_cvtsi128_si64(_mm512_cvtepi64_epi8(*lanes));
        *bytes = narrow.to_le_bytes();
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,popcnt")]
fn sum_up_groups<const GROUPS: usize>(mol: &Molecule, colours: &Colours) -> [u64; 2] {
    let seen = step(mol, &load::<GROUPS>(colours, mol.count));
    let mut sums = [_mm512_setzero_si512(); 2];
    for seen in seen {
        sums[0] = _mm512_add_epi64(sums[0], seen);
        // A lane without an atom is 0, also when mixed.
        sums[1] = _mm512_add_epi64(sums[1], mix(seen));
    }
    sums.map(|sum| _mm512_reduce_add_epi64(sum) as u64)
}
