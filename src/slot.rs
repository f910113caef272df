//! A slot: a columnar slab of fixed size that carries products from the chemistry to the sink.
//!
//! A slot is allocated once and never grows. Its slab is one block of [`HostMemory`], divided into
//! columns ([`ColumnsMut`]) by a [`SlotLayout`]; a GPU engine copies straight out of it.

mod columns;
mod filled;
mod layout;
mod memory;
mod parent;

pub use columns::{Columns, ColumnsMut, Verdict, text_range};
pub use layout::{LayoutError, SlotLayout};
pub use memory::{HostMemory, HostWords};
pub use parent::{ParentFlags, Root, SlotParent};

use crate::{account::Account, key::Key, property::PropertySet};
use filled::Filled;

/// A slab with its columns and how far they are filled.
#[derive(Debug)]
pub struct Slot {
    layout: SlotLayout,
    memory: HostMemory,
    filled: Filled,
    /// What became of the parents and products so far, but for what the sieve decides.
    pub account: Account,
    /// Whether the worker filled the key column. Otherwise the sieve computes the keys: [`Key::of`] each SMILES.
    pub keys_given: bool,
    /// Whether the verdict column says which rows repeat an earlier one of the slot. Then the keys are given too.
    pub marked: bool,
    /// In the last slot of a batch: the row after the batch. A run can be resumed from there, because each batch
    /// begins in a slot of its own.
    pub batch_end: Option<u64>,
}

impl Slot {
    /// An empty slot over a slab of its own.
    pub fn new(layout: SlotLayout) -> Self {
        let memory = HostMemory::pageable(layout.bytes);
        Self::within(layout, memory)
    }

    /// An empty slot over the smallest slab there may be.
    pub fn smallest(properties: PropertySet) -> Self {
        Self::new(SlotLayout::smallest(properties))
    }

    /// An empty slot over memory of at least the layout's bytes.
    ///
    /// # Panics
    /// If it is less.
    pub fn within(layout: SlotLayout, memory: HostMemory) -> Self {
        assert!(size_of_val(memory.words()) >= layout.bytes);
        Self {
            layout,
            memory,
            filled: Filled::default(),
            account: Account::default(),
            keys_given: false,
            marked: false,
            batch_end: None,
        }
    }

    /// Drops all rows and counts; the slab stays.
    pub fn clear(&mut self) {
        self.filled = Filled::default();
        self.account.clear();
        self.keys_given = false;
        self.marked = false;
        self.batch_end = None;
    }

    /// A copy whose slab is as large as what is in use.
    pub fn compact(&self) -> Self {
        let mut copy = Self::new(self.layout.shrunk_to(&self.filled));
        copy.copy_from(self);
        copy
    }

    /// Takes over all rows and counts of another slot.
    ///
    /// # Panics
    /// If they don't fit, or have other columns.
    pub fn copy_from(&mut self, other: &Self) {
        let columns = |layout: &SlotLayout| {
            let SlotLayout {
                properties,
                roots,
                reagents,
                kept,
                ..
            } = *layout;
            (properties, roots, reagents, kept)
        };
        assert!(columns(&self.layout) == columns(&other.layout));
        let slab = bytemuck::must_cast_slice_mut(self.memory.words_mut());
        let mut columns = ColumnsMut::of(&self.layout, slab);
        columns.copy_from(&other.columns(), &self.layout, &other.filled);
        self.filled = other.filled;
        self.account.clone_from(&other.account);
        self.keys_given = other.keys_given;
        self.marked = other.marked;
        self.batch_end = other.batch_end;
    }

    /// Products in the slot.
    pub fn rows(&self) -> usize {
        self.filled.rows
    }

    /// Parents in the slot.
    pub fn parents(&self) -> usize {
        self.filled.parents
    }

    /// Bytes of the products' SMILES.
    pub fn text_bytes(&self) -> usize {
        self.filled.text_bytes
    }

    /// How the slab is divided.
    pub fn layout(&self) -> &SlotLayout {
        &self.layout
    }

    /// The canonical SMILES of a product. For many rows, call [`Slot::columns`] once.
    pub fn smiles(&self, row: usize) -> &[u8] {
        self.columns().smiles(row)
    }

    /// The key the sieve computed for a product.
    pub fn key(&self, row: usize) -> Key {
        self.columns().key(row)
    }

