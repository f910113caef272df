//! Decides exactly which *maybe* rows survive, through files, in the memory that is given.
//!
//! A *maybe* row survives if its key is not among the keys that were let through and no earlier *maybe*
//! row has it. The distinct keys of the *maybe* rows go into a table with the first row of each; the
//! keys that were let through are then read once and remove the entries that have them. So memory is needed for
//! the *maybe* rows alone. If it is not enough for them, both spills are split by the next bits of the
//! keys' second word, which the table does not use, and each pair of partitions is decided by itself.
//!
//! Constraints:
//!
//! - `bytes_max` is at least 512 KiB, and at most that much is allocated: the table takes three
//!   quarters; splitting and merging happen without a table and have a number of files to match.
//! - Files are read and written from front to end only. Beside the spills given there are, at the most,
//!   both of them once again, their partitions at deeper levels, and the ordinals.
//! - Ordinals are below 2^63. Keys are hashes: partitions shrink because their bits are even.
//! - On an error, files are left in the folder for the caller to remove.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    path::{Path, PathBuf},
};

use crate::{
    key::Key,
    limits::SPILL_BUFFER_BYTES,
    store::{
        StoreError, disk,
        spill::{Items, Kind, SpillLength, SpillReader, SpillWriter},
    },
};

/// Name of the result in the folder.
const SURVIVORS: &str = "survivors";
/// Most partitions that a spill is split into at once.
const PARTITIONS_MAX: usize = 64;
/// Bits of the second word after which splitting fails for a cause other than the number of keys.
const SPLIT_BITS_MAX: u32 = 60;
/// Ordinals in a block. Small, since a merge holds a block of every file.
const BLOCK_ORDINALS: u64 = 1_024;

/// A spill and how much of it counts.
#[derive(Clone, Debug)]
pub struct Spilled {
    /// Where it is.
    pub path: PathBuf,
    /// How much of it counts.
    pub length: SpillLength,
}

/// Why the rows can't be decided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecideError {
    /// A file can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The caller asked to stop.
    #[error("stopped on request")]
    Stopped,
    /// The disk has no room for the partitions.
    #[error("settling needs {needed} bytes for its partitions and the disk has {free} left")]
    DiskTooSmall {
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
}

/// What the caller does while rows are decided.
pub struct Caller<'a> {
    /// Called with the number of items after each block that is read, of the spills given and of any made here;
    /// returns false to stop.
    pub go_on: &'a dyn Fn(u64) -> bool,
    /// Returns how many bytes are free where the folder is.
    pub free_bytes: &'a dyn Fn() -> Result<u64, StoreError>,
}

/// Writes the ordinals of the surviving rows to `survivors` in `folder`, which exists and is empty.
///
/// `keys` are those that were let through, `maybe` those of the *maybe* rows, in the rows' order; both
/// stay.
pub fn decide(
    keys: &Spilled,
    maybe: &Spilled,
    folder: &Path,
    bytes_max: usize,
    caller: &Caller<'_>,
) -> Result<Spilled, DecideError> {
    let decider = Decider {
        folder,
        bytes_max,
        caller,
    };
    let whole = Part {
        keys: keys.clone(),
        maybe: maybe.clone(),
        depth: 0,
        bits_used: 0,
    };
    decider.decide(&whole, &folder.join(SURVIVORS))
}

/// What stays the same at every depth.
struct Decider<'a> {
    folder: &'a Path,
    bytes_max: usize,
    caller: &'a Caller<'a>,
}

/// The keys, of both spills, that have the same first bits in their second word.
struct Part {
    keys: Spilled,
    maybe: Spilled,
    /// How often they were split; files are named by it, for of each depth only the partitions of one
    /// part exist at a time.
    depth: u32,
    /// How many bits are the same.
    bits_used: u32,
}

impl Part {
    /// The whole has keys in the rows' order, a partition has numbered ones.
    fn maybe_kind(&self) -> Kind {
        match self.depth {
            0 => Kind::Keys,
            _ => Kind::NumberedKeys,
        }
    }

