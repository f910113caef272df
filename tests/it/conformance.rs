//! Runs the conformance tests (`src/sieve/conformance.rs`) on every engine.
//!
//! - `kernels/sieve.cu`, compiled for the host (`tests/shim/`), runs on every machine, in the same order of
//!   launches as on a GPU. The tests detect errors planted in its source.
//! - The engine `cuda` also runs, through a library that replaces the driver.
//! - `shaders/sieve.wgsl` runs on every adapter, lavapipe included. The tests detect errors planted in it.
//! - Without a GPU its tests are skipped, and the output says so. `MOLSIEVE_REQUIRE_ENGINES`, a list such as
//!   `cuda,wgpu`, turns a skip into a failure.

mod failing_device;
mod host_device;
mod random_accesses;

use std::{fs, path::Path, process::Command};

use crate::kit::{adapters::adapters, alone, only_test, shim, skip_engine};
use failing_device::{FailingDevice, lost};
use fastbloom::BloomFilter;
use host_device::{Kernels, kernels_of};
use molsieve::{
    key::Key,
    property::PropertySet,
    sieve::{
        Engine, EngineError, FilterShape,
        conformance::{Coverage, Disagreement, conform, conform_on_inserts},
        cuda::{self, CudaSieve},
        gpu::{Device, GpuEngine, Kernel, Room},
        wgpu::{self, Adapter, WgpuSieve},
    },
    slot::{Slot, SlotLayout},
};

const SOURCE: &str = "kernels/sieve.cu";

/// The name of the device of `tests/shim/fake_driver.cc`.
const STAND_IN: &str = "stand-in";

/// A filter for a million keys.
const MILLION: FilterShape = FilterShape {
    bits: 64 * 300_007,
    hashes: 13,
};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn conform_on_host(kernels: &Kernels, random_slots: u64) -> Result<Coverage, Disagreement> {
    conform(
        &mut |shape, layout| {
            let room = Room::new(shape, layout);
            Ok(Box::new(GpuEngine::new(kernels.device(room), room)))
        },
        random_slots,
    )
}

#[test]
fn the_cuda_source_compiled_for_the_host_conforms() {
    let kernels = kernels_of(&read(SOURCE));
    let account = conform_on_host(&kernels, 150).unwrap();
    println!("the CUDA source on the host: {account:?}");
    assert!(account.slots > 2_000, "{account:?}");
    conform_on_inserts(
        &mut |shape, layout| {
            let room = Room::new(shape, layout);
            Ok(Box::new(GpuEngine::new(kernels.device(room), room)))
        },
        MILLION,
        1_000_000,
    )
    .unwrap();
}

/// A filter with bit numbers of more than 32 bits. lavapipe can't run this test: its bindings hold 4 × 128 MiB, slightly
/// too little.
#[test]
fn the_cuda_source_addresses_a_filter_of_more_than_2_to_the_32_bits() {
    let kernels = kernels_of(&read(SOURCE));
    let shape = FilterShape {
        bits: (1 << 32) + (1 << 20),
        hashes: 5,
    };
    let mut make = |shape, layout: &SlotLayout| {
        let room = Room::new(shape, layout);
        Ok(Box::new(GpuEngine::new(kernels.device(room), room)) as Box<dyn Engine>)
    };
    conform_on_inserts(&mut make, shape, 3_000).unwrap();
}

#[test]
fn errors_planted_in_the_cuda_source_are_detected_slow() {
    let source = read(SOURCE);
    for (right, wrong) in [
        ("left > 8 ?", "left > 9 ?"),
        ("bytes >= 8 ?", "bytes >= 7 ?"),
        ("h2 = h2 * 5 + 0x38495ab5;", "h2 = h2 * 5 + 0x38495ab4;"),
        ("text_end[first - 1]) & ~15u", "text_end[first - 1]) & ~7u"),
        (
            "    __syncthreads();\n    u32 row = first",
            "    u32 row = first",
        ),
        ("other.x == key.x && other.y == key.y", "other.y == key.y"),
        ("other.x == key.x && other.y == key.y", "other.x == key.x"),
        ("atomicMin(&table[place], row + 1);", ";"),
        ("if (probe < left)", "if (probe <= left)"),
        ("words[probe] = ~0ull;", "words[probe] = 0;"),
        ("places[probe] = bit & 63;", "places[probe] = bit & 31;"),
        ("done < hashes; done++", "done + 1 < hashes; done++"),
        (
            "step_of(u64 source) { return source",
            "step_of(u64 source) { return ~source",
        ),
        ("? MAYBE : NEW;", "? MAYBE : DUPLICATE;"),
        ("&& verdicts[row] == NEW", "&& verdicts[row] != NEW"),
        (
            "if (threadIdx.x < 3)\n        counts",
            "if (threadIdx.x < 2)\n        counts",
        ),
    ] {
        assert_eq!(source.matches(right).count(), 1, "{right}");
        let kernels = kernels_of(&source.replace(right, wrong));
        let outcome = conform_on_host(&kernels, 50);
        assert!(outcome.is_err(), "not detected: {wrong}");
    }
}

