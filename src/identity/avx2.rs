//! Refines colours with AVX2, four atoms at a time, with the same result as [`super::refine`]. For molecules whose atoms
//! have up to [`FEW`] neighbours, which are nearly all.
//!
//! Gathers from memory are slow on many processors, and so are rotations by different bits. So each colour is stored
//! once for each order of a bond, rotated already ([`Shown`]); what an atom sees is a sum of such words.

use std::arch::x86_64::*;

use super::{
    atom::{Atom, FEW, PLACES},
    colours::{Colours, FIRST, MIX, ORDER_BITS},
    molecule::Molecule,
    shown::{LANES, Shown, ShownAt},
    simd::Modern,
};

/// Whether this module can work on a molecule.
pub(super) fn has_room(mol: &Molecule) -> bool {
    !mol.around.wide
}

/// As [`super::refine::begin`]; `counted` has a bit for each bit of the properties that counts.
#[inline(always)]
pub(super) fn begin(_: Modern, mol: &mut Molecule, counted: u64, colours: &mut Colours) {
    // SAFETY: a `Modern` proves that the processor has the features.
    unsafe { begin_all(mol, counted, colours) }
}

/// Shows the colours, before the first [`two_steps`].
#[inline(always)]
pub(super) fn show(_: Modern, mol: &Molecule, colours: &mut Colours) {
    // SAFETY: as above.
    unsafe { show_all(mol, colours) }
}

/// As [`super::refine::two_steps`].
#[inline(always)]
pub(super) fn two_steps(modern: Modern, mol: &Molecule, colours: &mut Colours) {
    let Colours {
        of,
        seen,
        shown: [now, next],
        ..
    } = colours;
    step::<true>(modern, mol, (of, now), (seen, next));
    step::<true>(modern, mol, (seen, next), (of, now));
}

/// As [`super::refine::sum_up`]. The colours must be shown, as they are after a refinement.
#[inline(always)]
pub(super) fn sum_up(modern: Modern, mol: &Molecule, colours: &mut Colours) -> [u64; 2] {
    let Colours {
        of,
        seen,
        shown: [now, next],
        ..
    } = colours;
    step::<false>(modern, mol, (of, now), (seen, next));
    // SAFETY: as above.
    unsafe { sum_up_all(mol.count, seen) }
}

/// One round: each atom's colour and, unless it is the last round, what it shows.
#[inline(always)]
fn step<const SHOW: bool>(
    _: Modern,
    mol: &Molecule,
    from: (&[u64; PLACES], &Shown),
    to: (&mut [u64; PLACES], &mut Shown),
) {
    // SAFETY: as above.
    unsafe { step_all::<SHOW>(mol, from, to) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn begin_all(mol: &mut Molecule, counted: u64, colours: &mut Colours) {
    let Molecule {
        atoms,
        around,
        count,
        ..
    } = mol;
    let groups = count.div_ceil(LANES);
    let mut neighbours = u64::MAX;
    let chunks = atoms
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(around.places.as_chunks_mut::<LANES>().0);
    for (group, (atoms, places)) in chunks.enumerate().take(groups) {
        let [a, b, c, d] = atoms
            .each_ref()
            .map(|atom| (atom.invariant() & counted | FIRST) as i64);
        let first = mix(_mm256_setr_epi64x(a, b, c, d));
        store(
            &mut colours.of,
            group,
            _mm256_and_si256(first, is_atom(*count, group)),
        );
        for (places, atom) in places.iter_mut().zip(atoms) {
            *places = places_of(atom);
            neighbours &= u64::from_le_bytes(atom.neighbours);
        }
    }
    around.places[*count..LANES * groups].fill(ShownAt::NOTHING);
    // `NO_ATOM` has all bits.
    around.wide = neighbours >> (8 * FEW) != u64::MAX >> (8 * FEW);
    colours.distinct = 0;
}

/// What an atom sees through its first bonds.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn places_of(atom: &Atom) -> [ShownAt; FEW] {
    let [neighbours, orders] =
        [atom.neighbours, atom.assigned].map(|bytes| _mm_cvtsi64_si128(i64::from_le_bytes(bytes)));
    let pairs = _mm_cvtsi128_si64(_mm_unpacklo_epi8(neighbours, orders));
    ShownAt::of_pairs(pairs as u64)
}

/// All bits in the lanes of atoms.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn is_atom(count: usize, group: usize) -> __m256i {
    let left = _mm256_set1_epi64x((count - LANES * group) as i64);
    _mm256_cmpgt_epi64(left, _mm256_setr_epi64x(0, 1, 2, 3))
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn show_all(mol: &Molecule, colours: &mut Colours) {
    for group in 0..mol.count.div_ceil(LANES) {
        show_group(&mut colours.shown[0], group, load(&colours.of, group));
    }
}

/// As [`super::refine::next_colour`], for all atoms.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn step_all<const SHOW: bool>(
    mol: &Molecule,
    (own, from): (&[u64; PLACES], &Shown),
    (to, shown): (&mut [u64; PLACES], &mut Shown),
) {
    let groups = mol.around.places.as_chunks::<LANES>().0.iter();
    for (group, [a, b, c, d]) in groups.enumerate().take(mol.count.div_ceil(LANES)) {
        // `NO_ATOM` adds 0, so the first four are summed whatever the degree.
        let seen = _mm256_setr_epi64x(seen(a, from), seen(b, from), seen(c, from), seen(d, from));
        let own = load(own, group);
        let five = _mm256_add_epi64(own, _mm256_slli_epi64::<2>(own));
        let colours = mix(_mm256_add_epi64(five, seen));
        store(to, group, colours);
        if SHOW {
            show_group(shown, group, colours);
        }
    }
}