    /// Removes one of the part's files, unless it is the caller's.
    fn discard(&self, spilled: &Spilled) -> Result<(), StoreError> {
        match self.depth {
            0 => Ok(()),
            _ => disk::remove(&spilled.path),
        }
    }
}

impl Decider<'_> {
    fn decide(&self, part: &Part, target: &Path) -> Result<Spilled, DecideError> {
        let Some(mut table) = self.first_rows(part)? else {
            return self.decide_in_partitions(part, target);
        };
        if table.keys > 0 {
            self.for_each_key(&part.keys, Kind::Keys, |key, _| {
                table.remove(key);
                Ok(true)
            })?;
        }
        part.discard(&part.maybe)?;
        part.discard(&part.keys)?;
        let entries = table.into_live();
        write_ordinals(target, entries.iter().map(|entry| Ok(entry.ordinal)))
    }

    /// The distinct keys of the *maybe* rows; `None` if there is not enough memory for them.
    fn first_rows(&self, part: &Part) -> Result<Option<Table>, DecideError> {
        let mut table = Table::new(part.maybe.length.items, self.bytes_max);
        let all = self.for_each_key(&part.maybe, part.maybe_kind(), |key, ordinal| {
            Ok(table.insert(key, ordinal))
        })?;
        Ok(all.then_some(table))
    }

    fn decide_in_partitions(&self, part: &Part, target: &Path) -> Result<Spilled, DecideError> {
        if part.bits_used >= SPLIT_BITS_MAX {
            let reason = "too many of its keys are alike";
            return Err(StoreError::damaged(&part.maybe.path, reason).into());
        }
        self.check_free_space(part)?;
        let bits = self.split_bits(part);
        let maybe = self.split(part, bits, &part.maybe, "maybe", Kind::NumberedKeys)?;
        let keys = self.split(part, bits, &part.keys, "keys", Kind::Keys)?;
        let mut decided = Vec::with_capacity(maybe.len());
        for (number, (keys, maybe)) in keys.into_iter().zip(maybe).enumerate() {
            let partition = Part {
                keys,
                maybe,
                depth: part.depth + 1,
                bits_used: part.bits_used + bits,
            };
            let name = format!("{SURVIVORS}-{}-{number}", partition.depth);
            decided.push(self.decide(&partition, &self.folder.join(name))?);
        }
        let merged = write_ordinals(target, Merge::new(&decided, self.caller.go_on)?)?;
        for spilled in &decided {
            disk::remove(&spilled.path)?;
        }
        Ok(merged)
    }

    /// Whether the disk has room for the whole's partitions; those of a partition take its place.
    fn check_free_space(&self, part: &Part) -> Result<(), DecideError> {
        let maybe = part.maybe.length.items * item_bytes(Kind::NumberedKeys) as u64;
        let needed = part.keys.length.bytes + maybe;
        let free = (self.caller.free_bytes)()?;
        if part.depth == 0 && free < needed {
            return Err(DecideError::DiskTooSmall { needed, free });
        }
        Ok(())
    }

    /// How many bits to split by: as many as make tables fit, if that many files can be open.
    fn split_bits(&self, part: &Part) -> u32 {
        let keys_max = Table::keys_max(Table::places_max(self.bytes_max)).max(1);
        let wanted = part.maybe.length.items.div_ceil(keys_max as u64);
        let possible = (self.bytes_max / 2 / SPILL_BUFFER_BYTES).clamp(2, PARTITIONS_MAX);
        wanted
            .clamp(2, PARTITIONS_MAX as u64)
            .next_power_of_two()
            .ilog2()
            .min(possible.ilog2())
    }

    /// Splits one of the part's spills by the next `bits` bits and discards it.
    fn split(
        &self,
        part: &Part,
        bits: u32,
        from: &Spilled,
        name: &str,
        into: Kind,
    ) -> Result<Vec<Spilled>, DecideError> {
        let paths: Vec<PathBuf> = (0..1 << bits)
            .map(|number| format!("{name}-{}-{number}", part.depth + 1))
            .map(|name| self.folder.join(name))
            .collect();
        let writers = paths.iter().map(|path| SpillWriter::create(path, into));
        let mut writers = writers.collect::<Result<Vec<_>, _>>()?;
        let from_kind = match into {
            Kind::NumberedKeys => part.maybe_kind(),
            other => other,
        };
        self.for_each_key(from, from_kind, |key, ordinal| {
            let number = (key[1] << part.bits_used) >> (u64::BITS - bits);
            let mut item = [0; 24];
            item[..16].copy_from_slice(&Key::from_words(key).bytes());
            item[16..].copy_from_slice(&ordinal.to_le_bytes());
            writers[number as usize].push(&item[..item_bytes(into)])?;
            Ok(true)
        })?;
        let lengths = writers.iter_mut().map(SpillWriter::flush);
        let lengths = lengths.collect::<Result<Vec<_>, _>>()?;
        part.discard(from)?;
        let spilled = paths.into_iter().zip(lengths);
        let spilled = spilled.map(|(path, length)| Spilled { path, length });
        Ok(spilled.collect())
    }

    /// Passes every key with its ordinal, or its position where the items have none, to `take`, until
    /// that returns false. Returns whether all were taken.
    fn for_each_key(
        &self,
        from: &Spilled,
        kind: Kind,
        mut take: impl FnMut([u64; 2], u64) -> Result<bool, StoreError>,
    ) -> Result<bool, DecideError> {
        let mut reader = SpillReader::open(&from.path, kind, from.length)?;
        let mut position = 0;
        while let Some((payload, items)) = reader.next_block()? {
            if payload.len() != items as usize * item_bytes(kind) {
                return Err(reader.damaged("a key is cut short").into());
            }
            for item in payload.chunks_exact(item_bytes(kind)) {
                let Some((key, number)) = item.split_first_chunk::<16>() else {
                    break;
                };
                let number = number.first_chunk().copied().map(u64::from_le_bytes);
                if !take(Key::from(*key).words(), number.unwrap_or(position))? {
                    return Ok(false);
                }
                position += 1;
            }
            if !(self.caller.go_on)(u64::from(items)) {
                return Err(DecideError::Stopped);
            }
        }
        Ok(true)
    }
}

