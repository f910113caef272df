//! A slot: a columnar slab of fixed size in which products travel from the chemistry to the sink.
//!
//! A slot is allocated once and never grows. Its slab is one block of [`HostMemory`], divided into
//! columns by a [`SlotLayout`]; a GPU engine copies straight out of it.
//!
//! | column | element | rows |
//! |---|---|---|
//! | key | 2 × u64 | products |
//! | real properties (mw, clogp, tpsa; with `--properties`) | 3 × f64 | products |
//! | parent row | u64 | parents |
//! | text end | u32, where the SMILES ends in the product text | products |
//! | parent | u32, index into this slot's parents | products |
//! | parent text end | 3 × u32: id, SMILES as read, reason | parents |
//! | rule, site | u16 | products |
//! | count properties (hbd, hba, rotatable bonds) | 3 × u16 | products |
//! | verdict, parent flags | u8 | products, parents |
//! | product text, parent text | u8 | bytes |

use std::{mem::size_of, ops::Range};

use serde::{Deserialize, Serialize};

use crate::{
    key::Key,
    limits::{ID_BYTES_MAX, REASON_BYTES_MAX, SLOT_BYTES_MAX, SLOT_BYTES_MIN, TEXT_KEPT_BYTES_MAX},
};

/// What the sieve says of a product.
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
    /// The verdict that a byte of the verdict column stands for.
    pub fn of(byte: u8) -> Self {
        match byte {
            0 => Self::New,
            1 => Self::Maybe,
            _ => Self::Duplicate,
        }
    }
}

/// What is known of a parent in a slot; a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParentFlags(u8);

impl ParentFlags {
    /// An ordinary parent.
    pub const NONE: Self = Self(0);
    /// It stands in an earlier slot too, and was counted there.
    pub const CONTINUED: Self = Self(1);
    /// It can't be used; its reason is set, and it has no products.
    pub const REJECTED: Self = Self(2);
    /// The cap on distinct products per parent took effect.
    pub const CAPPED_PRODUCTS: Self = Self(4);
    /// The cap on sites of one rule took effect.
    pub const CAPPED_SITES: Self = Self(8);
    /// A product was too long to keep.
    pub const CAPPED_LENGTH: Self = Self(16);

    /// Whether all bits of `other` are set.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any cap took effect.
    pub fn capped(self) -> bool {
        self.0 & (Self::CAPPED_PRODUCTS.0 | Self::CAPPED_SITES.0 | Self::CAPPED_LENGTH.0) != 0
    }

    /// Both sets of bits.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Host memory for a slot's slab, or whatever else a device copies. This is where page-locked memory plugs
/// in, so that a GPU copies straight out of a slot.
#[derive(Debug)]
pub enum HostMemory {
    /// Ordinary memory, zeroed.
    Pageable(Vec<u64>),
    /// Memory that an engine has allocated, page-locked for its device.
    Foreign(Box<dyn HostWords>),
}

/// Memory that is allocated and freed elsewhere, always the same words.
pub trait HostWords: Send + Sync + std::fmt::Debug {
    /// All of it.
    fn words(&self) -> &[u64];
    /// All of it, to be written.
    fn words_mut(&mut self) -> &mut [u64];
}

impl HostMemory {
    /// `bytes` rounded up to whole 64-bit words.
    pub fn pageable(bytes: usize) -> Self {
        Self::Pageable(vec![0; bytes.div_ceil(size_of::<u64>())])
    }

    fn words(&self) -> &[u64] {
        match self {
            Self::Pageable(words) => words,
            Self::Foreign(memory) => memory.words(),
        }
    }

    /// All of it, to be written.
    pub fn words_mut(&mut self) -> &mut [u64] {
        match self {
            Self::Pageable(words) => words,
            Self::Foreign(memory) => memory.words_mut(),
        }
    }
}

/// How a slab is divided. A function of its size and of whether properties are asked for.
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
    /// Whether the property columns are there.
    pub properties: bool,
}

