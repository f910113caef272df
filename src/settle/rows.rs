//! Rows that wait to be settled, packed: out of slots into blocks, and out of blocks into a slot.
//!
//! Layout of a block's payload, little-endian: its unpacked length u32, then zstd (level 1) of
//!
//! ```text
//! parents u32
//! per parent   row u64, bytes of its id u32, of its SMILES u32 and of its SMILES as read u32 (0: cleaning has not changed
//!              it), these texts; in a job of several steps also the row of its root u64, and its key (two u64); with
//!              kept columns the bytes of its kept row u32, and these
//! per row      parent u32, rule u16, site u16, bytes of its SMILES u32, SMILES,
//!              the numbers of its reagents u32,
//!              its properties: those that are reals f64, then those that are whole numbers u16
//! ```
//!
//! Keys are in another spill, in the same order. A block is closed at
//! [`SETTLE_BLOCK_ROWS`] rows or by its bytes, so that it fits the smallest slot there is.

use std::{ops::Range, path::Path};

use serde::{Deserialize, Serialize};
use zstd::bulk::{Compressor, Decompressor};

use crate::{
    limits::{
        REACTANTS_MAX, SETTLE_BLOCK_PARENT_BYTES, SETTLE_BLOCK_ROWS, SETTLE_BLOCK_TEXT_BYTES,
    },
    property::{Property, PropertySet},
    slot::{Root, Slot, SlotParent},
    store::{
        StoreError,
        sealed::as_hex,
        spill::{Kind, SpillLength, SpillWriter},
    },
};

/// A row's parent, rule, site, length, reagents and properties at most.
const ROW_BYTES_MAX: usize = 12 + 4 * (REACTANTS_MAX - 1) + 8 * Property::ALL.len();
/// What a block unpacks to at most: its texts, its columns, and a row that crosses the bounds.
const UNPACKED_BYTES_MAX: usize = SETTLE_BLOCK_PARENT_BYTES
    + SETTLE_BLOCK_TEXT_BYTES
    + SETTLE_BLOCK_ROWS * ROW_BYTES_MAX
    + (64 << 10);

/// Packs rows into a spill.
pub struct RowWriter {
    spill: SpillWriter,
    properties: PropertySet,
    block: OpenBlock,
    compressor: Compressor<'static>,
}

/// The rows of a block that is not full. A checkpoint has them in itself and does not close the block: which rows
/// are in a block together is a function of the rows, since they go to the encoder together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenBlock {
    #[serde(with = "as_hex")]
    parents: Vec<u8>,
    parent_count: u32,
    /// Row number of the parent added last.
    last_parent: Option<u64>,
    #[serde(with = "as_hex")]
    rows: Vec<u8>,
    row_count: u32,
}

impl RowWriter {
    /// Writes a new spill at `path`, or continues after the end that a checkpoint has recorded.
    pub fn new(
        path: &Path,
        begun: Option<(SpillLength, OpenBlock)>,
        properties: PropertySet,
    ) -> Result<Self, StoreError> {
        let (begun, block) = begun.unzip();
        let compressor =
            Compressor::new(1).map_err(|error| StoreError::io(path, "pack rows for", &error))?;
        Ok(Self {
            spill: SpillWriter::open(path, Kind::Rows, begun)?,
            properties,
            block: block.unwrap_or_default(),
            compressor,
        })
    }

    /// Adds a row of a slot.
    pub fn push(&mut self, slot: &Slot, row: usize) -> Result<(), StoreError> {
        let columns = slot.columns();
        let parent = columns.parent(columns.parent[row] as usize);
        let kept = slot.layout().kept;
        if kept && self.block.last_parent != Some(parent.row) {
            // The longest kept row takes a block of its own.
            let texts = parent.id.len() + parent.smiles.len() + parent.input.len();
            let more = parent.kept.len() + texts;
            if self.block.parents.len() + more > SETTLE_BLOCK_PARENT_BYTES {
                self.end_block()?;
            }
        }
        let block = &mut self.block;
        if block.last_parent != Some(parent.row) {
            block.parents.extend(parent.row.to_le_bytes());
            let texts = [parent.id, parent.smiles, parent.input];
            for text in texts {
                block.parents.extend((text.len() as u32).to_le_bytes());
            }
            block.parents.extend(texts.concat());
            if slot.layout().roots {
                let Root { row, key } = parent.root;
                let words = [row, key[0], key[1]];
                block.parents.extend(words.map(u64::to_le_bytes).concat());
            }
            if kept {
                block
                    .parents
                    .extend((parent.kept.len() as u32).to_le_bytes());
                block.parents.extend_from_slice(parent.kept);
            }
            block.parent_count += 1;
            block.last_parent = Some(parent.row);
        }
        let smiles = columns.smiles(row);
        block.rows.extend((block.parent_count - 1).to_le_bytes());
        block.rows.extend(columns.rule[row].to_le_bytes());
        block.rows.extend(columns.site[row].to_le_bytes());
        block.rows.extend((smiles.len() as u32).to_le_bytes());
        block.rows.extend_from_slice(smiles);
        let reagents = of_row(row, slot.layout().reagents);
        let reagents = columns.reagents[reagents].iter();
        block.rows.extend(reagents.flat_map(|x| x.to_le_bytes()));
        let reals = of_row(row, self.properties.reals().len());
        let counts = of_row(row, self.properties.counts().len());
        let reals = columns.real_properties[reals].iter();
        let counts = columns.count_properties[counts].iter();
        block.rows.extend(reals.flat_map(|x| x.to_le_bytes()));
        block.rows.extend(counts.flat_map(|x| x.to_le_bytes()));
        block.row_count += 1;
        // The columns of a row count as text here, which closes a block a little early.
        let full = block.row_count as usize == SETTLE_BLOCK_ROWS
            || block.parents.len() >= SETTLE_BLOCK_PARENT_BYTES
            || block.rows.len() >= SETTLE_BLOCK_TEXT_BYTES;
        if full { self.end_block() } else { Ok(()) }
    }

