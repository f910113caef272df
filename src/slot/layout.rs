//! How a slab is divided into columns.

use super::{filled::Filled, parent::Root};
use crate::{
    limits::{ID_BYTES_MAX, REASON_BYTES_MAX, SLOT_BYTES_MAX, SLOT_BYTES_MIN, TEXT_KEPT_BYTES_MAX},
    property::PropertySet,
};

/// How a slab is divided. A function of its size and of the columns that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotLayout {
    /// Bytes of the slab.
    pub bytes: usize,
    /// Products a slot holds.
    pub rows_max: usize,
    /// Parents a slot holds.
    pub parents_max: usize,
    /// Bytes of the products' SMILES.
    pub text_bytes_max: usize,
    /// Bytes of the parents' ids, SMILES and reasons.
    pub parent_text_bytes_max: usize,
    /// The properties of a product.
    pub properties: PropertySet,
    /// Whether a parent has a root: what a job of several steps needs.
    pub roots: bool,
    /// Reagents that a product has room for.
    pub reagents: usize,
    /// Whether a parent has a kept row: what `--keep-columns` needs.
    pub kept: bool,
}

/// A layout can't be made: the slab is outside the range a slot may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a slot of {0} bytes is not between {SLOT_BYTES_MIN} and {SLOT_BYTES_MAX} bytes")]
pub struct LayoutError(pub usize);

impl SlotLayout {
    /// Divides a slab of `bytes`.
    pub fn new(bytes: usize, properties: PropertySet) -> Result<Self, LayoutError> {
        Self::divide(bytes, properties, false, 0)
    }

    /// Divides a slab of `bytes`; with `roots`, each parent has one, and each product room for `reagents`.
    pub fn divide(
        bytes: usize,
        properties: PropertySet,
        roots: bool,
        reagents: usize,
    ) -> Result<Self, LayoutError> {
        Self::divide_with((bytes, properties, roots, reagents), false)
    }

    /// As [`divide`](Self::divide); with `kept`, each parent has room for its kept row.
    pub fn divide_with(
        (bytes, properties, roots, reagents): (usize, PropertySet, bool, usize),
        kept: bool,
    ) -> Result<Self, LayoutError> {
        if !(SLOT_BYTES_MIN..=SLOT_BYTES_MAX).contains(&bytes) {
            return Err(LayoutError(bytes));
        }
        let bytes = bytes / 8 * 8;
        // The columns but for properties take 51 bytes a row; the SMILES and its share of its parent's
        // text take about as much again, and more. Whole eights keep every column aligned.
        let property_bytes = 8 * properties.reals().len() + 2 * properties.counts().len();
        let root_bytes = if roots { ROOT_BYTES } else { 0 };
        let more_bytes = property_bytes + root_bytes + size_of::<u32>() * reagents;
        let rows_max = bytes / (128 + 3 * more_bytes / 2) / 8 * 8;
        let mut layout = Self {
            bytes,
            rows_max,
            parents_max: rows_max,
            text_bytes_max: 0,
            parent_text_bytes_max: 0,
            properties,
            roots,
            reagents,
            kept,
        };
        let text_bytes = bytes - layout.column_bytes();
        let parent_text = match kept {
            // Parents have more to carry, but the smallest slot must hold a block of settled rows.
            true => (text_bytes * 3 / 5).min(text_bytes.saturating_sub(SETTLED_TEXT_BYTES)),
            false => text_bytes * 2 / 5,
        };
        layout.parent_text_bytes_max = parent_text.max(PARENT_TEXT_BYTES_MIN);
        layout.text_bytes_max = text_bytes - layout.parent_text_bytes_max;
        Ok(layout)
    }

    /// The smallest layout that has room for what is filled.
    pub(super) fn shrunk_to(&self, filled: &Filled) -> Self {
        // Whole eights keep every column aligned.
        let mut layout = Self {
            bytes: 0,
            rows_max: filled.rows.next_multiple_of(8),
            parents_max: filled.parents.next_multiple_of(8),
            text_bytes_max: filled.text_bytes,
            parent_text_bytes_max: filled.parent_text_bytes,
            properties: self.properties,
            roots: self.roots,
            reagents: self.reagents,
            kept: self.kept,
        };
        layout.bytes = layout.column_bytes();
        layout
    }

    /// The smallest slab there may be.
    pub fn smallest(properties: PropertySet) -> Self {
        Self::new(SLOT_BYTES_MIN, properties).expect(IN_RANGE)
    }

    /// The smallest slab with the columns of this one.
    pub fn smallest_like(&self) -> Self {
        let columns = (SLOT_BYTES_MIN, self.properties, self.roots, self.reagents);
        Self::divide_with(columns, self.kept).expect(IN_RANGE)
    }

    /// Parents that have a root.
    pub(super) fn roots_max(&self) -> usize {
        if self.roots { self.parents_max } else { 0 }
    }

    /// Parents that have a root, of those in use.
    pub(super) fn roots_of(&self, filled: &Filled) -> usize {
        filled.parents.min(self.roots_max())
    }

    /// Parents that have a kept row.
    pub(super) fn kept_max(&self) -> usize {
        if self.kept { self.parents_max } else { 0 }
    }

    /// Parents that have a kept row, of those in use.
    pub(super) fn kept_of(&self, filled: &Filled) -> usize {
        filled.parents.min(self.kept_max())
    }

    /// Numbers of reagents in all rows.
    pub(super) fn reagent_values(&self) -> usize {
        self.reagents * self.rows_max
    }

    /// Values of the properties that are reals, in all rows.
    pub(super) fn real_values(&self) -> usize {
        self.properties.reals().len() * self.rows_max
    }

    /// The same for those that are whole numbers.
    pub(super) fn count_values(&self) -> usize {
        self.properties.counts().len() * self.rows_max
    }
}

const IN_RANGE: &str = "the smallest size is in the range";
/// Bytes of a parent's root.
const ROOT_BYTES: usize = size_of::<Root>();
/// Bytes of products' SMILES that a block of settled rows may have, and some more.
const SETTLED_TEXT_BYTES: usize = 112 << 10;
/// Bytes of the longest text kept of one row.
const PARENT_TEXT_BYTES_MIN: usize = TEXT_KEPT_BYTES_MAX + ID_BYTES_MAX + REASON_BYTES_MAX;