/// Why a layout can't be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The slab is outside the range a slot may have.
    #[error("a slot of {0} bytes is not between {SLOT_BYTES_MIN} and {SLOT_BYTES_MAX} bytes")]
    Size(usize),
}

impl SlotLayout {
    /// Divides a slab of `bytes`.
    pub fn new(bytes: usize, properties: bool) -> Result<Self, LayoutError> {
        if !(SLOT_BYTES_MIN..=SLOT_BYTES_MAX).contains(&bytes) {
            return Err(LayoutError::Size(bytes));
        }
        let bytes = bytes / 8 * 8;
        // The columns take 51 bytes a row, 81 with properties; the SMILES and its share of its
        // parent's text take about as much again. Whole eights keep every column aligned.
        let rows_max = bytes / if properties { 160 } else { 128 } / 8 * 8;
        let mut layout = Self {
            bytes,
            rows_max,
            parents_max: rows_max,
            text_bytes_max: 0,
            parent_text_bytes_max: 0,
            properties,
        };
        let text_bytes = bytes - layout.column_bytes().iter().sum::<usize>();
        layout.parent_text_bytes_max = (text_bytes * 2 / 5).max(PARENT_TEXT_BYTES_MIN);
        layout.text_bytes_max = text_bytes - layout.parent_text_bytes_max;
        Ok(layout)
    }

    /// The smallest slab there may be.
    pub fn smallest(properties: bool) -> Self {
        Self::new(SLOT_BYTES_MIN, properties).expect("its size is in the range")
    }

    /// Bytes of the columns of fixed width, in the order in which they stand in the slab.
    fn column_bytes(&self) -> [usize; 11] {
        let (rows, parents) = (self.rows_max, self.parents_max);
        let property_rows = if self.properties { rows } else { 0 };
        [
            16 * rows,          // key
            24 * property_rows, // real properties
            8 * parents,        // parent row
            4 * rows,           // text end
            4 * rows,           // parent
            12 * parents,       // parent text end
            2 * rows,           // rule
            2 * rows,           // site
            6 * property_rows,  // count properties
            rows,               // verdict
            parents,            // parent flags
        ]
    }
}

/// Room for the longest text kept of one row.
const PARENT_TEXT_BYTES_MIN: usize = TEXT_KEPT_BYTES_MAX + ID_BYTES_MAX + REASON_BYTES_MAX;

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
    /// Per product: what the sieve says, as `Verdict as u8`.
    pub verdict: &'a mut [u8],
    /// Per parent: its [`ParentFlags`].
    pub parent_flags: &'a mut [u8],
    /// The products' SMILES, one behind the other.
    pub text: &'a mut [u8],
    /// The parents' ids, SMILES and reasons, one behind the other.
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

    /// What the sieve said of a product.
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
            flags: ParentFlags(self.parent_flags[index]),
        }
    }
}

/// What the chemistry made on the way to the rows of a slot and did not write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Products that the same parent had given before.
    pub symmetric: u64,
    /// Products equal to their parent.
    pub unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub invalid: u64,
    /// Products that a cap kept from being made or written.
    pub capped: u64,
    /// Parents with enhanced stereo, which is in none of their products' SMILES.
    #[serde(default)]
    pub enhanced_stereo: u64,
}

impl std::ops::AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        self.symmetric += other.symmetric;
        self.unchanged += other.unchanged;
        self.invalid += other.invalid;
        self.capped += other.capped;
        self.enhanced_stereo += other.enhanced_stereo;
    }
}

/// Products of one rule by what became of them: every product made counts once as made, and those that are
/// left out once more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct RuleDropped {
    /// All, those included that a cap kept from being made or written.
    pub made: u64,
    /// Products equal to their parent.
    pub unchanged: u64,
    /// Products that RDKit can't sanitize.
    pub invalid: u64,
    /// Products that a cap kept from being made or written.
    pub capped: u64,
}

