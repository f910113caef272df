//! Settling: exact deduplication of the *maybe* rows, so that the filter's false positives cost no product.
//!
//! While a run reads its input, three spills grow in `.molsieve/`:
//!
//! | file | items |
//! |---|---|
//! | `keys` | the key of every row that was let through as *new* |
//! | `maybe-keys` | the key of every *maybe* row |
//! | `maybe-rows` | the *maybe* rows themselves, packed, in the same order ([`rows`]) |
//! | `maybe-places` | of each *maybe* row, the number of new rows that were made before it; where a step follows |
//!
//! A *maybe* row survives if its key was not let through and no earlier *maybe* row has it. Its key can't be let through
//! later: bits of a filter are never cleared, so a key that the filter once took for seen stays seen.
//! [`decide`](decide::decide) finds the survivors from the keys alone, in the memory it is given. Then the packed rows
//! are read once, front to back, and survivors go to the sink in the order in which they were made. So the output does
//! not depend on the memory either.

pub mod decide;
pub mod duplicates;
pub mod limit;
pub mod rows;

use std::path::Path;

use crate::{
    key::Key,
    property::PropertySet,
    slot::{Slot, Verdict},
    store::{
        OutputDir, StoreError,
        spill::{Block, Items, Kind, SpillLength, SpillReader, SpillWriter},
    },
};
use decide::Spilled;
use rows::OpenBlock;

/// Names of the spills in `.molsieve/`.
pub const KEYS: &str = "keys";
const MAYBE_KEYS: &str = "maybe-keys";
const MAYBE_ROWS: &str = "maybe-rows";
const MAYBE_PLACES: &str = "maybe-places";
/// Names of the places of the rows that survive, of steps with an even and an odd number: a step reads those of the step
/// before.
const PLACES: [&str; 2] = ["places-even", "places-odd"];
/// Names of all files that settling needs.
pub const FILES: [&str; 6] = [
    KEYS,
    MAYBE_KEYS,
    MAYBE_ROWS,
    MAYBE_PLACES,
    PLACES[0],
    PLACES[1],
];

/// How much of each spill counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Lengths {
    /// Of the keys let through.
    pub keys: SpillLength,
    /// Of the keys of *maybe* rows.
    pub maybe_keys: SpillLength,
    /// Of the *maybe* rows.
    pub maybe_rows: SpillLength,
    /// Of their places.
    pub maybe_places: SpillLength,
}

/// Writes what settling needs, slot by slot.
pub struct Spills {
    keys: SpillWriter,
    maybe_keys: SpillWriter,
    maybe_rows: rows::RowWriter,
    /// Where a step follows, which reads the rows in the order in which they were made.
    maybe_places: Option<SpillWriter>,
    /// Whether *maybe* rows are kept; without, they are dropped.
    exact: bool,
}

impl Spills {
    /// New spills, or those of a resumed run.
    pub fn new(
        output: &OutputDir,
        begun: Option<(Lengths, OpenBlock)>,
        (exact, with_places): (bool, bool),
        properties: PropertySet,
    ) -> Result<Self, StoreError> {
        let lengths = begun.as_ref().map(|(lengths, _)| *lengths);
        let keys = |name, begun| SpillWriter::open(&output.work_file(name), Kind::Keys, begun);
        let places = || {
            let path = output.work_file(MAYBE_PLACES);
            // The step may be the first that has them.
            let begun = lengths.map(|lengths| lengths.maybe_places);
            let begun = begun.filter(|begun| *begun != SpillLength::EMPTY);
            SpillWriter::open(&path, Kind::Ordinals, begun)
        };
        Ok(Self {
            maybe_places: with_places.then(places).transpose()?,
            keys: keys(KEYS, lengths.map(|lengths| lengths.keys))?.synced_early(),
            maybe_keys: keys(MAYBE_KEYS, lengths.map(|lengths| lengths.maybe_keys))?,
            maybe_rows: rows::RowWriter::new(
                &output.work_file(MAYBE_ROWS),
                begun.map(|(lengths, block)| (lengths.maybe_rows, block)),
                properties,
            )?,
            exact,
        })
    }

    /// Writes the keys of new rows, an item each.
    pub fn write_keys(&mut self, keys: &Block) -> Result<(), StoreError> {
        self.keys.push_sealed(keys)
    }

