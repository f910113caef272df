//! Sorts items by their bytes, through files, in the memory that is given.
//!
//! Items are collected in memory. When that is full, they are sorted and written as a *run*, a spill whose items are, each,
//! bytes u16 and the bytes, little-endian. At the end the runs are merged, as many at a time as the memory has buffers for.
//! So an item that begins with numbers, the most significant byte first, is sorted by these numbers.
//!
//! Constraints:
//!
//! - `bytes_max` is at least [`SORT_BYTES_MIN`]; the items with their index take no more, and neither do the buffers of a
//!   merge. Items and index are allocated once and never grow, since a vector that grows takes its old place and its new one.
//! - Runs are left in the folder for the caller to remove with the folder.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque, binary_heap::PeekMut},
    path::{Path, PathBuf},
};

use rayon::{ThreadPool, slice::ParallelSliceMut};

use super::{
    StoreError, disk,
    spill::{Kind, SpillLength, SpillReader, SpillWriter},
};
use crate::limits::{SORT_BYTES_MIN, SORT_RUN_BYTES, SORT_RUNS_MERGED_MAX};

/// Longest item.
pub const ITEM_BYTES_MAX: usize = u16::MAX as usize;
/// Items between two calls of `go_on`.
const ITEMS_A_CALL: u64 = 4_096;
/// Least bytes of items that are held: a longest one and more.
const HELD_BYTES_MIN: usize = 2 * (ITEM_BYTES_MAX + 1);

/// What is to be sorted, at most. If it is more, there are more runs.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Items.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Collects items and sorts them.
pub struct Sorter<'a> {
    folder: PathBuf,
    /// Runs are named by it.
    name: &'static str,
    /// For the merge.
    bytes_max: usize,
    /// What sorts; without it, the thread that calls.
    pool: Option<&'a ThreadPool>,
    held: Held,
    runs: VecDeque<Run>,
    runs_made: usize,
}

/// Items in memory.
struct Held {
    bytes: Vec<u8>,
    items: Vec<Place>,
}

/// Where an item is, and its first bytes, which decide most comparisons.
#[derive(Clone, Copy)]
struct Place {
    head: u64,
    begin: u32,
    length: u16,
}

/// Sorted items in a file.
struct Run {
    path: PathBuf,
    length: SpillLength,
}

impl<'a> Sorter<'a> {
    /// A sorter without items, whose runs are files named `name` in `folder`, which exists.
    pub fn new(
        folder: &Path,
        name: &'static str,
        bytes_max: usize,
        expected: Expected,
        pool: Option<&'a ThreadPool>,
    ) -> Self {
        let bytes_max = bytes_max.max(SORT_BYTES_MIN);
        Self {
            folder: folder.into(),
            name,
            bytes_max,
            pool,
            held: Held::with_room(bytes_max, expected),
            runs: VecDeque::new(),
            runs_made: 0,
        }
    }

    /// Adds an item.
    ///
    /// # Panics
    /// If it is longer than [`ITEM_BYTES_MAX`].
    pub fn push(&mut self, item: &[u8]) -> Result<(), StoreError> {
        if !self.held.has_room(item.len()) {
            self.end_run()?;
        }
        self.held.push(item);
        Ok(())
    }

    /// All items, sorted; `None` if `go_on`, which gets the number of items merged since its last call, returns false.
    pub fn finish(mut self, go_on: &dyn Fn(u64) -> bool) -> Result<Option<Sorted>, StoreError> {
        if self.runs.is_empty() {
            self.held.sort(self.pool);
            return Ok(Some(Sorted(Source::Held(self.held, 0))));
        }
        if !self.held.items.is_empty() {
            self.end_run()?;
        }
        // Their memory is for the merge.
        self.held = Held::empty();
        let merged_max = (self.bytes_max / SORT_RUN_BYTES).clamp(2, SORT_RUNS_MERGED_MAX);
        while self.runs.len() > merged_max {
            let count = merged_max.min(self.runs.len() - merged_max + 1);
            let runs: Vec<Run> = self.runs.drain(..count).collect();
            if !self.merge(&runs, go_on)? {
                return Ok(None);
            }
        }
        let runs: Vec<Run> = self.runs.into();
        Merge::new(&runs).map(|merge| Some(Sorted(Source::Runs(merge))))
    }

    /// Writes what is held as a run.
    fn end_run(&mut self) -> Result<(), StoreError> {
        self.held.sort(self.pool);
        let mut run = RunWriter::create(self.next_path())?;
        for place in &self.held.items {
            run.push(self.held.item(place))?;
        }
        self.runs.push_back(run.finish()?);
        self.held.bytes.clear();
        self.held.items.clear();
        Ok(())
    }

