//! The rows that a deduplication has seen, kept until its end: what `--duplicates` needs to say which row was merged into which.
//!
//! A spill, `seen-rows` in `.molsieve/`. An item, little-endian:
//!
//! ```text
//! key 16 bytes, row u64, kept u8, bytes of the id u32, bytes of the SMILES u32, id, SMILES
//! ```
//!
//! While the input is read, each row that has a key is appended: as *kept* if its verdict is *new*, without its SMILES, else as
//! one that may be a duplicate. When settling brings a row back, it is appended again as kept. So rows that may be
//! duplicates stand in the order of the input.

use std::path::Path;

use crate::{
    key::Key,
    limits::PART_ROWS_PIECE_BYTES,
    slot::{Slot, Verdict},
    store::{
        StoreError,
        spill::{Block, Kind, SpillLength, SpillReader, SpillWriter},
    },
};

/// Name of the spill in `.molsieve/`.
pub const SEEN_ROWS: &str = "seen-rows";

/// A row that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenRow<'a> {
    /// Its key.
    pub key: [u8; 16],
    /// 0-based row over all inputs.
    pub row: u64,
    /// Whether it is in the output.
    pub is_kept: bool,
    /// Its id, or its row number.
    pub id: &'a str,
    /// Its SMILES as read; empty for a row that is kept.
    pub smiles: &'a str,
}

/// What is appended of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Appended {
    /// All its rows.
    All,
    /// Those that are kept.
    Kept,
}

/// The rows of a judged slot as blocks of the spill.
pub(super) fn record(slot: &Slot, appended: Appended) -> Vec<Block> {
    let columns = slot.columns();
    let (mut sealed, mut block, mut items) = (Vec::new(), Block::with_capacity(0), 0);
    for row in 0..slot.rows() {
        let is_kept = columns.verdict(row) == Verdict::New;
        if !is_kept && appended == Appended::Kept {
            continue;
        }
        let parent = columns.parent(columns.parent[row] as usize);
        let smiles = match (is_kept, parent.input) {
            (true, _) => &[],
            (false, []) => columns.smiles(row),
            // Cleaning has changed it.
            (false, input) => input,
        };
        let mut head = [0; HEAD_BYTES];
        head[..16].copy_from_slice(&columns.key(row).bytes());
        head[16..24].copy_from_slice(&parent.row.to_le_bytes());
        head[24] = u8::from(is_kept);
        head[25..29].copy_from_slice(&(parent.id.len() as u32).to_le_bytes());
        head[29..].copy_from_slice(&(smiles.len() as u32).to_le_bytes());
        let bytes = HEAD_BYTES + parent.id.len() + smiles.len();
        if items > 0 && block.payload().len() + bytes > PART_ROWS_PIECE_BYTES {
            sealed.push(std::mem::replace(&mut block, Block::with_capacity(0)).sealed(items));
            items = 0;
        }
        block.extend(&head);
        block.extend(parent.id);
        block.extend(smiles);
        items += 1;
    }
    if items > 0 {
        sealed.push(block.sealed(items));
    }
    sealed
}

/// Bytes of an item before its texts.
const HEAD_BYTES: usize = 33;

/// Appends rows.
pub struct SeenLog(SpillWriter);

impl SeenLog {
    /// Writes a new spill at `path`, or continues after `length` of it.
    pub fn new(path: &Path, length: Option<SpillLength>) -> Result<Self, StoreError> {
        SpillWriter::open(path, Kind::SeenRows, length).map(Self)
    }

    /// Appends rows that were gathered.
    pub fn push(&mut self, blocks: &[Block]) -> Result<(), StoreError> {
        blocks
            .iter()
            .try_for_each(|block| self.0.push_sealed(block))
    }

    /// Appends the rows of a slot that settling has brought back: those whose verdict is *new*.
    pub fn push_settled(&mut self, slot: &Slot) -> Result<(), StoreError> {
        self.push(&record(slot, Appended::Kept))
    }

    /// What was added is in the file, though perhaps not yet on the disk.
    pub fn flush(&mut self) -> Result<SpillLength, StoreError> {
        self.0.flush()
    }

    /// What was added is on the disk when this returns.
    pub fn sync(&mut self) -> Result<SpillLength, StoreError> {
        self.0.sync()
    }

