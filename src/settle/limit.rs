//! A sample of the survivors: those with the least keys. It depends on the keys alone, not on the order of rows, and
//! needs memory for a small share of them.

use std::path::Path;

use super::decide::Spilled;
use crate::{
    key::Key,
    store::{
        StoreError,
        spill::{Items, Kind, SpillWriter},
    },
};

/// Bits of a key by which survivors are counted first.
const BITS: u32 = 16;

/// Writes the ordinals of the `most` survivors with the least keys to `path`, in their order; `None` if there are no more
/// than that. `maybe`: the keys of the *maybe* rows, in the order of the rows.
pub fn limit(
    survivors: &Spilled,
    maybe: &Spilled,
    most: u64,
    path: &Path,
) -> Result<Option<Spilled>, StoreError> {
    if survivors.length.items <= most {
        return Ok(None);
    }
    // The key of rank `most` is among those with certain first bits.
    let mut counts = vec![0u64; 1 << BITS];
    for_each_survivor(survivors, maybe, |_, key| {
        counts[first_bits(key)] += 1;
        Ok(())
    })?;
    let (mut before, mut bits) = (0, 0);
    while before + counts[bits] < most {
        before += counts[bits];
        bits += 1;
    }
    let mut candidates = Vec::new();
    for_each_survivor(survivors, maybe, |_, key| {
        if first_bits(key) == bits {
            candidates.push(key);
        }
        Ok(())
    })?;
    candidates.sort_unstable();
    let largest = candidates[(most - before - 1) as usize];
    let mut kept = SpillWriter::create(path, Kind::Ordinals)?;
    for_each_survivor(survivors, maybe, |ordinal, key| match key <= largest {
        true => kept.push(&ordinal.to_le_bytes()),
        false => Ok(()),
    })?;
    Ok(Some(Spilled {
        path: path.into(),
        length: kept.sync()?,
    }))
}

/// The first bits of a key's first word, which is a hash.
fn first_bits(key: [u64; 2]) -> usize {
    (key[0] >> (u64::BITS - BITS)) as usize
}

/// Passes the ordinal and the words of the key of each survivor to `take`.
fn for_each_survivor(
    survivors: &Spilled,
    maybe: &Spilled,
    mut take: impl FnMut(u64, [u64; 2]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let keys = Items::<16>::open(&maybe.path, Kind::Keys, maybe.length)?;
    for_each_chosen(survivors, keys, |ordinal, key| {
        take(ordinal, Key::from(key).words())
    })
}

/// Passes each ordinal of `chosen` to `take`, with the item of that number.
pub(super) fn for_each_chosen<const N: usize>(
    chosen: &Spilled,
    mut items: Items<N>,
    mut take: impl FnMut(u64, [u8; N]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut ordinals = Items::<8>::open(&chosen.path, Kind::Ordinals, chosen.length)?;
    let mut next = 0;
    while let Some(ordinal) = ordinals.next_item()?.map(u64::from_le_bytes) {
        let mut item = None;
        while next <= ordinal {
            item = items.next_item()?;
            next += 1;
        }
        let item = item.ok_or_else(|| items.damaged("it has too few items"))?;
        take(ordinal, item)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_keys_are_kept_in_the_order_of_their_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| folder.path().join(name);
        let keys: Vec<Key> = (0..5_000u32)
            .map(|row| Key::of(&row.to_le_bytes()))
            .collect();
        let mut maybe = SpillWriter::create(&path("maybe"), Kind::Keys).unwrap();
        keys.iter()
            .for_each(|key| maybe.push(&key.bytes()).unwrap());
        let mut survivors = SpillWriter::create(&path("survivors"), Kind::Ordinals).unwrap();
        let surviving = || (0..5_000u64).filter(|row| row % 3 != 1);
        surviving().for_each(|row| survivors.push(&row.to_le_bytes()).unwrap());
        let spilled = |name, spill: &mut SpillWriter| Spilled {
            path: path(name),
            length: spill.sync().unwrap(),
        };
        let maybe = spilled("maybe", &mut maybe);
        let survivors = spilled("survivors", &mut survivors);
        let all = survivors.length.items;
        assert!(
            limit(&survivors, &maybe, all, &path("all"))
                .unwrap()
                .is_none()
        );
        for most in [1, 2, 999, all - 1] {
            let kept = limit(&survivors, &maybe, most, &path("kept"))
                .unwrap()
                .unwrap();
            let mut ordinals = Items::<8>::open(&kept.path, Kind::Ordinals, kept.length).unwrap();
            let mut rows = Vec::new();
            while let Some(row) = ordinals.next_item().unwrap() {
                rows.push(u64::from_le_bytes(row));
            }
            let mut expected: Vec<u64> = surviving().collect();
            expected.sort_by_key(|row| keys[*row as usize].words());
            expected.truncate(most as usize);
            expected.sort_unstable();
            assert_eq!(rows, expected, "{most}");
        }
    }
}