/// Bytes of a key in a spill, with its ordinal where the kind has one.
fn item_bytes(kind: Kind) -> usize {
    match kind {
        Kind::NumberedKeys => 24,
        _ => 16,
    }
}

/// Open-addressed table of keys, each with the first row that has it.
struct Table {
    places: Vec<Entry>,
    keys: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    key: [u64; 2],
    ordinal: u64,
}

/// Set in the ordinal of an entry that was removed, and of an empty place.
const DEAD: u64 = 1 << 63;
const EMPTY: Entry = Entry {
    key: [0; 2],
    ordinal: u64::MAX,
};

impl Table {
    /// With room for `keys` keys, or as many as fit the memory.
    fn new(keys: u64, bytes_max: usize) -> Self {
        let wanted = keys.saturating_mul(10) / 7 + 2;
        let places = wanted.min(Self::places_max(bytes_max) as u64) as usize;
        Self {
            places: vec![EMPTY; places],
            keys: 0,
        }
    }

    fn places_max(bytes_max: usize) -> usize {
        bytes_max / 4 * 3 / size_of::<Entry>()
    }

    fn keys_max(places: usize) -> usize {
        places / 10 * 7 + places % 10 * 7 / 10
    }

    /// Takes a key, unless it is there already; false if there is no room.
    fn insert(&mut self, key: [u64; 2], ordinal: u64) -> bool {
        let place = self.place(key);
        if self.places[place].ordinal == EMPTY.ordinal {
            if self.keys == Self::keys_max(self.places.len()) {
                return false;
            }
            self.places[place] = Entry { key, ordinal };
            self.keys += 1;
        }
        true
    }

    fn remove(&mut self, key: [u64; 2]) {
        let place = self.place(key);
        // An empty place has the bit already and stays empty.
        self.places[place].ordinal |= DEAD;
    }

    /// Where the key is, or the empty place where it belongs.
    fn place(&self, key: [u64; 2]) -> usize {
        let length = self.places.len();
        let mut place = ((u128::from(key[0]) * length as u128) >> 64) as usize;
        while self.places[place].ordinal != EMPTY.ordinal && self.places[place].key != key {
            place = if place + 1 == length { 0 } else { place + 1 };
        }
        place
    }

