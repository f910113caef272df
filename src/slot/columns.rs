//! The columns of a slot as slices.

use std::ops::Range;

use super::{
    filled::Filled,
    layout::SlotLayout,
    parent::{ParentFlags, Root, SlotParent},
};
use crate::key::Key;

/// Defines the columns in slab order, each with the type of its elements, their number in a layout, and how many are in
/// use.
macro_rules! columns {
    (|$layout:ident, $filled:ident| $($(#[$doc:meta])* $name:ident: $element:ty, $count:expr, $used:expr;)*) => {
        /// The columns of a slot, to be written. Every slice has the length its layout allows, whatever the
        /// number of rows in use.
        pub struct ColumnsMut<'a> {
            $($(#[$doc])* pub $name: &'a mut [$element],)*
        }

        /// The columns of a slot, to be read; see [`ColumnsMut`].
        #[allow(missing_docs, reason = "the fields are those of ColumnsMut")]
        pub struct Columns<'a> {
            $(pub $name: &'a [$element],)*
        }

        impl SlotLayout {
            /// Bytes of all columns.
            pub(super) fn column_bytes(&self) -> usize {
                let $layout = self;
                0 $(+ size_of::<$element>() * $count)*
            }
        }

        impl<'a> ColumnsMut<'a> {
            /// Copies what is in use from the columns of a slot with the properties of this layout.
            pub(super) fn copy_from(&mut self, other: &Columns<'_>, $layout: &SlotLayout, $filled: &Filled) {
                $(self.$name[..$used].copy_from_slice(&other.$name[..$used]);)*
            }

            pub(super) fn of($layout: &SlotLayout, mut slab: &'a mut [u8]) -> Self {
                Self {
                    $($name: {
                        let column = slab.split_off_mut(..size_of::<$element>() * $count);
                        bytemuck::cast_slice_mut(column.expect(FITS))
                    },)*
                }
            }
        }

        impl<'a> Columns<'a> {
            pub(super) fn of($layout: &SlotLayout, mut slab: &'a [u8]) -> Self {
                Self {
                    $($name: {
                        let column = slab.split_off(..size_of::<$element>() * $count);
                        bytemuck::cast_slice(column.expect(FITS))
                    },)*
                }
            }
        }
    };
}

const FITS: &str = "a slab has the bytes of its layout";

columns! { |layout, filled|
    /// Per product: first and second word of the key.
    key: [u64; 2], layout.rows_max, filled.rows;
    /// Per product: the layout's properties that are reals, side by side.
    real_properties: f64, layout.real_values(), layout.properties.reals().len() * filled.rows;
    /// Per parent: 0-based row over all inputs, or of the step before.
    parent_row: u64, layout.parents_max, filled.parents;
    /// Per parent, in a slot with roots: the row of the molecule of the library that it was made from.
    root_row: u64, layout.roots_max(), layout.roots_of(filled);
    /// Per parent, in a slot with roots: first and second word of its own key.
    parent_key: [u64; 2], layout.roots_max(), layout.roots_of(filled);
    /// Per product: where its SMILES ends in `text`.
    text_end: u32, layout.rows_max, filled.rows;
    /// Per product: index of its parent in this slot.
    parent: u32, layout.rows_max, filled.rows;
    /// Per product: the numbers of its reagents, side by side.
    reagents: u32, layout.reagent_values(), layout.reagents * filled.rows;
    /// Per parent: where its id, its SMILES and its reason end in `parent_text`.
    parent_text_end: [u32; 3], layout.parents_max, filled.parents;
    /// Per parent, in a slot with kept rows: where its kept row ends in `parent_text`, behind its reason.
    parent_kept_end: u32, layout.kept_max(), layout.kept_of(filled);
    /// Per product: index of its rule.
    rule: u16, layout.rows_max, filled.rows;
    /// Per product: index of the match among the rule's matches in the parent.
    site: u16, layout.rows_max, filled.rows;
    /// Per product: the layout's properties that are whole numbers, side by side, in two's complement.
    count_properties: u16, layout.count_values(), layout.properties.counts().len() * filled.rows;
    /// Per product: its [`Verdict`] as a byte.
    verdict: u8, layout.rows_max, filled.rows;
    /// Per parent: its [`ParentFlags`].
    parent_flags: u8, layout.parents_max, filled.parents;
    /// The products' SMILES, one after the other.
    text: u8, layout.text_bytes_max, filled.text_bytes;
    /// The parents' ids, SMILES, reasons and kept rows, one after the other.
    parent_text: u8, layout.parent_text_bytes_max, filled.parent_text_bytes;
}

impl<'a> Columns<'a> {
    /// The canonical SMILES of a product.
    pub fn smiles(&self, row: usize) -> &'a [u8] {
        &self.text[text_range(self.text_end, row)]
    }

    /// The key the sieve computed for a product.
    pub fn key(&self, row: usize) -> Key {
        Key::from_words(self.key[row])
    }

    /// The verdict on a product.
    pub fn verdict(&self, row: usize) -> Verdict {
        Verdict::of(self.verdict[row])
    }

    /// A parent of the slot.
    #[inline]
    pub fn parent(&self, index: usize) -> SlotParent<'a> {
        let begin = match index {
            0 => 0,
            _ => self.end_of_parent(index - 1),
        };
        let [id, smiles, reason] = self.parent_text_end[index].map(|end| end as usize);
        let flags = ParentFlags::from_byte(self.parent_flags[index]);
        let texts = &self.parent_text[id..smiles];
        let (own, input) = match flags.has(ParentFlags::CLEANED) {
            true => split_input(texts),
            false => (texts, &texts[..0]),
        };
        let kept = self.end_of_parent(index);
        SlotParent {
            row: self.parent_row[index],
            id: &self.parent_text[begin..id],
            smiles: own,
            input,
            reason: &self.parent_text[smiles..reason],
            kept: &self.parent_text[reason..kept],
            flags,
            root: self.root(index),
        }
    }

    /// Where all that a parent has ends in `parent_text`.
    fn end_of_parent(&self, index: usize) -> usize {
        let kept = self.parent_kept_end.get(index);
        *kept.unwrap_or(&self.parent_text_end[index][2]) as usize
    }

    fn root(&self, index: usize) -> Root {
        match (self.root_row.get(index), self.parent_key.get(index)) {
            (Some(&row), Some(&key)) => Root { row, key },
            _ => Root::default(),
        }
    }
}

/// The SMILES of a parent that cleaning has changed, and its SMILES as read, which a NUL precedes.
fn split_input(texts: &[u8]) -> (&[u8], &[u8]) {
    let mut texts = texts.splitn(2, |byte| *byte == 0);
    let mut next = || texts.next().unwrap_or_default();
    (next(), next())
}

/// The byte range of row `row` in a text column with these ends.
pub fn text_range(ends: &[u32], row: usize) -> Range<usize> {
    let begin = if row == 0 { 0 } else { ends[row - 1] as usize };
    begin..ends[row] as usize
}

/// What the sieve says of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// The filter has certainly not seen it.
    New = 0,
    /// The filter says it may have been seen before.
    Maybe = 1,
    /// An earlier row of the same slot has the same key.
    Duplicate = 2,
}

impl Verdict {
    /// The verdict of a byte of the verdict column.
    pub fn of(byte: u8) -> Self {
        match byte {
            0 => Self::New,
            1 => Self::Maybe,
            _ => Self::Duplicate,
        }
    }
}
