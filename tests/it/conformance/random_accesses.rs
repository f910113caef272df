//! What look-ups read, and the kernels that `molsieve bench` measures ceilings with, on every device: the CUDA source
//! compiled for the host, CUDA under the stand-in for the driver, wgpu.

use molsieve::{
    key::Key,
    sieve::{
        FilterShape, Keyed,
        cuda::CudaSieve,
        gpu::{Device, Kernel, Room},
        steps::{Access, GpuSteps, PROBE_BATCHES, Steps, accesses_of_absent},
        wgpu::WgpuSieve,
    },
};

use super::{
    SOURCE,
    host_device::{HostDevice, kernels_of},
    read,
};
use crate::kit::adapters::adapters;

/// No multiple of a block's threads, nor of the rows.
const SHAPE: FilterShape = FilterShape {
    bits: 64 * 30_011,
    hashes: 30,
};
const ROWS: usize = 3_000;

fn room(filter: FilterShape) -> Room {
    Room {
        filter,
        rows_max: ROWS,
        text_bytes_max: 64,
    }
}

fn keys(from: u64) -> Vec<[u64; 2]> {
    let numbers = from..from + ROWS as u64;
    numbers
        .map(|number| Key::of(&number.to_le_bytes()).words())
        .collect()
}

/// Loads of the filter per look-up of an absent key and of a present key, as `kernels/sieve.cu` makes them.
fn loads(hashes: u32) -> (f64, f64) {
    let source = read(SOURCE);
    let load = "words[probe] = filter[bit >> 6];";
    assert_eq!(source.matches(load).count(), 1);
    let counted = load.replace("words", "COUNTED words");
    let kernels = kernels_of(&source.replace(load, &counted));
    let shape = FilterShape { hashes, ..SHAPE };
    let mut steps = GpuSteps::new(kernels.device(room(shape)), Access::CUDA);
    steps.load_keys(&keys(0)).unwrap();
    steps.fill_at_random().unwrap();
    let (mut found, mut absent) = (0, 0);
    for number in 1..=10 {
        steps.load_keys(&keys(number << 32)).unwrap();
        found += steps.look_up(1).unwrap();
        absent += ROWS;
    }
    let of_absent = kernels.look_up_reads();
    steps.insert(1).unwrap();
    assert_eq!(steps.look_up(1).unwrap(), ROWS as u64);
    let of_present = kernels.look_up_reads() - of_absent;
    let share_found = found as f64 / absent as f64;
    assert!(
        share_found < 2.0 * 0.5f64.powi(hashes as i32) + 0.001,
        "{found}"
    );
    (
        of_absent as f64 / absent as f64,
        of_present as f64 / ROWS as f64,
    )
}

#[test]
fn an_absent_key_takes_few_loads_of_a_half_full_filter() {
    let (absent, present) = loads(30);
    println!("loads of a look-up in a half-full filter: {absent:.3} absent, {present:.3} present");
    assert!(absent <= 2.7, "{absent}");
    // Nothing is read after the last bit.
    assert_eq!(present, 30.0);
    // What bench takes for the number of accesses is what the kernel makes.
    let expected = accesses_of_absent(SHAPE, 0.5, &PROBE_BATCHES);
    assert!(
        (absent / expected - 1.0).abs() < 0.02,
        "{absent} {expected}"
    );
    for hashes in [1, 2, 3, 6, 9] {
        let (absent, present) = loads(hashes);
        assert_eq!(present, f64::from(hashes));
        let expected = accesses_of_absent(FilterShape { hashes, ..SHAPE }, 0.5, &PROBE_BATCHES);
        assert!(
            (absent / expected - 1.0).abs() < 0.02,
            "{hashes}: {absent} {expected}"
        );
    }
}

/// What a generator chooses: a word of the filter, and a bit of it.
type Generator = fn(&mut [u64; 2]) -> (usize, u32);