    /// A parent of this slot.
    pub fn parent(&self, index: usize) -> SlotParent<'_> {
        self.columns().parent(index)
    }

    /// The parents whose flags are wanted: of a slot with many, few are.
    pub fn parents_with(
        &self,
        wanted: impl Fn(ParentFlags) -> bool,
    ) -> impl Iterator<Item = SlotParent<'_>> {
        let columns = self.columns();
        let flags = &columns.parent_flags[..self.parents()];
        let flags = flags.iter().enumerate();
        let wanted = flags.filter(move |(_, byte)| wanted(ParentFlags::from_byte(**byte)));
        wanted.map(move |(index, _)| columns.parent(index))
    }

    /// Adds a parent, counts it and returns its index. `None`: it does not fit beside what the slot holds.
    pub fn push_parent(&mut self, parent: SlotParent<'_>) -> Option<u32> {
        let index = self.filled.parents;
        let begin = self.filled.parent_text_bytes;
        let id = begin + parent.id.len();
        let own = id + parent.smiles.len();
        let smiles = own + input_bytes(parent.input);
        let reason = smiles + parent.reason.len();
        let kept_row = if self.layout.kept { parent.kept } else { &[] };
        let kept = reason + kept_row.len();
        if index == self.layout.parents_max || kept > self.layout.parent_text_bytes_max {
            return None;
        }
        let columns = self.columns_mut();
        columns.parent_text[begin..id].copy_from_slice(parent.id);
        columns.parent_text[id..own].copy_from_slice(parent.smiles);
        write_input(&mut columns.parent_text[own..smiles], parent.input);
        columns.parent_text[smiles..reason].copy_from_slice(parent.reason);
        columns.parent_text[reason..kept].copy_from_slice(kept_row);
        if let Some(end) = columns.parent_kept_end.get_mut(index) {
            *end = kept as u32;
        }
        columns.parent_text_end[index] = [id as u32, smiles as u32, reason as u32];
        columns.parent_row[index] = parent.row;
        columns.parent_flags[index] = flags_of(&parent).byte();
        if let Some(place) = columns.root_row.get_mut(index) {
            *place = parent.root.row;
            columns.parent_key[index] = parent.root.key;
        }
        self.filled.parent_text_bytes = kept;
        self.filled.parents += 1;
        if !parent.flags.has(ParentFlags::CONTINUED) {
            self.account.counts.parents_read += 1;
        }
        if let Some(code) = parent.flags.reject_code() {
            self.account.reject(code);
        }
        Some(index as u32)
    }

    /// Adds a molecule as it was read: a parent that is its own row, with its key. Whether it fits.
    pub fn push_molecule(&mut self, parent: SlotParent<'_>, smiles: &[u8], key: Key) -> bool {
        let (row, index) = (self.filled.rows, self.filled.parents);
        let (text, parent_text) = (self.filled.text_bytes, self.filled.parent_text_bytes);
        let (text_end, id_end) = (text + smiles.len(), parent_text + parent.id.len());
        let input_end = id_end + input_bytes(parent.input);
        let layout = &self.layout;
        let own = if layout.kept { parent.kept } else { &[] };
        let kept_end = input_end + own.len();
        if row == layout.rows_max
            || index == layout.parents_max
            || text_end > layout.text_bytes_max
            || kept_end > layout.parent_text_bytes_max
        {
            return false;
        }
        let columns = self.columns_mut();
        columns.parent_text[parent_text..id_end].copy_from_slice(parent.id);
        write_input(&mut columns.parent_text[id_end..input_end], parent.input);
        columns.parent_text_end[index] = [id_end, input_end, input_end].map(|end| end as u32);
        columns.parent_text[input_end..kept_end].copy_from_slice(own);
        if let Some(end) = columns.parent_kept_end.get_mut(index) {
            *end = kept_end as u32;
        }
        columns.parent_row[index] = parent.row;
        columns.parent_flags[index] = flags_of(&parent).byte();
        columns.text[text..text_end].copy_from_slice(smiles);
        columns.text_end[row] = text_end as u32;
        columns.key[row] = key.words();
        columns.parent[row] = index as u32;
        (columns.rule[row], columns.site[row]) = (0, 0);
        (self.filled.rows, self.filled.text_bytes) = (row + 1, text_end);
        (self.filled.parents, self.filled.parent_text_bytes) = (index + 1, kept_end);
        self.account.counts.parents_read += 1;
        true
    }

    /// Adds a row with its key: a molecule of parent number `parent` as it is. Whether it fits.
    pub fn push_row(&mut self, smiles: &[u8], parent: u32, key: Key) -> bool {
        let (row, begin) = (self.filled.rows, self.filled.text_bytes);
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
        (self.filled.rows, self.filled.text_bytes) = (row + 1, end);
        true
    }

    /// Sets further flags of a parent.
    pub fn flag_parent(&mut self, index: u32, flags: ParentFlags) {
        self.columns_mut().parent_flags[index as usize] |= flags.byte();
    }

    /// Sets how far the product columns are filled, after writing through [`Slot::columns_mut`].
    ///
    /// # Panics
    /// If that is more than the layout holds.
    pub fn set_filled(&mut self, rows: usize, text_bytes: usize) {
        assert!(rows <= self.layout.rows_max && text_bytes <= self.layout.text_bytes_max);
        (self.filled.rows, self.filled.text_bytes) = (rows, text_bytes);
    }

    /// All columns, to be read.
    pub fn columns(&self) -> Columns<'_> {
        Columns::of(&self.layout, bytemuck::must_cast_slice(self.memory.words()))
    }

    /// All columns, to be written.
    pub fn columns_mut(&mut self) -> ColumnsMut<'_> {
        let slab = bytemuck::must_cast_slice_mut(self.memory.words_mut());
        ColumnsMut::of(&self.layout, slab)
    }
}

