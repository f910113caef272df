//! The keys that only one side has, out of the sorted keys of both.

use std::cell::Cell;

use super::{DiffError, Standing, Work};
use crate::store::{
    StoreError,
    sorter::{Sorted, Sorter},
};

/// Keys between two calls of `go_on`.
pub(super) const ROWS_A_CALL: u64 = 8_192;

/// Distinct keys of a side, and of these the ones that the other side has not.
#[derive(Clone, Copy, Default)]
pub(super) struct Counted {
    pub keys: u64,
    pub only: u64,
}

pub(super) const KEY_BYTES: usize = 16;
/// Of a row: its side, its number.
pub(super) const ROW_BYTES: usize = 9;
type RowItem = [u8; ROW_BYTES];

pub(super) fn numbered(key: &[u8; KEY_BYTES], side: u8, row: u64) -> [u8; KEY_BYTES + ROW_BYTES] {
    let mut item = [0; KEY_BYTES + ROW_BYTES];
    item[..KEY_BYTES].copy_from_slice(key);
    item[KEY_BYTES] = side;
    item[KEY_BYTES + 1..].copy_from_slice(&row.to_be_bytes());
    item
}

pub(super) fn finish(
    sorter: Sorter<'_>,
    of: u64,
    go_on: &dyn Fn(Standing) -> bool,
) -> Result<Sorted, DiffError> {
    let merged = Cell::new(0);
    let sorted = sorter.finish(&|items| {
        // Where items are merged more than once, the bar starts again.
        merged.set((merged.get() + items) % of.max(1));
        let (work, done) = (Work::Merging, merged.get());
        go_on(Standing { work, done, of })
    })?;
    sorted.ok_or(DiffError::Stopped)
}

/// Goes through sorted keys, and gives the first row with each key that one side has to `only`.
pub(super) fn find_only(
    mut sorted: Sorted,
    only: &mut Sorter<'_>,
    mut go_on: impl FnMut(u64) -> Result<(), DiffError>,
) -> Result<[Counted; 2], DiffError> {
    let mut counted = [Counted::default(); 2];
    let mut key = [0; KEY_BYTES];
    let mut firsts: [Option<RowItem>; 2] = [None; 2];
    let mut items = 0;
    while let Some(item) = sorted.next_item()? {
        let whole = item.split_first_chunk::<KEY_BYTES>();
        let whole = whole.and_then(|(next, row)| Some((*next, *row.first_chunk::<ROW_BYTES>()?)));
        let (next, row) = whole.expect("every item was made by `numbered`");
        if next != key {
            end_key(std::mem::take(&mut firsts), &mut counted, only)?;
            key = next;
        }
        firsts[usize::from(row[0])].get_or_insert(row);
        items += 1;
        if items % ROWS_A_CALL == 0 {
            go_on(items)?;
        }
    }
    end_key(firsts, &mut counted, only)?;
    Ok(counted)
}

/// Counts a key, of which these are the first rows.
fn end_key(
    firsts: [Option<RowItem>; 2],
    counted: &mut [Counted; 2],
    only: &mut Sorter<'_>,
) -> Result<(), StoreError> {
    for (counted, first) in counted.iter_mut().zip(firsts) {
        counted.keys += u64::from(first.is_some());
    }
    let (side, row) = match firsts {
        [Some(row), None] => (0, row),
        [None, Some(row)] => (1, row),
        _ => return Ok(()),
    };
    counted[side].only += 1;
    only.push(&row)
}
