//! The kernels of the sieve beside fastbloom: the conformance body that every engine is put to, a shorter one for
//! kernels that are wrong on purpose, and how often a look-up loads from the filter.

use std::{collections::HashSet, sync::OnceLock};

use fastbloom::BloomFilter;
use molsieve::{
    key::Key,
    property::PropertySet,
    sieve::{
        Engine, FilterShape, Keyed, Texts,
        conformance::{Batch, conform, row_of_key},
        gpu::{Device, GpuEngine, Kernel, Room},
    },
    slot::{Slot, SlotLayout, Verdict},
};

use super::kernels::{Kernels, Notes, SieveDevice};
use crate::kit::draw::Draw;

/// Slots of random rows for each of the filters of the conformance body, beside its other slots.
const RANDOM_SLOTS: u64 = 50;

/// The whole conformance body.
pub fn compare(kernels: &Kernels) -> Result<String, String> {
    let notes = Notes::default();
    let mut seed = 0;
    let mut make = |shape, layout: &SlotLayout| {
        let room = Room::new(shape, layout);
        seed += 1;
        let device = SieveDevice::new(kernels, room, seed).with_notes(&notes, false);
        Ok(Box::new(GpuEngine::new(device, room)) as Box<dyn Engine>)
    };
    let account = conform(&mut make, RANDOM_SLOTS).map_err(|error| error.to_string())?;
    let millions = notes.get().executed / 1_000_000;
    Ok(format!("{account:?}, {millions} M instructions"))
}

/// A part of the body, for kernels that are wrong on purpose.
pub fn compare_briefly(kernels: &Kernels, notes: &Notes, lines: bool) -> Result<(), String> {
    static TRIALS: OnceLock<Vec<Trial>> = OnceLock::new();
    let trials = TRIALS.get_or_init(|| SHAPES.into_iter().map(Trial::new).collect());
    let layout = SlotLayout::smallest(PropertySet::NONE);
    for trial in trials {
        let room = Room::new(trial.shape, &layout);
        let device = SieveDevice::new(kernels, room, 1).with_notes(notes, lines);
        trial.run(&mut GpuEngine::new(device, room), &layout)?;
    }
    Ok(())
}

const fn shape(bits: usize, hashes: u32) -> FilterShape {
    FilterShape { bits, hashes }
}

/// Numbers of hashes about those that a kernel takes together.
const SHAPES: [FilterShape; 6] = [
    shape(64, 1),
    shape(64 * 201, 3),
    shape(64 * 101, 4),
    shape(64 * 151, 7),
    shape(64 * 1_001, 30),
    shape(1 << 22, 5),
];

/// Slots and keys for a filter, and what must come of them.
struct Trial {
    shape: FilterShape,
    inserted: Vec<[u64; 2]>,
    slots: Vec<(Batch, Vec<(Key, Verdict)>)>,
    filter: Vec<u64>,
}

impl Trial {
    fn new(shape: FilterShape) -> Self {
        let mut filter = BloomFilter::with_num_bits(shape.bits)
            .seed(&0)
            .hashes(shape.hashes);
        let mut draw = Draw(u64::from(shape.hashes));
        let mut key = || [0; 2].map(|_| draw.below(usize::MAX) as u64);
        let inserted: Vec<_> = (0..300).map(|_| key()).collect();
        for key in &inserted {
            filter.insert_hash(key[0]);
        }
        let slots = batches(&inserted, &mut Draw(7)).into_iter().map(|rows| {
            let expected = judge(&mut filter, &rows);
            (rows, expected)
        });
        let slots = slots.collect();
        let filter = filter.as_slice().to_vec();
        Self {
            shape,
            inserted,
            slots,
            filter,
        }
    }

    fn run(&self, engine: &mut dyn Engine, layout: &SlotLayout) -> Result<(), String> {
        let error = |error: molsieve::sieve::EngineError| error.to_string();
        engine.insert(&self.inserted).map_err(error)?;
        for (rows, expected) in &self.slots {
            let mut slot = Slot::new(layout.clone());
            fill(&mut slot, rows);
            let (slot, tally) = engine.sieve(slot).map_err(error)?;
            for (row, (key, verdict)) in expected.iter().enumerate() {
                let found = (slot.key(row), slot.columns().verdict[row]);
                if found != (*key, *verdict as u8) {
                    return Err(format!("row {row}: {found:?}, not {key:?} {verdict:?}"));
                }
            }
            let count = |wanted| expected.iter().filter(|(_, v)| *v == wanted).count() as u64;
            let counts = [Verdict::New, Verdict::Maybe, Verdict::Duplicate].map(count);
            if [tally.new, tally.maybe, tally.duplicate] != counts {
                return Err(format!("the tally is {tally:?}, not {counts:?}"));
            }
        }
        match engine.filter_words().map_err(error)? == self.filter {
            true => Ok(()),
            false => Err("the filter's bits differ".into()),
        }
    }
}