/// Room for the reasons why a structure key takes RDKit.
pub const REASONS_MAX: usize = 16;

/// A slab with its columns and how far they are filled.
#[derive(Debug)]
pub struct Slot {
    layout: SlotLayout,
    memory: HostMemory,
    rows: usize,
    text_bytes: usize,
    parents: usize,
    parent_text_bytes: usize,
    /// What was made on the way and not written.
    pub dropped: Dropped,
    /// The same by rule, as the chemistry numbers them; empty without rules.
    pub by_rule: Vec<RuleDropped>,
    /// Whether the key column is filled already; else the key of a row is that of its SMILES as it stands
    /// ([`Key::of`]), which the sieve computes.
    pub keys_given: bool,
    /// Rows whose structure key took RDKit, by the number of the reason.
    pub keys_by_rdkit: [u32; REASONS_MAX],
    /// Rows whose structure key a device left to the CPU because they are too large for it.
    pub keys_too_large: u32,
    /// In the last slot of a batch: the row behind the batch. There the run can be interrupted and
    /// gone on with, for batches begin with a slot of their own.
    pub batch_end: Option<u64>,
}

/// A parent as it stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotParent<'a> {
    /// 0-based row over all inputs.
    pub row: u64,
    /// Its id, or its row number as text.
    pub id: &'a [u8],
    /// Its SMILES as read.
    pub smiles: &'a [u8],
    /// Why it was rejected; empty otherwise.
    pub reason: &'a [u8],
    /// Rejected, capped, continued.
    pub flags: ParentFlags,
}

impl Slot {
    /// An empty slot over a slab of its own.
    pub fn new(layout: SlotLayout) -> Self {
        let memory = HostMemory::pageable(layout.bytes);
        Self::within(layout, memory)
    }

    /// An empty slot over memory of at least the layout's bytes.
    ///
    /// # Panics
    /// If it is less.
    pub fn within(layout: SlotLayout, memory: HostMemory) -> Self {
        assert!(size_of_val(memory.words()) >= layout.bytes);
        let (rows, text_bytes, parents, parent_text_bytes) = (0, 0, 0, 0);
        Self {
            layout,
            memory,
            rows,
            text_bytes,
            parents,
            parent_text_bytes,
            dropped: Dropped::default(),
            by_rule: Vec::new(),
            keys_given: false,
            keys_by_rdkit: [0; REASONS_MAX],
            keys_too_large: 0,
            batch_end: None,
        }
    }

    /// Forgets all rows; the slab stays.
    pub fn clear(&mut self) {
        (
            self.rows,
            self.text_bytes,
            self.parents,
            self.parent_text_bytes,
        ) = (0, 0, 0, 0);
        self.dropped = Dropped::default();
        self.by_rule.clear();
        self.keys_given = false;
        self.keys_by_rdkit = [0; REASONS_MAX];
        self.keys_too_large = 0;
        self.batch_end = None;
    }

    /// Products in the slot.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Parents in the slot.
    pub fn parents(&self) -> usize {
        self.parents
    }

    /// Bytes of the products' SMILES.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// How the slab is divided.
    pub fn layout(&self) -> &SlotLayout {
        &self.layout
    }

    /// The canonical SMILES of a product. Who goes over many rows asks [`Slot::columns`] once.
    pub fn smiles(&self, row: usize) -> &[u8] {
        self.columns().smiles(row)
    }

    /// The key the sieve computed for a product.
    pub fn key(&self, row: usize) -> Key {
        self.columns().key(row)
    }

    /// What the sieve said of a product.
    pub fn verdict(&self, row: usize) -> Verdict {
        self.columns().verdict(row)
    }