    /// The entries that were not removed, by ordinal; in place, for there is no memory for more.
    fn into_live(mut self) -> Vec<Entry> {
        self.places.retain(|entry| entry.ordinal < DEAD);
        self.places.sort_unstable_by_key(|entry| entry.ordinal);
        self.places
    }
}

/// The ordinals of some files, each rising, as one rising sequence.
struct Merge<'a> {
    sources: Vec<Items<8>>,
    /// The next ordinal of each source that has one, with the source's number.
    heads: BinaryHeap<Reverse<(u64, usize)>>,
    /// Ordinals read, at each [`BLOCK_ORDINALS`] of which `go_on` is called.
    read: u64,
    go_on: &'a dyn Fn(u64) -> bool,
}

impl<'a> Merge<'a> {
    fn new(files: &[Spilled], go_on: &'a dyn Fn(u64) -> bool) -> Result<Self, DecideError> {
        let mut merge = Self {
            sources: Vec::with_capacity(files.len()),
            heads: BinaryHeap::with_capacity(files.len()),
            read: 0,
            go_on,
        };
        for (number, file) in files.iter().enumerate() {
            let source = Items::open(&file.path, Kind::Ordinals, file.length)?;
            merge.sources.push(source);
            merge.advance(number)?;
        }
        Ok(merge)
    }

    fn advance(&mut self, number: usize) -> Result<(), DecideError> {
        if let Some(ordinal) = self.sources[number].next_item()? {
            let ordinal = u64::from_le_bytes(ordinal);
            self.heads.push(Reverse((ordinal, number)));
            self.read += 1;
            if self.read.is_multiple_of(BLOCK_ORDINALS) && !(self.go_on)(BLOCK_ORDINALS) {
                return Err(DecideError::Stopped);
            }
        }
        Ok(())
    }
}

impl Iterator for Merge<'_> {
    type Item = Result<u64, DecideError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse((ordinal, number)) = self.heads.pop()?;
        Some(self.advance(number).map(|()| ordinal))
    }
}