/// The sum of what an atom sees.
#[inline(always)]
fn seen(places: &[ShownAt; FEW], from: &Shown) -> i64 {
    let [a, b, c, d] = *places;
    let ab = from.at(a).wrapping_add(from.at(b));
    ab.wrapping_add(from.at(c)).wrapping_add(from.at(d)) as i64
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn show_group(shown: &mut Shown, group: usize, colours: __m256i) {
    const BITS: i32 = ORDER_BITS as i32;
    let [four, one, two, three] = shown.orders();
    store(one, group, rotate::<{ BITS }, { 64 - BITS }>(colours));
    store(
        two,
        group,
        rotate::<{ 2 * BITS }, { 64 - 2 * BITS }>(colours),
    );
    store(
        three,
        group,
        rotate::<{ 3 * BITS }, { 64 - 3 * BITS }>(colours),
    );
    store(
        four,
        group,
        rotate::<{ 4 * BITS }, { 64 - 4 * BITS }>(colours),
    );
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn rotate<const LEFT: i32, const RIGHT: i32>(words: __m256i) -> __m256i {
    _mm256_or_si256(
        _mm256_slli_epi64::<LEFT>(words),
        _mm256_srli_epi64::<RIGHT>(words),
    )
}

/// As [`super::colours::mix`].
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn mix(words: __m256i) -> __m256i {
    let words = _mm256_xor_si256(words, _mm256_srli_epi64::<27>(words));
    let words = multiply(words, MIX[0]);
    let words = _mm256_xor_si256(words, _mm256_srli_epi64::<33>(words));
    let words = multiply(words, MIX[1]);
    _mm256_xor_si256(words, _mm256_srli_epi64::<27>(words))
}

/// The low words of the products.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn multiply(words: __m256i, by: u64) -> __m256i {
    let low = _mm256_set1_epi64x(by as i64);
    let high = _mm256_set1_epi64x((by >> 32) as i64);
    let across = _mm256_add_epi64(
        _mm256_mul_epu32(_mm256_srli_epi64::<32>(words), low),
        _mm256_mul_epu32(words, high),
    );
    _mm256_add_epi64(
        _mm256_mul_epu32(words, low),
        _mm256_slli_epi64::<32>(across),
    )
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn sum_up_all(count: usize, seen: &[u64; PLACES]) -> [u64; 2] {
    let mut sums = [_mm256_setzero_si256(); 2];
    for group in 0..count.div_ceil(LANES) {
        let seen = load(seen, group);
        sums[0] = _mm256_add_epi64(sums[0], seen);
        // A lane without an atom is 0, also when mixed.
        sums[1] = _mm256_add_epi64(sums[1], mix(seen));
    }
    sums.map(|sum| {
        let halves = _mm_add_epi64(
            _mm256_castsi256_si128(sum),
            _mm256_extracti128_si256::<1>(sum),
        );
        (_mm_extract_epi64::<0>(halves) as u64).wrapping_add(_mm_extract_epi64::<1>(halves) as u64)
    })
}

/// Loads the words of a group.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn load(words: &[u64; PLACES], group: usize) -> __m256i {
    let chunk = &words.as_chunks::<LANES>().0[group];
    // SAFETY: the chunk has as many words as the instruction reads.
    unsafe { _mm256_loadu_si256(chunk.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn store(words: &mut [u64; PLACES], group: usize, colours: __m256i) {
    let chunk = &mut words.as_chunks_mut::<LANES>().0[group];
    // SAFETY: the chunk has as many words as the instruction writes.
    unsafe { _mm256_storeu_si256(chunk.as_mut_ptr().cast(), colours) };
}