    /// A parent of this slot.
    pub fn parent(&self, index: usize) -> SlotParent<'_> {
        self.columns().parent(index)
    }

    /// All parents of this slot.
    pub fn each_parent(&self) -> impl Iterator<Item = SlotParent<'_>> {
        let columns = self.columns();
        (0..self.parents()).map(move |index| columns.parent(index))
    }

    /// Adds a parent and gives its index. `None`: it does not fit beside what the slot holds.
    pub fn push_parent(&mut self, parent: SlotParent<'_>) -> Option<u32> {
        let index = self.parents;
        let begin = self.parent_text_bytes;
        let id = begin + parent.id.len();
        let smiles = id + parent.smiles.len();
        let reason = smiles + parent.reason.len();
        if index == self.layout.parents_max || reason > self.layout.parent_text_bytes_max {
            return None;
        }
        let columns = self.columns_mut();
        columns.parent_text[begin..id].copy_from_slice(parent.id);
        columns.parent_text[id..smiles].copy_from_slice(parent.smiles);
        columns.parent_text[smiles..reason].copy_from_slice(parent.reason);
        columns.parent_text_end[index] = [id as u32, smiles as u32, reason as u32];
        columns.parent_row[index] = parent.row;
        columns.parent_flags[index] = parent.flags.0;
        self.parent_text_bytes = reason;
        self.parents += 1;
        Some(index as u32)
    }

    /// Adds a row with its key: a molecule of parent number `parent` as it is. Whether it fits.
    pub fn push_row(&mut self, smiles: &[u8], parent: u32, key: Key) -> bool {
        let (row, begin) = (self.rows, self.text_bytes);
        let end = begin + smiles.len();
        if row == self.layout.rows_max || end > self.layout.text_bytes_max {
            return false;
        }
        let columns = self.columns_mut();
        columns.text[begin..end].copy_from_slice(smiles);
        columns.text_end[row] = end as u32;
        columns.key[row] = key.words();
        columns.parent[row] = parent;
        (columns.rule[row], columns.site[row]) = (0, 0);
        (self.rows, self.text_bytes) = (row + 1, end);
        true
    }

    /// Sets further flags of a parent.
    pub fn flag_parent(&mut self, index: u32, flags: ParentFlags) {
        self.columns_mut().parent_flags[index as usize] |= flags.0;
    }

    /// Says how far the product columns are filled, after writing through [`Slot::columns_mut`].
    ///
    /// # Panics
    /// If that is more than the layout holds.
    pub fn set_filled(&mut self, rows: usize, text_bytes: usize) {
        assert!(rows <= self.layout.rows_max && text_bytes <= self.layout.text_bytes_max);
        (self.rows, self.text_bytes) = (rows, text_bytes);
    }

    /// All columns, to be read.
    pub fn columns(&self) -> Columns<'_> {
        let mut rest: &[u8] = bytemuck::must_cast_slice(self.memory.words());
        let mut take = |bytes: usize| {
            let (column, behind) = rest.split_at(bytes);
            rest = behind;
            column
        };
        let [
            key,
            real,
            row,
            end,
            parent,
            parent_end,
            rule,
            site,
            count,
            verdict,
            flags,
        ] = self.layout.column_bytes().map(&mut take);
        let (text, parent_text) = (
            take(self.layout.text_bytes_max),
            take(self.layout.parent_text_bytes_max),
        );
        Columns {
            key: bytemuck::cast_slice(key),
            real_properties: bytemuck::cast_slice(real),
            parent_row: bytemuck::cast_slice(row),
            text_end: bytemuck::cast_slice(end),
            parent: bytemuck::cast_slice(parent),
            parent_text_end: bytemuck::cast_slice(parent_end),
            rule: bytemuck::cast_slice(rule),
            site: bytemuck::cast_slice(site),
            count_properties: bytemuck::cast_slice(count),
            verdict,
            parent_flags: flags,
            text,
            parent_text,
        }
    }

    /// All columns, to be written.
    pub fn columns_mut(&mut self) -> ColumnsMut<'_> {
        let mut rest: &mut [u8] = bytemuck::must_cast_slice_mut(self.memory.words_mut());
        let mut take = |bytes: usize| {
            let (column, behind) = std::mem::take(&mut rest).split_at_mut(bytes);
            rest = behind;
            column
        };
        let [
            key,
            real,
            row,
            end,
            parent,
            parent_end,
            rule,
            site,
            count,
            verdict,
            flags,
        ] = self.layout.column_bytes().map(&mut take);
        let text = take(self.layout.text_bytes_max);
        let parent_text = take(self.layout.parent_text_bytes_max);
        ColumnsMut {
            key: bytemuck::cast_slice_mut(key),
            real_properties: bytemuck::cast_slice_mut(real),
            parent_row: bytemuck::cast_slice_mut(row),
            text_end: bytemuck::cast_slice_mut(end),
            parent: bytemuck::cast_slice_mut(parent),
            parent_text_end: bytemuck::cast_slice_mut(parent_end),
            rule: bytemuck::cast_slice_mut(rule),
            site: bytemuck::cast_slice_mut(site),
            count_properties: bytemuck::cast_slice_mut(count),
            verdict,
            parent_flags: flags,
            text,
            parent_text,
        }
    }
}