/// What the kernels that only bench launches must do, on a device with an empty filter. `word_bits`: of the words that
/// the device reads.
fn assert_accesses_at_random(mut device: impl Device, generator: Generator, word_bits: u32) {
    let mut states = keys(0);
    // Bits are added where the generators say, and nowhere else.
    device.copy_keys_in(0, &states).unwrap();
    device.launch(0, Kernel::AddAtRandom, ROWS as u32).unwrap();
    let mut expected = vec![0u64; SHAPE.bits / 64];
    for key in &mut states {
        for _ in 0..SHAPE.hashes {
            let (word, bit) = generator(key);
            expected[word] |= 1 << bit;
        }
    }
    assert!(
        words_of(&mut device) == expected,
        "bits are added elsewhere"
    );
    assert_eq!(keys_of(&mut device), states);
    // Reads go on where the generators are, add up what they see, and leave the filter alone.
    device.launch(0, Kernel::ReadAtRandom, ROWS as u32).unwrap();
    for key in &mut states {
        for _ in 0..SHAPE.hashes {
            let (word, bit) = generator(key);
            let read = expected[word] >> (bit / word_bits * word_bits);
            key[1] = match word_bits {
                32 => key[1] >> 32 << 32 | u64::from((key[1] as u32).wrapping_add(read as u32)),
                _ => key[1].wrapping_add(read),
            };
        }
    }
    assert_eq!(keys_of(&mut device), states);
    assert!(words_of(&mut device) == expected, "a read writes");
    // Half of the bits of every part of the filter, and no word like another.
    device.launch(0, Kernel::FillAtRandom, ROWS as u32).unwrap();
    let mut filled = words_of(&mut device);
    for part in filled.chunks_exact(filled.len() / 10) {
        let set: u32 = part.iter().map(|word| word.count_ones()).sum();
        let share = f64::from(set) / (64.0 * part.len() as f64);
        assert!((share - 0.5).abs() < 0.01, "{share}");
    }
    filled.sort_unstable();
    filled.dedup();
    assert_eq!(filled.len(), SHAPE.bits / 64);
}

fn words_of(device: &mut impl Device) -> Vec<u64> {
    let mut words = vec![0; SHAPE.bits / 64];
    device.copy_filter_out(&mut words).unwrap();
    words
}

fn keys_of(device: &mut impl Device) -> Vec<[u64; 2]> {
    let (mut keys, mut verdicts) = (vec![[0; 2]; ROWS], vec![0; ROWS]);
    let mut to = Keyed {
        keys: &mut keys,
        codes: &mut verdicts,
    };
    // SAFETY: both outlive the lane's end, which is waited for.
    unsafe { device.copy_rows_out(0, &mut to) }.unwrap();
    device.finish(0, &mut to).unwrap();
    keys
}

/// Of `kernels/sieve.cu`.
fn next_of_64_bits(key: &mut [u64; 2]) -> (usize, u32) {
    key[0] = key[0]
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let word = (u128::from(key[0]) * (SHAPE.bits / 64) as u128) >> 64;
    (word as usize, (key[0] >> 20 & 63) as u32)
}

/// Of `shaders/sieve.wgsl`, whose words are halves.
fn next_of_32_bits(key: &mut [u64; 2]) -> (usize, u32) {
    let state = (key[0] as u32)
        .wrapping_mul(1_664_525)
        .wrapping_add(1_013_904_223);
    key[0] = key[0] >> 32 << 32 | u64::from(state);
    let half = (u64::from(state) * (SHAPE.bits / 32) as u64) >> 32;
    (
        half as usize / 2,
        32 * (half as u32 % 2) + (state >> 10 & 31),
    )
}

/// Runs on a GPU or under the fake driver.
pub fn assert_on_cuda(index: usize) {
    let device = CudaSieve::open(index, room(SHAPE)).unwrap();
    assert_accesses_at_random(device, next_of_64_bits, 64);
}

#[test]
fn the_cuda_source_accesses_the_filter_at_random() {
    let device: HostDevice = kernels_of(&read(SOURCE)).device(room(SHAPE));
    assert_accesses_at_random(device, next_of_64_bits, 64);
}

#[test]
fn the_shader_accesses_the_filter_at_random() {
    for adapter in adapters() {
        // In pieces of which the last is not full.
        let device =
            WgpuSieve::open_with(&adapter, room(SHAPE), molsieve::sieve::wgpu::SHADER, 80_008);
        assert_accesses_at_random(device.unwrap(), next_of_32_bits, 32);
    }
}

/// What a look-up on a device says of keys in a filter filled at random, and of keys inserted into it.
#[test]
fn the_shader_finds_what_is_there_in_a_half_full_filter() {
    for adapter in adapters() {
        let device = WgpuSieve::open(&adapter, room(SHAPE)).unwrap();
        let mut steps = GpuSteps::new(device, Access::WGPU);
        steps.load_keys(&keys(0)).unwrap();
        steps.fill_at_random().unwrap();
        steps.load_keys(&keys(1 << 32)).unwrap();
        assert_eq!(steps.look_up(1).unwrap(), 0);
        steps.insert(1).unwrap();
        assert_eq!(steps.look_up(1).unwrap(), ROWS as u64);
    }
}
