//! Which rows of a deduplication were merged into which: a join of the rows that it has seen ([`seen_rows`]) by their key,
//! in the memory that is given.
//!
//! 1. The rows that may be duplicates mark their keys in a table of bits. Most rows that are kept have a key that no other
//!    row has, and so go no further.
//! 2. The others are sorted by key: of each key the kept row comes first. Each further row gets its number and id.
//! 3. These pairs are sorted by the number of the row, which is the order of the spill, so that the spill is read once
//!    more beside them for ids and SMILES.
//!
//! A row that settling has brought back is both: it is no duplicate of itself.
//!
//! [`seen_rows`]: crate::table::sink::seen_rows

use std::path::Path;

use super::decide::Spilled;
use crate::{
    limits::SORT_BYTES_MIN,
    store::{
        StoreError,
        sorter::{Expected, Sorted, Sorter},
    },
    table::sink::{Duplicate, seen_rows},
};

/// Passes over the rows, in items of which `go_on` hears.
pub const PASSES: u64 = 4;

/// Gives every duplicate to `take`, in the order of the input. `seen`: the rows; `folder`: for temporary files, exists.
/// Returns false if `go_on`, which gets a number of items from time to time, has returned false.
pub fn find<E: From<StoreError>>(
    seen: &Spilled,
    folder: &Path,
    bytes_max: usize,
    go_on: &dyn Fn(u64) -> bool,
    mut take: impl FnMut(Duplicate<'_>) -> Result<(), E>,
) -> Result<bool, E> {
    let join = Join {
        seen,
        folder,
        // At a time there are two sorters, or a sorter and the table of bits.
        sorter_bytes: (bytes_max / 2).max(SORT_BYTES_MIN),
        go_on,
    };
    let found = join.run(&mut take);
    match found {
        Ok(()) => Ok(true),
        Err(Ended::Stopped) => Ok(false),
        Err(Ended::Failed(error)) => Err(error),
    }
}

/// Why it ended early.
enum Ended<E> {
    Stopped,
    Failed(E),
}

impl<E: From<StoreError>> From<StoreError> for Ended<E> {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

struct Join<'a> {
    seen: &'a Spilled,
    folder: &'a Path,
    sorter_bytes: usize,
    go_on: &'a dyn Fn(u64) -> bool,
}

/// Items between two calls of `go_on`.
const ITEMS_A_CALL: u64 = 4_096;

/// Of an item sorted by key: the key, whether it is a kept row (0) or another one (1), the number of the row; of a kept row its
/// id follows.
const KEPT: u8 = 0;
const OTHER: u8 = 1;
/// Of an item sorted by row: the number of the row, whether there is a kept row, its number; its id follows.
const WITHOUT: u8 = 0;
const WITH: u8 = 1;

impl Join<'_> {
    fn run<E: From<StoreError>>(
        &self,
        take: &mut impl FnMut(Duplicate<'_>) -> Result<(), E>,
    ) -> Result<(), Ended<E>> {
        let marked = self.mark::<E>()?;
        let by_key = self.sort_by_key::<E>(&marked)?;
        drop(marked);
        let mut by_row = self.pair::<E>(by_key)?;
        let mut next = Pair::next_of(&mut by_row)?;
        self.for_each::<E>(|seen| {
            if seen.is_kept {
                return Ok(());
            }
            let Some(pair) = next.take_if(|pair| pair.row == seen.row) else {
                return Ok(()); // it was brought back
            };
            let duplicate = Duplicate {
                row: seen.row,
                id: seen.id,
                smiles: seen.smiles,
                kept: pair.kept.as_ref().map(|(row, id)| (*row, id.as_str())),
            };
            take(duplicate).map_err(Ended::Failed)?;
            next = Pair::next_of(&mut by_row)?;
            Ok(())
        })?;
        match next {
            None => Ok(()),
            Some(_) => {
                Err(StoreError::damaged(&self.seen.path, "its rows are not in order").into())
            }
        }
    }

    /// The keys of the rows that may be duplicates.
    fn mark<E: From<StoreError>>(&self) -> Result<Marked, Ended<E>> {
        let mut marked = Marked::new(self.seen.length.items, self.sorter_bytes);
        self.for_each::<E>(|seen| {
            if !seen.is_kept {
                marked.mark(seen.hash());
            }
            Ok(())
        })?;
        Ok(marked)
    }

    fn sort_by_key<E: From<StoreError>>(&self, marked: &Marked) -> Result<Sorted, Ended<E>> {
        let mut by_key = self.sorter("by-key");
        let mut item = Vec::new();
        self.for_each::<E>(|seen| {
            if seen.is_kept && !marked.has(seen.hash()) {
                return Ok(());
            }
            item.clear();
            item.extend(seen.key);
            item.push(if seen.is_kept { KEPT } else { OTHER });
            item.extend(seen.row.to_be_bytes());
            if seen.is_kept {
                item.extend(seen.id.bytes());
            }
            Ok(by_key.push(&item)?)
        })?;
        self.finish(by_key)
    }

    /// Each row with the row that is kept in its place, by the number of the row.
    fn pair<E: From<StoreError>>(&self, mut by_key: Sorted) -> Result<Sorted, Ended<E>> {
        let mut by_row = self.sorter("by-row");
        let (mut key, mut kept, mut items) = ([0; 16], None::<(u64, Vec<u8>)>, 0);
        let mut pair = Vec::new();
        while let Some(item) = by_key.next_item()? {
            let KeyItem {
                key: next,
                kind,
                row,
                id,
            } = KeyItem::of(item).expect("every item was made by `sort_by_key`");
            if next != key {
                (key, kept) = (next, None);
            }
            if kind == KEPT {
                kept = Some((row, id.to_vec()));
            } else if kept.as_ref().is_none_or(|kept| kept.0 != row) {
                pair.clear();
                pair.extend(row.to_be_bytes());
                match &kept {
                    Some((kept_row, id)) => {
                        pair.push(WITH);
                        pair.extend(kept_row.to_be_bytes());
                        pair.extend(id);
                    }
                    None => pair.push(WITHOUT),
                }
                by_row.push(&pair)?;
            }
            items += 1;
            if items % ITEMS_A_CALL == 0 && !(self.go_on)(ITEMS_A_CALL) {
                return Err(Ended::Stopped);
            }
        }
        self.finish(by_row)
    }

    fn sorter(&self, name: &'static str) -> Sorter<'static> {
        // Items are shorter than the rows that they come from.
        let expected = Expected {
            items: self.seen.length.items,
            bytes: self.seen.length.bytes,
        };
        Sorter::new(self.folder, name, self.sorter_bytes, expected, None)
    }

    fn finish<E: From<StoreError>>(&self, sorter: Sorter<'_>) -> Result<Sorted, Ended<E>> {
        // Merging more than once is rare and counts as no pass.
        let sorted = sorter.finish(&|_| (self.go_on)(0))?;
        sorted.ok_or(Ended::Stopped)
    }

    fn for_each<E: From<StoreError>>(
        &self,
        mut take: impl FnMut(seen_rows::SeenRow<'_>) -> Result<(), Ended<E>>,
    ) -> Result<(), Ended<E>> {
        let mut items = 0;
        seen_rows::read(&self.seen.path, self.seen.length, |seen| {
            items += 1;
            if items % ITEMS_A_CALL == 0 && !(self.go_on)(ITEMS_A_CALL) {
                return Err(Ended::Stopped);
            }
            take(seen)
        })
    }
}

/// An item sorted by key.
struct KeyItem<'a> {
    key: [u8; 16],
    kind: u8,
    row: u64,
    id: &'a [u8],
}

impl<'a> KeyItem<'a> {
    fn of(item: &'a [u8]) -> Option<Self> {
        let (key, rest) = item.split_first_chunk::<16>()?;
        let (kind, rest) = rest.split_first()?;
        let (row, id) = rest.split_first_chunk::<8>()?;
        Some(Self {
            key: *key,
            kind: *kind,
            row: u64::from_be_bytes(*row),
            id,
        })
    }
}

/// A row, and the row that is kept in its place.
struct Pair {
    row: u64,
    kept: Option<(u64, String)>,
}

impl Pair {
    fn next_of(by_row: &mut Sorted) -> Result<Option<Self>, StoreError> {
        let item = by_row.next_item()?;
        Ok(item.map(|item| Self::of(item).expect("every item was made by `pair`")))
    }

    fn of(item: &[u8]) -> Option<Self> {
        let (row, rest) = item.split_first_chunk::<8>()?;
        let (with, rest) = rest.split_first()?;
        let kept = match *with {
            WITHOUT => None,
            _ => {
                let (row, id) = rest.split_first_chunk::<8>()?;
                let id = std::str::from_utf8(id).ok()?;
                Some((u64::from_be_bytes(*row), id.to_owned()))
            }
        };
        Some(Self {
            row: u64::from_be_bytes(*row),
            kept,
        })
    }
}

/// A table of bits: keys that were marked have theirs set, and a few others too.
struct Marked(Vec<u64>);

/// Bits for each row, if the memory allows.
const BITS_PER_ROW: u64 = 16;

impl Marked {
    fn new(rows: u64, bytes_max: usize) -> Self {
        let words = rows.saturating_mul(BITS_PER_ROW) / 64 + 1;
        Self(vec![0; words.min(bytes_max as u64 / 8) as usize])
    }

    fn place(&self, hash: u64) -> (usize, u64) {
        let bits = self.0.len() as u128 * 64;
        let bit = ((u128::from(hash) * bits) >> 64) as usize;
        (bit / 64, 1 << (bit % 64))
    }

    fn mark(&mut self, hash: u64) {
        let (word, bit) = self.place(hash);
        self.0[word] |= bit;
    }

    fn has(&self, hash: u64) -> bool {
        let (word, bit) = self.place(hash);
        self.0[word] & bit != 0
    }
}