    /// Writes the *maybe* rows of a judged slot and their keys. `new_before`: new rows of the slots before it.
    pub fn write_maybe(&mut self, slot: &Slot, new_before: u64) -> Result<(), StoreError> {
        if !self.exact {
            return Ok(());
        }
        let columns = slot.columns();
        let mut place = new_before;
        for row in 0..slot.rows() {
            match columns.verdict(row) {
                Verdict::New => place += 1,
                Verdict::Duplicate => {}
                Verdict::Maybe => self.push_maybe(slot, row, place)?,
            }
        }
        Ok(())
    }

    /// Writes the *new* rows of a judged slot too as if they were *maybe* rows: settling says which of them are kept.
    pub fn write_all_as_maybe(&mut self, slot: &Slot) -> Result<(), StoreError> {
        let columns = slot.columns();
        let waits = |row: &usize| columns.verdict(*row) != Verdict::Duplicate;
        let mut rows = (0..slot.rows()).filter(waits);
        rows.try_for_each(|row| self.push_maybe(slot, row, 0))
    }

    fn push_maybe(&mut self, slot: &Slot, row: usize, place: u64) -> Result<(), StoreError> {
        self.maybe_keys.push(&slot.key(row).bytes())?;
        self.maybe_rows.push(slot, row)?;
        match &mut self.maybe_places {
            Some(places) => places.push(&place.to_le_bytes()),
            None => Ok(()),
        }
    }

    /// Writes keys of earlier runs: rows with these keys were seen before.
    pub fn exclude(&mut self, keys: &[[u64; 2]]) -> Result<(), StoreError> {
        keys.iter()
            .try_for_each(|key| self.keys.push(&Key::from_words(*key).bytes()))
    }

    /// The *maybe* rows after the end that [`Self::flush`] and [`Self::sync`] return for their file.
    pub fn open_block(&self) -> &OpenBlock {
        self.maybe_rows.open_block()
    }

    /// Closes the last block of *maybe* rows: the input is read.
    pub fn end(&mut self) -> Result<(), StoreError> {
        self.maybe_rows.end_block()
    }

    /// Writes everything to the files, though perhaps not yet to the disk.
    pub fn flush(&mut self) -> Result<Lengths, StoreError> {
        Ok(Lengths {
            keys: self.keys.flush()?,
            maybe_keys: self.maybe_keys.flush()?,
            maybe_rows: self.maybe_rows.flush()?,
            maybe_places: end_of(&mut self.maybe_places, SpillWriter::flush)?,
        })
    }

    /// Writes everything but the open block to the disk.
    pub fn sync(&mut self) -> Result<Lengths, StoreError> {
        Ok(Lengths {
            keys: self.keys.sync()?,
            maybe_keys: self.maybe_keys.sync()?,
            maybe_rows: self.maybe_rows.sync()?,
            maybe_places: end_of(&mut self.maybe_places, SpillWriter::sync)?,
        })
    }

    /// Bytes in the files.
    pub fn bytes(&self) -> u64 {
        self.keys.bytes() + self.maybe_keys.bytes() + self.maybe_rows.bytes()
    }
}

fn end_of(
    spill: &mut Option<SpillWriter>,
    end: fn(&mut SpillWriter) -> Result<SpillLength, StoreError>,
) -> Result<SpillLength, StoreError> {
    spill.as_mut().map_or(Ok(SpillLength::EMPTY), end)
}

/// Name of the places of the rows of a step that survive.
pub fn places_of(step: usize) -> &'static str {
    PLACES[step % PLACES.len()]
}

/// Writes the places of the survivors to `path`, in their order, and returns how much that is. It is on the disk then.
pub fn write_places(
    output: &OutputDir,
    lengths: Lengths,
    survivors: &Spilled,
    path: &Path,
) -> Result<SpillLength, StoreError> {
    let all = output.work_file(MAYBE_PLACES);
    let all = Items::<8>::open(&all, Kind::Ordinals, lengths.maybe_places)?;
    let mut places = SpillWriter::create(path, Kind::Ordinals)?;
    limit::for_each_chosen(survivors, all, |_, place| places.push(&place))?;
    places.sync()
}

/// Passes the keys that were let through to `insert`, some thousands at a time.
pub fn for_each_key<E: From<StoreError>>(
    output: &OutputDir,
    lengths: Lengths,
    insert: impl FnMut(&[[u64; 2]]) -> Result<(), E>,
) -> Result<(), E> {
    let [keys, _] = spilled(output, lengths);
    for_each_key_of(&keys, insert)
}