#[test]
fn the_engine_returns_the_error_of_any_device_call() {
    let kernels = kernels_of(&read(SOURCE));
    let outcome = |calls_left| {
        let mut make = |shape, layout: &SlotLayout| {
            let room = Room::new(shape, layout);
            let device = kernels.device(room);
            let device = FailingDevice { device, calls_left };
            Ok(Box::new(GpuEngine::new(device, room)) as Box<dyn Engine>)
        };
        // Two slots' worth of keys: twice a copy and a launch, then the filter.
        conform_on_inserts(&mut make, MILLION, 5_000).and(conform(&mut make, 0))
    };
    for calls_left in 0..40 {
        assert_eq!(outcome(calls_left), Err(Disagreement::Engine(lost())));
    }
    outcome(usize::MAX).unwrap();
}

fn conform_on_adapter(
    adapter: &Adapter,
    shader: &str,
    filter_binding_bytes_max: u64,
    random_slots: u64,
) -> Result<Coverage, Disagreement> {
    conform(
        &mut |shape, layout| {
            let room = Room::new(shape, layout);
            let device = WgpuSieve::open_with(adapter, room, shader, filter_binding_bytes_max)?;
            Ok(Box::new(GpuEngine::new(device, room)))
        },
        random_slots,
    )
}

#[test]
fn wgpu_conforms() {
    for adapter in adapters() {
        let account = conform_on_adapter(&adapter, wgpu::SHADER, u64::MAX, 100).unwrap();
        println!("{adapter:?}: {account:?}");
        conform_on_inserts(
            &mut |shape, layout| {
                let room = Room::new(shape, layout);
                let device = WgpuSieve::open(&adapter, room)?;
                Ok(Box::new(GpuEngine::new(device, room)))
            },
            MILLION,
            1_000_000,
        )
        .unwrap();
        let layout = SlotLayout::smallest(PropertySet::NONE);
        let device = WgpuSieve::open(&adapter, Room::new(MILLION, &layout)).unwrap();
        assert_keys_are_read_when_the_call_returns(device, &layout);
    }
}

#[test]
fn a_filter_in_several_pieces_conforms() {
    for adapter in adapters() {
        // The largest filter of the body takes 2 MiB and a line, the others less than one of these.
        conform_on_adapter(&adapter, wgpu::SHADER, (600 << 10) + 8, 20).unwrap();
    }
}

#[test]
fn a_filter_that_needs_too_many_bindings_is_refused() {
    for adapter in adapters() {
        let binding_bytes_max = 512 << 10;
        let refused = conform_on_adapter(&adapter, wgpu::SHADER, binding_bytes_max, 0).unwrap_err();
        let too_large = EngineError::TooLarge {
            engine: "wgpu",
            part: "filter",
            bytes: (2 << 20) + 8,
            bytes_max: 4 * binding_bytes_max,
        };
        assert_eq!(refused, Disagreement::Engine(too_large));
    }
}