    /// Bytes in the file.
    pub fn bytes(&self) -> u64 {
        self.0.bytes()
    }
}

/// Gives the first `length` of the rows at `path` to `take`, in their order.
pub fn read<E: From<StoreError>>(
    path: &Path,
    length: SpillLength,
    mut take: impl FnMut(SeenRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = SpillReader::open(path, Kind::SeenRows, length)?;
    while let Some((mut items, count)) = reader.next_block()? {
        for _ in 0..count {
            match SeenRow::read(&mut items) {
                Some(row) => take(row)?,
                None => return Err(reader.damaged("a row can't be read").into()),
            }
        }
        if !items.is_empty() {
            return Err(reader
                .damaged("a block has more in it than its rows")
                .into());
        }
    }
    Ok(())
}

impl<'a> SeenRow<'a> {
    /// Reads an item off the front of a block; `None` if there is not a whole one.
    fn read(from: &mut &'a [u8]) -> Option<Self> {
        let (key, rest) = from.split_first_chunk::<16>()?;
        let (row, rest) = rest.split_first_chunk::<8>()?;
        let (kept, rest) = rest.split_first()?;
        let (id, rest) = rest.split_first_chunk::<4>()?;
        let (smiles, rest) = rest.split_first_chunk::<4>()?;
        let (id, rest) = rest.split_at_checked(u32::from_le_bytes(*id) as usize)?;
        let (smiles, rest) = rest.split_at_checked(u32::from_le_bytes(*smiles) as usize)?;
        *from = rest;
        Some(Self {
            key: *key,
            row: u64::from_le_bytes(*row),
            is_kept: *kept == 1,
            id: std::str::from_utf8(id).ok()?,
            smiles: std::str::from_utf8(smiles).ok()?,
        })
    }

    /// The first word of the key, which is a hash.
    pub fn hash(&self) -> u64 {
        Key::from(self.key).words()[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        property::PropertySet,
        slot::{SlotLayout, SlotParent},
    };

    /// Molecules that are new, dropped and kept in turn, of which some take several blocks.
    fn slot() -> Slot {
        let layout = SlotLayout::new(4 << 20, PropertySet::NONE).unwrap();
        let mut slot = Slot::new(layout);
        for row in 0..800u64 {
            let id = format!("id {row}");
            let parent = SlotParent {
                row,
                id: id.as_bytes(),
                ..SlotParent::default()
            };
            let smiles = "C".repeat(1 + row as usize * 3);
            let key = Key::of(smiles.as_bytes());
            assert!(slot.push_molecule(parent, smiles.as_bytes(), key));
            let verdict = [Verdict::New, Verdict::Maybe, Verdict::Duplicate][row as usize % 3];
            slot.columns_mut().verdict[row as usize] = verdict as u8;
        }
        slot
    }

    #[test]
    fn rows_come_back_up_to_the_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SEEN_ROWS);
        let slot = slot();
        let mut log = SeenLog::new(&path, None).unwrap();
        log.push(&record(&slot, Appended::All)).unwrap();
        let length = log.sync().unwrap();
        assert_eq!(length.items, 800);
        log.push_settled(&slot).unwrap();
        assert_eq!(log.flush().unwrap().items, 800 + 267);
        drop(log);
        let mut log = SeenLog::new(&path, Some(length)).unwrap();
        log.push_settled(&slot).unwrap();
        let length = log.flush().unwrap();
        let mut rows = Vec::new();
        read::<StoreError>(&path, length, |seen| {
            assert_eq!(seen.id, format!("id {}", seen.row));
            let smiles = "C".repeat(1 + seen.row as usize * 3);
            assert_eq!(seen.key, Key::of(smiles.as_bytes()).bytes());
            assert_eq!(seen.is_kept, seen.row % 3 == 0);
            assert_eq!(seen.smiles, if seen.is_kept { "" } else { &smiles });
            rows.push(seen.row);
            Ok(())
        })
        .unwrap();
        assert!(rows.iter().copied().eq((0..800).chain((0..800).step_by(3))));
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let blocks = record(&slot(), Appended::All);
        assert!(blocks.len() > 1);
        let payload = blocks[0].payload();
        for end in 0..200 {
            let mut from = &payload[..end];
            while SeenRow::read(&mut from).is_some() {}
        }
    }
}