/// Where row `row` stands in a text column whose ends are given.
pub fn text_range(ends: &[u32], row: usize) -> Range<usize> {
    let begin = if row == 0 { 0 } else { ends[row - 1] as usize };
    begin..ends[row] as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_fills_its_slab_and_no_more() {
        for bytes in [
            SLOT_BYTES_MIN,
            SLOT_BYTES_MIN + 12_345,
            1 << 20,
            (1 << 22) + 7,
        ] {
            for properties in [false, true] {
                let layout = SlotLayout::new(bytes, properties).unwrap();
                let used = layout.column_bytes().iter().sum::<usize>()
                    + layout.text_bytes_max
                    + layout.parent_text_bytes_max;
                assert_eq!(used, layout.bytes);
                assert!(
                    layout.rows_max > 3_000 && layout.text_bytes_max > 64 << 10,
                    "{layout:?}"
                );
                let slot = Slot::new(layout.clone());
                assert_eq!(slot.columns().key.len(), layout.rows_max);
                assert_eq!(slot.columns().count_properties.is_empty(), !properties);
            }
        }
        assert_eq!(SlotLayout::new(1000, false), Err(LayoutError::Size(1000)));
        assert_eq!(
            SlotLayout::new(1 << 31, false),
            Err(LayoutError::Size(1 << 31))
        );
    }

    #[test]
    fn parents_come_back_as_they_went_in_until_the_slot_is_full() {
        let mut slot = Slot::new(SlotLayout::new(SLOT_BYTES_MIN, false).unwrap());
        let text = vec![b'C'; TEXT_KEPT_BYTES_MAX];
        let long = SlotParent {
            row: 7,
            id: b"Z1",
            smiles: &text,
            reason: b"too long",
            flags: ParentFlags::REJECTED,
        };
        assert_eq!(slot.push_parent(long), Some(0));
        let mut short = SlotParent {
            row: 8,
            id: b"8",
            smiles: b"CO",
            reason: b"",
            ..long
        };
        short.flags = ParentFlags::default();
        assert_eq!(slot.push_parent(short), Some(1));
        slot.flag_parent(1, ParentFlags::CAPPED_SITES);
        assert_eq!(
            slot.push_parent(long),
            None,
            "the text of a second one does not fit"
        );
        assert_eq!(slot.parent(0), long);
        assert_eq!(
            slot.parent(1),
            SlotParent {
                flags: ParentFlags::CAPPED_SITES,
                ..short
            }
        );
        let mut parents = slot.parents();
        while slot
            .push_parent(SlotParent {
                smiles: b"",
                id: b"",
                ..short
            })
            .is_some()
        {
            parents += 1;
        }
        assert_eq!(parents, slot.layout().parents_max);
        slot.clear();
        assert_eq!(slot.push_parent(long), Some(0));
    }
}
