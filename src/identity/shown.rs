//! The colours of atoms as their neighbours see them, each rotated by the order of a bond already.

use std::array::from_fn;

use bytemuck::Zeroable;

use super::atom::{FEW, NO_ATOM, PLACES};

/// Atoms whose colours are set together.
pub(super) const LANES: usize = 4;

/// The colours of atoms as seen through a bond: rotated by the bond's order. Those for order 4 come first, then those
/// for orders 1 to 3.
#[derive(Debug, Zeroable)]
pub(super) struct Shown([[u64; PLACES]; ORDERS]);

/// The orders that [`Shown`] has.
const ORDERS: usize = 4;

/// The place of an atom's colour in [`Shown`]: less than the number of words there.
#[derive(Clone, Copy, Debug, Zeroable)]
pub(super) struct ShownAt(u16);

impl ShownAt {
    /// The places of an atom without neighbours.
    pub const NOTHING: [Self; FEW] = [Self(NO_ATOM as u16); FEW];

    /// From four pairs of bytes: an atom, and the order of the bond to it.
    #[inline(always)]
    pub fn of_pairs(pairs: u64) -> [Self; FEW] {
        from_fn(|slot| Self((pairs >> (16 * slot)) as u16 % (ORDERS * PLACES) as u16))
    }
}

impl Shown {
    #[inline(always)]
    pub fn at(&self, place: ShownAt) -> u64 {
        // SAFETY: see `ShownAt`.
        unsafe { *self.0.as_flattened().get_unchecked(usize::from(place.0)) }
    }

    /// The colours for order 4, then for 1 to 3.
    pub fn orders(&mut self) -> &mut [[u64; PLACES]; ORDERS] {
        &mut self.0
    }
}