/// Writes ordinals, which rise.
fn write_ordinals(
    path: &Path,
    ordinals: impl Iterator<Item = Result<u64, DecideError>>,
) -> Result<Spilled, DecideError> {
    let mut writer = SpillWriter::create(path, Kind::Ordinals)?;
    for (ordinal, count) in ordinals.zip(1..) {
        writer.push(&ordinal?.to_le_bytes())?;
        if count % BLOCK_ORDINALS == 0 {
            writer.flush()?;
        }
    }
    let length = writer.flush()?;
    Ok(Spilled {
        path: path.into(),
        length,
    })
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, collections::HashSet};

    use super::*;

    /// Least memory that is allowed.
    const BYTES_MIN: usize = 512 << 10;

    fn key(number: u64) -> Key {
        Key::of(&number.to_le_bytes())
    }

    /// Numbers below `end` without order.
    fn random(count: u64, end: u64, seed: u64) -> Vec<u64> {
        let number = |i: u64| key(i ^ (seed << 40)).words()[0] % end;
        (0..count).map(number).collect()
    }

    fn spill(path: PathBuf, numbers: &[u64]) -> Spilled {
        let mut writer = SpillWriter::create(&path, Kind::Keys).unwrap();
        for number in numbers {
            writer.push(&key(*number).bytes()).unwrap();
        }
        let length = writer.flush().unwrap();
        Spilled { path, length }
    }

    /// Decides and compares; gives the number of items that were read.
    fn check(keys: &[u64], maybe: &[u64], bytes_max: usize) -> u64 {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("settle");
        disk::create_dir(&folder).unwrap();
        let spilled_keys = spill(dir.path().join("keys"), keys);
        let spilled_maybe = spill(dir.path().join("maybe"), maybe);
        let read = Cell::new(0);
        let go_on = |items| {
            read.set(read.get() + items);
            true
        };
        let caller = Caller {
            go_on: &go_on,
            free_bytes: &|| Ok(u64::MAX),
        };
        let survivors = decide(&spilled_keys, &spilled_maybe, &folder, bytes_max, &caller).unwrap();
        let merge = Merge::new(std::slice::from_ref(&survivors), &|_| true).unwrap();
        let found: Vec<u64> = merge.map(Result::unwrap).collect();

        let mut seen: HashSet<u64> = keys.iter().copied().collect();
        let ordinals = 0..maybe.len() as u64;
        let expected: Vec<u64> = ordinals
            .filter(|i| seen.insert(maybe[*i as usize]))
            .collect();
        assert!(found == expected, "{} {}", found.len(), expected.len());
        assert_eq!(survivors.length.items, expected.len() as u64);
        assert_eq!(disk::entries(&folder).unwrap(), [folder.join(SURVIVORS)]);
        assert!(spilled_keys.path.exists() && spilled_maybe.path.exists());
        read.get()
    }

    #[test]
    fn with_memory_for_all_each_spill_is_read_once() {
        let keys = random(5_000, 6_000, 1);
        let maybe = random(8_000, 10_000, 2);
        assert_eq!(check(&keys, &maybe, 4 << 20), 13_000);
        check(&[], &maybe, 4 << 20);
    }

    #[test]
    fn partitions_decide_the_same() {
        // A table takes 11,468 keys and there are four partitions at most: so two levels.
        let keys = random(70_000, 60_000, 1);
        let mut maybe = random(150_000, 70_000, 2);
        maybe.extend([7; 30_000]);
        let read = check(&keys, &maybe, BYTES_MIN);
        assert!(read > 3 * (70_000 + 180_000), "{read}");
    }

    #[test]
    fn without_maybe_rows_nothing_survives() {
        assert_eq!(check(&[1, 2, 3], &[], BYTES_MIN), 0);
        check(&[], &[], BYTES_MIN);
    }

    #[test]
    fn repeats_of_one_key_take_one_place() {
        assert_eq!(check(&[4, 6], &[5; 100_000], BYTES_MIN), 100_002);
        check(&[5], &[5; 100_000], BYTES_MIN);
    }

    /// Keys that need partitions, and an empty folder for these.
    fn keys_in_partitions() -> (tempfile::TempDir, [Spilled; 2], PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let keys = spill(dir.path().join("keys"), &random(20_000, 40_000, 1));
        let maybe = spill(dir.path().join("maybe"), &random(40_000, 40_000, 2));
        let folder = dir.path().join("settle");
        disk::create_dir(&folder).unwrap();
        (dir, [keys, maybe], folder)
    }

    #[test]
    fn a_disk_without_room_for_the_partitions_is_told_before_they_are_written() {
        let (_dir, [keys, maybe], folder) = keys_in_partitions();
        let needed = keys.length.bytes + 24 * 40_000;
        for free in [needed - 1, needed] {
            let caller = Caller {
                go_on: &|_| true,
                free_bytes: &|| Ok(free),
            };
            let decided = decide(&keys, &maybe, &folder, BYTES_MIN, &caller);
            if free < needed {
                let error = DecideError::DiskTooSmall { needed, free };
                assert_eq!(decided.unwrap_err(), error);
                assert!(disk::entries(&folder).unwrap().is_empty());
            } else {
                decided.unwrap();
            }
        }
    }

    #[test]
    fn it_stops_wherever_it_is_told_to() {
        let (_dir, [keys, maybe], folder) = keys_in_partitions();
        for blocks in 0.. {
            disk::remove(&folder).unwrap();
            disk::create_dir(&folder).unwrap();
            let left = Cell::new(blocks);
            let go_on = |_| left.replace(left.get() - 1) > 0;
            let caller = Caller {
                go_on: &go_on,
                free_bytes: &|| Ok(u64::MAX),
            };
            match decide(&keys, &maybe, &folder, BYTES_MIN, &caller) {
                Err(error) => assert_eq!(error, DecideError::Stopped),
                Ok(_) => {
                    assert!(blocks > 30, "{blocks}");
                    return;
                }
            }
        }
    }
}