/// Rows of all lengths, blocks that fit in shared memory and one that does not, repeats near and far, keys that are
/// equal in a part, keys that the filter has.
fn batches(inserted: &[[u64; 2]], draw: &mut Draw) -> Vec<Batch> {
    let mut text = |length: usize| {
        (0..length)
            .map(|_| draw.below(256) as u8)
            .collect::<Vec<u8>>()
    };
    let lengths: Vec<_> = (0..=70).chain([255, 256, 299]).map(&mut text).collect();
    let long: Vec<_> = (0..300).map(|row| text(70 + row % 40)).collect();
    let mut repeats: Vec<_> = (0..200).map(|row| text(1 + row % 3)).collect();
    repeats.extend_from_within(20..);
    let row_of = |key: [u64; 2]| row_of_key(key).to_vec();
    let mut alike: Vec<_> = (1..60)
        .map(|i| row_of([i << 40, 0x1234_5678_9abc_def0]))
        .collect();
    alike.extend((1..60).map(|i| row_of([0xfeed << 32, i << 33 | 7])));
    // They fill the table's last places and go on at its beginning.
    alike.extend((1..60).map(|i| row_of([i, u64::from(u32::MAX)])));
    alike.extend_from_within(30..);
    let known: Vec<_> = inserted.iter().map(|&key| row_of(key)).collect();
    vec![
        lengths,
        Vec::new(),
        long,
        repeats.clone(),
        alike,
        known,
        repeats,
    ]
}

/// What the contract of the sieve says, row by row.
fn judge(filter: &mut BloomFilter, rows: &[Vec<u8>]) -> Vec<(Key, Verdict)> {
    let mut seen = HashSet::new();
    let verdict = |row: &Vec<u8>| {
        let key = Key::of(row);
        if !seen.insert(key) {
            (key, Verdict::Duplicate)
        } else if filter.contains_hash(key.words()[0]) {
            (key, Verdict::Maybe)
        } else {
            (key, Verdict::New)
        }
    };
    let judged: Vec<_> = rows.iter().map(verdict).collect();
    for (key, _) in judged
        .iter()
        .filter(|(_, verdict)| *verdict == Verdict::New)
    {
        filter.insert_hash(key.words()[0]);
    }
    judged
}

fn fill(slot: &mut Slot, rows: &[Vec<u8>]) {
    let columns = slot.columns_mut();
    let mut end = 0;
    for (i, row) in rows.iter().enumerate() {
        columns.text[end..end + row.len()].copy_from_slice(row);
        end += row.len();
        columns.text_end[i] = end as u32;
    }
    columns.key.fill([u64::MAX; 2]);
    columns.verdict.fill(u8::MAX);
    slot.set_filled(rows.len(), end);
}

/// Loads of the filter for each key that it does not have, with half of its bits set and 30 bits per key.
pub fn loads_per_absent_look_up(kernels: &Kernels) -> f64 {
    let shape = FilterShape {
        bits: 1 << 20,
        hashes: 30,
    };
    let room = Room::new(shape, &SlotLayout::smallest(PropertySet::NONE));
    let mut device = SieveDevice::new(kernels, room, 1);
    let mut draw = Draw(1);
    let words: Vec<u64> = (0..shape.bits / 64)
        .map(|_| draw.below(usize::MAX) as u64)
        .collect();
    let set: u32 = words.iter().map(|word| word.count_ones()).sum();
    assert!(
        (set as usize).abs_diff(shape.bits / 2) < shape.bits / 100,
        "{set}"
    );
    device.fill_filter(&words);
    let mut keys: Vec<_> = (0..3_000)
        .map(|_| [0; 2].map(|_| draw.below(usize::MAX) as u64))
        .collect();
    let rows = keys.len() as u32;
    let mut verdicts = vec![u8::MAX; keys.len()];
    let texts = Texts {
        bytes: b"C",
        ends: &[1],
    };
    // SAFETY: the device copies before the call returns.
    unsafe { device.copy_rows_in(0, texts) }.unwrap();
    device.copy_keys_in(0, &keys).unwrap();
    device.launch(0, Kernel::ClaimRows, rows).unwrap();
    let before = device.filter_loads();
    device.launch(0, Kernel::LookUp, rows).unwrap();
    let loads = device.filter_loads() - before;
    let mut to = Keyed {
        keys: &mut keys,
        codes: &mut verdicts,
    };
    // SAFETY: as above.
    unsafe { device.copy_rows_out(0, &mut to) }.unwrap();
    assert!(
        verdicts
            .iter()
            .all(|&verdict| verdict == Verdict::New as u8)
    );
    loads as f64 / f64::from(rows)
}