    /// The whole blocks are in the file, though perhaps not yet on the disk.
    pub fn flush(&mut self) -> Result<SpillLength, StoreError> {
        self.spill.flush()
    }

    /// The whole blocks are on the disk when this returns.
    pub fn sync(&mut self) -> Result<SpillLength, StoreError> {
        self.spill.sync()
    }

    /// The rows after the last whole block.
    pub fn open_block(&self) -> &OpenBlock {
        &self.block
    }

    /// Bytes in the file.
    pub fn bytes(&self) -> u64 {
        self.spill.bytes()
    }

    /// Closes the block, even if it is not full.
    pub fn end_block(&mut self) -> Result<(), StoreError> {
        let block = &mut self.block;
        if block.row_count == 0 {
            return Ok(());
        }
        let mut unpacked = block.parent_count.to_le_bytes().to_vec();
        unpacked.append(&mut block.parents);
        unpacked.append(&mut block.rows);
        let packed = self
            .compressor
            .compress(&unpacked)
            .map_err(|error| StoreError::io(Path::new("maybe-rows"), "pack rows for", &error))?;
        let mut payload = (unpacked.len() as u32).to_le_bytes().to_vec();
        payload.extend(packed);
        self.spill.push_block(&payload, block.row_count)?;
        *block = OpenBlock::default();
        Ok(())
    }
}

/// Unpacks the payload of a block of `rows` rows into a slot; says what is wrong with it if it is not
/// one. The slot's keys and verdicts are for the caller to set.
pub fn unpack(payload: &[u8], rows: u32, slot: &mut Slot) -> Result<(), &'static str> {
    let (length, packed) = payload.split_first_chunk::<4>().ok_or(SHORT)?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > UNPACKED_BYTES_MAX {
        return Err("a block is longer than it can be");
    }
    let unpacked = Decompressor::new()
        .and_then(|mut decompressor| decompressor.decompress(packed, length))
        .map_err(|_| "a block can't be unpacked")?;
    let mut from = Unpacked(&unpacked);
    slot.clear();
    let parents = from.u32()?;
    for _ in 0..parents {
        let row = from.u64()?;
        let lengths = [from.u32()?, from.u32()?, from.u32()?];
        let [id, smiles, input] = lengths.map(|length| from.take(length as usize));
        let (id, smiles, input) = (id?, smiles?, input?);
        let root = match slot.layout().roots {
            true => Root {
                row: from.u64()?,
                key: [from.u64()?, from.u64()?],
            },
            false => Root::default(),
        };
        let kept = match slot.layout().kept {
            true => {
                let bytes = from.u32()? as usize;
                from.take(bytes)?
            }
            false => &[],
        };
        let parent = SlotParent {
            row,
            id,
            smiles,
            input,
            kept,
            root,
            ..SlotParent::default()
        };
        slot.push_parent(parent).ok_or("too many parents")?;
    }
    let mut text_bytes = 0;
    for row in 0..rows as usize {
        text_bytes = unpack_row(&mut from, slot, row, text_bytes)?;
    }
    if !from.0.is_empty() {
        return Err("a block has more in it than its rows");
    }
    Ok(())
}

const SHORT: &str = "a block is cut short";

/// Unpacks one row and gives the bytes of text in the slot.
fn unpack_row(
    from: &mut Unpacked<'_>,
    slot: &mut Slot,
    row: usize,
    text_bytes: usize,
) -> Result<usize, &'static str> {
    let (rows_max, text_bytes_max) = (slot.layout().rows_max, slot.layout().text_bytes_max);
    let (parent, rule, site) = (from.u32()?, from.u16()?, from.u16()?);
    let length = from.u32()? as usize;
    let smiles = from.take(length)?;
    let text_end = text_bytes + length;
    if row >= rows_max || text_end > text_bytes_max || parent as usize >= slot.parents() {
        return Err("a block has more in it than a slot holds");
    }
    let (properties, reagents) = (slot.layout().properties, slot.layout().reagents);
    let columns = slot.columns_mut();
    columns.text[text_bytes..text_end].copy_from_slice(smiles);
    columns.text_end[row] = text_end as u32;
    columns.parent[row] = parent;
    (columns.rule[row], columns.site[row]) = (rule, site);
    for i in of_row(row, reagents) {
        columns.reagents[i] = from.u32()?;
    }
    for i in of_row(row, properties.reals().len()) {
        columns.real_properties[i] = f64::from_bits(from.u64()?);
    }
    for i in of_row(row, properties.counts().len()) {
        columns.count_properties[i] = from.u16()?;
    }
    slot.set_filled(row + 1, text_end);
    Ok(text_end)
}

/// Where a row's values are among those of all rows, of which each has `values`.
fn of_row(row: usize, values: usize) -> Range<usize> {
    values * row..values * (row + 1)
}

/// Bytes still to be read.
struct Unpacked<'a>(&'a [u8]);

impl<'a> Unpacked<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u16(&mut self) -> Result<u16, &'static str> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, &'static str> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, &'static str> {
        self.array().map(u64::from_le_bytes)
    }
}