    /// Merges runs into one more and removes them; false if `go_on` says so.
    fn merge(&mut self, runs: &[Run], go_on: &dyn Fn(u64) -> bool) -> Result<bool, StoreError> {
        let mut merge = Merge::new(runs)?;
        let mut merged = RunWriter::create(self.next_path())?;
        let mut items = 0;
        while let Some(item) = merge.next_item()? {
            merged.push(item)?;
            items += 1;
            if items % ITEMS_A_CALL == 0 && !go_on(ITEMS_A_CALL) {
                return Ok(false);
            }
        }
        self.runs.push_back(merged.finish()?);
        runs.iter().try_for_each(|run| disk::remove(&run.path))?;
        Ok(true)
    }

    fn next_path(&mut self) -> PathBuf {
        self.runs_made += 1;
        self.folder
            .join(format!("{}-{}", self.name, self.runs_made))
    }
}

impl Held {
    fn empty() -> Self {
        let (bytes, items) = (Vec::new(), Vec::new());
        Self { bytes, items }
    }

    /// With room for what is expected, or for a run of it. What is not used does not become resident.
    fn with_room(bytes_max: usize, expected: Expected) -> Self {
        let of_item = expected.bytes.div_ceil(expected.items.max(1));
        let of_item = (of_item as usize).clamp(1, ITEM_BYTES_MAX);
        let items_max = (bytes_max - HELD_BYTES_MIN) / (size_of::<Place>() + of_item);
        let items = usize::try_from(expected.items).unwrap_or(usize::MAX);
        let items = items.clamp(1, items_max.max(1));
        let bytes = usize::try_from(expected.bytes).unwrap_or(usize::MAX);
        let room = bytes_max - items * size_of::<Place>();
        let bytes = bytes.max(HELD_BYTES_MIN).min(room).min(u32::MAX as usize);
        Self {
            bytes: Vec::with_capacity(bytes),
            items: Vec::with_capacity(items),
        }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.items.len() < self.items.capacity()
            && bytes <= self.bytes.capacity() - self.bytes.len()
    }

    fn push(&mut self, item: &[u8]) {
        assert!(item.len() <= ITEM_BYTES_MAX, "{} bytes", item.len());
        let mut head = [0; 8];
        let known = item.len().min(head.len());
        head[..known].copy_from_slice(&item[..known]);
        self.items.push(Place {
            head: u64::from_be_bytes(head),
            begin: self.bytes.len() as u32,
            length: item.len() as u16,
        });
        self.bytes.extend_from_slice(item);
    }

    fn item(&self, place: &Place) -> &[u8] {
        &self.bytes[place.begin as usize..][..usize::from(place.length)]
    }

    fn sort(&mut self, pool: Option<&ThreadPool>) {
        let mut items = std::mem::take(&mut self.items);
        let order = |a: &Place, b: &Place| {
            let heads = a.head.cmp(&b.head);
            heads.then_with(|| self.item(a).cmp(self.item(b)))
        };
        match pool {
            Some(pool) => pool.install(|| items.par_sort_unstable_by(order)),
            None => items.sort_unstable_by(order),
        }
        self.items = items;
    }
}

/// Sorted items, to be read once.
pub struct Sorted(Source);

enum Source {
    /// All of them in memory, and the number of those that were read.
    Held(Held, usize),
    /// In files.
    Runs(Merge),
}

impl Sorted {
    /// The next item; `None` at the end.
    pub fn next_item(&mut self) -> Result<Option<&[u8]>, StoreError> {
        match &mut self.0 {
            Source::Held(held, read) => {
                let place = held.items.get(*read);
                *read += 1;
                Ok(place.map(|place| held.item(place)))
            }
            Source::Runs(merge) => merge.next_item(),
        }
    }
}

/// Writes items of any length to a spill.
struct RunWriter {
    path: PathBuf,
    spill: SpillWriter,
    item: Vec<u8>,
}

impl RunWriter {
    fn create(path: PathBuf) -> Result<Self, StoreError> {
        let spill = SpillWriter::create(&path, Kind::Sorted)?;
        let item = Vec::new();
        Ok(Self { path, spill, item })
    }

    fn push(&mut self, item: &[u8]) -> Result<(), StoreError> {
        self.item.clear();
        self.item.extend((item.len() as u16).to_le_bytes());
        self.item.extend_from_slice(item);
        self.spill.push(&self.item)
    }

