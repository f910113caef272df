//! What look-ups read, and the kernels that `molsieve bench` measures ceilings with, on every device: the CUDA source
//! compiled for the host, CUDA under the stand-in for the driver, wgpu.

use molsieve::{
    key::Key,
    sieve::{
        FilterShape,
        gpu::{Device, Kernel, Room},
        steps::{Access, GpuSteps, PROBE_BATCHES, Steps, accesses_of_absent},
        wgpu::WgpuDevice,
    },
};

use crate::{
    SOURCE,
    adapters::adapters,
    host_device::{HostDevice, kernels_of},
    read,
};

/// So many bits that keys seldom meet; a last word that is not full of a piece of wgpu's.
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

/// Loads of the filter in look-ups of absent and of present keys, of one key each, as the source makes them.
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
    // Nothing is read behind the last bit.
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

/// What the kernels that only bench launches must do, on a device with an empty filter.
fn assert_accesses_at_random(
    mut device: impl Device,
    generator: impl Fn(&mut [u64; 2]) -> (u64, u64),
) {
    let keys = keys(0);
    let words = SHAPE.bits / 64;
    let filter = |device: &mut dyn FnMut(&mut [u64])| {
        let mut words = vec![0; words];
        device(&mut words);
        words
    };
    // Bits are added where the generators say, and nowhere else.
    device.copy_keys_in(0, &keys).unwrap();
    device.launch(0, Kernel::AddAtRandom, ROWS as u32).unwrap();
    let mut expected = vec![0u64; words];
    let mut states = keys.clone();
    for key in &mut states {
        for _ in 0..SHAPE.hashes {
            let (word, bit) = generator(key);
            expected[word as usize] |= bit;
        }
    }
    let found = filter(&mut |words| device.copy_filter_out(words).unwrap());
    assert!(found == expected, "bits are added elsewhere");
    assert_eq!(rows_out(&mut device), first_words(&states));
    // Reads go on where the generators are, and leave the filter alone.
    device.launch(0, Kernel::ReadAtRandom, ROWS as u32).unwrap();
    for key in &mut states {
        for _ in 0..SHAPE.hashes {
            generator(key);
        }
    }
    assert_eq!(rows_out(&mut device), first_words(&states));
    assert!(filter(&mut |words| device.copy_filter_out(words).unwrap()) == expected);
    // Half of the bits of every part of the filter.
    device.launch(0, Kernel::FillAtRandom, ROWS as u32).unwrap();
    let filled = filter(&mut |words| device.copy_filter_out(words).unwrap());
    for part in filled.chunks(words / 10) {
        let set: u32 = part.iter().map(|word| word.count_ones()).sum();
        let share = f64::from(set) / (64.0 * part.len() as f64);
        assert!((share - 0.5).abs() < 0.01 || part.len() < 1_000, "{share}");
    }
    let mut distinct = filled.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), words);
}

fn rows_out(device: &mut impl Device) -> Vec<u64> {
    let (mut keys, mut verdicts) = (vec![[0; 2]; ROWS], vec![0; ROWS]);
    // SAFETY: both outlive the lane's end, which is waited for.
    unsafe { device.copy_rows_out(0, &mut keys, &mut verdicts) }.unwrap();
    device.finish(0, &mut keys, &mut verdicts).unwrap();
    first_words(&keys)
}

fn first_words(keys: &[[u64; 2]]) -> Vec<u64> {
    keys.iter().map(|key| key[0]).collect()
}

/// The generator of `kernels/sieve.cu`: the word it chooses next, and a bit of it.
fn next_of_64_bits(key: &mut [u64; 2]) -> (u64, u64) {
    key[0] = key[0]
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    let words = (SHAPE.bits / 64) as u128;
    let word = (u128::from(key[0]) * words) >> 64;
    (word as u64, 1 << (key[0] >> 20 & 63))
}

/// Of `shaders/sieve.wgsl`, whose words are halves.
fn next_of_32_bits(key: &mut [u64; 2]) -> (u64, u64) {
    let state = (key[0] as u32)
        .wrapping_mul(1_664_525)
        .wrapping_add(1_013_904_223);
    key[0] = key[0] >> 32 << 32 | u64::from(state);
    let half = (u64::from(state) * (SHAPE.bits / 32) as u64) >> 32;
    (
        half / 2,
        1 << (32 * (half % 2) + u64::from(state >> 10 & 31)),
    )
}

#[test]
fn the_cuda_source_accesses_the_filter_at_random() {
    let device: HostDevice = kernels_of(&read(SOURCE)).device(room(SHAPE));
    assert_accesses_at_random(device, next_of_64_bits);
}

#[test]
fn the_shader_accesses_the_filter_at_random() {
    for adapter in adapters() {
        // In pieces of which the last is not full.
        let device =
            WgpuDevice::open_with(&adapter, room(SHAPE), molsieve::sieve::wgpu::SHADER, 80_008);
        assert_accesses_at_random(device.unwrap(), next_of_32_bits);
    }
}

/// What a look-up on a device says of keys in a filter filled at random, and of keys inserted into it.
#[test]
fn the_shader_finds_what_is_there_in_a_half_full_filter() {
    for adapter in adapters() {
        let device = WgpuDevice::open(&adapter, room(SHAPE)).unwrap();
        let mut steps = GpuSteps::new(device, Access::WGPU);
        steps.load_keys(&keys(0)).unwrap();
        steps.fill_at_random().unwrap();
        steps.load_keys(&keys(1 << 32)).unwrap();
        assert_eq!(steps.look_up(1).unwrap(), 0);
        steps.insert(1).unwrap();
        assert_eq!(steps.look_up(1).unwrap(), ROWS as u64);
    }
}