#[test]
fn errors_planted_in_the_shader_are_detected_slow() {
    for adapter in adapters() {
        for (right, wrong) in [
            ("select(0u, 1u, low < a.x)", "0u"),
            ("a_high * b_high + (middle >> 16u)", "a_high * b_high"),
            ("vec2(cross.x, 0u)", "vec2(0u, 0u)"),
            ("max(left, 8u) - 8u", "left"),
            ("begin + 4u, clamp(bytes, 4u, 8u) - 4u", "begin + 4u, 4u"),
            ("text[(begin >> 2u) + 1u] << (32u - shift)", "0u"),
            ("all(keys[held - 1u] == key)", "keys[held - 1u].z == key.z"),
            ("atomicMin(&table[place], row + 1u);", ""),
            (
                "atomicOr(&filter_2[at], mask)",
                "atomicOr(&filter_2[at ^ 1u], mask)",
            ),
            (
                "atomicLoad(&filter_1[at])",
                "atomicLoad(&filter_1[at ^ 1u])",
            ),
            ("select(NEW, MAYBE,", "select(MAYBE, MAYBE,"),
            ("if verdict == NEW", "if verdict != NEW"),
            ("if in_block < 3u", "if in_block < 2u"),
        ] {
            assert_eq!(wgpu::SHADER.matches(right).count(), 1, "{right}");
            let shader = wgpu::SHADER.replace(right, wrong);
            let outcome = conform_on_adapter(&adapter, &shader, (600 << 10) + 8, 20);
            assert!(
                !matches!(outcome, Ok(_) | Err(Disagreement::Engine(_))),
                "nobody saw: {wrong}: {outcome:?}"
            );
        }
    }
}

#[test]
fn a_shader_that_does_not_compile_is_an_error_and_not_a_panic() {
    for adapter in adapters() {
        let outcome = conform_on_adapter(&adapter, "fn hash_rows() { nonsense }", u64::MAX, 0);
        let Err(Disagreement::Engine(EngineError::Failed { engine, .. })) = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(engine, "wgpu");
    }
}

/// Tests the code of the engine down to the driver calls, with a library that replaces the driver.
#[test]
fn cuda_conforms_under_a_driver_that_delays_all_work_slow() {
    let driver = shim::fake_driver();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(only_test(module_path!(), "cuda_conforms"))
        .env("LD_LIBRARY_PATH", driver.path())
        .env("MOLSIEVE_REQUIRE_ENGINES", "cuda")
        .output()
        .unwrap();
    let (told, errors) = (String::from_utf8(output.stdout), output.stderr);
    let (told, errors) = (told.unwrap(), String::from_utf8_lossy(&errors));
    assert!(output.status.success(), "{told}\n{errors}");
    assert!(told.contains("1 passed"), "{told}");
    assert!(
        told.contains(STAND_IN) && told.contains("Coverage"),
        "{told}"
    );
}

/// A device must have read the keys when the call returns, whether the memory is page-locked or not.
fn assert_keys_are_read_when_the_call_returns(mut device: impl Device, layout: &SlotLayout) {
    let memory = device.slot_memory(layout.bytes).unwrap();
    let mut slot = Slot::within(layout.clone(), memory);
    let keys = &mut slot.columns_mut().key[..2];
    keys.copy_from_slice(&[Key::of(b"C").words(), Key::of(b"CCO").words()]);
    let mut oracle = BloomFilter::with_num_bits(MILLION.bits)
        .seed(&0)
        .hashes(MILLION.hashes);
    for key in &*keys {
        oracle.insert_hash(key[0]);
    }
    let lane = device.lanes() - 1;
    device.copy_keys_in(lane, keys).unwrap();
    keys.fill([0; 2]);
    device.launch(lane, Kernel::InsertKeys, 2).unwrap();
    let mut words = vec![0; MILLION.bits / 64];
    device.copy_filter_out(&mut words).unwrap();
    assert!(words == oracle.as_slice(), "other keys were inserted");
}

#[test]
fn cuda_conforms() {
    let gpus = match cuda::gpus() {
        Ok(gpus) => gpus,
        Err(absent) => return skip_engine("cuda", &absent.to_string()),
    };
    let _alone = alone();
    for gpu in gpus {
        let mut make = |shape, layout: &SlotLayout| {
            let room = Room::new(shape, layout);
            let device = CudaSieve::open(gpu.index, room)?;
            Ok(Box::new(GpuEngine::new(device, room)) as Box<dyn Engine>)
        };
        let random_slots = if gpu.name == STAND_IN { 30 } else { 2_000 };
        let account = conform(&mut make, random_slots).unwrap();
        println!("{gpu:?}: {account:?}");
        conform_on_inserts(&mut make, MILLION, 1_000_000).unwrap();
        random_accesses::assert_on_cuda(gpu.index);
        let layout = SlotLayout::smallest(PropertySet::NONE);
        let device = CudaSieve::open(gpu.index, Room::new(MILLION, &layout)).unwrap();
        assert_keys_are_read_when_the_call_returns(device, &layout);
    }
}

#[test]
fn the_ptx_is_not_older_than_its_source() {
    shim::assert_ptx_is_of_its_source("sieve");
}