    fn finish(mut self) -> Result<Run, StoreError> {
        Ok(Run {
            length: self.spill.flush()?,
            path: self.path,
        })
    }
}

/// The items of some runs in order.
struct Merge {
    sources: Vec<RunReader>,
    /// The next item of each run that has one, with the run's number.
    heads: BinaryHeap<Reverse<(Vec<u8>, usize)>>,
    /// The item that was returned last.
    current: Vec<u8>,
}

impl Merge {
    fn new(runs: &[Run]) -> Result<Self, StoreError> {
        let mut sources = Vec::with_capacity(runs.len());
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (number, run) in runs.iter().enumerate() {
            let mut source = RunReader {
                spill: SpillReader::open(&run.path, Kind::Sorted, run.length)?,
                block: Vec::new(),
                at: 0,
            };
            let mut item = Vec::new();
            if source.next_into(&mut item)? {
                heads.push(Reverse((item, number)));
            }
            sources.push(source);
        }
        Ok(Self {
            sources,
            heads,
            current: Vec::new(),
        })
    }

    fn next_item(&mut self) -> Result<Option<&[u8]>, StoreError> {
        let Some(mut head) = self.heads.peek_mut() else {
            return Ok(None);
        };
        let Reverse((item, number)) = &mut *head;
        std::mem::swap(item, &mut self.current);
        if !self.sources[*number].next_into(item)? {
            PeekMut::pop(head);
        }
        Ok(Some(&self.current))
    }
}

/// Reads a run.
struct RunReader {
    spill: SpillReader,
    block: Vec<u8>,
    /// Where the next item begins in the block.
    at: usize,
}

impl RunReader {
    /// Puts the next item into `item`; false at the end.
    fn next_into(&mut self, item: &mut Vec<u8>) -> Result<bool, StoreError> {
        item.clear();
        if self.at == self.block.len() {
            self.at = 0;
            self.block.clear();
            match self.spill.next_block()? {
                Some((payload, _)) => self.block.extend_from_slice(payload),
                None => return Ok(false),
            }
        }
        let rest = &self.block[self.at..];
        let taken = rest.split_first_chunk::<2>().and_then(|(length, rest)| {
            let length = usize::from(u16::from_le_bytes(*length));
            rest.get(..length)
        });
        let Some(taken) = taken else {
            return Err(self.spill.damaged("an item is cut short"));
        };
        item.extend_from_slice(taken);
        self.at += 2 + taken.len();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    /// Items of many lengths, some of them equal.
    fn items(count: u64) -> Vec<Vec<u8>> {
        let item = |i: u64| {
            let key = Key::of(&(i % (count - count / 9)).to_le_bytes()).bytes();
            let length = usize::from(key[0]) % 90;
            key.repeat(6)[..length].to_vec()
        };
        (0..count).map(item).collect()
    }

    const EXPECTED: Expected = Expected {
        items: 60_000,
        bytes: 60_000 * 90,
    };

    fn sorted(items: &[Vec<u8>], bytes_max: usize, threads: usize) -> (Vec<Vec<u8>>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.unwrap();
        let pool = (threads > 1).then_some(&pool);
        let mut sorter = Sorter::new(folder.path(), "run", bytes_max, EXPECTED, pool);
        for item in items {
            sorter.push(item).unwrap();
        }
        let mut sorted = sorter.finish(&|_| true).unwrap().unwrap();
        let files = disk::entries(folder.path()).unwrap().len();
        let mut all = Vec::new();
        while let Some(item) = sorted.next_item().unwrap() {
            all.push(item.to_vec());
        }
        (all, files)
    }

    #[test]
    fn items_come_sorted_whatever_the_memory() {
        let items = items(60_000);
        let mut expected = items.clone();
        expected.sort();
        for (bytes_max, threads) in [(64 << 20, 1), (SORT_BYTES_MIN, 1), (SORT_BYTES_MIN, 3)] {
            let (found, files) = sorted(&items, bytes_max, threads);
            assert!(found == expected, "{bytes_max}");
            // With the least memory two runs are merged at a time.
            assert_eq!(
                files,
                if bytes_max == SORT_BYTES_MIN { 2 } else { 0 },
                "{bytes_max}"
            );
        }
        assert!(sorted(&[], SORT_BYTES_MIN, 1).0.is_empty());
    }

    #[test]
    fn a_merge_stops_when_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let mut sorter = Sorter::new(folder.path(), "run", SORT_BYTES_MIN, EXPECTED, None);
        for item in items(60_000) {
            sorter.push(&item).unwrap();
        }
        assert!(sorter.finish(&|_| false).unwrap().is_none());
    }
}
