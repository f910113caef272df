//! The columns of a slot as slices.

use std::ops::Range;

use super::{
    parent::{ParentFlags, SlotParent},
    verdict::Verdict,
};
use crate::key::Key;

/// The columns of a slot, to be written. Every slice has the length its layout allows, whatever the
/// number of rows in use.
pub struct ColumnsMut<'a> {
    /// Per product: first and second word of the key.
    pub key: &'a mut [[u64; 2]],
    /// Per product: mw, clogp, tpsa.
    pub real_properties: &'a mut [f64],
    /// Per parent: 0-based row over all inputs.
    pub parent_row: &'a mut [u64],
    /// Per product: where its SMILES ends in `text`.
    pub text_end: &'a mut [u32],
    /// Per product: index of its parent in this slot.
    pub parent: &'a mut [u32],
    /// Per parent: where its id, its SMILES and its reason end in `parent_text`.
    pub parent_text_end: &'a mut [[u32; 3]],
    /// Per product: index of its rule.
    pub rule: &'a mut [u16],
    /// Per product: index of the match among the rule's matches in the parent.
    pub site: &'a mut [u16],
    /// Per product: hbd, hba, rotatable bonds.
    pub count_properties: &'a mut [u16],
    /// Per product: its [`Verdict`] as a byte.
    pub verdict: &'a mut [u8],
    /// Per parent: its [`ParentFlags`].
    pub parent_flags: &'a mut [u8],
    /// The products' SMILES, one after the other.
    pub text: &'a mut [u8],
    /// The parents' ids, SMILES and reasons, one after the other.
    pub parent_text: &'a mut [u8],
}

/// The columns of a slot, to be read; see [`ColumnsMut`].
#[allow(missing_docs, reason = "the fields are those of ColumnsMut")]
pub struct Columns<'a> {
    pub key: &'a [[u64; 2]],
    pub real_properties: &'a [f64],
    pub parent_row: &'a [u64],
    pub text_end: &'a [u32],
    pub parent: &'a [u32],
    pub parent_text_end: &'a [[u32; 3]],
    pub rule: &'a [u16],
    pub site: &'a [u16],
    pub count_properties: &'a [u16],
    pub verdict: &'a [u8],
    pub parent_flags: &'a [u8],
    pub text: &'a [u8],
    pub parent_text: &'a [u8],
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
    pub fn parent(&self, index: usize) -> SlotParent<'a> {
        let begin = match index {
            0 => 0,
            _ => self.parent_text_end[index - 1][2] as usize,
        };
        let [id, smiles, reason] = self.parent_text_end[index].map(|end| end as usize);
        SlotParent {
            row: self.parent_row[index],
            id: &self.parent_text[begin..id],
            smiles: &self.parent_text[id..smiles],
            reason: &self.parent_text[smiles..reason],
            flags: ParentFlags::from_byte(self.parent_flags[index]),
        }
    }
}

/// The byte range of row `row` in a text column with these ends.
pub fn text_range(ends: &[u32], row: usize) -> Range<usize> {
    let begin = if row == 0 { 0 } else { ends[row - 1] as usize };
    begin..ends[row] as usize
}