/// The same with the keys of the *maybe* rows.
pub fn for_each_maybe_key<E: From<StoreError>>(
    output: &OutputDir,
    lengths: Lengths,
    insert: impl FnMut(&[[u64; 2]]) -> Result<(), E>,
) -> Result<(), E> {
    match spilled(output, lengths) {
        [_, maybe] if maybe.length.items > 0 => for_each_key_of(&maybe, insert),
        _ => Ok(()),
    }
}

fn for_each_key_of<E: From<StoreError>>(
    spilled: &Spilled,
    mut insert: impl FnMut(&[[u64; 2]]) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = SpillReader::open(&spilled.path, Kind::Keys, spilled.length)?;
    let mut keys = Vec::new();
    while let Some((payload, _)) = reader.next_block()? {
        let (whole, rest) = payload.as_chunks::<16>();
        keys.clear();
        keys.extend(whole.iter().map(|bytes| Key::from(*bytes).words()));
        if !rest.is_empty() {
            return Err(reader.damaged("a key is cut short").into());
        }
        insert(&keys)?;
    }
    Ok(())
}

/// The spills of keys: those let through, and those of the *maybe* rows.
pub fn spilled(output: &OutputDir, lengths: Lengths) -> [Spilled; 2] {
    [(KEYS, lengths.keys), (MAYBE_KEYS, lengths.maybe_keys)].map(|(name, length)| Spilled {
        path: output.work_file(name),
        length,
    })
}

/// Reads the survivors among the *maybe* rows, block by block.
pub struct Survivors {
    rows: SpillReader,
    keys: Items<16>,
    ordinals: Items<8>,
    /// Ordinal of the next survivor.
    survivor: Option<u64>,
    /// Ordinal of the first row of the next block.
    next: u64,
}

impl Survivors {
    /// Begins before the first *maybe* row.
    pub fn new(
        output: &OutputDir,
        lengths: Lengths,
        survivors: &Spilled,
    ) -> Result<Self, StoreError> {
        let keys = output.work_file(MAYBE_KEYS);
        let rows = output.work_file(MAYBE_ROWS);
        let mut ordinals = Items::open(&survivors.path, Kind::Ordinals, survivors.length)?;
        Ok(Self {
            rows: SpillReader::open(&rows, Kind::Rows, lengths.maybe_rows)?,
            keys: Items::open(&keys, Kind::Keys, lengths.maybe_keys)?,
            survivor: ordinals.next_item()?.map(u64::from_le_bytes),
            ordinals,
            next: 0,
        })
    }

    /// Ordinal of the row after the last block that was returned.
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Puts the next block that has survivors, none of them before `from`, into `slot`: survivors as
    /// *new*, the other rows as *duplicate*. Returns the number of survivors; `None` at the end.
    pub fn next(&mut self, from: u64, slot: &mut Slot) -> Result<Option<u64>, StoreError> {
        while let Some(rows) = self.rows.peek_items()? {
            let end = self.next + u64::from(rows);
            while self.survivor.is_some_and(|survivor| survivor < from) {
                self.survivor = self.ordinals.next_item()?.map(u64::from_le_bytes);
            }
            if self.survivor.is_none_or(|survivor| survivor >= end) {
                self.rows.skip()?;
                (0..rows).try_for_each(|_| self.keys.next_item().map(drop))?;
                self.next = end;
                continue;
            }
            let unpacked = match self.rows.next_block()? {
                Some((payload, rows)) => rows::unpack(payload, rows, slot),
                None => return Ok(None),
            };
            unpacked.map_err(|reason| self.rows.damaged(reason))?;
            return self.mark(slot).map(Some);
        }
        Ok(None)
    }

    fn mark(&mut self, slot: &mut Slot) -> Result<u64, StoreError> {
        let mut survivors = 0;
        for row in 0..slot.rows() {
            let key = self.keys.next_item()?;
            let key = key.ok_or_else(|| self.keys.damaged("it has too few keys"))?;
            let survives = self.survivor == Some(self.next);
            let verdict = if survives {
                Verdict::New
            } else {
                Verdict::Duplicate
            };
            let columns = slot.columns_mut();
            columns.key[row] = Key::from(key).words();
            columns.verdict[row] = verdict as u8;
            if survives {
                survivors += 1;
                self.survivor = self.ordinals.next_item()?.map(u64::from_le_bytes);
            }
            self.next += 1;
        }
        Ok(survivors)
    }
}