/// Bytes that a parent's SMILES as read takes behind its SMILES.
fn input_bytes(input: &[u8]) -> usize {
    match input.len() {
        0 => 0,
        bytes => 1 + bytes,
    }
}

/// Writes it into these bytes.
fn write_input(place: &mut [u8], input: &[u8]) {
    if let Some((nul, text)) = place.split_first_mut() {
        *nul = 0;
        text.copy_from_slice(input);
    }
}

fn flags_of(parent: &SlotParent<'_>) -> ParentFlags {
    match parent.input {
        [] => parent.flags,
        _ => parent.flags.and(ParentFlags::CLEANED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        limits::{
            ID_BYTES_MAX, KEPT_ROW_BYTES_MAX, PARENT_SMILES_BYTES_MAX, PRODUCT_SMILES_BYTES_MAX,
            SETTLE_BLOCK_ROWS, SETTLE_BLOCK_TEXT_BYTES, SLOT_BYTES_MIN, TEXT_KEPT_BYTES_MAX,
        },
        reject::RejectCode,
    };

    #[test]
    fn a_layout_fills_its_slab_and_no_more() {
        let odd = SLOT_BYTES_MIN + 12_345;
        for bytes in [SLOT_BYTES_MIN, odd, 1 << 20, (1 << 22) + 7] {
            for properties in [PropertySet::NONE, PropertySet::ALL, "hba".parse().unwrap()] {
                for roots in [false, true] {
                    let layout = SlotLayout::divide(bytes, properties, roots, 3).unwrap();
                    assert_eq!(layout.column_bytes(), layout.bytes);
                    assert!(
                        layout.rows_max > SETTLE_BLOCK_ROWS && layout.text_bytes_max > 128 << 10,
                        "{layout:?}"
                    );
                }
                let layout = SlotLayout::new(bytes, properties).unwrap();
                let slot = Slot::new(layout.clone());
                assert_eq!(slot.columns().key.len(), layout.rows_max);
                assert_eq!(
                    slot.columns().count_properties.is_empty(),
                    properties.is_empty()
                );
            }
        }
        for bytes in [1000, 1 << 31] {
            assert_eq!(
                SlotLayout::new(bytes, PropertySet::NONE),
                Err(LayoutError(bytes))
            );
        }
    }

    #[test]
    fn parents_come_back_as_they_went_in_until_the_slot_is_full() {
        let mut slot = Slot::new(SlotLayout::new(SLOT_BYTES_MIN, PropertySet::NONE).unwrap());
        let text = vec![b'C'; TEXT_KEPT_BYTES_MAX];
        let long = SlotParent {
            row: 7,
            id: b"Z1",
            smiles: &text,
            reason: b"too long",
            flags: ParentFlags::rejected(RejectCode::TooLarge),
            ..SlotParent::default()
        };
        assert_eq!(slot.push_parent(long), Some(0));
        let short = SlotParent {
            row: 8,
            id: b"8",
            smiles: b"CO",
            ..SlotParent::default()
        };
        assert_eq!(slot.push_parent(short), Some(1));
        slot.flag_parent(1, ParentFlags::CAPPED_SITES);
        // The text of a second long one does not fit.
        assert_eq!(slot.push_parent(long), None);
        assert_eq!(slot.parent(0), long);
        let capped = SlotParent {
            flags: ParentFlags::CAPPED_SITES,
            ..short
        };
        assert_eq!(slot.parent(1), capped);
        let empty = SlotParent {
            smiles: b"",
            id: b"",
            ..short
        };
        let mut parents = slot.parents();
        while slot.push_parent(empty).is_some() {
            parents += 1;
        }
        assert_eq!(parents, slot.layout().parents_max);
        slot.clear();
        assert_eq!(slot.push_parent(long), Some(0));
    }

    #[test]
    fn parents_have_roots_where_the_layout_says_so() {
        let root = Root {
            row: 3,
            key: [5, u64::MAX],
        };
        let parent = SlotParent {
            row: 7,
            id: b"Z1",
            smiles: b"CO",
            root,
            ..SlotParent::default()
        };
        let rootless = SlotParent {
            root: Root::default(),
            ..parent
        };
        for (roots, expected) in [(true, parent), (false, rootless)] {
            let layout = SlotLayout::divide(SLOT_BYTES_MIN, PropertySet::ALL, roots, 1).unwrap();
            assert_eq!(layout.smallest_like(), layout);
            let mut slot = Slot::new(layout);
            (0..3).for_each(|_| assert!(slot.push_parent(parent).is_some()));
            assert_eq!(slot.parent(2), expected);
            assert_eq!(slot.compact().parent(2), expected);
        }
    }

    #[test]
    fn a_parent_that_was_cleaned_has_its_smiles_as_read_too() {
        let mut slot = Slot::smallest(PropertySet::NONE);
        let flags = ParentFlags::CONTINUED.and(ParentFlags::CLEANED);
        let cleaned = SlotParent {
            row: 7,
            id: b"Z1",
            smiles: b"CC(=O)O",
            input: b"CC(=O)[O-].[Na+]",
            flags,
            ..SlotParent::default()
        };
        let as_read = SlotParent {
            input: b"",
            flags: ParentFlags::NONE,
            ..cleaned
        };
        assert_eq!(slot.push_parent(cleaned), Some(0));
        assert_eq!(slot.push_parent(as_read), Some(1));
        let of_row = SlotParent {
            smiles: b"",
            ..cleaned
        };
        assert!(slot.push_molecule(of_row, b"CC(=O)O", Key::of(b"CC(=O)O")));
        slot.flag_parent(0, ParentFlags::CAPPED_SITES);
        let capped = SlotParent {
            flags: flags.and(ParentFlags::CAPPED_SITES),
            ..cleaned
        };
        for (index, parent) in [capped, as_read, of_row].into_iter().enumerate() {
            assert_eq!(slot.parent(index), parent);
            assert_eq!(slot.compact().parent(index), parent);
        }
    }

    #[test]
    fn parents_have_kept_rows_where_the_layout_says_so() {
        let kept = vec![7; KEPT_ROW_BYTES_MAX];
        let smiles = [b'C'; PARENT_SMILES_BYTES_MAX];
        let longest = SlotParent {
            id: &[b'Z'; ID_BYTES_MAX],
            smiles: &smiles,
            kept: &kept,
            ..SlotParent::default()
        };
        for with_kept in [true, false] {
            let columns = (SLOT_BYTES_MIN, PropertySet::ALL, true, 3);
            let layout = SlotLayout::divide_with(columns, with_kept).unwrap();
            assert_eq!(layout.column_bytes(), layout.bytes);
            assert_eq!(layout.smallest_like(), layout);
            // The longest text of a block of settled rows fits.
            let most = SETTLE_BLOCK_TEXT_BYTES + PRODUCT_SMILES_BYTES_MAX as usize;
            assert!(layout.text_bytes_max >= most, "{layout:?}");
            let mut slot = Slot::new(layout);
            let short = SlotParent {
                id: b"1",
                kept: b"kept",
                ..SlotParent::default()
            };
            assert_eq!(slot.push_parent(longest), Some(0));
            assert!(slot.push_molecule(short, b"CO", Key::of(b"CO")));
            for slot in [&slot, &slot.compact()] {
                for (index, parent) in [longest, short].into_iter().enumerate() {
                    let kept = if with_kept { parent.kept } else { b"" };
                    assert_eq!(slot.parent(index), SlotParent { kept, ..parent });
                }
            }
        }
    }

    #[test]
    fn a_copy_has_all_rows_and_counts() {
        let mut slot = Slot::smallest(PropertySet::NONE);
        let parent = SlotParent {
            row: 7,
            id: b"Z1",
            ..SlotParent::default()
        };
        assert_eq!(slot.push_parent(parent), Some(0));
        assert!(slot.push_row(b"CO", 0, Key::of(b"CO")));
        (slot.keys_given, slot.batch_end) = (true, Some(8));
        // An engine's memory may be longer than the slab.
        let layout = slot.layout().clone();
        let memory = HostMemory::pageable(layout.bytes + 4_096);
        let mut copy = Slot::within(layout, memory);
        assert!(copy.push_row(b"CCCC", 0, Key::of(b"CCCC")));
        copy.copy_from(&slot);
        slot.copy_from(&copy);
        let compact = slot.compact();
        assert!(compact.layout().bytes < 1_000, "{:?}", compact.layout());
        for slot in [&slot, &copy, &compact] {
            assert_eq!((slot.rows(), slot.parents(), slot.text_bytes()), (1, 1, 2));
            assert_eq!((slot.smiles(0), slot.key(0)), (&b"CO"[..], Key::of(b"CO")));
            assert_eq!(slot.parent(0), parent);
            assert_eq!(slot.account.counts.parents_read, 1);
            assert!(slot.keys_given && !slot.marked && slot.batch_end == Some(8));
        }
    }
}
